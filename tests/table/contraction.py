import numpy as np

from . import call, entry


def _samples(draw):
    samples = [
        ("ij,jk->ik", (2, 3), (3, 4)), ("bij,bjk->bik", (5, 2, 3), (5, 3, 4)), ("ij,jk->ki", (2, 3), (3, 4)),
        ("i,i->", (3,), (3,)), ("i,j->ji", (3,), (2,)), ("ij,ij->ij", (2, 3), (2, 3)), ("ij,ji->j", (2, 3), (3, 2)),
        ("abcd,cbe->eda", (2, 3, 4, 5), (4, 3, 2)), (",i->i", (), (3,)), (",->", (), ()), ("ij,jk->ik", (0, 3), (3, 4)),
        ("ij,jk->ik", (2, 0), (0, 4)),
    ]  # fmt: skip
    return [lambda r, e=e, a=a, b=b: call(getattr(r, draw)(*a), getattr(r, draw)(*b), e) for e, a, b in samples]


entry("einsum", *_samples("__call__"), *_samples("complex"), expect=lambda x, y, equation: np.einsum(equation, x, y))
