"""The layers, one family a file."""

from types import ModuleType as _ModuleType

from ...ops.misuse import explain_all as _explain_all
from .activation import *
from .adaptive import *
from .attention import *
from .batchnorm import *
from .channelshuffle import *
from .container import *
from .conv import *
from .distance import *
from .dropout import *
from .flatten import *
from .fold import *
from .instancenorm import *
from .linear import *
from .loss import *
from .module import Module
from .normalization import *
from .padding import *
from .pixelshuffle import *
from .pooling import *
from .rnn import *
from .sparse import *
from .transformer import *
from .upsampling import *

# the layers, not the files: nn.modules.utils would else take the place of nn.utils
__all__ = [name for name, value in globals().items() if name[0] != "_" and not isinstance(value, _ModuleType)]

_explain_all(globals(), "get_buffer get_parameter get_submodule load_state_dict")
