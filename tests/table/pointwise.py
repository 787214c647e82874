import numpy as np

from . import binary, unary

unary("neg", np.negative)
unary("exp", np.exp)
unary("log", np.log, "between", (0.3, 3.0))
unary("tanh", np.tanh)
binary("add", np.add)
binary("sub", np.subtract)
binary("mul", np.multiply)
binary("div", np.divide, "off_zero")
binary("gt", np.greater, "distinct", gradient=False)
