"""Distributions against PyTorch's: the same parameters give the same numbers, gradients, shapes, texts and errors."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from distributions.cases import CASES, definite, lower, positive, simplex

import tinygrad_edu as tg
from tinygrad_edu import distributions

torch = pytest.importorskip("torch", reason="PyTorch is what these tests compare with")

pytestmark = pytest.mark.filterwarnings("ignore:Singular sample detected")  # PyTorch's, of samples that are not

LIBRARIES = {"ours": (tg, distributions), "theirs": (torch, torch.distributions)}


def built(name: str, numbers: dict[str, Any], which: str) -> tuple[Any, dict[str, Any]]:
    """The distribution in one of the libraries, and its parameters that are tensors."""
    lib, family = LIBRARIES[which]
    given = {k: lib.tensor(v, requires_grad=True) if isinstance(v, np.ndarray) else v for k, v in numbers.items()}
    found = getattr(family, name)(**given)
    return found, {k: v for k, v in given.items() if not isinstance(v, (int, float))}


def outcome(compute: Callable, *args: Any) -> Any:
    """A result, or which kind of error there is instead."""
    try:
        return compute(*args)
    except Exception as error:
        return type(error)


# of PyTorch's numbers, these are the rougher ones: its polynomials for Bessel's functions are right to 1e-7, and its
# multinomial entropy takes the logarithm of n! in single precision
ROUGH = {"VonMises": 1e-5, "Multinomial": 1e-6}


def gradients(lib: Any, y: Any, xs: list, weights: np.ndarray) -> Any:
    """The gradients of a weighted sum of results, None where there is no influence."""
    return lib.autograd.grad(y, xs, lib.tensor(weights), True, allow_unused=True)


def same(ours: Any, theirs: Any, what: str, tolerance: float = 1e-8) -> None:
    if isinstance(theirs, type) or isinstance(ours, type):
        assert ours is theirs, f"{what}: {ours} instead of {theirs}"
        return
    assert str(ours.dtype) == str(theirs.dtype), what
    np.testing.assert_allclose(
        ours.detach().numpy(), theirs.detach().numpy(), rtol=tolerance, atol=1e-9, equal_nan=True, err_msg=what
    )


@pytest.mark.parametrize("case", CASES)
def test_numbers_and_gradients(case: str) -> None:
    name, parameters = CASES[case]
    rough = ROUGH.get(name, 1e-8)
    rng = np.random.default_rng(3)
    numbers = parameters(rng)
    torch.manual_seed(1)
    p, given = built(name, numbers, "theirs")
    q, ours = built(name, numbers, "ours")
    assert tuple(q.batch_shape) == tuple(p.batch_shape)
    assert tuple(q.event_shape) == tuple(p.event_shape)
    assert repr(q) == repr(p)
    assert q.has_rsample == p.has_rsample
    assert q.has_enumerate_support == p.has_enumerate_support
    assert q.support.is_discrete == p.support.is_discrete
    assert q.support.event_dim == p.support.event_dim
    for attribute in ("mean", "variance", "stddev", "mode"):
        if (name, attribute) == ("Kumaraswamy", "mode"):
            continue  # PyTorch's takes the logarithm of a negative number where both concentrations are above 1
        same(*(outcome(getattr, d, attribute) for d in (q, p)), attribute)
    for attribute in ("probs", "logits", "covariance_matrix", "precision_matrix", "scale_tril"):
        if hasattr(p, attribute):
            same(getattr(q, attribute), getattr(p, attribute), attribute)
    drawn = p.sample((4,)).detach().numpy()
    level = rng.uniform(0.05, 0.95, drawn.shape)
    for compute, at in (("log_prob", drawn), ("cdf", drawn), ("icdf", level), ("entropy", None)):
        args = ([] if at is None else [tg.tensor(at)]), ([] if at is None else [torch.tensor(at)])
        if name not in ("Categorical",) and at is not None:
            args = [a.requires_grad_() for a in args[0]], [a.requires_grad_() for a in args[1]]
        found = outcome(getattr(q, compute), *args[0]), outcome(getattr(p, compute), *args[1])
        same(*found, compute, rough)
        if isinstance(found[0], type) or not found[1].requires_grad:
            continue
        weights = rng.standard_normal(tuple(found[1].shape))
        xs = [*ours.values(), *args[0]], [*given.values(), *args[1]]
        theirs = outcome(gradients, torch, found[1], xs[1], weights)
        if isinstance(theirs, type):
            continue  # not differentiable there
        mine = gradients(tg, found[0], xs[0], weights)
        for k, (a, b) in enumerate(zip(mine, theirs, strict=True)):
            if a is None or b is None:
                assert (a is None or not a.any()) and (b is None or not b.any()), f"{compute}: gradient {k}"
            else:
                same(a, b, f"{compute}: gradient {k}", rough)


@pytest.mark.parametrize("case", CASES)
def test_shapes_of_samples_and_of_what_is_expanded(case: str) -> None:
    name, parameters = CASES[case]
    numbers = parameters(np.random.default_rng(5))
    (q, _), (p, _) = built(name, numbers, "ours"), built(name, numbers, "theirs")
    for d_ours, d_theirs in ((q, p), (q.expand((5, *q.batch_shape)), p.expand((5, *p.batch_shape)))):
        drawn, expected = d_ours.sample((6,)), d_theirs.sample((6,))
        assert tuple(drawn.shape) == tuple(expected.shape)
        assert str(drawn.dtype) == str(expected.dtype)
        assert not drawn.requires_grad
        same(
            d_ours.log_prob(tg.tensor(expected.numpy())), d_theirs.log_prob(expected), "log_prob", ROUGH.get(name, 1e-8)
        )
        if p.has_rsample:
            assert d_ours.rsample().requires_grad
            assert tuple(d_ours.rsample().shape) == tuple(d_theirs.rsample().shape)
        if p.has_enumerate_support:
            for expand in (True, False):
                same(d_ours.enumerate_support(expand), d_theirs.enumerate_support(expand), "enumerate_support")
        same(outcome(getattr, d_ours, "mean"), outcome(getattr, d_theirs, "mean"), "mean")


def places(rng: np.random.Generator) -> dict[str, Any]:
    return {"loc": rng.standard_normal((2, 3)), "scale": positive(rng, 3)}


def halves(rng: np.random.Generator) -> dict[str, Any]:
    return {"probs": rng.uniform(0.1, 0.9, 3)}


def rates(rng: np.random.Generator) -> dict[str, Any]:
    return {"rate": positive(rng, 3)}


def gammas(rng: np.random.Generator) -> dict[str, Any]:
    return {"concentration": positive(rng, 3), "rate": positive(rng, 3)}


def vectors(rng: np.random.Generator) -> dict[str, Any]:
    return {"loc": rng.standard_normal((2, 3)), "covariance_matrix": definite(rng, 3, 3)}


def factors(rng: np.random.Generator) -> dict[str, Any]:
    return {"loc": rng.standard_normal(3), "cov_factor": rng.standard_normal((3, 2)), "cov_diag": positive(rng, 3)}


PAIRS: list[tuple[str, Callable, str, Callable]] = [
    *[(name, places, name, places) for name in ("Normal", "LogNormal", "Laplace", "Cauchy", "Gumbel")],
    *[(name, halves, name, halves) for name in ("Bernoulli", "Geometric")],
    *[(name, rates, name, rates) for name in ("Exponential", "Poisson")],
    ("Gamma", gammas, "Gamma", gammas),
    ("InverseGamma", gammas, "InverseGamma", gammas),
    ("HalfNormal", lambda r: {"scale": positive(r, 3)}, "HalfNormal", lambda r: {"scale": positive(r, 3)}),
    ("Chi2", lambda r: {"df": positive(r, 3)}, "Gamma", gammas),
    ("Exponential", rates, "Gamma", gammas),
    ("Gamma", gammas, "Exponential", rates),
    ("Exponential", rates, "Normal", places),
    ("Gamma", gammas, "Normal", places),
    ("Laplace", places, "Normal", places),
    ("Bernoulli", halves, "Poisson", rates),
    ("Uniform", lambda r: {"low": r.uniform(-1, 0, 3), "high": positive(r, 3)}, "Normal", places),
    ("Uniform", lambda r: {"low": r.uniform(-1, 0, 3), "high": r.uniform(1, 2, 3)}, "Uniform",
     lambda r: {"low": r.uniform(-3, -0.5, 3), "high": np.array([2.0, 3.0, 1.2])}),
    ("Pareto", lambda r: {"scale": positive(r, 3), "alpha": positive(r, 3)}, "Pareto",
     lambda r: {"scale": positive(r, 3), "alpha": positive(r, 3)}),
    ("Binomial", lambda r: {"total_count": 5, **halves(r)}, "Binomial", lambda r: {"total_count": 5, **halves(r)}),
    ("Beta", lambda r: {"concentration1": positive(r, 3), "concentration0": positive(r, 3)}, "Beta",
     lambda r: {"concentration1": positive(r, 3), "concentration0": positive(r, 3)}),
    ("Dirichlet", lambda r: {"concentration": positive(r, 2, 3)}, "Dirichlet",
     lambda r: {"concentration": positive(r, 2, 3)}),
    ("Categorical", lambda r: {"probs": simplex(r, 2, 4)}, "Categorical", lambda r: {"logits": r.standard_normal(4)}),
    ("OneHotCategorical", lambda r: {"probs": simplex(r, 2, 4)}, "OneHotCategorical",
     lambda r: {"probs": simplex(r, 2, 4)}),
    ("MultivariateNormal", vectors, "MultivariateNormal",
     lambda r: {"loc": r.standard_normal(3), "scale_tril": lower(r, 2, 3, 3)}),
    ("LowRankMultivariateNormal", factors, "LowRankMultivariateNormal", factors),
    ("LowRankMultivariateNormal", factors, "MultivariateNormal", vectors),
    ("MultivariateNormal", vectors, "LowRankMultivariateNormal", factors),
    ("Normal", places, "Gamma", gammas),
]  # fmt: skip


@pytest.mark.parametrize(("p", "p_numbers", "q", "q_numbers"), PAIRS, ids=[f"{p[0]}-{p[2]}" for p in PAIRS])
def test_divergences(p: str, p_numbers: Callable, q: str, q_numbers: Callable) -> None:
    rng = np.random.default_rng(11)
    first, second = p_numbers(rng), q_numbers(rng)
    found = []
    for which, (lib, family) in LIBRARIES.items():
        one, xs = built(p, first, which)
        two, ys = built(q, second, which)
        kl = outcome(family.kl_divergence, one, two)
        if isinstance(kl, type):
            found.append((kl, []))
            continue
        if kl.isinf().all():
            found.append((kl, []))
            continue
        grads = lib.autograd.grad(kl[kl.isfinite()].sum(), [*xs.values(), *ys.values()], allow_unused=True)
        found.append((kl, grads))
    (ours, our_grads), (theirs, their_grads) = found
    same(ours, theirs, "kl")
    for a, b in zip(our_grads, their_grads, strict=True):
        assert (a is None) == (b is None)
        if a is not None:
            same(a, b, "gradient")


def test_independent_and_mixture() -> None:
    rng = np.random.default_rng(2)
    loc, scale, logits = rng.standard_normal((2, 3, 4)), positive(rng, 2, 3, 4), rng.standard_normal((2, 3))
    found = []
    for lib, family in LIBRARIES.values():
        base = family.Independent(family.Normal(lib.tensor(loc), lib.tensor(scale)), 1)
        mixture = family.MixtureSameFamily(family.Categorical(logits=lib.tensor(logits)), base)
        found.append((base, mixture))
    (base, mixture), (their_base, their_mixture) = found
    assert (repr(base), repr(mixture)) == (repr(their_base), repr(their_mixture))
    assert tuple(mixture.batch_shape) == tuple(their_mixture.batch_shape)
    assert tuple(mixture.event_shape) == tuple(their_mixture.event_shape)
    assert tuple(mixture.sample((5,)).shape) == tuple(their_mixture.sample((5,)).shape)
    x = rng.standard_normal((5, 2, 4))
    same(mixture.log_prob(tg.tensor(x)), their_mixture.log_prob(torch.tensor(x)), "log_prob")
    same(mixture.mean, their_mixture.mean, "mean")
    same(mixture.variance, their_mixture.variance, "variance")
    same(base.entropy(), their_base.entropy(), "entropy")
    wide = mixture.expand((7, 2)).log_prob(tg.tensor(x[0])), their_mixture.expand((7, 2)).log_prob(torch.tensor(x[0]))
    same(*wide, "expanded")


TRANSFORMS: dict[str, Callable] = {
    "exp": lambda t, x: t.ExpTransform(),
    "sigmoid": lambda t, x: t.SigmoidTransform(),
    "tanh": lambda t, x: t.TanhTransform(),
    "softplus": lambda t, x: t.SoftplusTransform(),
    "affine": lambda t, x: t.AffineTransform(x([0.5]), x([-2.0])),
    "affine of numbers": lambda t, x: t.AffineTransform(1, 3.0, event_dim=1),
    "stick": lambda t, x: t.StickBreakingTransform(),
    "independent": lambda t, x: t.IndependentTransform(t.TanhTransform(), 1),
    "reshape": lambda t, x: t.ReshapeTransform((4,), (2, 2)),
    "compose": lambda t, x: t.ComposeTransform([t.TanhTransform(), t.AffineTransform(0.5, 0.4), t.SigmoidTransform()]),
    "compose cached": lambda t, x: t.ComposeTransform([t.ExpTransform(), t.PowerTransform(x([-0.5]))], cache_size=1),
    "exp then stick": lambda t, x: t.ComposeTransform([t.AffineTransform(1.0, 2.0), t.StickBreakingTransform()]),
}


@pytest.mark.parametrize("name", TRANSFORMS)
def test_transforms(name: str) -> None:
    rng = np.random.default_rng(4)
    x = rng.standard_normal((3, 4))
    found = []
    for lib, family in LIBRARIES.values():
        double = lambda values, lib=lib: lib.tensor(values, dtype=lib.float64)  # noqa: E731
        f = TRANSFORMS[name](family.transforms, double)
        y = f(double(x))
        base = family.Normal(double(np.zeros((3, 4))), double(1.0))
        d = family.TransformedDistribution(base, [f])
        shapes = tuple(d.batch_shape), tuple(d.event_shape), tuple(f.forward_shape((3, 4)))
        facts = (f.bijective, f.domain.event_dim, f.codomain.event_dim, shapes)
        numbers = [
            y,
            f.inv(y),
            f.log_abs_det_jacobian(double(x), y),
            f.inv.log_abs_det_jacobian(y, double(x)),
            d.log_prob(y),
        ]
        if (
            name.startswith(("exp", "affine of", "tanh", "compose"))
            and "stick" not in name
            and name != "affine of numbers"
        ):
            numbers += [d.cdf(y), d.icdf(double(rng.uniform(0.2, 0.8, (3, 4)) * 0 + 0.3))]
        found.append((facts, numbers))
    assert found[0][0] == found[1][0]
    for k, (a, b) in enumerate(zip(found[0][1], found[1][1], strict=True)):
        same(a, b, f"number {k}")


JOINED: dict[str, Callable] = {
    "cat": lambda t: t.CatTransform([t.ExpTransform(), t.TanhTransform()], dim=1, lengths=[1, 3]),
    "cat from the end": lambda t: t.CatTransform([t.ExpTransform(), t.SigmoidTransform()], -1, [2, 2], cache_size=1),
    "stack": lambda t: t.StackTransform([t.ExpTransform(), t.TanhTransform(), t.SigmoidTransform()], dim=0),
    "correlations": lambda t: t.CorrCholeskyTransform(),
}


@pytest.mark.parametrize("name", JOINED)
def test_transforms_side_by_side(name: str) -> None:
    rng = np.random.default_rng(7)
    x = rng.standard_normal((3, 6 if name == "correlations" else 4))
    x[0, 0] = 0.0  # where forms with |x| have no derivative
    found = []
    for lib, family in LIBRARIES.values():
        given = lib.tensor(x, dtype=lib.float64, requires_grad=True)
        f = JOINED[name](family.transforms)
        y = f(given)
        stretched = f.log_abs_det_jacobian(given, y)
        facts = f.bijective, f.domain.event_dim, f.codomain.event_dim, bool(f.codomain.check(y).all())
        found.append((facts, [y, f.inv(y), stretched, *gradients(lib, stretched.sum(), [given], np.array(1.0))]))
    assert found[0][0] == found[1][0]
    for k, (a, b) in enumerate(zip(found[0][1], found[1][1], strict=True)):
        same(a, b, f"number {k}")


@pytest.mark.parametrize(
    "make",
    [
        lambda d, x: d.Bernoulli(logits=x).log_prob(x * 0 + 1),
        lambda d, x: d.Binomial(3, logits=x).log_prob(x * 0 + 1),
        lambda d, x: d.NegativeBinomial(3.0, logits=x).log_prob(x * 0 + 1),
        lambda d, x: d.Bernoulli(logits=x).entropy(),
        lambda d, x: d.SigmoidTransform().log_abs_det_jacobian(x, x.sigmoid()),
        lambda d, x: d.ContinuousBernoulli(logits=x).log_prob(x * 0 + 0.2),
    ],
)
def test_gradients_where_log_odds_are_zero(make: Callable) -> None:
    found = []
    for lib, family in LIBRARIES.values():
        x = lib.zeros(2, dtype=lib.float64, requires_grad=True)
        found += gradients(lib, make(family, x), [x], np.array([1.0, 2.0]))
    same(*found, "gradient")


REGISTERED: dict[str, Callable] = {
    "real": lambda c: c.real,
    "positive": lambda c: c.positive,
    "below": lambda c: c.less_than(2.0),
    "unit": lambda c: c.unit_interval,
    "between": lambda c: c.interval(-1.0, 3.0),
    "simplex": lambda c: c.simplex,
    "vector": lambda c: c.independent(c.positive, 1),
}
MATRICES: dict[str, Callable] = {
    "factor": lambda c: c.lower_cholesky,
    "definite": lambda c: c.positive_definite,
}


@pytest.mark.parametrize(
    ("name", "registry"),
    [*[(n, r) for n in REGISTERED for r in ("biject_to", "transform_to")], *[(n, "transform_to") for n in MATRICES]],
)
def test_transforms_that_lead_into_a_constraint(name: str, registry: str) -> None:
    x = np.random.default_rng(9).standard_normal((3, 3))
    found = []
    for lib, family in LIBRARIES.values():
        constraint = (REGISTERED | MATRICES)[name](family.constraints)
        f = getattr(family, registry)(constraint)
        y = f(lib.tensor(x))
        assert constraint.check(y).all()
        found.append((y, f.inv(y)))
    for a, b in zip(*found, strict=True):
        same(a, b, name)


WRONG: dict[str, Callable] = {
    "scale": lambda lib, d: d.Normal(lib.zeros(2), lib.tensor([1.0, -1.0])),
    "nan": lambda lib, d: d.Normal(lib.tensor(float("nan")), 1.0),
    "bounds": lambda lib, d: d.Uniform(lib.tensor(1.0), lib.tensor(0.0)),
    "probs": lambda lib, d: d.Bernoulli(lib.tensor([0.5, 1.5])),
    "both": lambda lib, d: d.Bernoulli(probs=lib.tensor(0.5), logits=lib.tensor(0.5)),
    "neither": lambda lib, d: d.Categorical(),
    "0-d": lambda lib, d: d.Categorical(lib.tensor(0.5)),
    "simplex": lambda lib, d: d.Categorical(lib.tensor([-0.5, 1.5])),
    "list": lambda lib, d: d.Normal([0.0], 1.0),
    "matrix": lambda lib, d: d.MultivariateNormal(lib.zeros(2), lib.tensor([[1.0, 2.0], [2.0, 1.0]])),
    "two matrices": lambda lib, d: d.MultivariateNormal(lib.zeros(2), lib.eye(2), lib.eye(2)),
    "vector": lambda lib, d: d.MultivariateNormal(lib.zeros(2), lib.ones(2)),
    "value": lambda lib, d: d.Exponential(lib.ones(2)).log_prob(lib.tensor([1.0, -1.0])),
    "number": lambda lib, d: d.Normal(0.0, 1.0).log_prob(1.0),
    "event": lambda lib, d: d.Dirichlet(lib.ones(3)).log_prob(lib.ones(2)),
    "batch": lambda lib, d: d.Normal(lib.zeros(3), 1.0).log_prob(lib.zeros(2)),
    "category": lambda lib, d: d.Categorical(lib.ones(3)).log_prob(lib.tensor(3)),
    "count": lambda lib, d: d.Binomial(3, lib.tensor([0.5])).log_prob(lib.tensor([4.0])),
    "geometric": lambda lib, d: d.Geometric(lib.tensor([0.0])),
    "independent": lambda lib, d: d.Independent(d.Normal(0.0, 1.0), 1),
    "transform": lambda lib, d: d.TransformedDistribution(d.Normal(0.0, 1.0), 3),
    "mixture": lambda lib, d: d.MixtureSameFamily(d.Categorical(lib.ones(2)), d.Normal(lib.zeros(3), 1.0)),
    "no cdf": lambda lib, d: d.Dirichlet(lib.ones(3)).cdf(lib.ones(3) / 3),
    "no kl": lambda lib, d: d.kl_divergence(d.Cauchy(0.0, 1.0), d.Normal(0.0, 1.0)),
}


@pytest.mark.parametrize("name", WRONG)
def test_errors(name: str) -> None:
    with pytest.raises(Exception) as ours:
        WRONG[name](tg, distributions)
    with pytest.raises(Exception) as theirs:
        WRONG[name](torch, torch.distributions)
    assert ours.type is theirs.type
    # the values at the end are printed by each library in its own way
    assert str(ours.value).partition("\n")[0] == str(theirs.value).partition("\n")[0]
