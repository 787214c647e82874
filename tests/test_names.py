"""Names: what is at the top is PyTorch's, and what tensors do besides mathematics."""

from __future__ import annotations

import copy
import gc
import pickle
import runpy
import warnings
from pathlib import Path

import numpy as np
import pytest

import tinygrad_edu as tg
from tinygrad_edu import compat, overrides
from tinygrad_edu.compat.absent import METHODS

OUR_OWN = {"compat", "datasets", "install_as_torch", "uninstall_as_torch", "viz"}
ROOT = Path(__file__).parent.parent


def test_the_top_has_nothing_but_pytorchs_names() -> None:
    torch = pytest.importorskip("torch", reason="PyTorch's names are looked up in it")
    public = {name for name in dir(tg) if not name.startswith("_")}
    old = {"ComplexDoubleTensor", "ComplexFloatTensor"}  # PyTorch has them under torch.cuda alone
    assert {name for name in public - OUR_OWN - old if not hasattr(torch, name)} == set()
    assert public >= OUR_OWN and "add_rows" not in public and "ndtr" not in public
    for name in public:
        assert hasattr(tg, name), name


def test_the_list_of_absent_methods_is_current() -> None:
    for name in METHODS:
        assert not hasattr(tg.Tensor, name) and not hasattr(tg.nn.Module, name), "run: python docs/absent.py"
    torch = pytest.importorskip("torch", reason="the list is made with it")
    written = runpy.run_path(str(ROOT / "docs" / "absent.py"))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # PyTorch's, about names that it will drop
        assert written["PATH"].read_text() == written["text"](torch), "run: python docs/absent.py"


PROGRAM = """
import torch
import numpy as np
x = torch.randn(3, 3)
y = (x + 1).exp().smm(x)
def f(given):
    given.qscheme()
    given.index(3)
    return np.zeros(3).resize(2)
class Own:
    def xpu(self): return 1
Own().xpu()
"""


def test_check_knows_methods_that_are_missing(tmp_path: Path) -> None:
    (tmp_path / "program.py").write_text(PROGRAM)
    report = compat.check(str(tmp_path / "program.py"))
    found = {use.name: use for use in report.uses if not use.here}
    assert set(found) == {"torch.Tensor.smm", "torch.Tensor.qscheme"}
    assert [use.name for use in report.missing] == ["torch.Tensor.smm"]  # of the other it is not sure
    assert found["torch.Tensor.smm"].places[0].endswith("program.py:5")


# --- a dtype that can only be named --------------------------------------------------------------------------------------


def test_bfloat16_is_a_name() -> None:
    d = tg.bfloat16
    assert repr(d) == "torch.bfloat16" and isinstance(d, tg.dtype) and d.itemsize == 2 and d.is_floating_point
    assert tg.ones(2).dtype != d and {"bfloat16": d}["bfloat16"] is d and {d: 1}[d] == 1
    assert copy.deepcopy(d) is d and pickle.loads(pickle.dumps(d)) is d
    limits = tg.finfo(d)
    assert (limits.bits, limits.eps, limits.max) == (16, 2**-7, (2 - 2**-7) * 2.0**127)


@pytest.mark.parametrize(
    "make",
    [
        lambda d: tg.zeros(2, dtype=d),
        lambda d: tg.tensor([1.0], dtype=d),
        lambda d: tg.randn(2, dtype=d),
        lambda d: tg.ones(2).to(d),
        lambda d: tg.ones(2).type(d),
        lambda d: tg.ones(2).bfloat16(),
        lambda d: tg.nn.Linear(2, 2).bfloat16(),
        lambda d: tg.nn.Linear(2, 2, dtype=d),
        tg.set_default_dtype,
    ],
)
def test_no_tensor_of_bfloat16(make) -> None:
    with pytest.raises(NotImplementedError, match=r"NumPy has no bfloat16.*float32"):
        make(tg.bfloat16)
    assert tg.get_default_dtype() is tg.float32


# --- habits of programs ----------------------------------------------------------------------------------------------------


