"""Corners of what a tensor holds: dtypes, devices, printing, and questions that have no answer."""

from __future__ import annotations

import copy
import pickle
import weakref

import numpy as np
import pytest
import standin

import tinygrad_edu as torch
from tinygrad_edu import devices, errors, sums
from tinygrad_edu.tensor import wrap

# --- dtypes --------------------------------------------------------------------------------------------------------------


def test_types_that_no_integer_type_holds_both() -> None:
    with pytest.raises(RuntimeError, match="no integer type holds both"):
        torch.promote_types(torch.uint64, torch.int8)


def test_limits_are_shown() -> None:
    assert repr(torch.finfo(torch.float32)).startswith("finfo(resolution=1e-06, min=-3.40282e+38")
    assert repr(torch.iinfo(torch.int8)) == "iinfo(min=-128, max=127, dtype=int8)"


# --- devices -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (("cuda:x",), r"Invalid device string: 'cuda:x'; write 'cpu', 'cuda' or 'cuda:0'"),
        (("cuda:0", 1), r"'cuda:0' already names an index; leave out index=1"),
        (("gpu",), r"write instead: 'cuda'"),
        (("meta",), r"empty\(shape\) reserves memory"),
    ],
)
def test_devices_that_there_are_not(wrong: tuple, said: str) -> None:
    with pytest.raises(RuntimeError, match=said):
        torch.device(*wrong)


def test_a_device_by_another_one_or_by_a_number() -> None:
    second = torch.device(1)
    assert second == torch.device("cuda", 1) == torch.device(second) == torch.device("cuda:1") != torch.device("cuda")
    assert repr(second) == "device(type='cuda', index=1)" and str(second) == "cuda:1"
    assert pickle.loads(pickle.dumps(second)) == second and len({second, torch.device("cuda:1")}) == 1


def test_a_default_for_a_block() -> None:
    with standin.device(), torch.device("cuda"):
        assert torch.ones(2).is_cuda and torch.get_default_device() == torch.device("cuda")
    assert not torch.ones(2).is_cuda and torch.get_default_device() == torch.device("cpu")


def test_what_the_host_reads_of_a_gpu() -> None:
    with standin.device():
        t = wrap(standin.Array(np.arange(4.0)))
        assert t.data_ptr() == t.array.data.ptr and devices.shares_memory(t[1:].array, t.array)
        pinned = devices.to_pinned(t.array)
        assert type(pinned) is np.ndarray and pinned.tolist() == t.tolist()


# --- questions to a tensor -----------------------------------------------------------------------------------------------


def test_a_dimension_that_there_is_not() -> None:
    with pytest.raises(IndexError, match=r"size of float32\[2, 3\]: Dimension out of range .* got 2\)\n.*from -2 to 1"):
        torch.ones(2, 3).size(2)
    with pytest.raises(IndexError, match="Dimension out of range"):
        torch.ones(()).size(0)


def test_signs_and_formats() -> None:
    assert torch.ones(2).is_signed() and not torch.ones(2, dtype=torch.uint8).is_signed()
    assert f"{torch.tensor(1.256):.2f}" == "1.26" and f"{torch.ones(1)}" == "tensor([1.])"


def test_new_data_for_a_constant() -> None:
    x = torch.ones(2)
    x.data = torch.zeros(3)
    assert x.tolist() == [0.0, 0.0, 0.0]


def test_contents_and_indices() -> None:
    with pytest.raises(RuntimeError, match="only supports Tensor or scalar, but you passed in a <class 'str'>"):
        assert "x" in torch.ones(2)
    assert 1 in torch.ones(2) and 3 not in torch.ones(2)
    with pytest.raises(TypeError, match="only integer tensors of a single element"):
        range(3)[torch.ones(1)]
    assert range(3)[torch.tensor([2])] == 2


def test_a_copy_of_what_cannot_be_seen_through_its_base() -> None:
    apart = wrap(np.arange(8.0)[::2])
    again = copy.deepcopy(apart)
    assert again.tolist() == apart.tolist() and again.data_ptr() != apart.data_ptr()


def test_a_gradient_is_deleted_or_refused() -> None:
    x = torch.ones(2, requires_grad=True)
    x.grad = torch.ones(2)
    del x.grad
    assert x.grad is None
    with pytest.raises(TypeError, match="expected to be a Tensor or None but got float"):
        x.grad = 3.0
    with pytest.raises(RuntimeError, match="can't assign Variable as its own grad"):
        x.grad = x
    with pytest.raises(RuntimeError, match=r"different size: the gradient is float32\[3\], the tensor float32\[2\]"):
        x.grad = torch.ones(3)
    with pytest.raises(TypeError, match="Variable data has to be a tensor, but got int"):
        x.data = 3


