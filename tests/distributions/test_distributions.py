"""Distributions from their definitions: densities that integrate to 1, moments of samples, gradients through samples."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from distributions.cases import CASES, definite

import tinygrad_edu as tg
from tinygrad_edu import distributions as D
from tinygrad_edu.distributions._gamma_draws import log_slope

N = 40_000  # means are then right to about 1/200 of a standard deviation


@pytest.fixture(autouse=True)
def seeded() -> None:
    tg.manual_seed(11)


def built(case: str) -> Any:
    name, parameters = CASES[case]
    numbers = parameters(np.random.default_rng(6))
    return getattr(D, name)(**{k: tg.tensor(v) if isinstance(v, np.ndarray) else v for k, v in numbers.items()})


# --- densities and probabilities ---------------------------------------------------------------------------------------

REAL = [case for case in CASES if len(built(case).event_shape) == 0 and not built(case).support.is_discrete]
COUNTS = [case for case in CASES if len(built(case).event_shape) == 0 and built(case).support.is_discrete]


def nodes(d: Any) -> tuple[np.ndarray, np.ndarray]:
    """Places and weights of a sum that is nearly an integral over the support: Gauss's rule in many pieces."""
    low, high = getattr(d.support, "lower_bound", None), getattr(d.support, "upper_bound", None)
    point, weight = np.polynomial.legendre.leggauss(20)
    edges = np.linspace(-1, 1, 401)
    t = ((edges[1:] + edges[:-1])[:, None] / 2 + point * (edges[1] - edges[0]) / 2).ravel()
    w = np.tile(weight * (edges[1] - edges[0]) / 2, 400)
    shape = (-1, *(1,) * len(d.batch_shape))
    t, w = t.reshape(shape), w.reshape(shape)
    if isinstance(d, D.VonMises):
        return math.pi * t, math.pi * w
    if low is not None and high is not None:
        low, high = (np.asarray(getattr(b, "array", b)) for b in (low, high))
        s = (3 * t - t**3) / 4 + 0.5  # flat at both ends, where the density may be infinite
        return low + (high - low) * s, (high - low) * w * (3 - 3 * t**2) / 4
    if low is None:  # far out in few steps, and a piece ends where the density has a kink
        return d.mode.numpy() + np.sinh(22 * t), 22 * w * np.cosh(22 * t)
    x = np.exp(41 * t - 19)
    return np.asarray(getattr(low, "array", low)) + x, 41 * w * x


@pytest.mark.parametrize("case", REAL)
def test_densities_integrate_to_one(case: str) -> None:
    d = built(case)
    x, w = nodes(d)
    x = x * np.ones((1, *d.batch_shape))
    inside = d.support.check(tg.tensor(x)).numpy()
    x = np.where(inside, x, d.sample().numpy())
    log_p = d.log_prob(tg.tensor(x)).numpy()
    p = np.where(inside, np.exp(log_p), 0) * w
    heavy = "StudentT" in case or case == "FisherSnedecor" or "Cauchy" in case or "Pareto" in case
    # the relaxed ones are kept from 0 and 1 by what can just be told apart there
    np.testing.assert_allclose(p.sum(0), 1, rtol=1e-5 if heavy else 1e-6 if "Relaxed" in case else 1e-9)
    try:
        entropy = d.entropy().numpy()
    except NotImplementedError:
        return
    log_p = np.where(p > 0, log_p, 0)
    np.testing.assert_allclose(-(p * log_p).sum(0), entropy, rtol=1e-3 if heavy else 1e-8, atol=1e-8)


@pytest.mark.parametrize("case", REAL)
def test_cdf_is_the_integral_and_icdf_its_inverse(case: str) -> None:
    d = built(case)
    x = d.sample((5,)).requires_grad_()
    try:
        p = d.cdf(x)
    except NotImplementedError:
        return
    slope = tg.autograd.grad(p.sum(), x)[0]
    np.testing.assert_allclose(slope.detach().numpy(), d.log_prob(x).exp().detach().numpy(), rtol=1e-7)
    try:
        np.testing.assert_allclose(d.icdf(p).detach().numpy(), x.detach().numpy(), rtol=1e-7)
    except NotImplementedError:
        return


