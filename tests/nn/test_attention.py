"""Attention with several heads: the plain definition, masks, PyTorch."""

import numpy as np
import pytest
from against_torch import same, same_error

import tinygrad_edu as tg
from tinygrad_edu import nn


def normal(*shape):
    return np.random.standard_normal(shape)


def softmax(a):
    e = np.exp(a - a.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def test_each_head_attends_in_its_own_part():
    layer, x = nn.MultiheadAttention(6, 2, batch_first=True, dtype=tg.float64), normal(1, 4, 6)
    out, weights = layer(*[tg.tensor(x)] * 3)
    state = {k: v.numpy() for k, v in layer.state_dict().items()}
    q, k, v = np.split(x[0] @ state["in_proj_weight"].T + state["in_proj_bias"], 3, -1)
    heads, shares = [], []
    for part in (slice(0, 3), slice(3, 6)):
        shares.append(softmax(q[:, part] @ k[:, part].T / np.sqrt(3)))
        heads.append(shares[-1] @ v[:, part])
    expected = np.concatenate(heads, -1) @ state["out_proj.weight"].T + state["out_proj.bias"]
    np.testing.assert_allclose(out[0].detach().numpy(), expected)
    np.testing.assert_allclose(weights[0].detach().numpy(), np.mean(shares, 0))


def test_what_a_mask_hides_has_no_influence():
    layer, x = nn.MultiheadAttention(4, 2, dtype=tg.float64), tg.tensor(normal(5, 2, 4))
    padding = tg.tensor([[False, False, False, True, True], [False] * 5])
    changed = x.clone()
    changed[3:, 0] = 100.0
    for need_weights in (True, False):
        a, b = (layer(x, t, t, key_padding_mask=padding, need_weights=need_weights)[0] for t in (x, changed))
        np.testing.assert_allclose(a.detach().numpy(), b.detach().numpy())
    weights = layer(x, x, x, key_padding_mask=padding)[1]
    assert (weights[0, :, 3:] == 0).all()


def test_weights_are_given_when_they_are_asked_for():
    layer, x = nn.MultiheadAttention(4, 2), tg.randn(5, 3, 4)
    assert layer(x, x, x)[1].shape == (3, 5, 5)
    assert layer(x, x, x, average_attn_weights=False)[1].shape == (3, 2, 5, 5)
    assert layer(x, x, x, need_weights=False)[1] is None


@pytest.mark.parametrize("precision", ["float64", "float16"])
def test_a_mask_in_single_precision_fits_any_query(precision):
    q, mask = tg.tensor(normal(2, 4, 6)).to(getattr(tg, precision)), nn.Transformer.generate_square_subsequent_mask(4)
    found, expected = (nn.functional.scaled_dot_product_attention(q, q, q, m) for m in (mask, mask.to(q.dtype)))
    assert mask.dtype is tg.float32 and found.dtype is q.dtype
    np.testing.assert_array_equal(found.numpy(), expected.numpy())
    with pytest.raises(RuntimeError, match="float32 or to match query dtype"):
        nn.functional.scaled_dot_product_attention(q.float(), q.float(), q.float(), mask.double())


def test_parameters_by_name():
    same_widths = dict(nn.MultiheadAttention(8, 2, add_bias_kv=True).named_parameters())
    assert {k: tuple(v.shape) for k, v in same_widths.items()} == {
        "in_proj_weight": (24, 8),
        "in_proj_bias": (24,),
        "bias_k": (1, 1, 8),
        "bias_v": (1, 1, 8),
        "out_proj.weight": (8, 8),
        "out_proj.bias": (8,),
    }
    other = {k: tuple(v.shape) for k, v in nn.MultiheadAttention(8, 2, kdim=3, vdim=5).named_parameters()}
    assert (other["q_proj_weight"], other["k_proj_weight"], other["v_proj_weight"]) == ((8, 8), (8, 3), (8, 5))


OPTIONS = [
    {},
    {"batch_first": True},
    {"bias": False},
    {"add_bias_kv": True},
    {"add_zero_attn": True},
    {"kdim": 5, "vdim": 7},
    {"kdim": 5, "vdim": 7, "batch_first": True, "add_bias_kv": True, "bias": False},
]


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_against_torch(options):
    pytest.importorskip("torch", reason="the comparison needs PyTorch")

    def make(nn):
        return nn.MultiheadAttention(8, 2, **options)

    def sequences(length, width):
        return normal(3, length, width) if options.get("batch_first") else normal(length, 3, width)

    q, k, v = sequences(4, 8), sequences(6, options.get("kdim", 8)), sequences(6, options.get("vdim", 8))
    padding = np.zeros((3, 6), bool)
    padding[0, 4:] = padding[2, 5] = True
    causal = np.triu(np.ones((4, 6), bool), 3)
    for masks in (
        {},
        {"key_padding_mask": padding},
        {"key_padding_mask": padding, "need_weights": False},
        {"key_padding_mask": padding, "average_attn_weights": False},
        {"attn_mask": causal},
        {"attn_mask": normal(4, 6)},
        {"attn_mask": normal(4, 6), "need_weights": False},
        {"attn_mask": normal(6, 4, 6), "key_padding_mask": np.where(padding, -np.inf, 0.0)},
    ):
        same(make, q, k, v, **masks)
    same(make, normal(4, 8), normal(6, options.get("kdim", 8)), normal(6, options.get("vdim", 8)))
    if "kdim" not in options:
        same(make, q, call=lambda layer, engine, x: layer(x, x, x))
        same(make, q, k, call=lambda layer, engine, x, memory: layer(x, memory, memory, need_weights=False))


def test_errors_against_torch():
    pytest.importorskip("torch", reason="the comparison needs PyTorch")
    same_error(lambda nn: nn.MultiheadAttention(8, 3))
    same_error(lambda nn: nn.MultiheadAttention(0, 3))
    for shapes, options in [
        ([(4, 3, 7)] * 3, {}),
        ([(4, 3, 8), (5, 3, 8), (6, 3, 8)], {}),
        ([(4, 8), (4, 3, 8), (4, 3, 8)], {}),
        ([(4, 3, 8)] * 3, {"attn_mask": np.zeros((3, 4))}),
        ([(4, 3, 8)] * 3, {"attn_mask": np.zeros((4, 4), int)}),
        ([(4, 3, 8)] * 3, {"key_padding_mask": np.zeros(4)}),
        ([(4, 3, 8)] * 3, {"is_causal": True}),
    ]:

        def call(layer, engine, shapes=shapes, options=options):
            masks = {k: engine.tensor(v) if isinstance(v, np.ndarray) else v for k, v in options.items()}
            layer(*[engine.zeros(*shape) for shape in shapes], **masks)

        same_error(lambda nn: nn.MultiheadAttention(8, 2), call)