def test_python_functions_element_by_element() -> None:
    x = tg.arange(4.0).reshape(2, 2)
    assert x.t().apply_(lambda v: v * 10).tolist() == [[0, 20], [10, 30]] and x[1, 0] == 20
    assert tg.arange(3).apply_(lambda v: v / 2).tolist() == [0, 0, 1]
    assert tg.zeros(0).apply_(float).tolist() == []
    assert tg.ones(2, 2).map_(tg.tensor([1.0, 2.0]), lambda a, b: a - b).tolist() == [[0, -1], [0, -1]]
    assert tg.ones(2).map2_(tg.ones(2), tg.zeros(2), lambda a, b, c: a + b + c).tolist() == [2, 2]
    with pytest.raises(RuntimeError, match="detach"):
        tg.ones(2, requires_grad=True).apply_(float)
    with pytest.raises(TypeError, match="LongTensor"):
        tg.ones(2).map_(tg.arange(2), max)


@pytest.mark.parametrize(
    ("shape", "wrap"), [((3, 3), False), ((7, 3), True), ((7, 3), False), ((2, 5), True), ((2, 2, 2), False)]
)
def test_fill_diagonal(shape, wrap) -> None:
    expected = np.zeros(shape)
    np.fill_diagonal(expected, 5, wrap)
    assert np.array_equal(tg.zeros(shape).fill_diagonal_(5, wrap).numpy(), expected)


def test_fill_diagonal_in_the_graph() -> None:
    x = tg.ones(2, 3, requires_grad=True)
    (x * 2).fill_diagonal_(9).sum().backward()
    assert x.grad.tolist() == [[0, 2, 2], [2, 0, 2]]
    with pytest.raises(RuntimeError, match="leaf"):
        x.fill_diagonal_(1)
    for wrong in (tg.zeros(2), tg.zeros(2, 3, 2)):
        with pytest.raises(RuntimeError, match="dimensions"):
            wrong.fill_diagonal_(1)


def test_storages() -> None:
    x = tg.arange(6.0).reshape(2, 3)
    typed, plain = x.storage(), x.untyped_storage()
    assert typed.tolist() == [0, 1, 2, 3, 4, 5] and typed[1] == 1.0 and len(typed) == 6 and typed.dtype is tg.float32
    assert plain.nbytes() == plain.size() == 24 and plain.data_ptr() == x.data_ptr() and plain.device.type == "cpu"
    assert x[1:].storage().data_ptr() == x.t().storage().data_ptr() == x.data_ptr() != x[1:].data_ptr()
    assert x.clone().storage().data_ptr() != x.data_ptr()
    assert isinstance(plain, tg.UntypedStorage) and tg.is_storage(plain) and not x.is_shared()
    x[0, 0] = 7.0
    assert typed[0] == 7.0
    with pytest.raises(TypeError, match="tensor instead"):
        pickle.dumps(plain)


class Marked(tg.Tensor):
    """A subclass."""


def test_subclasses() -> None:
    x = tg.ones(2, requires_grad=True)
    marked = (x * 2).as_subclass(Marked)
    assert type(marked) is Marked and not marked.is_leaf
    (marked * marked).sum().backward()
    assert x.grad.tolist() == [8, 8]
    leaf = tg.ones(2).as_subclass(Marked)
    leaf[0] = 5.0
    assert leaf.tolist() == [5, 1] and leaf.is_leaf
    with pytest.raises(TypeError, match="subclass"):
        x.as_subclass(int)


def test_a_class_that_expects_to_be_asked_is_told() -> None:
    with pytest.warns(UserWarning, match="Asked.__torch_function__ is never called"):

        class Asked(tg.Tensor):
            @classmethod
            def __torch_function__(cls, func, types, args=(), kwargs=None):
                return super().__torch_function__(func, types, args, kwargs)

    assert Asked.__torch_function__(tg.add, (), (tg.ones(1), 2)).tolist() == [3]
    assert overrides.is_tensor_like(Asked(1)) and not overrides.has_torch_function((tg.ones(1),))
    with pytest.raises(NotImplementedError, match="grad_fn"), overrides.TorchFunctionMode():
        pass
    del Asked
    gc.collect()


def test_marks_that_are_never_set() -> None:
    x = tg.ones(2)
    assert x.layout is tg.strided and not x.volatile and x.share_memory_() is x and x.pin_memory() is x
    assert tg.eye(2).to_sparse_coo().layout is tg.sparse_coo and x.record_stream(None) is None


