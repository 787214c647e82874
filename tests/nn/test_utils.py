"""Tools around modules: clipping, vectors of parameters, parametrizations, norms, pruning, functional calls."""

import copy

import numpy as np
import pytest
from against_torch import close

import tinygrad_edu as tg
from tinygrad_edu import nn
from tinygrad_edu.nn import utils
from tinygrad_edu.nn.utils import parametrizations, parametrize, prune, stateless


def normal(*shape):
    return np.random.standard_normal(shape)


def filled(kind, *args, engine=tg, seed=1, **kwargs):
    """A layer in float64 whose parameters are the same numbers in every engine."""
    layer, rng = getattr(engine.nn, kind)(*args, **kwargs).double(), np.random.default_rng(seed)
    layer.load_state_dict({k: engine.tensor(rng.normal(size=tuple(v.shape))) for k, v in layer.state_dict().items()})
    return layer


def with_gradients(engine, gradients):
    ps = [engine.nn.Parameter(engine.tensor(np.zeros(g.shape))) for g in gradients]
    for p, g in zip(ps, gradients, strict=True):
        p.grad = engine.tensor(g.copy())
    return ps


# --- gradients and vectors ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("order", [1, 2, 3.5, float("inf")])
def test_clipping_by_norm(order):
    gradients = [normal(3, 4), normal(5), normal(2, 2, 2)]
    everything = np.concatenate([g.ravel() for g in gradients])
    norm = np.linalg.norm(everything, order)
    ps = with_gradients(tg, gradients)
    assert utils.clip_grad_norm_(ps, 2 * norm, order).item() == pytest.approx(norm)
    for p, g in zip(ps, gradients, strict=True):
        np.testing.assert_array_equal(p.grad.numpy(), g)
    utils.clip_grad_norm_(iter(ps), norm / 4, order)
    assert utils.get_total_norm([p.grad for p in ps], order).item() == pytest.approx(norm / 4, rel=1e-5)
    utils.clip_grad_value_(ps, 0.05)
    assert max(abs(p.grad).max().item() for p in ps) == 0.05


def test_clipping_by_norm_of_two_types():
    gradients = [normal(3, 4), normal(5).astype(np.float64)]
    norm = np.linalg.norm(np.concatenate([g.ravel() for g in gradients]))
    ps = with_gradients(tg, gradients)
    assert utils.clip_grad_norm_(ps, norm / 2).item() == pytest.approx(norm)
    assert utils.get_total_norm([p.grad for p in ps]).item() == pytest.approx(norm / 2, rel=1e-5)
    utils.clip_grad_value_(ps, 0.01)
    assert max(abs(p.grad).max().item() for p in ps) == pytest.approx(0.01)


@pytest.mark.parametrize("clip", [utils.clip_grad_norm_, utils.clip_grad_value_])
def test_clipping_is_a_write_that_the_graph_notices(clip):
    (p,) = with_gradients(tg, [normal(5000)])
    x = tg.ones(5000, requires_grad=True)
    y = (p.grad * x).sum()
    clip([p], 0.01)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        y.backward()


def test_a_norm_that_is_not_finite():
    (p,) = with_gradients(tg, [np.array([1.0, np.nan])])
    with pytest.raises(RuntimeError, match="nan"):
        utils.clip_grad_norm_(p, 1.0, error_if_nonfinite=True)
    assert p.grad[0].item() == 1.0
    assert utils.clip_grad_norm_([], 1.0).item() == 0
    with pytest.warns(FutureWarning, match="clip_grad_norm_"):
        utils.clip_grad_norm(p, 1.0)


def test_parameters_as_one_vector_and_back():
    layer = filled("Linear", 3, 2)
    vector = utils.parameters_to_vector(layer.parameters())
    assert vector.shape == (8,)
    vector.sum().backward()
    assert (layer.weight.grad == 1).all()
    utils.vector_to_parameters(tg.arange(8.0, dtype=tg.float64), layer.parameters())
    assert layer.weight.tolist() == [[0, 1, 2], [3, 4, 5]]
    assert layer.bias.tolist() == [6, 7]
    with pytest.raises(TypeError):
        utils.vector_to_parameters([1.0], layer.parameters())