# --- sums, errors and printing ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(4097, 3), (63, 3, 70), (5000, 1)])
@pytest.mark.parametrize("keepdims", [False, True])
def test_sums_over_the_first_dimension_are_accurate(shape: tuple[int, ...], keepdims: bool) -> None:
    x = np.random.default_rng(0).random(shape, dtype=np.float32)
    exact = x.astype(np.float64).sum(0, keepdims=keepdims)
    np.testing.assert_allclose(sums.total(x, 0, keepdims), exact, rtol=6e-7)  # a few roundings


@pytest.mark.parametrize(("shape", "axes"), [((12, 64, 33), (0, 1)), ((1500, 2, 3), 0), ((600_001, 2), (0,))])
def test_sums_over_the_leading_dimensions_are_accurate(shape: tuple[int, ...], axes: int | tuple[int, ...]) -> None:
    x = np.random.default_rng(0).random(shape, dtype=np.float32)
    np.testing.assert_allclose(sums.total(x, axes), x.astype(np.float64).sum(axes), rtol=1e-6)


def test_descriptions_are_short() -> None:
    assert errors.describe([torch.ones(2), torch.ones(3)]) == "[float32[2], float32[3]]"
    assert errors.describe((torch.ones(2),)) == "(float32[2])"
    assert errors.describe("x" * 100) == repr("x" * 100)[:57] + "..."


def test_complaints_that_are_translated() -> None:
    assert errors.called() == "an operation"
    far = errors.translated("add", [torch.ones(2)], OverflowError("too large"))
    assert type(far) is OverflowError and str(far) == "add(float32[2]): too large"
    three = errors.translated("where", [torch.ones(2), torch.ones(3), torch.ones(4)], ValueError("no"))
    assert "write instead: shapes whose lengths" in str(three)
    assert (
        errors.alike("sofmax", ["softmax", "relu"]) == " (did you mean softmax?)" and errors.alike("x", ["relu"]) == ""
    )
    assert errors.alike("RELU", ["relu"]) == " (did you mean relu?)"


def test_what_is_no_number_and_no_tensor() -> None:
    with pytest.raises(
        TypeError, match=r"where\(\): an argument is no number and no tensor; it takes \(condition, x, y\)"
    ):
        torch.where(torch.ones(2) > 0, torch.ones(2), None)


def test_shapes_that_disagree_and_what_would_fit() -> None:
    def instead(*shapes: tuple[int, ...]) -> str:
        with pytest.raises(RuntimeError) as raised:
            torch.add(*map(torch.ones, shapes))
        return str(raised.value).rpartition("write instead: ")[2]

    assert instead((2, 3), (3, 2)).startswith("b.mT")
    assert instead((4, 2, 3), (4, 3)) == "b.unsqueeze(-2), to fit [4, 3] to [4, 2, 3] from the left"
    assert instead((4, 2), (4, 2, 3)) == "a.unsqueeze(-1), to fit [4, 2] to [4, 2, 3] from the left"
    assert instead((2, 5), (4, 3)).startswith("shapes whose lengths")


def test_a_short_dimension_beside_a_long_one() -> None:
    lines = str(torch.zeros(2, 2000)).splitlines()
    assert lines == ["tensor([[0., 0., 0.,  ..., 0., 0., 0.],", "        [0., 0., 0.,  ..., 0., 0., 0.]])"]


def test_long_notes_stand_on_a_line_of_their_own() -> None:
    x = torch.full((1, 9), 1.25, dtype=torch.float64, requires_grad=True)
    assert str(x * 1).splitlines()[-1].lstrip().startswith(("dtype=", "grad_fn="))
    assert str(torch.tensor([1 - 2j, -0.5 + 0j])) == "tensor([ 1.0000-2.j, -0.5000+0.j])"


# --- several results --------------------------------------------------------------------------------------------------------


def test_the_gradient_of_one_of_several_results_whose_others_are_gone() -> None:
    x = torch.tensor([[2.0, 1.0], [1.0, 3.0]], dtype=torch.float64, requires_grad=True)
    values = torch.linalg.eigh(x).eigenvalues
    lost = weakref.ref(values)
    values.sum().backward(create_graph=True)
    np.testing.assert_allclose(x.grad.detach().numpy(), np.eye(2), atol=1e-12)
    x.grad = None
    del values
    assert lost() is None
