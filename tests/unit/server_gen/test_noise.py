import numpy as np
import pytest

from services.server_gen.domain.flicker import Flicker
from services.server_gen.domain.noise import Floats, Octaves, ValueNoise, derive, mix, unit

SEEDS = mix(np.arange(200, dtype=np.uint64))
TIMES = 1_800_000_000.0 + np.arange(0.0, 20_000.0, 7.0)


def test_mix_gives_the_published_numbers_of_splitmix64() -> None:
    # The first outputs of SplitMix64 from state 0, as listed with its reference implementation.
    state = np.array([0, 0x9E3779B97F4A7C15], dtype=np.uint64)
    assert mix(state).tolist() == [0xE220A8397B1DCDAF, 0x6E789E6AA1B965F4]


def test_unit_numbers_are_even() -> None:
    numbers = unit(np.arange(100_000, dtype=np.uint64))
    assert numbers.min() >= 0.0
    assert numbers.max() < 1.0
    counts, _ = np.histogram(numbers, bins=20, range=(0, 1))
    assert abs(counts - 5000).max() < 350


def test_keys_give_unrelated_streams() -> None:
    first, second = (ValueNoise(derive(SEEDS, key), 600.0).value(TIMES) for key in (1, 2))
    assert abs(np.corrcoef(first.ravel(), second.ravel())[0, 1]) < 0.05


def test_noise_is_bounded_centred_and_smooth() -> None:
    values = ValueNoise(SEEDS, 600.0).value(TIMES)
    assert abs(values).max() <= 1.0
    assert abs(values.mean()) < 0.05
    assert abs(np.diff(values, axis=0)).max() <= 2.0
    assert abs(np.diff(values, axis=1)).max() <= 2.0 / 600.0 * 7.0 + 1e-9


def test_slope_is_the_derivative() -> None:
    noise = ValueNoise(SEEDS, 600.0)
    measured = (noise.value(TIMES + 0.05) - noise.value(TIMES - 0.05)) / 0.1
    value, slope = noise.value_and_slope(TIMES)
    np.testing.assert_array_equal(value, noise.value(TIMES))
    np.testing.assert_allclose(slope / 600.0, measured, atol=1e-5)


@pytest.mark.parametrize("period", [5.0, 600.0, 1e6])
def test_a_value_does_not_depend_on_what_else_is_asked(period: float) -> None:
    noise = ValueNoise(SEEDS, period)
    whole = noise.value(TIMES)
    assert noise.value(TIMES[5:6])[:, 0].tolist() == whole[:, 5].tolist()
    assert noise.value(np.broadcast_to(TIMES, whole.shape)).tobytes() == whole.tobytes()
    assert ValueNoise(SEEDS[3:4], period).value(TIMES).tobytes() == whole[3:4].tobytes()
    assert noise.take(np.array([7, 3])).value(TIMES).tobytes() == whole[[7, 3]].tobytes()


def test_what_wanders_has_the_integral_it_tells() -> None:
    octaves = Octaves(SEEDS[:5], ((3000.0, 0.3), (400.0, 0.1)))
    times = TIMES[0] + np.arange(0.0, 20_000.0, 2.0)
    rate, amount = octaves.wander(times)
    assert abs(rate).max() <= 0.4
    summed = (2.0 * (rate[:, 1:] + rate[:, :-1]) / 2.0).sum(axis=1)
    np.testing.assert_allclose(amount[:, -1] - amount[:, 0], summed, atol=0.5)


def heights(times: Floats) -> Floats:
    return np.broadcast_to(1.0 + 0.5 * ((times // 640.0) % 2.0), (5, times.shape[1]))


def test_flicker_has_the_integral_it_tells_and_loses_nothing_between_blocks() -> None:
    flicker = Flicker(SEEDS[:5], 20.0)
    times = TIMES[0] + np.arange(0.0, 20_000.0, 1.0)
    rate, amount = flicker.wander(times, heights)
    assert rate.min() >= -0.75
    assert rate.max() <= 1.5
    assert abs(rate.mean()) < 0.01
    summed = np.concatenate((np.zeros((5, 1)), ((rate[:, 1:] + rate[:, :-1]) / 2.0).cumsum(axis=1)), axis=1)
    np.testing.assert_allclose(amount - amount[:, :1], summed, atol=1e-6)


def test_flicker_does_not_depend_on_what_else_is_asked() -> None:
    times = TIMES[0] + np.arange(0.0, 20_000.0, 60.0)
    rate, amount = Flicker(SEEDS[:5], 20.0).wander(times, heights)
    flicker = Flicker(SEEDS[:5], 20.0)
    for first in range(0, len(times), 17):
        part = slice(first, first + 17)
        there, done = flicker.wander(np.broadcast_to(times[part], (5, len(times[part]))), heights)
        assert there.tobytes() == np.ascontiguousarray(rate[:, part]).tobytes()
        assert done.tobytes() == np.ascontiguousarray(amount[:, part]).tobytes()
