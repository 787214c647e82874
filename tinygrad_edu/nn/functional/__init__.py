"""`torch.nn.functional`: the operations of networks with PyTorch's signatures. Thin faces over `tinygrad_edu.ops`."""

from ...ops.misuse import explain_all as _explain_all
from .activations import *
from .adaptive_pooling import *
from .attention import *
from .convolution import *
from .linear import *
from .losses import *
from .margin_losses import *
from .normalization import *
from .pooling import *
from .resampling import *
from .sparse import *

_explain_all(globals(), strict=True)
