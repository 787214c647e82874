"""The Kullback-Leibler divergence: a formula for each pair of distributions for which one is known."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any

from ..linalg import solve_triangular
from ..ops import where
from ..tensor import Tensor
from .bernoulli import Bernoulli
from .beta import Beta
from .binomial import Binomial
from .categorical import Categorical
from .cauchy import Cauchy
from .dirichlet import Dirichlet
from .distribution import Distribution
from .exponential import Exponential
from .gamma import Gamma
from .geometric import Geometric
from .gumbel import Gumbel
from .half_normal import HalfNormal
from .independent import Independent
from .laplace import Laplace
from .lowrank_multivariate_normal import LowRankMultivariateNormal
from .multivariate_normal import MultivariateNormal, log_det, squared_distance
from .normal import Normal
from .one_hot_categorical import OneHotCategorical
from .pareto import Pareto
from .poisson import Poisson
from .transformed_distribution import TransformedDistribution
from .uniform import Uniform
from .utils import euler_constant, sum_rightmost

_FORMULAS: dict[tuple[type, type], Callable] = {}


def register_kl(type_p: type, type_q: type) -> Callable:
    """Decorate the formula for a pair of classes; it serves their subclasses too, unless these have their own."""
    for each, name in ((type_p, "type_p"), (type_q, "type_q")):
        if not (isinstance(each, type) and issubclass(each, Distribution)):
            raise TypeError(f"Expected {name} to be a Distribution subclass but got {each}")

    def decorate(formula: Callable) -> Callable:
        _FORMULAS[type_p, type_q] = formula
        _found.cache_clear()
        return formula

    return decorate


@functools.cache
def _found(type_p: Any, type_q: Any) -> Callable | None:
    """The formula of the nearest pair of classes, the first class counting more."""
    for p in type_p.__mro__:
        for q in type_q.__mro__:
            if (p, q) in _FORMULAS:
                return _FORMULAS[p, q]
    return None


def kl_divergence(p: Distribution, q: Distribution) -> Tensor:
    """The mean, over samples of p, of `log p(x) - log q(x)`."""
    kinds: Any = type(p), type(q)
    formula = _found(*kinds)
    if formula is None:
        raise NotImplementedError(
            f"No KL(p || q) is implemented for p type {type(p).__name__} and q type {type(q).__name__}"
        )
    return formula(p, q)


# --- discrete ----------------------------------------------------------------------------------------------------------


def _part(p: Tensor, q: Tensor) -> Tensor:
    """`p log(p / q)`, 0 where p is 0."""
    certain = p == 0
    ratio = where(certain, 1, p) / where(certain, 1, q)
    return where(certain, 0, p * where(q == 0, math.inf, ratio).log())


@register_kl(Bernoulli, Bernoulli)
def _bernoulli(p: Bernoulli, q: Bernoulli) -> Tensor:
    return _part(p.probs, q.probs) + _part(1 - p.probs, 1 - q.probs)


@register_kl(Binomial, Binomial)
def _binomial(p: Binomial, q: Binomial) -> Tensor:
    if (p.total_count < q.total_count).any():
        raise NotImplementedError("KL between Binomials where q.total_count > p.total_count is not implemented")
    inside = p.total_count * (p.probs * (p.logits - q.logits) + (-p.probs).log1p() - (-q.probs).log1p())
    return where(p.total_count > q.total_count, math.inf, inside)


@register_kl(Categorical, Categorical)
def _categorical(p: Categorical, q: Categorical) -> Tensor:
    part = p.probs * (p.logits - q.logits)
    part = where((q.probs == 0).expand(part.shape), math.inf, part)
    return where((p.probs == 0).expand(part.shape), 0, part).sum(-1)


@register_kl(OneHotCategorical, OneHotCategorical)
def _one_hot(p: OneHotCategorical, q: OneHotCategorical) -> Tensor:
    return _categorical(p._categorical, q._categorical)


@register_kl(Poisson, Poisson)
def _poisson(p: Poisson, q: Poisson) -> Tensor:
    return p.rate * (p.rate.log() - q.rate.log()) - (p.rate - q.rate)


@register_kl(Geometric, Geometric)
def _geometric(p: Geometric, q: Geometric) -> Tensor:
    return -p.entropy() - (-q.probs).log1p() / p.probs - q.logits


# --- of one family -----------------------------------------------------------------------------------------------------


@register_kl(Normal, Normal)
def _normal(p: Normal, q: Normal) -> Tensor:
    spread = (p.scale / q.scale) ** 2
    return 0.5 * (spread + ((p.loc - q.loc) / q.scale) ** 2 - 1 - spread.log())


@register_kl(HalfNormal, HalfNormal)
def _half_normal(p: HalfNormal, q: HalfNormal) -> Tensor:
    return _normal(p.base_dist, q.base_dist)


@register_kl(MultivariateNormal, MultivariateNormal)
def _multivariate_normal(p: MultivariateNormal, q: MultivariateNormal) -> Tensor:
    if p.event_shape != q.event_shape:
        raise ValueError(
            "KL-divergence between two Multivariate Normals with different event shapes cannot be computed"
        )
    ours, theirs = p._unbroadcasted_scale_tril, q._unbroadcasted_scale_tril
    shape = (ours[..., :1, :1] + theirs[..., :1, :1]).shape[:-2] + ours.shape[-2:]
    whitened = solve_triangular(theirs.expand(shape), ours.expand(shape), upper=False)
    spread = (whitened**2).sum([-2, -1]) + squared_distance(theirs, q.loc - p.loc)
    return log_det(theirs) - log_det(ours) + 0.5 * (spread - p.event_shape[0])


@register_kl(LowRankMultivariateNormal, LowRankMultivariateNormal)
@register_kl(LowRankMultivariateNormal, MultivariateNormal)
@register_kl(MultivariateNormal, LowRankMultivariateNormal)
def _low_rank(p: Any, q: Any) -> Tensor:
    return _multivariate_normal(getattr(p, "_whole", p), getattr(q, "_whole", q))


@register_kl(Exponential, Exponential)
def _exponential(p: Exponential, q: Exponential) -> Tensor:
    ratio = q.rate / p.rate
    return ratio - 1 - ratio.log()


@register_kl(Gamma, Gamma)
def _gamma(p: Gamma, q: Gamma) -> Tensor:
    a, b = p.concentration, q.concentration
    return (
        b * (p.rate / q.rate).log() + b.lgamma() - a.lgamma() + (a - b) * a.digamma() + (q.rate - p.rate) * a / p.rate
    )


@register_kl(Dirichlet, Dirichlet)
def _dirichlet(p: Dirichlet, q: Dirichlet) -> Tensor:
    a, b = p.concentration, q.concentration
    whole = a.sum(-1)
    moved = ((a - b) * (a.digamma() - whole.digamma().unsqueeze(-1))).sum(-1)
    return whole.lgamma() - b.sum(-1).lgamma() - (a.lgamma() - b.lgamma()).sum(-1) + moved


@register_kl(Beta, Beta)
def _beta(p: Beta, q: Beta) -> Tensor:
    return _dirichlet(p._dirichlet, q._dirichlet)


@register_kl(Laplace, Laplace)
def _laplace(p: Laplace, q: Laplace) -> Tensor:
    ratio, off = p.scale / q.scale, (p.loc - q.loc).abs()
    return -ratio.log() + off / q.scale + ratio * (-off / p.scale).exp() - 1


@register_kl(Cauchy, Cauchy)
def _cauchy(p: Cauchy, q: Cauchy) -> Tensor:
    return ((p.scale + q.scale) ** 2 + (p.loc - q.loc) ** 2).log() - (4 * p.scale * q.scale).log()


@register_kl(Gumbel, Gumbel)
def _gumbel(p: Gumbel, q: Gumbel) -> Tensor:
    ratio, off = p.scale / q.scale, (q.loc - p.loc) / q.scale
    spread = (off + (1 + ratio).lgamma()).exp()
    return -ratio.log() - off + ratio * euler_constant + spread - (1 + euler_constant)


@register_kl(Uniform, Uniform)
def _uniform(p: Uniform, q: Uniform) -> Tensor:
    inside = (q.low <= p.low) & (q.high >= p.high)
    return where(inside, ((q.high - q.low) / (p.high - p.low)).log(), math.inf)


@register_kl(Pareto, Pareto)
def _pareto(p: Pareto, q: Pareto) -> Tensor:
    ratio = q.alpha / p.alpha
    found = q.alpha * (p.scale / q.scale).log() - ratio.log() + ratio - 1
    return where(p.scale < q.scale, math.inf, found)


# --- of two families ---------------------------------------------------------------------------------------------------


@register_kl(Uniform, Normal)
def _uniform_normal(p: Uniform, q: Normal) -> Tensor:
    width, middle = p.high - p.low, (p.high + p.low) / 2
    spread = (width**2 / 12 + (middle - q.loc) ** 2) / (2 * q.scale**2)
    return (math.sqrt(2 * math.pi) * q.scale / width).log() + spread


@register_kl(Exponential, Normal)
def _exponential_normal(p: Exponential, q: Normal) -> Tensor:
    second = 2 / p.rate**2 - 2 * q.loc / p.rate + q.loc**2
    return p.rate.log() - 1 + (q.scale * math.sqrt(2 * math.pi)).log() + second / (2 * q.scale**2)


@register_kl(Gamma, Normal)
def _gamma_normal(p: Gamma, q: Normal) -> Tensor:
    mean = p.concentration / p.rate
    second = mean**2 + mean / p.rate - 2 * q.loc * mean + q.loc**2
    return -p.entropy() + (q.scale * math.sqrt(2 * math.pi)).log() + second / (2 * q.scale**2)


@register_kl(Laplace, Normal)
def _laplace_normal(p: Laplace, q: Normal) -> Tensor:
    second = 2 * p.scale**2 + (p.loc - q.loc) ** 2
    return -p.entropy() + (q.scale * math.sqrt(2 * math.pi)).log() + second / (2 * q.scale**2)


@register_kl(Exponential, Gamma)
def _exponential_gamma(p: Exponential, q: Gamma) -> Tensor:
    a, ratio = q.concentration, q.rate / p.rate
    return -a * ratio.log() + ratio + a.lgamma() + a * euler_constant - (1 + euler_constant)


@register_kl(Gamma, Exponential)
def _gamma_exponential(p: Gamma, q: Exponential) -> Tensor:
    return -p.entropy() - q.rate.log() + q.rate * p.concentration / p.rate


@register_kl(Bernoulli, Poisson)
def _bernoulli_poisson(p: Bernoulli, q: Poisson) -> Tensor:
    return -p.entropy() - (p.probs * q.rate.log() - q.rate)


def _infinite(p: Any, q: Any) -> Tensor:
    """p has values that q never has."""
    return next(t for t in p.__dict__.values() if isinstance(t, Tensor)).detach() * 0 + math.inf


_BEYOND: dict[Any, tuple] = {
    **dict.fromkeys((Normal, Laplace, Gumbel), (Beta, Exponential, Gamma, Pareto, Uniform)),
    **dict.fromkeys((Exponential, Gamma), (Beta, Pareto, Uniform)),
    Pareto: (Beta, Uniform),
    Poisson: (Bernoulli, Binomial),
}
for _wide, _others in _BEYOND.items():
    for _narrow in _others:
        register_kl(_wide, _narrow)(_infinite)

# --- made of others ----------------------------------------------------------------------------------------------------


@register_kl(Independent, Independent)
def _independent(p: Independent, q: Independent) -> Tensor:
    if p.reinterpreted_batch_ndims != q.reinterpreted_batch_ndims:
        raise NotImplementedError
    return sum_rightmost(kl_divergence(p.base_dist, q.base_dist), p.reinterpreted_batch_ndims)


@register_kl(TransformedDistribution, TransformedDistribution)
def _transformed(p: TransformedDistribution, q: TransformedDistribution) -> Tensor:
    """An invertible map changes nothing."""
    if p.transforms != q.transforms or p.event_shape != q.event_shape:
        raise NotImplementedError
    return kl_divergence(p.base_dist, q.base_dist)


__all__ = ["kl_divergence", "register_kl"]
