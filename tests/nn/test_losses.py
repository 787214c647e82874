"""Losses: closed forms, each one beside PyTorch's, and the traps that are told."""

from __future__ import annotations

import math
import warnings

import numpy as np
import pytest
from against_torch import same
from both_engines import Scenarios, raised

import tinygrad_edu as tg
from tinygrad_edu import nn
from tinygrad_edu.nn import functional as F

scenario = Scenarios()


def normal(*shape):
    return np.random.standard_normal(shape)


def tensors(*arrays):
    return [tg.tensor(a) for a in arrays]


# --- closed forms --------------------------------------------------------------------------------------------------------


def test_distances():
    x, y = normal(20), normal(20)
    d = np.abs(x - y)
    expected = {
        nn.MSELoss(): (d**2).mean(),
        nn.L1Loss(reduction="sum"): d.sum(),
        nn.SmoothL1Loss(beta=0.5): np.where(d < 0.5, d**2, d - 0.25).mean(),
        nn.HuberLoss(delta=0.5): np.where(d < 0.5, d**2 / 2, 0.5 * (d - 0.25)).mean(),
    }
    for loss, value in expected.items():
        np.testing.assert_allclose(loss(*tensors(x, y)).item(), value)


def test_cross_entropy_by_classes_weights_and_probabilities():
    x, y, w = normal(6, 4), np.array([0, 3, 2, -100, 1, 1]), np.abs(normal(4))
    log_p = x - np.log(np.exp(x).sum(1, keepdims=True))
    kept = y >= 0
    picked = -log_p[kept, y[kept]]
    np.testing.assert_allclose(nn.CrossEntropyLoss()(*tensors(x, y)).item(), picked.mean())
    weighted = (picked * w[y[kept]]).sum() / w[y[kept]].sum()
    np.testing.assert_allclose(nn.CrossEntropyLoss(tg.tensor(w))(*tensors(x, y)).item(), weighted)
    p = np.abs(normal(6, 4))
    np.testing.assert_allclose(nn.CrossEntropyLoss()(*tensors(x, p)).item(), -(p * log_p).sum(1).mean())
    np.testing.assert_allclose(nn.NLLLoss()(*tensors(log_p, y)).item(), picked.mean())


def test_two_classes():
    x, y, w = normal(5, 3), (normal(5, 3) > 0).astype(float), np.array([1.0, 2.0, 3.0])
    p = 1 / (1 + np.exp(-x))
    plain = -(y * np.log(p) + (1 - y) * np.log(1 - p))
    weighted = -(w * y * np.log(p) + (1 - y) * np.log(1 - p))
    np.testing.assert_allclose(nn.BCELoss()(*tensors(p, y)).item(), plain.mean())
    np.testing.assert_allclose(nn.BCEWithLogitsLoss()(*tensors(x, y)).item(), plain.mean())
    loss = nn.BCEWithLogitsLoss(pos_weight=tg.tensor(w))
    np.testing.assert_allclose(loss(*tensors(x, y)).item(), weighted.mean())
    assert list(loss.state_dict()) == ["pos_weight"]


def test_divergence_of_distributions():
    p, q = (np.abs(normal(4, 5)) for _ in range(2))
    p, q = p / p.sum(1, keepdims=True), q / q.sum(1, keepdims=True)
    value = nn.KLDivLoss(reduction="batchmean")(*tensors(np.log(q), p)).item()
    np.testing.assert_allclose(value, (p * np.log(p / q)).sum() / 4)


def test_ctc_is_minus_the_log_of_the_sum_over_all_spellings():
    x = normal(3, 1, 3)
    log_p = x - np.log(np.exp(x).sum(2, keepdims=True))
    p = np.exp(log_p[:, 0])
    total = 0.0
    for path in np.ndindex(3, 3, 3):
        spelled = [c for i, c in enumerate(path) if c and (not i or path[i - 1] != c)]
        total += math.prod(p[t, c] for t, c in enumerate(path)) if spelled == [1, 2] else 0
    loss = nn.CTCLoss(reduction="sum")(*tensors(log_p, np.array([[1, 2]]), np.array([3]), np.array([2])))
    np.testing.assert_allclose(loss.item(), -math.log(total))