def test_a_device_as_a_block() -> None:
    with tg.device("cpu") as device:
        assert tg.get_default_device() == device and tg.ones(1).device == device
        with pytest.raises(ZeroDivisionError), tg.device("cuda", 1):
            assert str(tg.get_default_device()) == "cuda:1"
            raise ZeroDivisionError
        assert tg.get_default_device().type == "cpu"
    assert tg.get_default_device().type == "cpu"


def test_filling_a_view_that_repeats_memory() -> None:
    x = tg.zeros(3, 1)
    version = x._version
    x.expand(3, 4).fill_(2)
    assert x.tolist() == [[2], [2], [2]] and x._version > version
    assert tg.tensor(1.0).expand(2).zero_().tolist() == [0, 0]
    with pytest.raises(RuntimeError, match="single memory location"):
        x.expand(3, 4).add_(1)


def test_random_numbers_of_integers() -> None:
    for name in "uniform_", "normal_", "log_normal_":
        with pytest.raises(NotImplementedError, match="not implemented for"):
            getattr(tg.zeros(2, dtype=tg.int64), name)()


def test_what_numpy_cannot_cast_is_a_type_error() -> None:
    error = np._core._exceptions._UFuncOutputCastingError(np.add, "safe", np.dtype("f8"), np.dtype("i8"), 0)
    assert type(tg.errors.translated("add", [tg.ones(2)], error)) is TypeError


# --- around the graph ------------------------------------------------------------------------------------------------------


def test_a_hook_on_several_tensors() -> None:
    from tinygrad_edu.autograd.graph import get_gradient_edge, increment_version, register_multi_grad_hook

    x, y = tg.ones(2, requires_grad=True), tg.full((2,), 3.0, requires_grad=True)
    together: list = []
    first: list = []
    with register_multi_grad_hook([x, y], together.append), register_multi_grad_hook([x, y], first.append, mode="any"):
        (x * y).sum().backward()
    (x * y).sum().backward()
    assert [g.tolist() for g in together[0]] == [[3, 3], [1, 1]] and len(together) == len(first) == 1
    product = x * y
    assert get_gradient_edge(product).node is product.grad_fn
    with pytest.raises(RuntimeError, match="does not require"):
        get_gradient_edge(tg.ones(1))
    with pytest.raises(TypeError, match="get_gradient_edge takes a tensor, not int"):
        get_gradient_edge(3)
    increment_version(y)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        product.sum().backward()


def test_results_with_names() -> None:
    found = tg.tensor([[1.0, 5.0], [7.0, 2.0]]).max(1)
    assert repr(found) == "torch.return_types.max(\nvalues=tensor([5., 7.]),\nindices=tensor([1, 0]))"
    values, indices = found
    assert values is found.values is found[0] and indices is found.indices
    back = pickle.loads(pickle.dumps(found))
    assert type(back) is type(found) is tg.return_types.max and back.indices.tolist() == [1, 0]
    assert type(tg.linalg.eigh(tg.eye(2))).__name__ == "linalg_eigh"


def test_trees() -> None:
    from collections import OrderedDict, defaultdict, namedtuple

    from tinygrad_edu.utils._pytree import tree_flatten, tree_map, tree_map_only, tree_unflatten

    Pair = namedtuple("Pair", "a b")
    tree = [1, (2, {"x": Pair(3, None)}), OrderedDict(z=4, y=5), defaultdict(list, k=[]), []]
    leaves, spec = tree_flatten(tree)
    assert leaves == [1, 2, 3, None, 4, 5] and spec.num_leaves == 6
    back = tree_unflatten(leaves, spec)
    assert back == tree and type(back[1][1]["x"]) is Pair and back[3].default_factory is list
    assert tree_map(lambda a, b: a + b, [1, (2,)], [10, (20,)]) == [11, (22,)]
    assert tree_map_only(int, str, [1, 2.5]) == ["1", 2.5]
    assert tree_flatten([(1, 2)], is_leaf=lambda v: isinstance(v, tuple))[0] == [(1, 2)]
    with pytest.raises(ValueError, match="6"):
        tree_unflatten([1], spec)
