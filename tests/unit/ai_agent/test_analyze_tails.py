"""The numbers behind a score: tails of the normal distribution, and bounds on tails that are heavier."""

import math

import numpy as np
import pytest

from services.ai_agent.domain.detect.normal import lambert_w, score_of_tail, tail_score, threshold_z
from services.ai_agent.domain.detect.tails import fit_tails


def test_lambert_w_undoes_w_exp_w() -> None:
    y = np.logspace(-12, 250, 500)
    w = lambert_w(y.copy())
    np.testing.assert_allclose(w + np.log(w), np.log(y), atol=1e-10)


@pytest.mark.parametrize("z", [2.0, 3.3, 6.0, 20.0, 37.0])
def test_scores_are_those_of_the_normal_tail(z: float) -> None:
    chance = 0.5 * math.erfc(z / math.sqrt(2.0))
    assert float(tail_score(np.array([z]))[0]) == pytest.approx(-math.log10(chance), rel=1e-4)
    assert threshold_z(chance) == pytest.approx(z, rel=1e-6)


def test_normal_scores_of_chances() -> None:
    chances = np.array([0.5, 0.1, 1e-3, 1e-6])
    np.testing.assert_allclose(score_of_tail(chances), [0.0, 1.28155, 3.09023, 4.75342], atol=2e-3)


def test_heavier_noise_is_given_a_longer_reach_and_normal_noise_hardly_any() -> None:
    rng = np.random.default_rng(1)
    normal, student = rng.normal(size=(6, 5_000)), rng.standard_t(3, (6, 5_000))
    group, effective = np.zeros(6, dtype=np.int64), np.full(6, 5_000.0)
    reach_normal = fit_tails(normal, effective, group).reach(4.5)
    reach_student = fit_tails(student, effective, group).reach(4.5)
    assert np.all((reach_normal > 3.9) & (reach_normal < 7.0))
    assert np.all(reach_student > 30.0)  # Student's own such quantile is 53


def test_a_tenth_of_outliers_hardly_moves_the_fit() -> None:
    rng = np.random.default_rng(2)
    clean = rng.normal(size=(1, 2_000))
    dirty = clean.copy()
    dirty[0, rng.choice(2_000, 200, replace=False)] = 12.0 + rng.normal(size=200)
    group, effective = np.zeros(1, dtype=np.int64), np.full(1, 2_000.0)
    ratio = fit_tails(dirty, effective, group).reach(4.5) / fit_tails(clean, effective, group).reach(4.5)
    assert np.all((ratio > 0.6) & (ratio < 1.6))
