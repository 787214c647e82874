"""What layers refuse: with PyTorch's types of errors, in words that name the layer, the numbers and the way out."""

from __future__ import annotations

import functools
import pickle

import numpy as np
import pytest
from both_engines import Scenarios, numbers, raised

import tinygrad_edu as tg
from tinygrad_edu import nn
from tinygrad_edu.nn import functional as F

scenario = Scenarios()


# --- in words ------------------------------------------------------------------------------------------------------------

SIZES = [
    (nn.Linear, ("a", 2), "in_features"),
    (nn.Linear, (2, 3.0), "out_features"),
    (nn.Bilinear, (2, "a", 4), "in2_features"),
    (nn.Conv2d, ("a", 4, 3), "in_channels"),
    (nn.ConvTranspose1d, (4, 2.5, 3), "out_channels"),
    (nn.BatchNorm1d, (3.0,), "num_features"),
    (nn.Embedding, ("a", 2), "num_embeddings"),
    (nn.EmbeddingBag, (2, None), "embedding_dim"),
    (nn.LSTMCell, ("a", 2), "input_size"),
]


@pytest.mark.parametrize(("layer", "sizes", "name"), SIZES)
def test_a_size_that_is_no_whole_number_is_named(layer, sizes, name):
    with pytest.raises(TypeError, match=rf"{layer.__name__}: {name} must be an int, not (str|float|NoneType)"):
        layer(*sizes)


def test_a_negative_size_is_named():
    with pytest.raises(RuntimeError, match="Linear: in_features must not be negative, but is -1"):
        nn.Linear(-1, 2)


def test_sizes_may_be_anything_that_counts():
    layer = nn.Linear(np.int64(3), tg.tensor(2))
    assert layer(tg.ones(1, 3)).shape == (1, 2)


def test_a_list_is_no_tensor():
    calls = {
        "embedding": lambda: nn.Embedding(3, 2)([1, 2]),
        "mse_loss": lambda: nn.MSELoss()(tg.ones(2), 0.0),
        "cross_entropy": lambda: nn.CrossEntropyLoss()(tg.ones(2, 3), [0, 1]),
        "nll_loss": lambda: nn.NLLLoss()(tg.ones(2, 3), [0, 1]),
        "binary_cross_entropy": lambda: nn.BCELoss()(tg.ones(2), [0.0, 1.0]),
        "binary_cross_entropy_with_logits": lambda: nn.BCEWithLogitsLoss()(tg.ones(2), [0.0, 1.0]),
    }
    for name, call in calls.items():
        with pytest.raises(
            TypeError, match=rf"{name}\(\): argument '\w+' (\(position \d\) )?must be Tensor, not (list|float)"
        ):
            call()


def test_states_of_recurrent_layers():
    x, h = tg.ones(4, 2, 2), tg.ones(1, 2, 3)
    with pytest.raises(TypeError, match=r"LSTM: hx must be a tuple \(h_0, c_0\) of two tensors, not a tensor of shape"):
        nn.LSTM(2, 3)(x, h)
    with pytest.raises(TypeError, match="two tensors, not 1 of them"):
        nn.LSTM(2, 3)(x, (h,))
    with pytest.raises(TypeError, match="GRU: hx must be a tensor, not tuple"):
        nn.GRU(2, 3)(x, (h, h))
    with pytest.raises(TypeError, match="GRUCell: hx must be a tensor, not tuple"):
        nn.GRUCell(2, 3)(x[0], (h[0], h[0]))
    with pytest.raises(TypeError, match=r"LSTMCell: hx must be a tuple \(h, c\) of tensors, not Tensor"):
        nn.LSTMCell(2, 3)(x[0], h[0])
    with pytest.raises(RuntimeError, match=r"write instead: input.to\(torch.float32\)"):
        nn.LSTMCell(2, 3)(x[0].double())


def test_a_mask_of_another_batch():
    x = tg.ones(2, 3, 8)  # (S, N, E)
    with pytest.raises(AssertionError, match=r"\(N, S\) = \(3, 2\), but got \(2, 3\)"):
        nn.MultiheadAttention(8, 2)(x, x, x, key_padding_mask=tg.zeros(2, 3))


def test_dropout_of_channels_that_are_not_there():
    with pytest.warns(UserWarning, match="write dropout1d"):
        F.dropout2d(tg.ones(2, 3, 4))
    with pytest.warns(UserWarning, match="2 dimensions"):
        F.dropout3d(tg.ones(2, 3))


# --- the types of the errors, in both engines ----------------------------------------------------------------------------


