"""`import torchvision` for programs that run here where the real one is not installed: the parts that there are."""

from __future__ import annotations

from .. import datasets
from ..datasets import grids as utils
from ..datasets import transforms

__version__ = "0.28.0"  # what goes with the version of torch that is answered
__path__: list[str] = []  # a package to those who import `torchvision.transforms`

PLACES = {
    "torchvision": "compat.torchvision",
    "torchvision.datasets": "datasets",
    "torchvision.transforms": "datasets.transforms",
    "torchvision.transforms.functional": "datasets.transforms.functional",
    "torchvision.utils": "datasets.grids",
}

__all__ = ["datasets", "transforms", "utils"]
