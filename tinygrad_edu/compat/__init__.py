"""PyTorch's programs without a change: `import torch` answered by this package.

`install.py` puts the package under PyTorch's name, `missing.py` says what is not there and what is nearest,
`run.py` executes a program, `check.py` reads one without running it.
"""

from .check import Report, Use, check
from .install import install_as_torch, installed, uninstall_as_torch
from .run import run_module, run_script

__all__ = [
    "Report",
    "Use",
    "check",
    "install_as_torch",
    "installed",
    "run_module",
    "run_script",
    "uninstall_as_torch",
]
