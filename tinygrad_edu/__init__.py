"""tinygrad_edu: PyTorch's programs on an engine that can be read in an evening."""
from .ops import *
from .autograd.modes import enable_grad, inference_mode, is_grad_enabled, no_grad, set_grad_enabled
from .tensor import Tensor