# --- parametrizations --------------------------------------------------------------------------------------------------


class Symmetric(nn.Module):
    def forward(self, x):
        return x.triu() + x.triu(1).mT

    def right_inverse(self, x):
        return x.triu()


def test_a_parametrized_tensor_is_computed_from_its_original():
    layer = filled("Linear", 3, 3)
    before = layer.weight
    parametrize.register_parametrization(layer, "weight", Symmetric())
    assert parametrize.is_parametrized(layer, "weight") and not parametrize.is_parametrized(layer, "bias")
    assert (layer.weight == layer.weight.mT).all()
    assert layer.parametrizations.weight.original is before
    assert sorted(layer.state_dict()) == ["bias", "parametrizations.weight.original"]
    assert type(layer).__name__ == "ParametrizedLinear"
    assert isinstance(layer, nn.Linear) and parametrize.type_before_parametrizations(layer) is nn.Linear
    layer(tg.ones(1, 3, dtype=tg.float64)).sum().backward()
    np.testing.assert_allclose(before.grad.numpy(), [[1, 2, 2], [0, 1, 2], [0, 0, 1]])
    assert layer.weight is not layer.weight
    with parametrize.cached():
        assert layer.weight is layer.weight
    copied = copy.deepcopy(layer)
    layer.weight = tg.eye(3, dtype=tg.float64)
    assert (layer.weight == tg.eye(3)).all() and not (copied.weight == tg.eye(3)).all()
    parametrize.remove_parametrizations(layer, "weight")
    assert type(layer) is nn.Linear and layer.weight is before and (before == tg.eye(3)).all()
    assert not parametrize.is_parametrized(layer)


def test_a_parametrization_must_keep_the_shape():
    class Half(nn.Module):
        def forward(self, x):
            return x[::2]

    layer = nn.Linear(3, 4)
    with pytest.raises(ValueError, match="shape"):
        parametrize.register_parametrization(layer, "weight", Half())
    assert isinstance(layer.weight, nn.Parameter)
    assert parametrize.register_parametrization(layer, "weight", Half(), unsafe=True).weight.shape == (2, 3)
    with pytest.raises(ValueError, match="nothing"):
        parametrize.register_parametrization(layer, "nothing", Half())
    with pytest.raises(ValueError, match="bias"):
        parametrize.remove_parametrizations(layer, "bias")


def test_weight_norm_sets_norm_and_direction_apart():
    layer = filled("Linear", 4, 3)
    before = layer.weight.detach().clone()
    parametrizations.weight_norm(layer)
    np.testing.assert_allclose(layer.weight.detach().numpy(), before.numpy())
    with tg.no_grad():
        layer.parametrizations.weight.original0.mul_(2.0)
        layer.parametrizations.weight.original1.mul_(5.0)
    np.testing.assert_allclose(layer.weight.detach().numpy(), 2 * before.numpy())


def test_spectral_norm_divides_by_the_largest_singular_value():
    for norm in (parametrizations.spectral_norm, utils.spectral_norm):
        layer = norm(filled("Conv2d", 3, 4, 2), n_power_iterations=30)
        layer(tg.zeros(1, 3, 2, 2, dtype=tg.float64))
        values = np.linalg.svd(layer.weight.detach().numpy().reshape(4, -1), compute_uv=False)
        assert values[0] == pytest.approx(1.0, rel=1e-4)


@pytest.mark.parametrize("shape", [(4, 4), (5, 3), (3, 5)])
@pytest.mark.parametrize("how", ["matrix_exp", "cayley", "householder"])
def test_orthogonal_weights_stay_orthogonal(how, shape):
    layer = parametrizations.orthogonal(filled("Linear", *shape), orthogonal_map=how)
    for _ in range(2):
        q = layer.weight if layer.weight.shape[0] <= layer.weight.shape[1] else layer.weight.mT
        np.testing.assert_allclose((q @ q.mT).detach().numpy(), np.eye(len(q)), atol=1e-10)
        with tg.no_grad():
            original = layer.parametrizations.weight.original
            original.add_(tg.full_like(original, 0.3).tril(-1))  # below the diagonal, which holds signs
    with pytest.raises(ValueError, match="householder"):
        parametrizations.orthogonal(nn.Linear(2, 2), orthogonal_map="other")