@scenario
def sizes(t):
    nn = t.nn
    return [
        raised(lambda: nn.Linear("a", 2)),
        raised(lambda: nn.Linear(-1, 2)),
        raised(lambda: nn.Conv2d(3.0, 4, 3)),
        raised(lambda: nn.BatchNorm1d(-1)),
        raised(lambda: nn.Embedding(2.0, 3)),
        raised(lambda: nn.Conv2d(3, 4, 0)(t.ones(1, 3, 5, 5))),
        raised(lambda: nn.ConvTranspose2d(3, 4, (1, 0))(t.ones(1, 3, 5, 5))),
    ]


@scenario
def dtypes(t):
    nn, x = t.nn, t.ones(4, 3)
    return [
        raised(lambda: nn.BatchNorm1d(3)(x.double())),
        raised(lambda: nn.BatchNorm1d(3).double()(x)),
        raised(lambda: nn.BatchNorm1d(3).eval()(x.double())),
        raised(lambda: nn.InstanceNorm1d(3, affine=True)(t.ones(2, 3, 4).double())),
        raised(lambda: nn.LSTMCell(3, 2)(x.double())),
        raised(lambda: nn.BCELoss()(x, x.double())),
        raised(lambda: nn.BCELoss()(x, x.long())),
        raised(lambda: t.nn.functional.dropout(x.long())),
    ]


@scenario
def classes(t):
    loss, x = t.nn.CrossEntropyLoss(), t.ones(2, 3)
    targets = [1, [0], [0, 3], [0, -1], [[0], [1]], [0, 1, 2], [0.0, 1.0], [0, 1]]
    return [raised(lambda target=target: loss(x, t.tensor(target))) for target in targets]


@scenario
def padding_of_pools(t):
    pool = t.nn.functional.max_pool1d
    return [
        raised(functools.partial(pool, t.ones(1, 2, 9), kernel, 1, padding, dilation))
        for kernel, padding, dilation in [(3, 1, 1), (3, 2, 1), (3, 2, 2), (2, 1, 3), (2, 2, 3), (4, 2, 1)]
    ]


@scenario
def bags(t):
    i, table = t.tensor([1, 2, 3]), t.ones(5, 2)
    bag = t.nn.functional.embedding_bag
    return [
        raised(lambda: bag(i, table, t.tensor([0, 9]), include_last_offset=True)),
        raised(lambda: bag(i, table, t.tensor([0, 2]), include_last_offset=True)),
        raised(lambda: bag(i, table, t.tensor([0, 4]))),
        raised(lambda: bag(t.tensor([7]), table, t.tensor([0]))),
        raised(lambda: bag(i, table, t.tensor([0]), mode="max", sparse=True)),
        raised(lambda: bag(i, table, t.tensor([0]), mode="max", scale_grad_by_freq=True)),
    ]


@scenario
def statistics_of_nothing(t):
    norm = t.nn.BatchNorm1d(3)
    y = norm(t.ones(0, 3))
    y.sum().backward()
    return [
        tuple(y.shape),
        numbers([norm.running_mean, norm.running_var, norm.weight.grad]),
        norm.num_batches_tracked.item(),
        raised(lambda: t.nn.functional.batch_norm(t.ones(4, 3), None, None, training=True, eps=0)),
    ]


test_same_as_pytorch = scenario.test()


def test_norms_refuse_parameters_of_another_type():
    x = tg.ones(2, 4, dtype=tg.float64)
    for layer in (nn.LayerNorm(4), nn.GroupNorm(2, 4)):
        with pytest.raises(RuntimeError, match=r"the input is torch.float64, but a parameter .* is torch.float32"):
            layer(x)


def test_convolution_without_a_bias_of_what_came_out_of_another_process() -> None:
    """Unpickled arrays have a dtype object of their own."""
    x = pickle.loads(pickle.dumps(tg.randn(2, 1, 8, 8)))
    assert x.array.dtype is np.dtype("float32")
    array = pickle.loads(pickle.dumps(np.ones((2, 1, 8, 8), np.float32)))
    for kind in (nn.Conv2d, nn.ConvTranspose2d):
        layer = kind(1, 4, 3, bias=False)
        plain = layer(tg.ones(2, 1, 8, 8)).numpy(force=True)
        np.testing.assert_array_equal(layer(tg.from_numpy(array)).numpy(force=True), plain)
        assert layer(x).shape[1] == 4


def test_convolution_without_a_bias_names_the_dtypes() -> None:
    with pytest.raises(RuntimeError, match=r"same dtype, but got: float64\[2, 3, 8, 8\] and float32"):
        nn.Conv2d(3, 4, 3, bias=False)(tg.ones(2, 3, 8, 8, dtype=tg.float64))
