"""Layers: closed forms and plain definitions, and each one beside PyTorch's."""

from __future__ import annotations

import copy
import inspect
import pickle

import numpy as np
import pytest
from against_torch import same, same_error
from both_engines import Scenarios, numbers, raised

import tinygrad_edu as tg
from tinygrad_edu import nn

scenario = Scenarios()


def normal(*shape):
    return np.random.standard_normal(shape)


# --- plain definitions ---------------------------------------------------------------------------------------------------


def test_linear_is_a_matrix_product():
    layer = nn.Linear(3, 2, dtype=tg.float64)
    x = normal(4, 5, 3)
    w, b = (p.detach().numpy() for p in layer.parameters())
    np.testing.assert_allclose(layer(tg.tensor(x)).detach().numpy(), np.einsum("nti,oi->nto", x, w) + b)


def test_bilinear_is_a_form_for_each_output():
    layer = nn.Bilinear(3, 4, 2, dtype=tg.float64)
    x, y = normal(5, 3), normal(5, 4)
    w, b = (p.detach().numpy() for p in layer.parameters())
    expected = np.einsum("ni,oij,nj->no", x, w, y) + b
    np.testing.assert_allclose(layer(tg.tensor(x), tg.tensor(y)).detach().numpy(), expected)


def test_activations():
    x = normal(50)
    sigmoid = 1 / (1 + np.exp(-x))
    expected = {
        nn.ReLU(): np.maximum(x, 0),
        nn.ReLU6(): np.clip(x, 0, 6),
        nn.LeakyReLU(0.2): np.where(x > 0, x, 0.2 * x),
        nn.ELU(0.5): np.where(x > 0, x, 0.5 * np.expm1(x)),
        nn.Sigmoid(): sigmoid,
        nn.SiLU(): x * sigmoid,
        nn.Mish(): x * np.tanh(np.log1p(np.exp(x))),
        nn.Softplus(): np.log1p(np.exp(x)),
        nn.Softsign(): x / (1 + np.abs(x)),
        nn.Tanhshrink(): x - np.tanh(x),
        nn.Hardshrink(0.3): np.where(np.abs(x) > 0.3, x, 0),
        nn.Softshrink(0.3): np.sign(x) * np.maximum(np.abs(x) - 0.3, 0),
        nn.Hardsigmoid(): np.clip(x / 6 + 0.5, 0, 1),
        nn.Hardswish(): x * np.clip(x / 6 + 0.5, 0, 1),
        nn.Threshold(0.1, -3.0): np.where(x > 0.1, x, -3),
        nn.LogSigmoid(): np.log(sigmoid),
        nn.Softmax(0): np.exp(x) / np.exp(x).sum(),
        nn.Softmin(0): np.exp(-x) / np.exp(-x).sum(),
        nn.LogSoftmax(0): x - np.log(np.exp(x).sum()),
        nn.GLU(): x[:25] / (1 + np.exp(-x[25:])),
        nn.PReLU(dtype=tg.float64): np.where(x > 0, x, 0.25 * x),
    }
    for layer, y in expected.items():
        np.testing.assert_allclose(layer(tg.tensor(x)).detach().numpy(), y, err_msg=repr(layer), atol=1e-12)


@pytest.mark.parametrize("kind", [nn.ReLU, nn.ReLU6, nn.LeakyReLU, nn.ELU, nn.CELU, nn.SELU, nn.SiLU, nn.Mish,
                                  nn.Hardswish, nn.Hardsigmoid, nn.Hardtanh, nn.RReLU])  # fmt: skip
def test_in_place_writes_into_the_input(kind):
    x = tg.tensor(normal(6))
    expected = kind().eval()(x)
    assert kind(inplace=True).eval()(x) is x
    assert tg.equal(x, expected)


@pytest.mark.parametrize("kind", [nn.Dropout, nn.Dropout1d, nn.Dropout2d, nn.Dropout3d])
def test_dropout_keeps_the_mean_and_drops_what_belongs_together(kind):
    tg.manual_seed(0)
    x = (
        tg.ones(60, 50, 4)
        if kind is nn.Dropout1d
        else tg.ones(60, 50, 2, 2)
        if kind is not nn.Dropout3d
        else tg.ones(60, 50, 1, 2, 2)
    )
    layer = kind(0.25)
    y = layer(x).numpy().reshape(60, 50, -1)
    assert set(np.unique(y)) == {np.float32(0), np.float32(1 / 0.75)}
    assert abs(y.mean() - 1) < 0.05
    assert (y == y[:, :, :1]).all() == (kind is not nn.Dropout)
    assert tg.equal(layer.eval()(x), x)