def test_triplets_of_ones_own_distance():
    a, p, n = (tg.tensor(normal(4, 3)) for _ in range(3))
    own = nn.TripletMarginWithDistanceLoss(distance_function=lambda x, y: (x - y).abs().sum(1), margin=2.0)
    expected = ((a - p).abs().sum(1) - (a - n).abs().sum(1) + 2).clamp(min=0).mean()
    assert tg.allclose(own(a, p, n), expected)


def test_linear_cross_entropy_is_both_in_one():
    loss = nn.LinearCrossEntropyLoss(5, 4, bias=True, dtype=tg.float64)
    x, y = tg.tensor(normal(3, 5)), tg.tensor([0, 3, 1])
    assert tg.allclose(loss(x, y), F.cross_entropy(loss.linear(x), y))
    assert list(loss.state_dict()) == ["linear.weight", "linear.bias"]


# --- beside PyTorch ------------------------------------------------------------------------------------------------------


def probabilities(*shape):
    return np.random.uniform(0.05, 0.95, shape)


def flags(*shape):
    return np.random.randint(0, 2, shape).astype(float)


def signs(*shape):
    return np.random.randint(0, 2, shape) * 2.0 - 1


def classes(n, *shape):
    return np.random.randint(0, n, shape)


CASES = {
    "MSELoss": [("", lambda: (normal(3, 4), normal(3, 4)))],
    "L1Loss": [("", lambda: (normal(3, 4), normal(3, 4)))],
    "SmoothL1Loss": [("beta=0.5", lambda: (normal(3, 4), normal(3, 4)))],
    "HuberLoss": [("delta=0.7", lambda: (normal(3, 4), normal(3, 4)))],
    "BCELoss": [("", lambda: (probabilities(3, 4), probabilities(3, 4)))],
    "BCEWithLogitsLoss": [("", lambda: (normal(3, 4), flags(3, 4)))],
    "CrossEntropyLoss": [
        ("", lambda: (normal(5, 4), classes(4, 5))),
        ("ignore_index=1, label_smoothing=0.2", lambda: (normal(5, 4, 3), classes(4, 5, 3))),
        ("label_smoothing=0.1", lambda: (normal(5, 4), probabilities(5, 4))),
    ],
    "NLLLoss": [("", lambda: (normal(5, 4), classes(4, 5))), ("ignore_index=2", lambda: (normal(4), np.array(1)))],
    "KLDivLoss": [
        ("", lambda: (normal(3, 4), probabilities(3, 4))),
        ("log_target=True", lambda: (normal(3, 4), normal(3, 4))),
    ],
    "PoissonNLLLoss": [
        ("", lambda: (normal(3, 4), probabilities(3, 4))),
        ("log_input=False, full=True", lambda: (probabilities(3, 4), probabilities(3, 4) * 5)),
    ],
    "GaussianNLLLoss": [
        ("", lambda: (normal(3, 4), normal(3, 4), probabilities(3, 4))),
        ("full=True, eps=1e-3", lambda: (normal(3, 4), normal(3, 4), probabilities(3, 1))),
    ],
    "HingeEmbeddingLoss": [("margin=0.5", lambda: (normal(3, 4), signs(3, 4)))],
    "MarginRankingLoss": [("margin=0.5", lambda: (normal(4), normal(4), signs(4)))],
    "CosineEmbeddingLoss": [("margin=0.1", lambda: (normal(3, 4), normal(3, 4), signs(3)))],
    "SoftMarginLoss": [("", lambda: (normal(3, 4), signs(3, 4)))],
    "MultiLabelSoftMarginLoss": [("", lambda: (normal(3, 4), flags(3, 4)))],
    "MultiLabelMarginLoss": [("", lambda: (normal(2, 4), np.array([[3, 0, -1, 1], [2, -1, 0, 0]])))],
    "MultiMarginLoss": [("p=2, margin=0.5", lambda: (normal(5, 4), classes(4, 5)))],
    "TripletMarginLoss": [("margin=0.5, p=1, swap=True", lambda: (normal(3, 4), normal(3, 4), normal(3, 4)))],
    "TripletMarginWithDistanceLoss": [("swap=True", lambda: (normal(3, 4), normal(3, 4), normal(3, 4)))],
}