@pytest.mark.parametrize(
    "case", ["Kumaraswamy", "Beta", "Gamma", "Weibull", "FisherSnedecor", "LogNormal", "InverseGamma"]
)
def test_nothing_is_likelier_than_the_mode(case: str) -> None:
    d = built(case)
    mode = d.mode
    inside = mode.isfinite() & (mode > 0)
    at = mode.where(inside, d.mean)
    for near in (at * 0.999, at * 1.001):
        assert ((d.log_prob(near) <= d.log_prob(at)) | ~inside).all()
    assert inside.any()


@pytest.mark.parametrize("case", COUNTS)
def test_probabilities_sum_to_one(case: str) -> None:
    d = built(case)
    if d.has_enumerate_support:
        values = d.enumerate_support()
    else:
        values = tg.arange(0.0, 400).double().reshape(-1, *(1,) * len(d.batch_shape)).expand(400, *d.batch_shape)
    p = d.log_prob(values).exp().numpy()
    x = values.numpy()
    np.testing.assert_allclose(p.sum(0), 1, rtol=1e-9)
    if not isinstance(d, D.Categorical):
        mean = (p * x).sum(0)
        np.testing.assert_allclose(d.mean.numpy(), mean, rtol=1e-8)
        np.testing.assert_allclose(d.variance.numpy(), (p * (x - mean) ** 2).sum(0), rtol=1e-8)
    try:
        entropy = d.entropy().numpy()
    except NotImplementedError:
        return
    np.testing.assert_allclose(entropy, -np.where(p > 0, p * np.log(np.where(p > 0, p, 1)), 0).sum(0), rtol=1e-7)


# --- samples -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("case", CASES)
def test_samples_have_the_moments_and_are_seeded(case: str) -> None:
    d = built(case)
    drawn = d.sample((N,))
    tg.manual_seed(11)
    assert np.array_equal(d.sample((N,)).numpy(), drawn.numpy())
    assert d.support.check(drawn).all()
    try:
        mean, spread = d.mean.numpy(), np.sqrt(d.variance.numpy())
    except NotImplementedError:
        return
    if isinstance(d, D.VonMises):
        x = drawn.numpy()
        direction = np.exp(1j * x).mean(0)
        np.testing.assert_allclose(np.angle(direction * np.exp(-1j * mean)), 0, atol=0.03)
        np.testing.assert_allclose(1 - np.abs(direction), d.variance.numpy(), atol=0.01)
        return
    known = np.isfinite(mean) & np.isfinite(spread) & (spread > 0)
    found = drawn.numpy()
    off = (found.mean(0) - mean)[known] / spread[known]
    assert np.all(np.abs(off) < 0.03), off
    if case not in (
        "StudentT",
        "Pareto",
        "InverseGamma",
        "FisherSnedecor",
    ):  # the fourth moments of these need not exist
        np.testing.assert_allclose(found.std(0)[known] / spread[known], 1, atol=0.05)


WITHOUT_CDF = ("VonMises", "RelaxedBernoulli", "Beta", "StudentT", "FisherSnedecor")


@pytest.mark.parametrize("case", [c for c in REAL if c not in WITHOUT_CDF])
def test_samples_follow_the_cdf(case: str) -> None:
    """Kolmogorov's distance to the uniform distribution, which exceeds 2 / sqrt(n) once in 1500 times."""
    d = built(case)
    u = np.sort(d.cdf(d.sample((N,))).numpy().reshape(N, -1), 0)
    grid = (np.arange(N)[:, None] + 0.5) / N
    assert np.abs(u - grid).max() < 2.3 / math.sqrt(N)


def test_covariance_of_vectors() -> None:
    covariance = definite(np.random.default_rng(1), 3, 3)
    loc = tg.tensor([1.0, -2.0, 0.5], dtype=tg.float64)
    by_precision = np.linalg.inv(covariance)
    for d in (
        D.MultivariateNormal(loc, tg.tensor(covariance)),
        D.MultivariateNormal(loc, precision_matrix=tg.tensor(by_precision)),
        D.MultivariateNormal(loc, scale_tril=tg.tensor(np.linalg.cholesky(covariance))),
    ):
        np.testing.assert_allclose(d.covariance_matrix.numpy(), covariance, rtol=1e-10)
        np.testing.assert_allclose(d.precision_matrix.numpy(), by_precision, rtol=1e-10)
        x = d.sample((N,)).numpy()
        np.testing.assert_allclose(np.cov(x.T), covariance, atol=0.12)
        off = x[:4] - loc.numpy()
        expected = -0.5 * np.einsum("ni,ij,nj->n", off, by_precision, off)
        expected -= 0.5 * np.log(np.linalg.det(2 * math.pi * covariance))
        np.testing.assert_allclose(d.log_prob(tg.tensor(x[:4])).numpy(), expected, rtol=1e-10)