@pytest.mark.parametrize("kind", [nn.AlphaDropout, nn.FeatureAlphaDropout])
def test_alpha_dropout_keeps_mean_and_variance(kind):
    tg.manual_seed(0)
    y = kind(0.2)(tg.randn(200, 400, 3)).numpy()
    assert abs(y.mean()) < 0.05
    assert abs(y.std() - 1) < 0.05


def test_embedding_reads_rows_and_leaves_padding_alone():
    layer = nn.Embedding(5, 3, padding_idx=-2)
    assert layer.padding_idx == 3
    assert numbers(layer.weight[3]) == [0, 0, 0]
    i = tg.tensor([[0, 3], [3, 4]])
    assert tg.equal(layer(i), layer.weight[i])
    layer(i).sum().backward()
    assert numbers(layer.weight.grad.sum(1)) == [3, 0, 0, 0, 3]


def test_max_norm_shortens_the_rows_that_are_read():
    layer = nn.Embedding(4, 3, max_norm=1.0)
    with tg.no_grad():
        layer.weight.fill_(1.0)
    layer(tg.tensor([1, 3]))
    lengths = layer.weight.detach().norm(dim=1).numpy()
    np.testing.assert_allclose(lengths, [3**0.5, 1, 3**0.5, 1], rtol=1e-5)


def test_a_pretrained_embedding_shows_its_table():
    table = tg.randn(4, 3)
    frozen, free = (nn.Embedding.from_pretrained(table, freeze=freeze) for freeze in (True, False))
    assert not frozen.weight.requires_grad
    assert free.weight.requires_grad
    table[0, 0] = 5
    assert frozen.weight[0, 0] == 5


@pytest.mark.parametrize("mode", ["sum", "mean", "max"])
def test_bags(mode):
    bag = nn.EmbeddingBag(6, 3, mode=mode)
    out = bag(tg.tensor([0, 1, 2, 5]), tg.tensor([0, 3]))
    rows = [bag.weight[:3], bag.weight[5:]]
    expected = [r.amax(0) if mode == "max" else getattr(r, mode)(0) for r in rows]
    assert tg.allclose(out, tg.stack(expected))


def test_flatten_and_unflatten_are_inverse():
    x = tg.randn(2, 3, 4, 5)
    assert nn.Flatten()(x).shape == (2, 60)
    assert nn.Flatten(1, 2)(x).shape == (2, 12, 5)
    assert tg.equal(nn.Unflatten(1, (3, 4, 5))(nn.Flatten()(x)), x)


# --- beside PyTorch ------------------------------------------------------------------------------------------------------

# not here: Hardsigmoid (PyTorch's gradient in double precision is a sixth in single precision), and EmbeddingBag with
# scale_grad_by_freq (PyTorch divides the last row's gradient by another row's count); both are proven elsewhere
PLAIN = {
    "Linear(5, 3)": [(2, 4, 5)],
    "Linear(5, 3, bias=False)": [(5,)],
    "Bilinear(3, 4, 2)": [(5, 3), (5, 4)],
    "Bilinear(3, 4, 2, bias=False)": [(2, 5, 3), (2, 5, 4)],
    "Identity(3, x=4)": [(3,)],
    "ReLU()": [(3, 4)],
    "ReLU6()": [(3, 4)],
    "LeakyReLU(0.2)": [(3, 4)],
    "PReLU()": [(3, 4)],
    "PReLU(4, 0.1)": [(3, 4, 2)],
    "Hardtanh(-0.5, 0.7)": [(3, 4)],
    "Hardswish()": [(3, 4)],
    "Threshold(0.1, 2.0)": [(3, 4)],
    "Hardshrink(0.2)": [(3, 4)],
    "Softshrink(0.3)": [(3, 4)],
    "Sigmoid()": [(3, 4)],
    "Tanh()": [(3, 4)],
    "Softsign()": [(3, 4)],
    "Tanhshrink()": [(3, 4)],
    "LogSigmoid()": [(3, 4)],
    "Softplus(2.0, 1.0)": [(3, 4)],
    "SiLU()": [(3, 4)],
    "Mish()": [(3, 4)],
    "GELU()": [(3, 4)],
    "GELU('tanh')": [(3, 4)],
    "ELU(1.5)": [(3, 4)],
    "CELU(1.5)": [(3, 4)],
    "SELU()": [(3, 4)],
    "GLU(0)": [(4, 3)],
    "Softmax(1)": [(3, 4)],
    "Softmin(-1)": [(3, 4)],
    "LogSoftmax(0)": [(3, 4)],
    "Softmax2d()": [(2, 3, 4, 4)],
    "RReLU().eval()": [(3, 4)],
    "Dropout(0.3).eval()": [(3, 4)],
    "CosineSimilarity(dim=0)": [(3, 4), (3, 4)],
    "PairwiseDistance(p=1, keepdim=True)": [(3, 4), (3, 4)],
    "Flatten(0, 1)": [(2, 3, 4)],
    "Unflatten(1, (2, 3))": [(2, 6)],
}