@pytest.mark.filterwarnings("ignore:reduction. 'mean' divides the total loss")
@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize(("name", "options", "inputs"), [(k, o, i) for k, cases in CASES.items() for o, i in cases])
def test_loss(name, options, inputs, reduction):
    pytest.importorskip("torch", reason="compares with PyTorch, which is not installed")
    loss = f"{name}({options and options + ', '}reduction={reduction!r})"

    def call(module, engine, x, y, *rest):
        return module(x, y.detach(), *rest)  # some of PyTorch's losses refuse targets that require a gradient

    same(lambda made_of: eval(loss, dict(vars(made_of))), *inputs(), call=call)


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize("name", ["CrossEntropyLoss", "NLLLoss", "MultiMarginLoss", "BCEWithLogitsLoss"])
def test_weights(name, reduction):
    torch = pytest.importorskip("torch", reason="compares with PyTorch, which is not installed")
    w = np.abs(normal(4))

    def make(made_of):
        engine = torch if made_of is torch.nn else tg
        return getattr(made_of, name)(weight=engine.tensor(w), reduction=reduction)

    target = flags(5, 4) if name == "BCEWithLogitsLoss" else classes(4, 5)
    same(make, normal(5, 4), target)


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize("flat", [False, True])
def test_ctc(reduction, flat):
    pytest.importorskip("torch", reason="compares with PyTorch, which is not installed")
    x = normal(7, 3, 5)
    targets = np.array([[1, 2, 2], [3, 1, 0], [4, 4, 4]])
    lengths = np.array([3, 2, 1])
    if flat:
        targets = np.concatenate([t[:n] for t, n in zip(targets, lengths, strict=True)])
    rest = (targets, np.array([7, 6, 1]), lengths)
    # PyTorch's own gradient is right only behind a log_softmax, which is how it is used
    call = lambda module, engine, x, *rest: module(x.log_softmax(2), *rest)  # noqa: E731
    same(lambda made_of: made_of.CTCLoss(reduction=reduction, zero_infinity=True), x, *rest, call=call)


@scenario
def errors(t):
    nn = t.nn
    x = t.ones(3, 4)
    y = t.tensor([0, 1, 2])
    calls = (
        lambda: nn.MSELoss(reduction="nothing")(x, x),
        lambda: nn.HuberLoss(delta="a"),
        lambda: nn.HuberLoss(delta=-1.0)(x, x),
        lambda: nn.MultiMarginLoss(p=3),
        lambda: nn.MultiMarginLoss(weight=t.ones(2, 2)),
        lambda: nn.TripletMarginLoss(margin=0.0),
        lambda: nn.TripletMarginWithDistanceLoss(margin=-1.0),
        lambda: nn.CrossEntropyLoss()(x, t.tensor([0, 1])),
        lambda: nn.CrossEntropyLoss()(x, t.tensor([0, 1, 4])),
        lambda: nn.CrossEntropyLoss()(x, y.float()),
        lambda: nn.CrossEntropyLoss()(x, t.ones(3, 4, dtype=t.int64)),
        lambda: nn.CrossEntropyLoss(t.ones(3))(x, y),
        lambda: nn.CrossEntropyLoss(label_smoothing=2.0)(x, y),
        lambda: nn.NLLLoss()(x, y.unsqueeze(1)),
        lambda: nn.BCELoss()(x, t.ones(3)),
        lambda: nn.BCELoss()(x * 2, x),
        lambda: nn.BCEWithLogitsLoss()(x, t.ones(3)),
        lambda: nn.GaussianNLLLoss()(x, x, -x),
        lambda: nn.CosineEmbeddingLoss()(x, x, x),
        lambda: nn.LinearCrossEntropyLoss(3, 4, weight=t.ones(3)),
        lambda: nn.CTCLoss()(x, y, [3], [4]),
    )
    return [raised(call) for call in calls]


@scenario
def old_flags(t):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        pairs = [(None, None), (True, None), (False, None), (None, False), (None, True), (False, False)]
        return [t.nn.MSELoss(*pair).reduction for pair in pairs] + [t.nn.KLDivLoss(reduction="batchmean").reduction]


@scenario
def printed(t):
    nn = t.nn
    return [
        repr(v) for v in (nn.CrossEntropyLoss(), nn.TripletMarginWithDistanceLoss(), nn.LinearCrossEntropyLoss(3, 4))
    ]


