"""Parameters for every distribution, as functions of a generator: arrays become tensors, anything else stays."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

Rng = np.random.Generator


def simplex(rng: Rng, *shape: int) -> np.ndarray:
    """Vectors of probabilities."""
    p = rng.uniform(0.2, 1, shape)
    return p / p.sum(-1, keepdims=True)


def definite(rng: Rng, *shape: int) -> np.ndarray:
    """Positive definite matrices."""
    a = rng.standard_normal(shape)
    return a @ a.swapaxes(-1, -2) + np.eye(shape[-1])


def lower(rng: Rng, *shape: int) -> np.ndarray:
    """Lower triangular matrices with a positive diagonal."""
    return np.linalg.cholesky(definite(rng, *shape))


def positive(rng: Rng, *shape: int) -> np.ndarray:
    return rng.uniform(0.3, 3, shape)


def place(rng: Rng) -> dict[str, Any]:
    return {"loc": rng.standard_normal((2, 3)), "scale": positive(rng, 3)}


CASES: dict[str, tuple[str, Callable[[Rng], dict[str, Any]]]] = {
    "Normal": ("Normal", place),
    "Normal of numbers": ("Normal", lambda rng: {"loc": 0.5, "scale": positive(rng, 3)}),
    "LogNormal": ("LogNormal", lambda rng: {"loc": rng.standard_normal(3), "scale": rng.uniform(0.3, 1, 3)}),
    "HalfNormal": ("HalfNormal", lambda rng: {"scale": positive(rng, 3)}),
    "HalfCauchy": ("HalfCauchy", lambda rng: {"scale": positive(rng, 3)}),
    "Laplace": ("Laplace", place),
    "Cauchy": ("Cauchy", place),
    "Gumbel": ("Gumbel", place),
    "Uniform": ("Uniform", lambda rng: {"low": rng.uniform(-2, 0, 3), "high": rng.uniform(1, 2, (2, 3))}),
    "Exponential": ("Exponential", lambda rng: {"rate": positive(rng, 3)}),
    "Gamma": ("Gamma", lambda rng: {"concentration": positive(rng, 2, 3), "rate": positive(rng, 3)}),
    "InverseGamma": ("InverseGamma", lambda rng: {"concentration": 2.5 + positive(rng, 3), "rate": positive(rng, 3)}),
    "Chi2": ("Chi2", lambda rng: {"df": positive(rng, 4)}),
    "StudentT": ("StudentT", lambda rng: {"df": np.array([0.7, 1.5, 4.0]), **place(rng)}),
    "Beta": (
        "Beta",
        lambda rng: {"concentration1": 0.8 + positive(rng, 2, 3), "concentration0": 0.8 + positive(rng, 3)},
    ),
    "FisherSnedecor": ("FisherSnedecor", lambda rng: {"df1": 2.5 + positive(rng, 3), "df2": np.array([1.5, 3.0, 9.0])}),
    "Kumaraswamy": (
        "Kumaraswamy",
        lambda rng: {"concentration1": 1 + positive(rng, 2, 3), "concentration0": 1 + positive(rng, 3)},
    ),
    "ContinuousBernoulli": ("ContinuousBernoulli", lambda rng: {"probs": np.array([0.1, 0.4, 0.5, 0.9])}),
    "ContinuousBernoulli by logits": ("ContinuousBernoulli", lambda rng: {"logits": rng.standard_normal((2, 3))}),
    "LKJCholesky": ("LKJCholesky", lambda rng: {"dim": 4, "concentration": positive(rng, 2)}),
    "LKJCholesky of two": ("LKJCholesky", lambda rng: {"dim": 2, "concentration": positive(rng, 3)}),
    "Wishart": ("Wishart", lambda rng: {"df": 4 + positive(rng, 2), "covariance_matrix": definite(rng, 2, 3, 3)}),
    "Wishart by precision": ("Wishart", lambda rng: {"df": np.array(6.5), "precision_matrix": definite(rng, 3, 3)}),
    "Dirichlet": ("Dirichlet", lambda rng: {"concentration": 0.8 + positive(rng, 2, 4)}),
    "Pareto": ("Pareto", lambda rng: {"scale": positive(rng, 3), "alpha": 0.5 + positive(rng, 3)}),
    "Weibull": ("Weibull", lambda rng: {"scale": positive(rng, 3), "concentration": 0.7 + positive(rng, 3)}),
    "VonMises": ("VonMises", lambda rng: {"loc": rng.uniform(-2, 2, 3), "concentration": positive(rng, 3)}),
    "LogisticNormal": (
        "LogisticNormal",
        lambda rng: {"loc": rng.standard_normal((2, 3)), "scale": positive(rng, 2, 3)},
    ),
    "MultivariateNormal": (
        "MultivariateNormal",
        lambda rng: {"loc": rng.standard_normal((2, 3)), "covariance_matrix": definite(rng, 3, 3)},
    ),
    "MultivariateNormal by precision": (
        "MultivariateNormal",
        lambda rng: {"loc": rng.standard_normal(3), "precision_matrix": definite(rng, 2, 3, 3)},
    ),
    "MultivariateNormal by factor": (
        "MultivariateNormal",
        lambda rng: {"loc": rng.standard_normal((2, 3)), "scale_tril": lower(rng, 2, 3, 3)},
    ),
    "LowRankMultivariateNormal": (
        "LowRankMultivariateNormal",
        lambda rng: {
            "loc": rng.standard_normal((2, 4)),
            "cov_factor": rng.standard_normal((4, 2)),
            "cov_diag": positive(rng, 4),
        },
    ),
    "Bernoulli": ("Bernoulli", lambda rng: {"probs": rng.uniform(0.1, 0.9, (2, 3))}),
    "Bernoulli by logits": ("Bernoulli", lambda rng: {"logits": rng.standard_normal(3)}),
    "Binomial": ("Binomial", lambda rng: {"total_count": 5, "probs": rng.uniform(0.1, 0.9, (2, 3))}),
    "Binomial by logits": ("Binomial", lambda rng: {"total_count": 4, "logits": rng.standard_normal(3)}),
    "NegativeBinomial": (
        "NegativeBinomial",
        lambda rng: {"total_count": positive(rng, 3), "probs": rng.uniform(0.1, 0.8, 3)},
    ),
    "Geometric": ("Geometric", lambda rng: {"probs": rng.uniform(0.2, 0.9, 3)}),
    "Geometric by logits": ("Geometric", lambda rng: {"logits": rng.standard_normal(3)}),
    "Poisson": ("Poisson", lambda rng: {"rate": positive(rng, 2, 3)}),
    "Categorical": ("Categorical", lambda rng: {"probs": simplex(rng, 2, 4)}),
    "Categorical by logits": ("Categorical", lambda rng: {"logits": rng.standard_normal((3, 4))}),
    "OneHotCategorical": ("OneHotCategorical", lambda rng: {"probs": simplex(rng, 2, 4)}),
    "OneHotCategoricalStraightThrough": (
        "OneHotCategoricalStraightThrough",
        lambda rng: {"logits": rng.standard_normal((2, 4))},
    ),
    "Multinomial": ("Multinomial", lambda rng: {"total_count": 6, "probs": simplex(rng, 2, 3)}),
    "RelaxedBernoulli": (
        "RelaxedBernoulli",
        lambda rng: {"temperature": np.array(0.7), "logits": rng.standard_normal(3)},
    ),
    "RelaxedOneHotCategorical": (
        "RelaxedOneHotCategorical",
        lambda rng: {"temperature": np.array(0.7), "probs": simplex(rng, 2, 4)},
    ),
}