@pytest.mark.parametrize("layer", PLAIN)
def test_layer(layer):
    pytest.importorskip("torch", reason="compares with PyTorch, which is not installed")
    same(lambda made_of: eval(layer, dict(vars(made_of))), *[normal(*shape) for shape in PLAIN[layer]])


INDEXED = {
    "Embedding(6, 3)": ([[0, 5], [1, 1]],),
    "Embedding(6, 3, padding_idx=1, scale_grad_by_freq=True)": ([[0, 5], [1, 0]],),
    "Embedding(6, 3, max_norm=0.5, norm_type=1.0, sparse=True)": ([0, 0, 2],),
    "EmbeddingBag(6, 3)": ([[0, 5], [1, 1]],),
    "EmbeddingBag(6, 3, mode='sum', padding_idx=-1)": ([0, 5, 1, 1], [0, 2, 2]),
    "EmbeddingBag(6, 3, mode='max')": ([0, 5, 1, 1], [0, 1]),
    "EmbeddingBag(6, 3, mode='sum', include_last_offset=True)": ([0, 5, 1, 1], [0, 1, 4]),
}


@pytest.mark.parametrize("layer", INDEXED)
def test_layer_of_indices(layer):
    pytest.importorskip("torch", reason="compares with PyTorch, which is not installed")
    sparse = "sparse=True" in layer  # PyTorch's gradient is then a sparse tensor: only values are compared

    def call(module, engine, *inputs):
        out = module(*inputs)
        return out.detach() if sparse else out

    same(lambda made_of: eval(layer, dict(vars(made_of))), *[np.array(i) for i in INDEXED[layer]], call=call)


def test_adaptive_softmax():
    pytest.importorskip("torch", reason="compares with PyTorch, which is not installed")
    target = np.array([0, 9, 3, 5, 2, 7])

    def make(made_of):
        return made_of.AdaptiveLogSoftmaxWithLoss(8, 10, [3, 6], div_value=2.0, head_bias=True)

    same(make, normal(6, 8), target)
    same(make, normal(8), np.array(4))
    same(make, normal(6, 8), call=lambda module, engine, x: (module.log_prob(x), module.predict(x)))
    same_error(make, lambda module, engine: module(engine.ones(2, 8), engine.tensor([1, 10])))
    same_error(make, lambda module, engine: module(engine.ones(3, 8), engine.tensor([1, 1])))
    same_error(make, lambda module, engine: module(engine.ones(8), engine.tensor([1, 1])))
    for cutoffs in ([], [3, 3], [6, 3], [0, 3], [3, 10], [1.5]):
        same_error(lambda made_of, cutoffs=cutoffs: made_of.AdaptiveLogSoftmaxWithLoss(8, 10, cutoffs))


def test_adaptive_softmax_is_a_distribution():
    layer = nn.AdaptiveLogSoftmaxWithLoss(8, 10, [3, 6], div_value=2.0)
    x = tg.randn(5, 8)
    p = layer.log_prob(x)
    np.testing.assert_allclose(p.exp().sum(1).detach().numpy(), np.ones(5), rtol=1e-5)
    assert tg.equal(layer.predict(x), p.argmax(1))
    target = tg.tensor([0, 4, 9, 2, 6])
    out = layer(x, target)
    assert tg.allclose(out.output, p[tg.arange(5), target])
    assert tg.allclose(out.loss, -out.output.mean())


