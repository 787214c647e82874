"""Every call of several processes against NumPy: each process knows what the others have, by their seeds."""

import datetime
import sys

import numpy as np

import tinygrad_edu as tg
from tinygrad_edu import distributed as dist

dist.init_process_group("mpi")
rank, size = dist.get_rank(), dist.get_world_size()
R = dist.ReduceOp


def drawn(kind: str, of: int, *shape: int) -> np.ndarray:
    rng = np.random.default_rng([of, *shape])
    values = rng.integers(1, 5, shape) if kind in ("int64", "uint8", "int16") else rng.standard_normal(shape)
    if kind.startswith("complex"):
        values = values + 1j * rng.standard_normal(shape)
    return (values > 0).astype(bool) if kind == "bool" else values.astype(kind)


def everyone(kind: str, *shape: int) -> np.ndarray:
    return np.stack([drawn(kind, r, *shape) for r in range(size)])


def close(tensor: tg.Tensor, wanted: np.ndarray, tolerance: float = 1e-6) -> None:
    assert tensor.numpy().dtype == wanted.dtype, (tensor.dtype, wanted.dtype)
    np.testing.assert_allclose(tensor.numpy(), wanted, tolerance, tolerance)


def mine(kind: str, *shape: int) -> tg.Tensor:
    return tg.tensor(drawn(kind, rank, *shape))


REDUCED = {
    R.SUM: lambda x: x.sum(0),
    R.AVG: lambda x: x.mean(0),
    R.PRODUCT: lambda x: x.prod(0),
    R.MIN: lambda x: x.min(0),
    R.MAX: lambda x: x.max(0),
    R.BAND: lambda x: np.bitwise_and.reduce(x),
    R.BOR: lambda x: np.bitwise_or.reduce(x),
    R.BXOR: lambda x: np.bitwise_xor.reduce(x),
}
KNOWN = {
    "float64": [R.SUM, R.AVG, R.PRODUCT, R.MIN, R.MAX],
    "float32": [R.SUM, R.AVG, R.PRODUCT, R.MIN, R.MAX],
    "float16": [R.SUM, R.AVG, R.MAX],
    "complex128": [R.SUM, R.AVG, R.PRODUCT],
    "int64": [R.SUM, R.PRODUCT, R.MIN, R.MAX, R.BAND, R.BOR, R.BXOR],
    "int16": [R.SUM, R.MIN],
    "uint8": [R.SUM, R.MAX, R.BXOR],
    "bool": [R.SUM, R.PRODUCT, R.MIN, R.MAX, R.BAND, R.BOR, R.BXOR],
}


def reductions() -> None:
    for kind, ops in KNOWN.items():
        for op in ops:
            for shape in [(), (3,), (2, 3, 4), (0, 2), (1000,)]:
                wanted = REDUCED[op](everyone(kind, *shape)).astype(kind)
                x = mine(kind, *shape)
                before = x._version
                dist.all_reduce(x, op)
                assert x._version > before
                close(x, wanted, 5e-3 if kind == "float16" else 1e-6)
                y = mine(kind, *shape)
                dist.reduce(y, size - 1, op)
                if rank == size - 1:
                    close(y, wanted, 5e-3 if kind == "float16" else 1e-6)
                else:
                    close(y, drawn(kind, rank, *shape))
                if shape:
                    z = tg.empty(shape, dtype=y.dtype)
                    parts = [tg.tensor(drawn(kind, rank + 10 * k, *shape)) for k in range(size)]
                    dist.reduce_scatter(z, parts, op)
                    given = np.stack([drawn(kind, r + 10 * rank, *shape) for r in range(size)])
                    close(z, REDUCED[op](given).astype(kind), 5e-3 if kind == "float16" else 1e-6)


def strange_memory() -> None:
    whole = mine("float64", 4, 6)
    dist.all_reduce(whole.t()[1:4:2])  # a view that lies in memory in no order
    wanted = drawn("float64", rank, 4, 6)
    wanted.T[1:4:2] = everyone("float64", 4, 6).sum(0).T[1:4:2]
    close(whole, wanted)
    parameter = tg.nn.Parameter(mine("float32", 3))
    dist.broadcast(parameter, size - 1)
    close(parameter.detach(), drawn("float32", size - 1, 3))
    x = mine("float32", 3).requires_grad_()
    y = x * x
    dist.all_reduce(x.detach())
    try:
        y.sum().backward()
    except RuntimeError as error:
        assert "modified by an inplace operation" in str(error)
    else:
        raise AssertionError("a value that was saved for the walk back was changed, and nobody has noticed")


