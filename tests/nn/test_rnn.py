"""Recurrent layers: the plain recurrences, packed sequences, PyTorch."""

import numpy as np
import pytest
from against_torch import same, same_error

import tinygrad_edu as tg
from tinygrad_edu import nn
from tinygrad_edu.nn.utils.rnn import (
    pack_padded_sequence,
    pack_sequence,
    pad_packed_sequence,
    pad_sequence,
    unpack_sequence,
    unpad_sequence,
)

KINDS = ("RNN", "LSTM", "GRU")


def normal(*shape):
    return np.random.standard_normal(shape)


def sigmoid(a):
    return 1 / (1 + np.exp(-a))


def plain(kind, x, w_ih, w_hh, b_ih, b_hh):
    """One layer in one direction as the textbooks write it: (T, B, I) to (T, B, H)."""
    h = c = np.zeros((x.shape[1], w_hh.shape[1]))
    out = []
    for step in x:
        a, r = step @ w_ih.T + b_ih, h @ w_hh.T + b_hh
        if kind == "RNN":
            h = np.tanh(a + r)
        elif kind == "LSTM":
            i, f, g, o = np.split(a + r, 4, -1)
            c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
            h = sigmoid(o) * np.tanh(c)
        else:
            (ar, az, an), (hr, hz, hn) = np.split(a, 3, -1), np.split(r, 3, -1)
            z = sigmoid(az + hz)
            h = (1 - z) * np.tanh(an + sigmoid(ar + hr) * hn) + z * h
        out.append(h)
    return np.stack(out)


def weights(layer, suffix):
    return [p.detach().numpy() for n, p in layer.named_parameters() if n.endswith(suffix)]


@pytest.mark.parametrize("kind", KINDS)
class TestLayers:
    def test_two_layers_in_both_directions(self, kind):
        layer = getattr(nn, kind)(3, 4, num_layers=2, bidirectional=True, dtype=tg.float64)
        x = normal(5, 2, 3)
        out, last = layer(tg.tensor(x))
        for k in range(2):
            there = plain(kind, x, *weights(layer, f"_l{k}"))
            back = plain(kind, x[::-1], *weights(layer, f"_l{k}_reverse"))[::-1]
            x = np.concatenate([there, back], -1)
        np.testing.assert_allclose(out.detach().numpy(), x)
        last = last[0] if kind == "LSTM" else last
        np.testing.assert_allclose(last[2:].detach().numpy(), np.stack([there[-1], back[0]]))

    def test_packed_sequences_are_run_each_for_itself(self, kind):
        layer = getattr(nn, kind)(3, 4, num_layers=2, bidirectional=True, dtype=tg.float64)
        sequences = [tg.tensor(normal(n, 3)) for n in (2, 5, 1, 5)]
        packed, last = layer(pack_sequence(sequences, enforce_sorted=False))
        for i, (sequence, out) in enumerate(zip(sequences, unpack_sequence(packed), strict=True)):
            alone, end = layer(sequence)
            np.testing.assert_allclose(out.detach().numpy(), alone.detach().numpy())
            for all_ends, one in zip(last, end, strict=True) if kind == "LSTM" else [(last, end)]:
                np.testing.assert_allclose(all_ends[:, i].detach().numpy(), one.detach().numpy())

    def test_a_cell_is_one_step_of_a_layer(self, kind):
        layer, cell = getattr(nn, kind)(3, 4), getattr(nn, kind + "Cell")(3, 4)
        cell.load_state_dict({k.removesuffix("_l0"): v for k, v in layer.state_dict().items()})
        x, state = tg.randn(6, 2, 3), None
        out, _ = layer(x)
        for step, expected in zip(x, out, strict=True):
            state = cell(step, state)
            h = state[0] if kind == "LSTM" else state
            np.testing.assert_allclose(h.detach().numpy(), expected.detach().numpy(), rtol=1e-5, atol=1e-6)

    def test_a_sequence_goes_on_from_its_last_state(self, kind):
        layer, x = getattr(nn, kind)(3, 4, num_layers=2, batch_first=True, dtype=tg.float64), tg.tensor(normal(2, 6, 3))
        whole, end = layer(x)
        first, state = layer(x[:, :4])
        rest, last = layer(x[:, 4:], state)
        np.testing.assert_allclose(tg.cat([first, rest], 1).detach().numpy(), whole.detach().numpy())
        for a, b in zip(last, end, strict=True):
            np.testing.assert_allclose(a.detach().numpy(), b.detach().numpy())

    def test_dropout_lies_between_the_layers(self, kind):
        layer, x = getattr(nn, kind)(3, 4, num_layers=2, dropout=0.5), tg.randn(5, 2, 3)
        assert (layer(x)[0] != layer(x)[0]).any()
        layer.eval()
        assert (layer(x)[0] == layer(x)[0]).all()
        with pytest.warns(UserWarning, match="num_layers greater than 1"):
            getattr(nn, kind)(3, 4, dropout=0.5)

    def test_names_and_shapes(self, kind):
        gates = {"RNN": 1, "GRU": 3, "LSTM": 4}[kind]
        layer = getattr(nn, kind)(3, 4, num_layers=2, bidirectional=True)
        shapes = {n: tuple(p.shape) for n, p in layer.named_parameters()}
        assert shapes["weight_ih_l0_reverse"] == (gates * 4, 3)
        assert shapes["weight_ih_l1"] == (gates * 4, 8)
        assert shapes["bias_hh_l1_reverse"] == (gates * 4,)
        assert layer.all_weights[1][0] is layer.weight_ih_l0_reverse
        assert max(abs(p).max().item() for p in layer.parameters()) <= 0.5
        layer.flatten_parameters()