@scenario
def printed(t):
    nn = t.nn
    layers = (
        nn.ReLU(True), nn.LeakyReLU(0.1, True), nn.Hardtanh(inplace=True), nn.ReLU6(True), nn.SiLU(True), nn.GELU(),
        nn.RReLU(inplace=True), nn.Threshold(0.1, 20, True), nn.Hardswish(True), nn.Softplus(), nn.Softmax(),
        nn.Embedding(5, 3, 2, 1.0, 1.0, True, True), nn.EmbeddingBag(5, 3, 1.0, 1.0, True, "sum", padding_idx=0),
        nn.EmbeddingBag(5, 3), nn.Dropout(), nn.Dropout2d(0.1, True), nn.AlphaDropout(), nn.Bilinear(1, 2, 3, False),
        nn.Flatten(), nn.Unflatten(1, [2, 3]), nn.LocalResponseNorm(2), nn.CosineSimilarity(), nn.PReLU(3),
    )  # fmt: skip
    return [repr(layer) for layer in layers]


@scenario
def errors(t):
    nn = t.nn
    x = t.ones(2, 3)
    calls = (
        lambda: nn.Dropout(1.5),
        lambda: nn.Hardtanh(1.0, 0.0),
        lambda: nn.Softmax2d()(t.ones(3)),
        lambda: nn.Embedding(5, 3, padding_idx=5),
        lambda: nn.Embedding(5, 3, padding_idx=-6),
        lambda: nn.Embedding(5, 3, _weight=t.ones(3, 5)),
        lambda: nn.Embedding.from_pretrained(t.ones(3)),
        lambda: nn.Embedding(5, 3)(t.tensor([5])),
        lambda: nn.Embedding(5, 3)(x),
        lambda: nn.EmbeddingBag(5, 3)(t.tensor([1, 2])),
        lambda: nn.Linear(4, 2)(x),
        lambda: nn.Linear(3, 2)(t.ones(2, 3, dtype=t.int64)),
        lambda: nn.Linear(3, 2)(t.ones(2, 3, dtype=t.float64)),
        lambda: nn.Linear(-1, 2),
        lambda: nn.Bilinear(0, 1, 2),
        lambda: nn.Bilinear(3, 3, 2)(x, t.ones(2, 4)),
        lambda: nn.Bilinear(3, 3, 2)(x, t.ones(3, 3)),
        lambda: nn.Unflatten(1, 3),
        lambda: nn.Unflatten(1, (1.5, 2)),
        lambda: nn.Unflatten(1, (2, 2))(x),
        lambda: nn.GLU()(x),
        lambda: nn.PReLU(5)(x),
        lambda: nn.Dropout1d()(t.ones(2, 2, 2, 2)),
        lambda: nn.Identity(1, a=2)(x),
    )
    return [raised(call) for call in calls]


@scenario
def dtypes(t):
    nn = t.nn
    made = (
        nn.Linear(2, 2, dtype=t.float64),
        nn.Linear(2, 2, device="cpu", dtype=t.float16),
        nn.Embedding(2, 2, dtype=t.float64),
        nn.PReLU(dtype=t.float64),
        nn.LayerNorm(3, dtype=t.float64),
        nn.BatchNorm1d(3, dtype=t.float64),
        nn.GroupNorm(1, 3, dtype=t.float64),
        nn.Linear(2, 2).double().float().half(),
    )
    return [[str(v.dtype) for v in layer.state_dict().values()] for layer in made]


@pytest.mark.filterwarnings("ignore")
def test_signatures():
    torch = pytest.importorskip("torch", reason="compares with PyTorch, which is not installed")
    recurrent = {"RNN", "LSTM", "GRU"}  # PyTorch's take *args
    for name in torch.nn.modules.__all__:
        if name in recurrent or not hasattr(nn, name):
            continue
        for method in ("__init__", "forward"):
            ours, theirs = (
                [(p.name, p.kind) for p in inspect.signature(getattr(cls, method)).parameters.values()]
                for cls in (getattr(nn, name), getattr(torch.nn, name))
            )
            assert ours == theirs or name == "RNNBase", f"{name}.{method}"


