"""Calm columns of many kinds, and what is planted in them."""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Generator = np.random.Generator


def autoregressive(rng: Generator, phi: float, columns: int, rows: int) -> Floats:
    shocks = rng.normal(size=(columns, rows + 300))
    values = np.zeros_like(shocks)
    for row in range(1, rows + 300):
        values[:, row] = phi * values[:, row - 1] + shocks[:, row]
    return values[:, 300:]


def correlated(rng: Generator, columns: int, rows: int) -> Floats:
    correlation = 0.9 * np.ones((columns, columns)) + 0.1 * np.eye(columns)
    return np.asarray(np.linalg.cholesky(correlation) @ rng.normal(size=(columns, rows)))


NOISE: dict[str, Callable[[Generator, int, int], Floats]] = {
    "normal": lambda rng, d, n: rng.normal(size=(d, n)),
    "student_5": lambda rng, d, n: rng.standard_t(5, (d, n)),
    "student_3": lambda rng, d, n: rng.standard_t(3, (d, n)),
    "laplace": lambda rng, d, n: rng.laplace(size=(d, n)),
    "lognormal": lambda rng, d, n: rng.lognormal(0.0, 1.0, (d, n)),
    "exponential": lambda rng, d, n: rng.exponential(size=(d, n)),
    "uniform": lambda rng, d, n: rng.uniform(size=(d, n)),
    "ar_0.5": lambda rng, d, n: autoregressive(rng, 0.5, d, n),
    "ar_0.9": lambda rng, d, n: autoregressive(rng, 0.9, d, n),
    "random_walk": lambda rng, d, n: np.cumsum(rng.normal(size=(d, n)), axis=1),
    "noisy_walk": lambda rng, d, n: np.cumsum(rng.normal(size=(d, n)), axis=1) * 0.2 + rng.normal(size=(d, n)),
    "daily": lambda rng, d, n: 5.0 * np.sin(np.arange(n) * 2 * np.pi / 1440) + rng.normal(size=(d, n)),
    "fast_wave": lambda rng, d, n: 5.0 * np.sin(np.arange(n) * 2 * np.pi / 200) + rng.normal(size=(d, n)),
    "constant": lambda rng, d, n: np.full((d, n), 2.5),
    "rounded": lambda rng, d, n: np.round(rng.normal(size=(d, n)) * 1.2),
    "mostly_one_value": lambda rng, d, n: np.round(rng.normal(size=(d, n)) * 0.3),
    "rare_ones": lambda rng, d, n: (rng.uniform(size=(d, n)) < 0.05).astype(float),
    "counts": lambda rng, d, n: rng.poisson(3.0, (d, n)).astype(float),
    "correlated": correlated,
    "joint_student_4": lambda rng, d, n: correlated(rng, d, n) / np.sqrt(rng.chisquare(4, n) / 4.0),
    "trend": lambda rng, d, n: rng.normal(size=(d, n)) + np.linspace(0.0, 10.0, n),
    "changing_spread": lambda rng, d, n: rng.normal(size=(d, n)) * (1.0 + 0.8 * np.sin(np.arange(n) / n * 6.0)),
}


def calm_server(rng: Generator, rows: int) -> Floats:
    """cpu, memory and disk in percent, normal noise."""
    return np.stack([rng.normal(45.0, 8.0, rows), rng.normal(60.0, 6.0, rows), rng.normal(55.0, 3.0, rows)])