def test_padding_and_packing_undo_each_other():
    sequences = [tg.tensor(normal(n, 2)) for n in (3, 5, 1)]
    for batch_first in (False, True):
        padded = pad_sequence(sequences, batch_first, padding_value=7)
        assert padded.shape == ((3, 5, 2) if batch_first else (5, 3, 2))
        packed = pack_padded_sequence(padded, [3, 5, 1], batch_first, enforce_sorted=False)
        assert packed.batch_sizes.tolist() == [3, 2, 2, 1, 1]
        again, lengths = pad_packed_sequence(packed, batch_first, padding_value=7)
        assert lengths.tolist() == [3, 5, 1]
        assert (again == padded).all()
        for a, b in zip(unpad_sequence(again, lengths, batch_first), sequences, strict=True):
            assert (a == b).all()
    assert pad_sequence([tg.tensor([1, 2]), tg.tensor([3])], True, padding_side="left").tolist() == [[1, 2], [0, 3]]


def test_a_packed_sequence_changes_its_dtype():
    packed = pack_sequence([tg.ones(3, 2), tg.ones(1, 2)])
    assert packed.double().data.dtype is tg.float64
    assert packed.cpu() is packed
    assert packed.to(tg.float32) is packed


OPTIONS = [
    {},
    {"num_layers": 2, "bidirectional": True},
    {"bias": False, "batch_first": True, "num_layers": 2},
    {"bidirectional": True, "batch_first": True},
]