def test_every_layer_is_there():
    torch = pytest.importorskip("torch", reason="compares with PyTorch, which is not installed")
    missing = {name for name in torch.nn.modules.__all__ if not hasattr(nn, name)}
    assert missing <= {"LinearCrossEntropyOptions"}  # wishes about memory that change no number


def test_paths_of_modules():
    assert nn.modules.batchnorm._BatchNorm in nn.BatchNorm2d.__mro__
    assert nn.modules.conv._ConvNd in nn.Conv2d.__mro__
    assert nn.modules.utils._pair(3) == (3, 3)
    assert nn.modules.module.Module is nn.Module
    assert nn.modules.linear.Linear is nn.Linear
    assert nn.modules.activation.MultiheadAttention is nn.MultiheadAttention
    assert nn.modules.container.Sequential is nn.Sequential
    assert nn.modules.loss._Loss in nn.MSELoss.__mro__
    assert nn.modules.dropout._DropoutNd in nn.Dropout.__mro__
    assert nn.modules.lazy.LazyModuleMixin in nn.LazyLinear.__mro__


# --- lazy layers ---------------------------------------------------------------------------------------------------------


def test_a_lazy_layer_learns_its_shape_and_becomes_an_ordinary_one():
    net = nn.Sequential(nn.LazyLinear(4), nn.LazyBatchNorm1d(), nn.ReLU(), nn.LazyLinear(2, bias=False))
    assert isinstance(net[0].weight, nn.UninitializedParameter)
    with pytest.raises(ValueError, match="uninitialized parameter"):
        net[0].weight + 1
    net.double()
    assert net(tg.randn(5, 3, dtype=tg.float64)).shape == (5, 2)
    assert [type(m).__name__ for m in net] == ["Linear", "BatchNorm1d", "ReLU", "Linear"]
    assert net[0]._around is None  # no hook is left behind
    assert [tuple(p.shape) for p in net.parameters()] == [(4, 3), (4,), (4,), (4,), (2, 4)]
    assert {p.dtype for p in net.parameters()} == {tg.float64}
    assert all(p.requires_grad for p in net.parameters())
    net(tg.randn(5, 3, dtype=tg.float64)).sum().backward()
    assert net[0].weight.grad is not None


def test_a_waiting_layer_can_be_copied_and_pickled():
    net = nn.Sequential(nn.LazyLinear(4), nn.LazyBatchNorm1d())
    for other in (copy.deepcopy(net), pickle.loads(pickle.dumps(net))):
        assert other(tg.ones(2, 3)).shape == (2, 4)
        assert type(other[1]) is nn.BatchNorm1d
    assert net[0].has_uninitialized_params()


@scenario
def lazy(t):
    nn = t.nn

    def make():
        return nn.Sequential(nn.LazyLinear(4), nn.LazyBatchNorm1d(affine=False), nn.LazyInstanceNorm1d(affine=True))

    net, other, third = make(), make(), make()
    seen = [repr(net), list(net.state_dict()), net[0].has_uninitialized_params(), repr(net[0].weight)]
    seen += [raised(lambda: net[0].weight + 1), raised(lambda: net[0].weight.shape)]
    seen += [raised(lambda: sum(p.numel() for p in net.parameters()))]
    net(t.ones(2, 3, 5))
    seen += [repr(net), [(k, tuple(v.shape)) for k, v in net.state_dict().items()]]
    other.load_state_dict(net.state_dict())
    seen += [repr(other), numbers(other[0].weight.data - net[0].weight.data)]
    other[:2](t.ones(2, 3, 5))
    seen += [type(other[0]).__name__, repr(other[0]), other[0].in_features, type(other[1]).__name__]
    seen += [raised(lambda: net.load_state_dict(third.state_dict()))]
    third(t.ones(2, 3, 7))
    seen += [repr(third), raised(lambda: third(t.ones(2, 3, 5)))]
    plain = nn.Linear(3, 4)
    waiting = nn.LazyLinear(5)
    return [*seen, raised(lambda: plain.load_state_dict(waiting.state_dict())), waiting.cls_to_become is nn.Linear]


test_same_as_pytorch = pytest.mark.filterwarnings(
    "ignore:Lazy modules are a new feature", "ignore:Initializing zero-element"
)(scenario.test())