def test_log_odds_of_zero() -> None:
    """By hand: the gradient of log p(1) is 1 - sigmoid(0)."""
    x = tg.zeros(1, requires_grad=True)
    D.Bernoulli(logits=x).log_prob(tg.ones(1)).sum().backward()
    assert x.grad.tolist() == [0.5]


@pytest.mark.parametrize(("n", "concentration"), [(2, 0.7), (3, 1.0), (5, 2.5)])
def test_correlations_of_random_matrices(n: int, concentration: float) -> None:
    """Each correlation is `2 b - 1` of a symmetric beta distribution with parameter `concentration - 1 + n / 2`."""
    lower = D.LKJCholesky(n, concentration).sample((N,)).double()
    np.testing.assert_allclose((lower**2).sum(-1).numpy(), 1, atol=1e-5)
    matrices = (lower @ lower.mT).numpy()
    a = concentration - 1 + n / 2
    for i in range(n):
        for j in range(i):
            r = matrices[:, i, j]
            assert abs(r.mean()) < 0.03 and abs(r.var() * (2 * a + 1) - 1) < 0.06
            assert abs((r**4).mean() / (3 / ((2 * a + 1) * (2 * a + 3))) - 1) < 0.1


def test_covariances_of_random_matrices() -> None:
    covariance = definite(np.random.default_rng(2), 3, 3)
    df = 5.5
    for d in (
        D.Wishart(df, tg.tensor(covariance)),
        D.Wishart(df, precision_matrix=tg.tensor(np.linalg.inv(covariance))),
        D.Wishart(df, scale_tril=tg.tensor(np.linalg.cholesky(covariance))),
    ):
        x = d.sample((N,)).numpy()
        np.testing.assert_allclose(x.mean(0), df * covariance, atol=0.25)
        np.testing.assert_allclose(x.var(0) / d.variance.numpy(), 1, atol=0.1)
        inverse, k = np.linalg.inv(covariance), np.arange(3)
        log_gamma = sum(math.lgamma((df - i) / 2) for i in k) + 1.5 * math.log(math.pi)
        norm = df / 2 * (3 * math.log(2) + np.log(np.linalg.det(covariance))) + log_gamma
        expected = [(df - 4) / 2 * np.log(np.linalg.det(v)) - np.trace(inverse @ v) / 2 - norm for v in x[:4]]
        np.testing.assert_allclose(d.log_prob(tg.tensor(x[:4])).numpy(), expected, rtol=1e-9)
        assert abs(-d.log_prob(tg.tensor(x)).mean().item() - d.entropy().item()) < 0.05
    with pytest.raises(ValueError, match="ndim - 1"):
        D.Wishart(1.5, tg.tensor(covariance))


# --- gradients through samples -----------------------------------------------------------------------------------------

