"""The von Mises distribution."""

from __future__ import annotations

import math
from typing import Any, ClassVar

from ..autograd.modes import no_grad
from ..ops import i0e, i1e, ones_like
from ..tensor import Tensor
from . import constraints
from .distribution import Distribution
from .utils import broadcast_all, standard_uniform


class VonMises(Distribution):
    """Angles of density `exp(concentration cos(x - loc)) / (2 pi I0(concentration))`: a normal one on the circle."""

    arg_constraints: ClassVar[dict[str, Any]] = {"loc": constraints.real, "concentration": constraints.positive}
    support = constraints.real

    def __init__(self, loc: Any, concentration: Any, validate_args: bool | None = None) -> None:
        self.loc, self.concentration = broadcast_all(loc, concentration)
        super().__init__(self.loc.shape, validate_args=validate_args)

    @property
    def mean(self) -> Tensor:
        return self.loc

    @property
    def mode(self) -> Tensor:
        return self.loc

    @property
    def variance(self) -> Tensor:
        """Of directions: 1 less the length of their mean."""
        return 1 - i1e(self.concentration) / i0e(self.concentration)

    def sample(self, sample_shape: Any = ()) -> Tensor:
        """Best's and Fisher's rejection from a wrapped Cauchy distribution, in double precision."""
        shape = self._extended_shape(sample_shape)
        with no_grad():
            kappa = self.concentration.double().clamp(min=1e-9).expand(shape)
            tau = 1 + (1 + 4 * kappa**2).sqrt()
            rho = (tau - (2 * tau).sqrt()) / (2 * kappa)
            r = (1 + rho**2) / (2 * rho)
            cosine, done = ones_like(kappa), kappa < 0
            while not done.all():
                z = (math.pi * standard_uniform(shape, kappa)).cos()
                f = (1 + r * z) / (r + z)
                c, u = kappa * (r - f), standard_uniform(shape, kappa, 1e-300)
                accepted = ((c * (2 - c) - u > 0) | ((c / u).log() + 1 - c >= 0)) & ~done
                cosine, done = f.where(accepted, cosine), done | accepted
            angle = (standard_uniform(shape, kappa) - 0.5).sign() * cosine.clamp(-1, 1).acos()
            return ((angle + math.pi + self.loc) % (2 * math.pi) - math.pi).type_as(self.loc)

    def log_prob(self, value: Tensor) -> Tensor:
        if self._validate_args:
            self._validate_sample(value)
        k = self.concentration
        return k * ((value - self.loc).cos() - 1) - math.log(2 * math.pi) - i0e(k).log()


__all__ = ["VonMises"]