class TestAgainstTorch:
    @pytest.fixture(autouse=True)
    def torch(self):
        return pytest.importorskip("torch", reason="the comparison needs PyTorch")

    @pytest.mark.parametrize(
        "kind, options",
        [
            *[(kind, options) for kind in KINDS for options in OPTIONS],
            ("RNN", {"nonlinearity": "relu", "num_layers": 2}),
            ("LSTM", {"proj_size": 2, "num_layers": 2, "bidirectional": True}),
            ("LSTM", {"proj_size": 3, "bias": False}),
        ],
        ids=str,
    )
    def test_layers(self, kind, options):
        first, width = options.get("batch_first", False), options.get("proj_size", 4)
        count = options.get("num_layers", 1) * (2 if options.get("bidirectional") else 1)

        def make(nn):
            return getattr(nn, kind)(3, 4, **options)

        def states(*batch):
            given = (normal(count, *batch, width), normal(count, *batch, 4))
            return given if kind == "LSTM" else given[0]

        x = normal(2, 5, 3) if first else normal(5, 2, 3)
        same(make, x)
        same(make, x, states(2))
        same(make, normal(5, 3))
        same(make, normal(5, 3), states())

        def packed(lengths):
            def call(layer, engine, x, *hx):
                tools = engine.nn.utils.rnn
                sequences = tools.pack_padded_sequence(x, engine.tensor(lengths), first, enforce_sorted=False)
                out, end = layer(sequences, *hx)
                return out.data, tools.pad_packed_sequence(out, first, 0.5, 6), end

            return call

        for lengths in ([5, 3, 3, 1], [2, 5, 1, 5], [4, 4, 4, 4]):
            x = normal(4, 5, 3) if first else normal(5, 4, 3)
            same(make, x, call=packed(lengths))
            same(make, x, states(4), call=packed(lengths))

    @pytest.mark.parametrize("kind", KINDS)
    def test_cells(self, kind):
        for options in ({}, {"bias": False}, *([{"nonlinearity": "relu"}] if kind == "RNN" else [])):
            for batch in ((), (2,)):

                def make(nn, options=options):
                    return getattr(nn, kind + "Cell")(3, 4, **options)

                state = (normal(*batch, 4), normal(*batch, 4)) if kind == "LSTM" else normal(*batch, 4)
                same(make, normal(*batch, 3))
                same(make, normal(*batch, 3), state)

    @pytest.mark.parametrize("kind", KINDS)
    def test_errors(self, kind):
        def states(engine, *shape):
            return (engine.zeros(*shape), engine.zeros(*shape)) if kind == "LSTM" else engine.zeros(*shape)

        for shape, state in [
            ((5,), None),
            ((5, 2, 7), None),
            ((5, 2, 3, 1), None),
            ((0, 2, 3), None),
            ((5, 2, 3), (1, 2, 5)),
            ((5, 2, 3), (1, 3, 4)),
            ((5, 2, 3), (2, 4)),
            ((5, 3), (1, 1, 4)),
        ]:
            same_error(
                lambda nn: getattr(nn, kind)(3, 4),
                lambda layer, engine, shape=shape, state=state: layer(
                    engine.zeros(*shape), None if state is None else states(engine, *state)
                ),
            )
        same_error(lambda nn: getattr(nn, kind)(3, 4), lambda layer, engine: layer(engine.zeros(5, 2, 3).double()))
        for options in (
            {"hidden_size": 0},
            {"num_layers": 0},
            {"dropout": 2},
            {"dropout": True},
            {"bias": 1},
            {"hidden_size": 2.0},
        ):
            same_error(lambda nn, options=options: getattr(nn, kind)(**{"input_size": 3, "hidden_size": 4, **options}))
        for shape, state in [
            ((2, 4), None),
            ((2, 2, 3), None),
            ((2, 3), (2, 5)),
            ((2, 3), (3, 4)),
            ((2, 3), (1, 2, 4)),
        ]:
            same_error(
                lambda nn: getattr(nn, kind + "Cell")(3, 4),
                lambda cell, engine, shape=shape, state=state: cell(
                    engine.zeros(*shape), None if state is None else states(engine, *state)
                ),
            )

    def test_errors_of_packing(self):
        for lengths in ([3, 4], [3, 0], [3, 2, 1]):
            same_error(
                lambda nn: nn.utils.rnn,
                lambda tools, engine, lengths=lengths: tools.pack_padded_sequence(engine.zeros(5, 2, 3), lengths),
            )
        same_error(
            lambda nn: nn.utils.rnn,
            lambda tools, engine: tools.pad_packed_sequence(tools.pack_sequence([engine.zeros(5, 2)]), total_length=3),
        )
        for sequences in (3, []):
            same_error(
                lambda nn: nn.utils.rnn, lambda tools, engine, sequences=sequences: tools.pad_sequence(sequences)
            )
