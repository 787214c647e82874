import numpy as np

from . import call, entry, unary

unary("clone", np.array)
unary("contiguous", np.array)
entry(
    "to_device",
    lambda r: call(r(2, 3)),
    lambda r: call(r()),
    expect=lambda x: x,
    through=lambda to_device, x: to_device(x, x.device),
)
entry(
    "fill",
    lambda r: call(r(2, 3), r()),
    lambda r: call(r(2, 3), 1.5),
    lambda r: call(r(), r()),
    lambda r: call(r(0, 2), r()),
    expect=lambda x, value: x * 0 + value,
)
entry(
    "copy",
    lambda r: call(r(2, 3), r(2, 3)),
    lambda r: call(r(2, 3), r(3)),
    lambda r: call(r(2, 3), r(2, 1)),
    lambda r: call(r(2), r()),
    expect=lambda x, src: x * 0 + src,
)