MEANS: dict[str, tuple[Callable, Callable, tuple[float, ...]]] = {
    # a mean as samples have it, as it is, and where
    "Normal": (lambda a, b: D.Normal(a, b).rsample((N,)).square(), lambda a, b: a**2 + b**2, (0.5, 1.2)),
    "Laplace": (lambda a, b: D.Laplace(a, b).rsample((N,)).square(), lambda a, b: a**2 + 2 * b**2, (0.5, 0.6)),
    "Uniform": (lambda a, b: D.Uniform(a, b).rsample((N,)), lambda a, b: (a + b) / 2, (0.5, 1.2)),
    "Exponential": (lambda a: D.Exponential(a).rsample((N,)), lambda a: 1 / a, (1.7,)),
    "Gamma": (lambda a, b: D.Gamma(a, b).rsample((N,)).log(), lambda a, b: a.digamma() - b.log(), (0.4, 2.0)),
    "large Gamma": (lambda a, b: D.Gamma(a, b).rsample((N,)).square() / 1e3, lambda a, b: a * (a + 1) / b**2 / 1e3, (80.0, 2.0)),
    "Beta": (lambda a, b: D.Beta(a, b).rsample((N,)).square(), lambda a, b: a * (a + 1) / ((a + b) * (a + b + 1)), (0.7, 1.4)),
    "Dirichlet": (
        lambda a, b: D.Dirichlet(tg.stack([a, b, a + b])).rsample((N,))[:, 0].square(),
        lambda a, b: a * (a + 1) / (2 * (a + b) * (2 * (a + b) + 1)),
        (0.7, 1.4),
    ),
    "StudentT": (lambda a, b: D.StudentT(a, b).rsample((N,)).square(), lambda a, b: b**2 + a / (a - 2), (9.0, 0.3)),
    "Gumbel": (lambda a, b: D.Gumbel(a, b).rsample((N,)), lambda a, b: a + b * np.euler_gamma, (0.2, 1.5)),
    "LogNormal": (lambda a, b: D.LogNormal(a, b).rsample((N,)), lambda a, b: (a + b * b / 2).exp(), (0.2, 0.4)),
    "Weibull": (lambda a, b: D.Weibull(a, b).rsample((N,)), lambda a, b: a * (1 + 1 / b).lgamma().exp(), (1.3, 2.2)),
}  # fmt: skip


@pytest.mark.parametrize("name", MEANS)
def test_gradients_of_samples_are_those_of_the_mean(name: str) -> None:
    sampled, known, at = MEANS[name]
    xs = [tg.tensor(v, dtype=tg.float64, requires_grad=True) for v in at]
    for x, g, expected in zip(
        xs, tg.autograd.grad(sampled(*xs).mean(), xs), tg.autograd.grad(known(*xs), xs), strict=True
    ):
        assert abs(g.item() - expected.item()) < 0.04 * (1 + abs(expected.item())), (x, g, expected)


def test_slope_of_gamma_draws_is_that_of_their_quantile() -> None:
    """P(a, z) stays as it is when a moves and z follows: by differences of the incomplete gamma function."""
    rng = np.random.default_rng(0)
    a = np.exp(rng.uniform(math.log(0.02), math.log(500), 400))
    z = rng.standard_gamma(a)
    z = np.where(z < 1e-100, 1e-100, z)
    slope = z * log_slope(a, z, np.log(z))
    step = 1e-5 * a
    upper = z > a  # the smaller of both integrals keeps its digits
    integral = lambda a, z: np.where(  # noqa: E731
        upper,
        -tg.special.gammaincc(tg.tensor(a), tg.tensor(z)).numpy(),
        tg.special.gammainc(tg.tensor(a), tg.tensor(z)).numpy(),
    )
    in_a = (integral(a + step, z) - integral(a - step, z)) / (2 * step)
    density = np.exp((a - 1) * np.log(z) - z - np.array([math.lgamma(v) for v in a]))
    np.testing.assert_allclose(slope, -in_a / density, rtol=2e-6)


def test_slope_of_gamma_draws_in_closed_form() -> None:
    """For a = 1 the quantile is -log(1 - u); at the ends the slope is known: log z / a goes on as u**(1 / a) does."""
    z = np.array([1e-300, 1e-30])
    a = np.array([0.01, 0.3])
    # P(a, z) = z**a / gamma(a + 1) for small z: d log z / da = (digamma(a + 1) - log z) / a
    expected = (tg.tensor(a + 1).digamma().numpy() - np.log(z)) / a
    np.testing.assert_allclose(log_slope(a, z, np.log(z)), expected, rtol=1e-12)
    a = np.array([1e4, 1e6, 1e8])
    w = 0.7  # by Cornish's and Fisher's expansion
    z = a + np.sqrt(a) * w + (w * w - 1) / 3 + (w**3 - 7 * w) / (36 * np.sqrt(a))
    expected = 1 + w / (2 * np.sqrt(a)) - (w**3 - 7 * w) / (72 * a**1.5)
    np.testing.assert_allclose(z * log_slope(a, z, np.log(z)), expected, rtol=1e-7)


