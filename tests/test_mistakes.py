"""What people write wrong every day: PyTorch's type of error, and a text that says what, with which numbers, and the way out."""

from __future__ import annotations

import re
from typing import Any

import pytest

import tinygrad_edu as tg

# the call, the type of error, a piece of what is said to be wrong, a piece of what to write instead
MISTAKES = [
    # products
    ("x(2, 3) @ x(4, 5)", RuntimeError, "(2x3 and 4x5)", "here 3 and 4"),
    ("x(2, 3) @ x(2, 5)", RuntimeError, "(2x3 and 2x5)", "first one's .mT"),
    ("x(2, 3) @ x(5, 3)", RuntimeError, "(2x3 and 5x3)", "second one's .mT"),
    ("x(3) @ t.tensor(2.0)", RuntimeError, "1D and 0D", "x * y"),
    ("t.matmul(x(2, 3, 4), x(5, 4, 6))", RuntimeError, "[2] and [5]", "x.unsqueeze(dim)"),
    ("t.bmm(x(2, 3, 4), x(3, 4, 5))", RuntimeError, "[2, 4] but got: [3, 4]", "x @ y"),
    ("t.bmm(x(2, 3, 4), x(2, 3, 5))", RuntimeError, "[2, 4] but got: [2, 3]", "first one's .mT"),
    ("t.mm(x(2, 3, 4), x(4, 5))", RuntimeError, "must be 2D", "matmul"),
    ("t.einsum('ij,jk->ik', x(2, 3), x(4, 5))", RuntimeError, "'j' has the lengths 3 and 4", "along 'j'"),
    ("t.einsum('ijk,kl->ijl', x(2, 3), x(3, 4))", RuntimeError, "'ijk'", "2 letters"),
    ("t.einsum('ij,jk', x(2, 3))", RuntimeError, "2 operands but 1", "one term for each tensor"),
    ("t.einsum('ij->k', x(2, 3))", RuntimeError, "output subscript k", "only letters from before"),
    ("nn.Linear(12, 4)(x(2, 3, 2, 2))", RuntimeError, "the weight takes 12 features", "x.flatten(1)"),
    ("nn.Linear(5, 4)(x(2, 3))", RuntimeError, "the input has 3", "nn.Linear(3, 4)"),
    ("nn.Linear(3, 4)(x(2, 3).double())", RuntimeError, "float64[2, 3]", ".to(torch.float32)"),
    ("nn.Linear(3, 4)(t.ones(2, 3).long())", RuntimeError, "int64[2, 3]", ".to(torch.float32)"),
    # dimensions and shapes
    ("x(2, 3).sum(2)", IndexError, "expected to be in range of [-2, 1], but got 2", "a dim from -2 to 1"),
    ("x(2, 3).squeeze(2)", IndexError, "squeeze: Dimension out of range", "a dim from -2 to 1"),
    ("x(2, 3).transpose(0, 2)", IndexError, "transpose", "a dim from -2 to 1"),
    ("x(2, 3).softmax(-3)", IndexError, "softmax", "a dim from -2 to 1"),
    ("x(2, 3).permute(0, 2)", IndexError, "permute: Dimension out of range", "a dim from -2 to 1"),
    ("x(2, 3).flatten(2)", IndexError, "flatten: Dimension out of range", "the tensor has 2 dimensions"),
    ("x(3).size(1)", IndexError, "size of float32[3]", "a dim from -1 to 0"),
    ("x(2, 3).permute(0)", RuntimeError, "input.dim() = 2", "x.transpose(a, b)"),
    ("x(2, 3) + x(4)", RuntimeError, "tensor a (3) must match the size of tensor b (4)", "equal or 1"),
    ("x(2, 3) + x(2)", RuntimeError, "tensor a (3) must match the size of tensor b (2)", "b.unsqueeze(-1)"),
    ("x(2, 3).view(4)", RuntimeError, "invalid for input of size 6", "product is 6"),
    ("x(2, 3).expand(3)", RuntimeError, "number of sizes provided (1)", "-1 for one that stays"),
    ("t.cat([x(2, 3), x(3, 4)])", RuntimeError, "Expected size 3 but got size 4", "equal lengths"),
    ("t.cat([x(2, 3), x(2, 4)])", RuntimeError, "Expected size 3 but got size 4", "cat(tensors, dim=1)"),
    ("t.cat([x(2, 3), x(3)])", RuntimeError, "got 2 and 1", "x.unsqueeze(0)"),
    ("x(5).split([2, 2])", RuntimeError, "sum exactly to 5", "add up to 5"),
    ("x(5).narrow(0, 3, 4)", RuntimeError, "start (3) + length (4)", "a length of at most 2"),
    # indices
    ("x(2, 3)[2]", IndexError, "index 2 is out of bounds for dimension 0 with size 2", "an index from -2 to 1"),
    ("x(2, 3)[0, 0, 0]", IndexError, "3 were given", "at most 2"),
    ("x(2, 3)[t.tensor([0.0])]", IndexError, "not float32[1]", "index.long()"),
    ("x(2, 3)[t.tensor([True, False, True])]", IndexError, "mask [3]", "x[:, mask]"),
    ("x(4, 4)[t.tensor([0, 1]), t.tensor([0, 1, 2])]", IndexError, "[2], [3]", "x[i[:, None], j]"),
    ("x(2, 3).select(1, 3)", IndexError, "index 3", "an index from -3 to 2"),
    ("t.gather(x(2, 3), 1, t.tensor([[3], [0]]))", RuntimeError, "index 3", "an index from 0 to 2"),
    ("t.gather(x(2, 3), 1, t.tensor([0]))", RuntimeError, "got 1 and 2", "index.unsqueeze(dim)"),
    ("nn.Embedding(10, 3)(t.tensor([1, 12]))", IndexError, "1 to 12 in a table of 10 rows", "a table of 13 rows"),
    ("nn.Embedding(10, 3)(t.tensor([-1]))", IndexError, "-1 to -1", "numbers from 0 to 9"),
    ("F.one_hot(t.tensor([3]), 2)", RuntimeError, "num_classes (2), not 3", "one_hot(x, 4)"),
    # numbers and draws
    ("t.arange(5, 0)", RuntimeError, "5 -> 0 by 1", "arange(5, 0, -1)"),
    ("t.arange(0, 5, -2)", RuntimeError, "0 -> 5 by -2", "arange(0, 5, 2)"),
    ("t.multinomial(t.tensor([-1.0, 2.0]), 1)", RuntimeError, "element < 0", "softmax(-1)"),
    ("t.multinomial(t.tensor([1.0, 2.0]), 3)", RuntimeError, "3 > 2", "replacement=True"),
    ("t.multinomial(t.tensor([0.0, 0.0]), 1)", RuntimeError, "sum of probabilities <= 0", "above 0"),
    ("t.linalg.inv(t.zeros(2, 2))", RuntimeError, "singular", "linalg.pinv"),
    ("t.linalg.solve(t.zeros(2, 2), x(2))", RuntimeError, "singular", "linalg.lstsq"),
    ("t.linalg.cholesky(-t.eye(2))", RuntimeError, "not positive-definite", "1e-6 * eye"),
    ("t.tensor(['a', 'b'])", ValueError, "too many dimensions 'str'", "vocabulary"),
    ("t.tensor([[1, 2], [3]])", ValueError, "length 2 at dim 1 (got 1)", "pad_sequence"),
    ("t.tensor([1, 2]).softmax(0)", NotImplementedError, "softmax: not implemented for torch.int64", "x.float()"),
    ("x(2) & x(2)", NotImplementedError, "bitwise_and", "x.bool()"),
    ("x(2).to('gpu')", RuntimeError, "gpu", "'cuda'"),
    ("x(2).to('float')", RuntimeError, "float", "x.float()"),
    # layers
    ("nn.Bilinear(2, 3, 4)(x(5, 2), x(5, 4))", RuntimeError, "input2 size does not match", "nn.Bilinear(2, 4, 4)"),
    ("t.full((2,), 'a')", TypeError, "'fill_value' (position 2) must be Number, not str", ""),
    ("nn.Conv2d(3, 4, 3)(x(1, 1, 8, 8))", RuntimeError, "to have 3 channels, but got 1", "nn.Conv2d(1, 4, ...)"),
    ("nn.Conv2d(3, 4, 3)(x(1, 8, 8, 3))", RuntimeError, "to have 3 channels, but got 8", "x.movedim(3, 1)"),
    ("nn.ConvTranspose2d(3, 4, 3)(x(1, 5, 8, 8))", RuntimeError, "but got 5", "nn.ConvTranspose2d(5, 4, ...)"),
    ("nn.Conv2d(3, 4, 5)(x(1, 3, 2, 2))", RuntimeError, "the padded input's (2, 2)", "padding"),
    ("nn.MaxPool2d(4)(x(1, 3, 2, 2))", RuntimeError, "Output size is too small", "a smaller kernel_size"),
    ("nn.BatchNorm2d(3)(x(1, 4, 2, 2))", RuntimeError, "should contain 4 elements not 3", "a layer of 4 features"),
    ("nn.LayerNorm(5)(x(2, 4))", RuntimeError, "shape [*, 5]", "normalized_shape=[4]"),
    ("nn.LSTM(3, 4)(x(5, 2, 7))", RuntimeError, "Expected 3, got 7", "nn.LSTM(7, 4)"),
    ("nn.RNN(3, 4)(x(5, 2, 7))", RuntimeError, "Expected 3, got 7", "nn.RNN(7, 4)"),
    ("nn.GRU(3, 4)(x(5, 2, 3), x(2, 2, 4))", RuntimeError, "size (1, 2, 4), got [2, 2, 4]", "zeros(1, 2, 4)"),
    ("nn.LSTMCell(3, 4)(x(2, 7))", RuntimeError, "got 7 expected 3", "nn.LSTMCell(7, 4)"),
    ("nn.MultiheadAttention(10, 3)", AssertionError, "10 is not by 3", "one of 1, 2, 5, 10"),
    ("attention(x(5, 2, 6), x(5, 2, 6), x(5, 2, 6))", AssertionError, "of 8, but got 6", "embed_dim=6"),
    ("attention(x(5, 2, 8), x(4, 2, 8), x(3, 2, 8))", AssertionError, "[4, 2, 8]", "equal length"),
    (
        "attention(x(5, 2, 8), *[x(4, 2, 8)] * 2, attn_mask=x(3, 3))",
        RuntimeError,
        "should be [5, 4]",
        "length of the key",
    ),
    (
        "attention(x(5, 2, 8), *[x(4, 2, 8)] * 2, key_padding_mask=t.zeros(4, 2).bool())",
        AssertionError,
        "(2, 4), but got (4, 2)",
        "key_padding_mask.T",
    ),
    (
        "F.scaled_dot_product_attention(x(1, 2, 3, 4), x(1, 2, 3, 5), x(1, 2, 3, 4))",
        RuntimeError,
        "key [1, 2, 3, 5]",
        "(..., S, E)",
    ),
    ("nn.CrossEntropyLoss(x(2, 3), t.tensor([0, 1]))", RuntimeError, "ambiguous", "CrossEntropyLoss()(input, target)"),
    ("nn.MSELoss(x(2), x(2))", RuntimeError, "ambiguous", "MSELoss()(input, target)"),
    (
        "F.cross_entropy(x(3, 4), t.tensor([0, 1]))",
        ValueError,
        "(3) to match target batch_size (2)",
        "target.flatten()",
    ),
    ("F.cross_entropy(x(2, 4), t.tensor([0, 4]))", IndexError, "Target 4", "classes 0 to 3"),
    ("F.binary_cross_entropy_with_logits(x(2, 1), t.ones(2))", ValueError, "Target size", "target.view_as(input)"),
    ("F.interpolate(x(1, 3, 4, 4))", ValueError, "exactly one of", "scale_factor=2"),
    (
        "nn.Linear(4, 2)(nn.LSTM(3, 4)(x(5, 1, 3)))",
        TypeError,
        "must be Tensor, not tuple",
        "[0] for the first of (float32",
    ),
    ("F.cross_entropy(None, t.tensor([0]))", TypeError, "must be Tensor, not NoneType", ""),
    ("t.cat(x(2), x(2))", TypeError, "must be tuple of Tensors, not Tensor", "cat([x, y, ...])"),
    ("nn.GroupNorm(3, 6)(x(2, 4, 5))", RuntimeError, "4 channels and num_groups=3", "a divisor of 4"),
    ("nn.Sequential([nn.Linear(2, 2)])", TypeError, "list is not a Module", "Sequential(*layers)"),
    ("nn.Linear(2, 2).load_state_dict('model.pt')", TypeError, "dict-like", "torch.load(path)"),
    ("x(3)[1.0]", IndexError, "got float", "int(i)"),
    ("nn.ModuleList([1, 2])", TypeError, "int is not a Module", "nn.ReLU()"),
    # training
    ("t.optim.SGD(nn.Linear(2, 2), lr=0.1)", TypeError, "'Linear' object is not iterable", "model.parameters()"),
    ("t.optim.Adam([nn.Linear(2, 2)])", TypeError, "one of the params is", "m.parameters()"),
    ("t.optim.SGD([], lr=0.1)", ValueError, "empty parameter list", "nn.ModuleList"),
    ("t.optim.lr_scheduler.StepLR(0.1, 3)", TypeError, "float is not an Optimizer", "the optimizer first"),
    ("float(x(2))", ValueError, "only one element", "x.tolist()"),
    ("t.ones(2, requires_grad=True).mul(2).backward()", RuntimeError, "scalar outputs", "x.sum().backward()"),
    ("x(3).backward()", RuntimeError, "does not require grad", "requires_grad=True"),
    ("t.ones(2, requires_grad=True).add_(1)", RuntimeError, "a leaf Variable", "no_grad()"),
    ("t.tensor([4]).div_(3)", RuntimeError, "can't be cast", ".to(torch.float32)"),
    (
        "t.optim.SGD(nn.Linear(2, 2).parameters, lr=0.1)",
        TypeError,
        "'method' object is not iterable",
        "model.parameters()",
    ),
    # names
    ("nn.Linear(2, 2, bais=False)", TypeError, "'bais' (did you mean bias?)", ""),
    ("nn.Conv2d(3, 4, kernel=3)", TypeError, "'kernel' (did you mean kernel_size?)", ""),
    ("t.optim.SGD([x(2)], 0.1, momentun=0.9)", TypeError, "'momentun' (did you mean momentum?)", ""),
    ("F.cross_entropy(x(2, 2), x(2, 2), weigth=x(2))", TypeError, "'weigth' (did you mean weight?)", ""),
    (
        "t.zeros(3, dtyp=t.int64)",
        TypeError,
        "zeros() got an unexpected keyword argument 'dtyp' (did you mean dtype?)",
        "",
    ),
    ("x(2, 2).sum(keepdims=True, dimm=0)", TypeError, "'dimm' (did you mean dim?)", ""),
    ("misnamed()(x(2))", NotImplementedError, '"forward" function (did you mean foward?)', ""),
    ("mistyped()(x(2))", AttributeError, "no attribute 'lienar' (did you mean linear?)", ""),
    # kinds
    ("t.randint(5)", TypeError, "not (5)", "randint(high, (2, 3))"),
    ("F.relu(x(2, 2).max(1))", TypeError, "must be Tensor, not max", ".values"),
    ("x(2, 2).softmax((0, 1))", TypeError, "'dim' (position 2) must be int, not tuple", ""),
    ("F.dropout(x(2), training=1)", TypeError, "'training' (position 3) must be bool, not int", ""),
    ("x(2, 2).triu(2.5)", TypeError, "'diagonal' (position 2) must be int, not float", ""),
    ("(lambda y: y[:3].add_(y[1:4]))(x(6))", RuntimeError, "to a single memory location", "x.add_(y.clone())"),
    ("(lambda y: y[:3].copy_(y[1:4]))(x(6))", RuntimeError, "to a single memory location", "x.copy_(y.clone())"),
    ("F.hinge_embedding_loss(t.arange(3), t.ones(3))", RuntimeError, "not implemented for torch.int64", "x.float()"),
    ("F.soft_margin_loss(t.arange(3), t.ones(3))", RuntimeError, "not implemented for torch.int64", "x.float()"),
    ("F.instance_norm(t.arange(6).reshape(1, 2, 3))", RuntimeError, "not implemented for torch.int64", "x.float()"),
    ("F.multilabel_soft_margin_loss(t.tensor(1.0), t.tensor(1.0))", IndexError, "no dimension", ""),
    ("F.pdist(t.ones(2, 3, dtype=t.complex64))", RuntimeError, "not torch.complex64", ""),
    ("F.rrelu_(x(3), 10.0)", RuntimeError, "less than or equal to the upper bound", ""),
]


