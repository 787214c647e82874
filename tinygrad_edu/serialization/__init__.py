"""Saving and loading: PyTorch's own files, and safetensors.

`names` has PyTorch's names of types in files, `writing` makes files, `reading` opens them (an allow-list decides what
a file may name), `archive` knows the zip file's layout, `replacing` how a file takes the place of another at once,
`tables` safetensors.
"""

from ..ops.misuse import explain_all as _explain_all
from .names import Storage, add_safe_globals, clear_safe_globals, get_safe_globals, safe_globals
from .reading import load
from .tables import load_file, safe_open, save_file
from .writing import save

__all__ = [
    "Storage",
    "add_safe_globals",
    "clear_safe_globals",
    "get_safe_globals",
    "load",
    "load_file",
    "safe_globals",
    "safe_open",
    "save",
    "save_file",
]

_explain_all(globals())
