"""Gradients.

`graph` is the engine: nodes, grad modes, the walk back. On top of it: asking for gradients (`gradient`), operations
of one's own (`function`), numerical proof (`gradcheck`), Jacobians and Hessians (`functional`), and finding what went
wrong (`anomaly`).

Tensors are built on `graph` and the other files on tensors. So only `graph` is imported with the package, and any
other file when one of its names is first used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from . import graph
from .graph import Node
from .modes import (
    enable_grad,
    inference_mode,
    is_grad_enabled,
    is_inference_mode_enabled,
    no_grad,
    set_grad_enabled,
)

if TYPE_CHECKING:
    from . import anomaly, function, functional
    from .anomaly import detect_anomaly, is_anomaly_check_nan_enabled, is_anomaly_enabled, set_detect_anomaly
    from .function import Function
    from .gradcheck import GradcheckError, gradcheck, gradgradcheck
    from .gradient import Variable, backward, grad

HOMES = {
    "Function": "function",
    "GradcheckError": "gradcheck",
    "Variable": "gradient",
    "anomaly": "anomaly",
    "backward": "gradient",
    "detect_anomaly": "anomaly",
    "function": "function",
    "functional": "functional",
    "grad_mode": "grad_mode",
    "grad": "gradient",
    "gradcheck": "gradcheck",
    "gradgradcheck": "gradcheck",
    "is_anomaly_check_nan_enabled": "anomaly",
    "is_anomaly_enabled": "anomaly",
    "profiler": "profiler",
    "set_detect_anomaly": "anomaly",
    "variable": "variable",
}


def __getattr__(name: str) -> Any:
    if name not in HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module = importlib.import_module(f".{HOMES[name]}", __name__)
    globals()[name] = found = getattr(module, name, module)
    return found


__all__ = [
    "Function",
    "GradcheckError",
    "Node",
    "Variable",
    "anomaly",
    "backward",
    "detect_anomaly",
    "enable_grad",
    "function",
    "functional",
    "grad",
    "gradcheck",
    "gradgradcheck",
    "graph",
    "inference_mode",
    "is_anomaly_check_nan_enabled",
    "is_anomaly_enabled",
    "is_grad_enabled",
    "is_inference_mode_enabled",
    "no_grad",
    "set_detect_anomaly",
    "set_grad_enabled",
]