def test_pruning_multiplies_by_a_mask():
    layer = filled("Linear", 4, 3)
    before = layer.weight.detach().numpy().copy()
    prune.l1_unstructured(layer, "weight", 5)
    smallest = np.sort(abs(before).ravel())[:5]
    np.testing.assert_array_equal((layer.weight == 0).numpy(), np.isin(abs(before), smallest))
    prune.ln_structured(layer, "weight", 1, n=2, dim=0)
    assert (layer.weight == 0).all(1).sum().item() == 1
    assert prune.is_pruned(layer)
    layer(tg.ones(1, 4, dtype=tg.float64)).sum().backward()
    assert ((layer.weight_orig.grad == 0) == (layer.weight_mask == 0)).all()
    prune.remove(layer, "weight")
    assert not prune.is_pruned(layer) and sorted(layer.state_dict()) == ["bias", "weight"]
    prune.random_structured(layer, "weight", 0.5, dim=1)
    assert (layer.weight_mask.sum(0) == 0).sum().item() == 2
    with pytest.raises(ValueError, match="100"):
        prune.random_unstructured(layer, "bias", 100)


# --- other parameters for one call --------------------------------------------------------------------------------------


def test_a_functional_call_uses_other_parameters_once():
    layer, x = filled("Linear", 4, 3), tg.ones(2, 4, dtype=tg.float64)
    own, other = layer.weight, tg.ones(3, 4, dtype=tg.float64, requires_grad=True)
    stateless.functional_call(layer, {"weight": other}, x).sum().backward()
    assert (other.grad == 2).all() and own.grad is None and layer.weight is own
    with pytest.raises(RuntimeError):
        stateless.functional_call(layer, {"weight": other}, (tg.ones(2, 5, dtype=tg.float64),))
    assert layer.weight is own
    with pytest.raises(RuntimeError, match="bias"):
        stateless.functional_call(layer, {"weight": other}, x, strict=True)


def test_a_functional_call_keeps_tied_weights_tied():
    class Tied(nn.Module):
        def __init__(self):
            super().__init__()
            self.first, self.second = nn.Linear(2, 2, bias=False), nn.Linear(2, 2, bias=False)
            self.second.weight = self.first.weight

        def forward(self, x):
            return self.second(self.first(x))

    model, two = Tied(), 2 * tg.eye(2)
    assert (stateless.functional_call(model, {"first.weight": two}, tg.eye(2)) == 4 * tg.eye(2)).all()
    with pytest.raises(ValueError, match="tied"):
        stateless.functional_call(model, {"first.weight": two, "second.weight": tg.eye(2)}, tg.eye(2))


def test_a_convolution_and_its_norm_as_one():
    conv, norm, x = filled("Conv2d", 3, 4, 2), nn.BatchNorm2d(4).double(), tg.tensor(normal(2, 3, 5, 5))
    norm(conv(x))
    conv.eval(), norm.eval()
    fused = utils.fuse_conv_bn_eval(conv, norm)
    np.testing.assert_allclose(fused(x).detach().numpy(), norm(conv(x)).detach().numpy())


def test_skip_init_makes_a_module():
    assert repr(utils.skip_init(nn.Linear, 3, 4)) == repr(nn.Linear(3, 4))
    with pytest.raises(RuntimeError, match="device"):
        utils.skip_init(nn.Identity)


# --- PyTorch -------------------------------------------------------------------------------------------------------------


