"""Data to learn with: embedded, made by a formula, and downloaded on demand.

`vision` has pictures with torchvision's signatures, `transforms` what is done to them, `toys` data from formulas, `text`
letters, `files` finds and downloads what is not within the package.
"""

from ..ops.misuse import explain_all as _explain_all
from . import transforms
from .files import data_folder
from .text import Vocabulary, Windows, names, tiny_shakespeare
from .toys import DELIVERY_COLUMNS, LINES, blobs, circles, delivery, moons, pixel_lines, spirals
from .vision import CIFAR10, MNIST, Digits, FashionMNIST

__all__ = [
    "CIFAR10",
    "DELIVERY_COLUMNS",
    "LINES",
    "MNIST",
    "Digits",
    "FashionMNIST",
    "Vocabulary",
    "Windows",
    "blobs",
    "circles",
    "data_folder",
    "delivery",
    "moons",
    "names",
    "pixel_lines",
    "spirals",
    "tiny_shakespeare",
    "transforms",
]

_explain_all(globals())
