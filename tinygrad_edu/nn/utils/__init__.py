"""Tools around modules: gradient clipping, parametrizations, sequences of different lengths."""

from ...ops.misuse import explain_all as _explain_all
from . import parametrizations, parametrize, prune, rnn, stateless
from .clip_grad import *
from .convert_parameters import *
from .fusion import *
from .init import *
from .memory_format import *
from .spectral_norm import remove_spectral_norm, spectral_norm
from .weight_norm import remove_weight_norm, weight_norm

_explain_all(globals())