def test_small_concentrations() -> None:
    """Draws far below the smallest number are still told apart by their logarithms."""
    d = D.Dirichlet(tg.full((N, 3), 1e-4))
    x = d.sample().numpy()
    assert np.isfinite(x).all()
    assert x.max(1).mean() > 0.999
    np.testing.assert_allclose(x.mean(0), 1 / 3, atol=0.01)
    assert (D.Gamma(tg.full((100,), 1e-3), 1.0).sample() > 0).all()
    assert (D.Beta(tg.full((100,), 1e-3), 1.0).sample() > 0).all()


# --- what stands on distributions --------------------------------------------------------------------------------------


def test_divergence_is_the_mean_log_ratio() -> None:
    p, q = D.Gamma(2.0, 1.5), D.Gamma(1.2, 0.7)
    x = p.sample((N,))
    assert abs(D.kl_divergence(p, q).item() - (p.log_prob(x) - q.log_prob(x)).mean().item()) < 0.02
    assert D.kl_divergence(p, p).item() == pytest.approx(0, abs=1e-6)


def test_registered_divergences_serve_subclasses() -> None:
    class Mine(D.Normal):
        pass

    p, q = Mine(0.0, 1.0), D.Normal(1.0, 1.0)
    assert D.kl_divergence(p, q).item() == 0.5

    @D.register_kl(Mine, D.Normal)
    def zero(p: Any, q: Any) -> tg.Tensor:
        return p.loc * 0

    assert D.kl_divergence(p, q).item() == 0
    assert D.kl_divergence(q, p).item() == 0.5
    with pytest.raises(TypeError, match="Expected type_p to be a Distribution subclass"):
        D.register_kl(int, D.Normal)


def test_a_policy_learns() -> None:
    """REINFORCE on a bandit: the gradient of log_prob times the reward."""
    logits = tg.zeros(3, requires_grad=True)
    for _ in range(60):
        d = D.Categorical(logits=logits)
        action = d.sample((50,))
        loss = -(d.log_prob(action) * ((action == 2).float() - 1 / 3)).mean()
        (g,) = tg.autograd.grad(loss, logits)
        logits = (logits - 2 * g).detach().requires_grad_()
    assert D.Categorical(logits=logits).probs[2].item() > 0.9


def test_straight_through_and_relaxed() -> None:
    logits = tg.tensor([0.3, -0.2, 1.0], requires_grad=True)
    y = D.OneHotCategoricalStraightThrough(logits=logits).rsample()
    assert sorted(y.tolist()) == pytest.approx([0, 0, 1])
    (g,) = tg.autograd.grad(y[0], logits)
    p = logits.softmax(-1)
    (expected,) = tg.autograd.grad(p[0], logits)
    np.testing.assert_allclose(g.numpy(), expected.numpy(), rtol=1e-6)
    cold = D.RelaxedOneHotCategorical(tg.tensor(0.01), logits=logits).rsample((N,)).round().mean(0)
    np.testing.assert_allclose(cold.detach().numpy(), p.detach().numpy(), atol=0.01)
    cold = D.RelaxedBernoulli(tg.tensor(0.01), logits=logits).rsample((N,)).round().mean(0)
    np.testing.assert_allclose(cold.detach().numpy(), logits.sigmoid().detach().numpy(), atol=0.01)


def test_validation_can_be_switched_off() -> None:
    d = D.Normal(0.0, -1.0, validate_args=False)
    assert d.log_prob(tg.tensor(0.0)).isnan()
    D.Distribution.set_default_validate_args(False)
    try:
        D.Normal(0.0, -1.0)
    finally:
        D.Distribution.set_default_validate_args(True)
    with pytest.raises(ValueError, match="Expected parameter scale"):
        D.Normal(0.0, -1.0)


def test_cached_transforms_give_back_what_they_were_given() -> None:
    f = D.TanhTransform(cache_size=1)
    x = tg.tensor([20.0])
    assert f.inv(f(x)) is x  # atanh(1) alone would be infinite
    assert D.TanhTransform().inv(f(x)).isinf()
    assert f.inv.inv is f
    assert D.ExpTransform() == D.ExpTransform() != D.TanhTransform()
    assert D.AffineTransform(0, 2) == D.AffineTransform(0, 2) != D.AffineTransform(1, 2)
    squashed = D.TransformedDistribution(D.Normal(tg.zeros(2), 1.0), [f])
    y = squashed.rsample()
    assert squashed.log_prob(y).isfinite().all()
