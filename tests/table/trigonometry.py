import math

import numpy as np

from . import binary, unary
from .pointwise import holomorphic

unary("deg2rad", np.deg2rad)
unary("rad2deg", np.rad2deg)
holomorphic("sin", np.sin)
holomorphic("cos", np.cos)
holomorphic("tan", lambda x: np.sin(x) / np.cos(x), "between", (-1.2, 1.2))
holomorphic("asin", np.arcsin, "between", (-0.9, 0.9))
holomorphic("acos", lambda x: math.pi / 2 - np.arcsin(x), "between", (-0.9, 0.9))
holomorphic("atan", np.arctan)
holomorphic("sinh", lambda x: (np.exp(x) - np.exp(-x)) / 2)
holomorphic("cosh", lambda x: (np.exp(x) + np.exp(-x)) / 2)
holomorphic("tanh", lambda x: np.sinh(x) / np.cosh(x))
holomorphic("asinh", lambda x: np.log(x + np.sqrt(x * x + 1)))
holomorphic("acosh", lambda x: np.log(x + np.sqrt(x - 1) * np.sqrt(x + 1)), "between", (1.2, 3.0))
holomorphic("atanh", lambda x: (np.log(1 + x) - np.log(1 - x)) / 2, "between", (-0.9, 0.9))
unary("sinc", np.sinc, "off_zero")
binary("atan2", np.arctan2, "off_zero")