def moves() -> None:
    for kind in KNOWN:
        for shape in [(), (3,), (2, 3)]:
            x = mine(kind, *shape)
            dist.broadcast(x, 1)
            close(x, drawn(kind, 1, *shape))
            parts = [tg.empty(shape, dtype=x.dtype) for _ in range(size)]
            dist.all_gather(parts, mine(kind, *shape))
            close(tg.stack(parts), everyone(kind, *shape))
            into = tg.empty((size, *shape), dtype=x.dtype)
            dist.all_gather_into_tensor(into, mine(kind, *shape))
            close(into, everyone(kind, *shape))
            parts = [tg.empty(shape, dtype=x.dtype) for _ in range(size)] if rank == 1 else None
            dist.gather(mine(kind, *shape), parts, dst=1)
            if parts is not None:
                close(tg.stack(parts), everyone(kind, *shape))
            x = tg.empty(shape, dtype=x.dtype)
            dist.scatter(x, [tg.tensor(drawn(kind, 7 * r, *shape)) for r in range(size)] if rank == 0 else None, src=0)
            close(x, drawn(kind, 7 * rank, *shape))
    x = tg.empty(2, 3, dtype=tg.float64)
    dist.reduce_scatter_tensor(x, mine("float64", 2 * size, 3))
    close(x, everyone("float64", 2 * size, 3).sum(0)[2 * rank : 2 * rank + 2])


def exchanges() -> None:
    """Process r has r + k + 1 numbers for process k."""
    for kind in KNOWN:
        for unequal in (1, 0):
            given = [tg.tensor(drawn(kind, 10 * rank + k, (rank + k) * unequal + 1, 2)) for k in range(size)]
            wanted = [drawn(kind, 10 * k + rank, (rank + k) * unequal + 1, 2) for k in range(size)]
            found = [tg.empty(w.shape, dtype=given[0].dtype) for w in wanted]
            dist.all_to_all(found, given)
            for f, w in zip(found, wanted, strict=True):
                close(f, w)
            joined, splits = tg.cat(given), [len(t) for t in given]
            into = tg.empty(sum(map(len, wanted)), 2, dtype=joined.dtype)
            if unequal:
                dist.all_to_all_single(into, joined, [len(w) for w in wanted], splits)
            else:
                dist.all_to_all_single(into, joined, async_op=True).wait()
            close(into, np.concatenate(wanted))
    whole = mine("float32", 3, size)  # a view that lies in memory in no order
    turned = tg.empty(size, 3)
    dist.all_to_all_single(turned, whole.t())
    close(turned, np.stack([drawn("float32", k, 3, size)[:, rank] for k in range(size)]))
    nothing = tg.empty(0, 2)  # rank 0 has something for all, the others nothing
    splits = [2] + [0] * (size - 1)
    dist.all_to_all_single(x := tg.empty(2, 2), tg.arange(4.0 * size).view(-1, 2) if rank == 0 else nothing, splits,
                           [2] * size if rank == 0 else [0] * size)  # fmt: skip
    close(x, np.arange(4 * rank, 4 * rank + 4, dtype=np.float32).reshape(2, 2))


def pairs() -> None:
    right, left = (rank + 1) % size, (rank - 1) % size
    x, y = mine("float32", 5), tg.empty(5)
    sent = dist.isend(x, right, tag=3)
    assert dist.recv(y, left, tag=3) == left and sent.wait()
    close(y, drawn("float32", left, 5))
    if rank == 0:
        seen = set()
        for _ in range(size - 1):
            source = dist.recv(y, tag=1)  # from whoever is first
            close(y, drawn("float32", source, 5))
            seen.add(source)
        assert seen == set(range(1, size))
    else:
        dist.send(x, 0, tag=1)  # its own tag: what comes below is for rank 0 too
    z = tg.empty(5)
    for work in dist.batch_isend_irecv([dist.P2POp(dist.isend, x, right), dist.P2POp(dist.irecv, z, left)]):
        work.wait()
    close(z, drawn("float32", left, 5))
    dist.monitored_barrier(timeout=datetime.timedelta(seconds=30))


