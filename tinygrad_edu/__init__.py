"""tinygrad_edu: PyTorch's programs, on an engine that can be read in an evening, seen at work, and that is quick.

Here the names are gathered that users see; what stands on the operations is loaded when it is first asked for.
"""

from __future__ import annotations as _annotations

import importlib as _importlib
import warnings as _warnings
from math import e, inf, nan, pi
from types import ModuleType as _ModuleType
from typing import Any as _Any

# PyTorch computes inf and nan without a word; only warnings raised inside this package are silenced
_warnings.filterwarnings("ignore", category=RuntimeWarning, module=r"tinygrad_edu\.")

from .allocation import keep_freed_memory as _keep_freed_memory

_keep_freed_memory()

from . import autograd
from .autograd.modes import (
    enable_grad,
    inference_mode,
    is_grad_enabled,
    is_inference_mode_enabled,
    no_grad,
    set_grad_enabled,
)
from .devices import device, get_default_device, set_default_device
from .dtypes import (
    bfloat16,
    complex64,
    complex128,
    dtype,
    finfo,
    float16,
    float32,
    float64,
    get_default_dtype,
    iinfo,
    int8,
    int16,
    int32,
    int64,
    set_default_dtype,
    uint8,
    uint16,
    uint32,
    uint64,
)
from .dtypes import bool_ as bool
from .holder import Size
from .ops import *
from .ops.making import (
    channels_last,
    channels_last_3d,
    contiguous_format,
    layout,
    memory_format,
    preserve_format,
    sparse_coo,
    sparse_csr,
    strided,
)
from .printing import set_printoptions
from .random import (
    Generator,
    bernoulli,
    binomial,
    default_generator,
    get_rng_state,
    initial_seed,
    manual_seed,
    multinomial,
    normal,
    poisson,
    rand,
    rand_like,
    randint,
    randint_like,
    randn,
    randn_like,
    randperm,
    seed,
    set_rng_state,
)
from .sparse import any_matmul as matmul
from .sparse import any_mm as mm
from .sparse import any_mv as mv
from .sparse import sparse_coo_tensor, spmm
from .tensor import Tensor

__version__ = "0.1.0"

half, float, double = float16, float32, float64
short, int, long = int16, int32, int64
cfloat, cdouble = complex64, complex128
newaxis = None

_LATER = frozenset(
    "accelerator amp backends compat compiler cpu cuda datasets distributed distributions fft func functional fx hub jit linalg mps "
    "multiprocessing nn onnx optim overrides profiler return_types serialization signal sparse special storage testing types utils version viz xpu".split()
)  # modules

_HOMES = {
    "amp": "GradScaler",
    "amp.autocast_mode": "autocast clear_autocast_cache get_autocast_cpu_dtype get_autocast_dtype get_autocast_gpu_dtype "
    "is_autocast_cache_enabled is_autocast_cpu_enabled is_autocast_enabled",
    "compat": "install_as_torch uninstall_as_torch",
    "compiler": "compile",
    "func": "vmap",
    "lowrank": "pca_lowrank svd_lowrank",
    "cuda": "Event OutOfMemoryError Stream",
    "nn.functional": "adaptive_avg_pool1d adaptive_max_pool1d affine_grid_generator avg_pool1d channel_shuffle conv1d "
    "conv2d conv3d conv_tbc conv_transpose1d conv_transpose2d conv_transpose3d convolution grid_sampler "
    "grid_sampler_2d grid_sampler_3d max_pool1d max_pool1d_with_indices max_pool2d max_pool3d native_channel_shuffle "
    "pixel_shuffle pixel_unshuffle alpha_dropout celu_ dropout feature_alpha_dropout rrelu rrelu_ selu_ threshold_",
    "native": "batch_norm binary_cross_entropy_with_logits cosine_embedding_loss ctc_loss embedding gru "
    "hinge_embedding_loss instance_norm kl_div lstm margin_ranking_loss poisson_nll_loss rnn_relu rnn_tanh "
    "triplet_margin_loss",
    "serialization": "load save",
    "storage": "TypedStorage UntypedStorage",
    "autograd": "is_anomaly_check_nan_enabled is_anomaly_enabled",
    "settings": "_assert are_deterministic_algorithms_enabled get_deterministic_debug_mode "
    "get_float32_matmul_precision is_deterministic_algorithms_warn_only_enabled is_warn_always_enabled "
    "set_deterministic_debug_mode set_float32_matmul_precision set_flush_denormal set_warn_always "
    "use_deterministic_algorithms",
    "tensor_types": "BoolTensor ByteTensor CharTensor ComplexDoubleTensor ComplexFloatTensor DoubleTensor FloatTensor "
    "HalfTensor IntTensor LongTensor ShortTensor is_tensor set_default_tensor_type typename",
    "toplevel": "can_cast detach detach_ get_device is_inference is_signed is_storage numel promote_types range result_type",
    "threads": "get_num_interop_threads get_num_threads set_num_interop_threads set_num_threads",
}
_HOME = {name: home for home, names in _HOMES.items() for name in names.split()}  # public here, written there


def __getattr__(name: str) -> _Any:
    if name in _LATER:
        return _importlib.import_module(f".{name}", __name__)
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = globals()[name] = getattr(_importlib.import_module(f".{_HOME[name]}", __name__), name)
    return found


def __dir__() -> list[str]:
    files = {name for name, value in globals().items() if isinstance(value, _ModuleType)} - {"autograd"}
    shown = {*globals(), *_HOME} - files | _LATER
    return sorted(name for name in shown if name.startswith("__") or not name.startswith("_"))
