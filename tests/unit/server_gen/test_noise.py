import numpy as np

from services.server_gen.domain.noise import MAX_SLOPE, ValueNoise, derive, mix, unit

SEEDS = mix(np.arange(200, dtype=np.uint64))
TIMES = (1_800_000_000.0 + np.arange(0.0, 20_000.0, 7.0))[:, None]


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
    noise = ValueNoise(SEEDS, 600.0)
    values = noise.value(TIMES)
    assert abs(values).max() <= 1.0
    assert abs(values.mean()) < 0.05
    assert abs(np.diff(values, axis=0)).max() <= MAX_SLOPE / 600.0 * 7.0 + 1e-9


def test_slope_is_the_derivative() -> None:
    noise = ValueNoise(SEEDS, 600.0)
    measured = (noise.value(TIMES + 0.05) - noise.value(TIMES - 0.05)) / 0.1
    np.testing.assert_allclose(noise.slope(TIMES), measured, atol=1e-5)


def test_a_value_does_not_depend_on_what_else_is_asked() -> None:
    noise = ValueNoise(SEEDS, 600.0)
    assert noise.value(TIMES[5:6])[0].tolist() == noise.value(TIMES)[5].tolist()
    assert ValueNoise(SEEDS[3:4], 600.0).value(TIMES).ravel().tolist() == noise.value(TIMES)[:, 3].tolist()