@pytest.mark.filterwarnings("ignore:.NLLLoss2d. has been deprecated")
def test_former_name():
    x, y = tg.randn(2, 3, 4, 4), tg.zeros(2, 4, 4, dtype=tg.int64)
    assert tg.equal(nn.NLLLoss2d()(x, y), nn.NLLLoss()(x, y))


def test_where_all_is_ignored_the_mean_is_of_nothing_but_no_gradient_is_lost():
    target = tg.tensor([-100, -100])
    for loss in (F.cross_entropy, F.nll_loss, nn.CrossEntropyLoss(label_smoothing=0.1)):
        x = tg.randn(2, 3, requires_grad=True)
        value = loss(x, target)
        value.backward()
        assert value.isnan()
        assert not x.grad.any()


# --- traps: what computes, but not what is meant -------------------------------------------------------------------------

COLUMN, ROW = tg.rand(5, 1), tg.rand(5)


@pytest.mark.parametrize("loss", [nn.MSELoss(), nn.L1Loss(), nn.SmoothL1Loss(), nn.HuberLoss(), nn.PoissonNLLLoss(),
                                  nn.KLDivLoss(reduction="sum"), nn.SoftMarginLoss(), nn.HingeEmbeddingLoss(),
                                  lambda x, y: nn.GaussianNLLLoss()(x, y, tg.ones(5, 1))])  # fmt: skip
def test_a_column_against_a_row(loss):
    with pytest.warns(UserWarning, match=r"target size .* is different to the input size"):
        loss(COLUMN, ROW)
    with pytest.warns(UserWarning, match="is different"):
        loss(ROW.unsqueeze(1), COLUMN.squeeze(1))


def test_the_warning_names_the_users_line():
    with pytest.warns(UserWarning) as seen:
        nn.MSELoss()(COLUMN, ROW)
    assert seen[0].filename == __file__


def test_told_once_for_a_line():
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("default")
        for _ in range(5):
            nn.MSELoss()(COLUMN, ROW)
    assert len(seen) == 1


def test_what_broadcasts_as_meant_is_not_told():
    nn.KLDivLoss(reduction="sum")(tg.rand(5, 3), tg.rand(3))
    nn.SoftMarginLoss()(tg.rand(5, 3), tg.ones(1))


def test_softmax_before_a_loss_that_takes_it_itself():
    x = tg.randn(5, 4, requires_grad=True)
    y = tg.tensor([0, 1, 2, 3, 0])
    for p in (x.softmax(1), nn.Softmax(1)(x), F.softmax(x, 1)):
        with pytest.warns(UserWarning, match="result of a softmax, but logits"):
            nn.CrossEntropyLoss()(p, y)
    with pytest.warns(UserWarning, match="log-probabilities"):
        nn.NLLLoss()(x.softmax(1), y)
    with pytest.warns(UserWarning, match="log-probabilities"):
        nn.KLDivLoss(reduction="batchmean")(x.softmax(1), x.softmax(1).detach())
    with pytest.warns(UserWarning, match="result of a sigmoid"):
        nn.BCEWithLogitsLoss()(x.sigmoid(), tg.zeros(5, 4))
    nn.CrossEntropyLoss()(x, y)
    nn.NLLLoss()(x.log_softmax(1), y)
    nn.BCELoss()(x.sigmoid(), tg.zeros(5, 4))


def test_one_hot_as_classes():
    one_hot = F.one_hot(tg.tensor([2, 0, 1]), 3)
    with pytest.raises(RuntimeError, match="argmax"):
        nn.CrossEntropyLoss()(tg.randn(3, 3), one_hot)
    with pytest.warns(UserWarning, match="looks one-hot"):
        nn.CrossEntropyLoss()(tg.randn(3, 3, 3), one_hot)
    with pytest.warns(UserWarning, match="read as classes 0 and 1"):
        nn.MultiLabelMarginLoss()(tg.randn(3, 3), one_hot)
    nn.CrossEntropyLoss()(tg.randn(3, 3, 3), tg.tensor([[0, 1, 2], [1, 1, 1], [0, 0, 0]]))
    nn.MultiLabelMarginLoss()(tg.randn(2, 3), tg.tensor([[0, 1, -1], [1, -1, 0]]))


test_same_as_pytorch = scenario.test()