def handles() -> None:
    tensors = [mine("float64", 100 + k) for k in range(10)]
    works = [dist.all_reduce(t, async_op=True) for t in tensors]
    for k in reversed(range(10)):
        assert works[k].wait() and works[k].is_completed() and works[k].wait()
        close(tensors[k], everyone("float64", 100 + k).sum(0))
    assert dist.barrier(async_op=True).wait()


def objects() -> None:
    found = [None] * size
    dist.all_gather_object(found, {"rank": rank, "text": "x" * rank})
    assert found == [{"rank": r, "text": "x" * r} for r in range(size)]
    given = [f"from {rank}", (rank, None)]
    dist.broadcast_object_list(given, src=1)
    assert given == ["from 1", (1, None)]
    found = [None] * size if rank == 1 else None
    dist.gather_object(rank**2, found, dst=1)
    assert found == ([r**2 for r in range(size)] if rank == 1 else None)
    out = [None]
    dist.scatter_object_list(out, [f"for {r}" for r in range(size)] if rank == 0 else None, src=0)
    assert out == [f"for {rank}"]


def groups() -> None:
    last = dist.new_group([size - 1, 0])
    inside = rank in (0, size - 1)
    assert dist.get_rank(last) == ({0: 0, size - 1: 1}.get(rank, -1)) and (dist.get_world_size(last) == 2) is inside
    x = mine("int64", 4)
    dist.all_reduce(x, group=last)
    wanted = everyone("int64", 4)
    close(x, wanted[0] + wanted[size - 1] if inside else wanted[rank])
    if inside:
        dist.broadcast(x := mine("int64", 4), src=size - 1, group=last)
        close(x, wanted[size - 1])
        assert dist.get_process_group_ranks(last) == [0, size - 1] and dist.get_global_rank(last, 1) == size - 1
    alone = [dist.new_group([r]) for r in range(size)][rank]
    dist.all_reduce(x := mine("int64", 4), group=alone)
    close(x, wanted[rank])


def gradients() -> None:
    x = mine("float64", 3).requires_grad_()
    y = dist.nn.all_reduce(x)
    close(y.detach(), everyone("float64", 3).sum(0))
    (y * (rank + 1)).sum().backward()
    close(x.grad, np.full(3, size * (size + 1) / 2))


def mistakes() -> None:
    wrong = [
        (lambda: dist.all_reduce([1.0]), TypeError),
        (lambda: dist.all_reduce(tg.ones(2), "sum"), TypeError),
        (lambda: dist.all_reduce(tg.ones(2), R.BAND), RuntimeError),
        (lambda: dist.all_reduce(tg.ones(2, dtype=tg.int64), R.AVG), RuntimeError),
        (lambda: dist.broadcast(tg.ones(2), src=size), ValueError),
        (lambda: dist.all_gather([tg.ones(2)], tg.ones(2)), ValueError),
        (lambda: dist.all_gather([tg.ones(3)] * size, tg.ones(2)), ValueError),
        (lambda: dist.send(tg.ones(2), rank), ValueError),
        (lambda: dist.new_group([0, 0]), ValueError),
        (lambda: dist.reduce_scatter_tensor(tg.ones(2), tg.ones(3)), ValueError),
        (lambda: dist.all_to_all([tg.ones(2)], [tg.ones(2)] * size), ValueError),
        (lambda: dist.all_to_all([tg.ones(2).double()] * size, [tg.ones(2)] * size), ValueError),
        (lambda: dist.all_to_all_single(tg.ones(size + 1), tg.ones(size)), RuntimeError),
        (lambda: dist.all_to_all_single(tg.ones(size), tg.ones(size), [1] * size, [size]), RuntimeError),
        (lambda: dist.all_to_all_single(tg.ones(size, 2), tg.ones(size, 3)), ValueError),
        (lambda: dist.P2POp(dist.broadcast, tg.ones(2), 0), ValueError),
        (lambda: dist.batch_isend_irecv([]), ValueError),
    ]
    for call, kind in wrong:
        try:
            call()
        except kind:
            continue
        raise AssertionError("a mistake was not noticed")


if __name__ == "__main__":
    for check in (reductions, strange_memory, moves, exchanges, pairs, handles, objects, groups, gradients, mistakes):
        check()
    dist.destroy_process_group()
    assert not dist.is_initialized()
    dist.init_process_group("gloo")  # once more
    dist.barrier()
    print("done", rank)
    sys.exit(0)