def run(call: str, engine: Any) -> None:
    nn = engine.nn
    misnamed = type("Net", (nn.Module,), {"foward": lambda self, x: x})
    mistyped = type("Net", (nn.Module,), {"linear": None, "forward": lambda self, x: self.lienar(x)})
    names = {
        "misnamed": misnamed,
        "mistyped": mistyped,
        "t": engine,
        "nn": nn,
        "F": nn.functional,
        "x": engine.ones,
        "attention": nn.MultiheadAttention(8, 2),
    }
    eval(call, names)


@pytest.mark.parametrize(("call", "kind", "wrong", "instead"), MISTAKES, ids=[m[0] for m in MISTAKES])
def test_the_text_says_what_is_wrong_and_what_to_write(call, kind, wrong, instead):
    with pytest.raises(kind) as raised:
        run(call, tg)
    text = str(raised.value)
    assert wrong in text
    assert not instead or instead in re.split("[Ww]rite ", text, maxsplit=1)[1]


@pytest.mark.parametrize(("call", "kind"), [m[:2] for m in MISTAKES], ids=[m[0] for m in MISTAKES])
def test_the_type_is_pytorchs(call, kind):
    torch = pytest.importorskip("torch", reason="compares with PyTorch, which is not installed")
    with pytest.raises(kind):
        run(call, torch)


def test_a_dimension_is_refused_in_the_name_of_what_was_called():
    """Also where `dim` is read by a helper that many operations share."""
    for name in ("unbind", "squeeze", "flip", "unflatten"):
        arguments = (5, (1, 1)) if name == "unflatten" else (5,)
        with pytest.raises(IndexError, match=re.escape(f"{name}: Dimension out of range")):
            getattr(tg.ones(2, 3), name)(*arguments)


def test_also_an_assertion_names_the_layer():
    attention = tg.nn.MultiheadAttention(6, 2)
    with pytest.raises(AssertionError, match=r"in: attention, MultiheadAttention, called with float32\[3, 2, 5\]"):
        attention(*[tg.ones(3, 2, 5)] * 3)


def test_several_tensors_are_told_by_their_shapes():
    lstm = tg.nn.LSTM(3, 4)
    with pytest.raises(
        RuntimeError, match=r"called with float32\[5, 2, 3\], \(float32\[1, 3, 4\], float32\[1, 3, 4\]\)"
    ):
        lstm(tg.ones(5, 2, 3), (tg.ones(1, 3, 4), tg.ones(1, 3, 4)))
