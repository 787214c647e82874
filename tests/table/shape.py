import numpy as np

from . import call, entry

entry("reshape", lambda r: call(r(3, 4), (2, 6)), lambda r: call(r(), (1, 1)), expect=np.reshape)
entry("permute", lambda r: call(r(2, 3, 4), (1, 2, 0)), expect=np.transpose)
entry("transpose", lambda r: call(r(2, 3, 4), 0, -1), expect=np.swapaxes)
entry("mT", lambda r: call(r(2, 3, 4)), expect=lambda x: np.swapaxes(x, -1, -2))