@pytest.mark.filterwarnings("ignore:.*weight_norm:FutureWarning")
class TestAgainstTorch:
    @pytest.fixture(autouse=True)
    def torch(self):
        return pytest.importorskip("torch", reason="the comparison needs PyTorch")

    def together(self, torch, change, make, x, after=None):
        """Change the same layer in both engines; it then prints, answers, learns and saves the same."""
        layers = []
        for engine in (tg, torch):
            layer = make(engine)
            change(layer, engine)
            for _ in range(2):
                out = layer(engine.tensor(x))
            (out * out).sum().backward()
            layers.append((layer, out))
        (ours, out), (theirs, torch_out) = layers
        assert repr(ours) == repr(theirs)
        close(out, torch_out)
        close(ours.weight, theirs.weight)
        self.hold_equal(ours, theirs)
        for (name, p), (_, q) in zip(ours.named_parameters(), theirs.named_parameters(), strict=True):
            close(p.grad, q.grad, name)
        if after is not None:
            after(ours, tg)
            after(theirs, torch)
            self.hold_equal(ours, theirs)
            close(ours.weight, theirs.weight)

    def hold_equal(self, ours, theirs):
        state, expected = ours.state_dict(), theirs.state_dict()
        assert list(state) == list(expected)
        for key, value in expected.items():
            close(state[key], value, key)
        assert [n for n, _ in ours.named_parameters()] == [n for n, _ in theirs.named_parameters()]

    def test_clipping(self, torch):
        gradients = [normal(3, 4), normal(5)]
        for order in (0.5, 1, 2, 2.5, float("inf")):
            ours, theirs = with_gradients(tg, gradients), with_gradients(torch, gradients)
            for most in (100.0, 0.5):
                close(utils.clip_grad_norm_(ours, most, order), torch.nn.utils.clip_grad_norm_(theirs, most, order))
                for a, b in zip(ours, theirs, strict=True):
                    close(a.grad, b.grad)

    @pytest.mark.parametrize("dim", [0, 1, None])
    def test_weight_norm(self, torch, dim):
        def linear(engine):
            return filled("Linear", 4, 3, engine=engine)

        def newer(layer, engine):
            engine.nn.utils.parametrizations.weight_norm(layer, dim=dim)

        def older(layer, engine):
            engine.nn.utils.weight_norm(layer, dim=dim)

        self.together(torch, newer, linear, normal(2, 4))
        self.together(
            torch, older, linear, normal(2, 4), lambda layer, engine: engine.nn.utils.remove_weight_norm(layer)
        )
        states = []
        for engine in (tg, torch):
            saved, layer = linear(engine), linear(engine)
            older(saved, engine)
            newer(layer, engine)
            layer.load_state_dict(saved.state_dict())  # what the older one saved, the newer one reads
            states.append(layer)
        self.hold_equal(*states)

    def test_spectral_norm(self, torch):
        u, v = np.eye(3)[0], np.eye(8)[1]

        def conv(engine):
            return filled("Conv1d", 4, 3, 2, engine=engine)

        def newer(layer, engine):
            norm = engine.nn.utils.parametrizations.spectral_norm(layer).parametrizations.weight[0]
            norm._u, norm._v = engine.tensor(u), engine.tensor(v)

        def older(layer, engine):
            engine.nn.utils.spectral_norm(layer)
            layer.weight_u, layer.weight_v = engine.tensor(u), engine.tensor(v)

        def end(layer, engine):
            engine.nn.utils.parametrize.remove_parametrizations(layer.eval(), "weight")

        self.together(torch, newer, conv, normal(2, 4, 5), end)
        self.together(
            torch, older, conv, normal(2, 4, 5), lambda layer, engine: engine.nn.utils.remove_spectral_norm(layer)
        )

    @pytest.mark.parametrize("how", ["matrix_exp", "cayley", "householder", None])
    def test_orthogonal(self, torch, how):
        for shape in ((4, 4), (5, 3), (3, 5)):
            trivial = shape[0] == shape[1]  # else the base is partly random
            if not trivial and how in ("matrix_exp", "cayley"):
                continue

            def change(layer, engine, trivial=trivial):
                engine.nn.utils.parametrizations.orthogonal(layer, orthogonal_map=how, use_trivialization=trivial)

            def linear(engine, shape=shape):
                return filled("Linear", *shape, engine=engine)

            self.together(torch, change, linear, normal(2, shape[0]))

    def test_pruning(self, torch):
        import torch.nn.utils.prune

        def change(layer, engine):
            tools = engine.nn.utils.prune
            tools.l1_unstructured(layer, "weight", 0.4)
            tools.ln_structured(layer, "weight", 1, n=2, dim=1)
            tools.global_unstructured([(layer, "bias"), (layer, "weight")], tools.L1Unstructured, amount=3)

        def end(layer, engine):
            engine.nn.utils.prune.remove(layer, "weight")

        self.together(torch, change, lambda engine: filled("Linear", 4, 3, engine=engine), normal(2, 4), end)
