"""The Transformer: what may see what, and PyTorch."""

import numpy as np
import pytest
from against_torch import same, same_error

import tinygrad_edu as tg
from tinygrad_edu import nn


def normal(*shape):
    return np.random.standard_normal(shape)


def test_the_mask_of_what_comes_later():
    mask = nn.Transformer.generate_square_subsequent_mask(3)
    assert mask.tolist() == [[0, -np.inf, -np.inf], [0, 0, -np.inf], [0, 0, 0]]
    assert nn.Transformer.generate_square_subsequent_mask(2, dtype=tg.float64).dtype is tg.float64


@pytest.mark.parametrize("norm_first", [False, True])
def test_nothing_later_has_influence_under_that_mask(norm_first):
    layer = nn.TransformerEncoderLayer(8, 2, 16, dropout=0.0, norm_first=norm_first, batch_first=True, dtype=tg.float64)
    model, x = nn.TransformerEncoder(layer, 2), tg.tensor(normal(2, 5, 8))
    mask = nn.Transformer.generate_square_subsequent_mask(5, dtype=tg.float64)
    changed = x.clone()
    changed[:, 3:] = 0.0
    a, b = (model(t, mask=mask).detach().numpy() for t in (x, changed))
    np.testing.assert_allclose(a[:, :3], b[:, :3])
    assert abs(a[:, 3:] - b[:, 3:]).max() > 1e-3


def test_an_encoder_layer_is_attention_and_a_small_network():
    layer, x = (
        nn.TransformerEncoderLayer(8, 2, 16, dropout=0.0, activation="gelu", dtype=tg.float64),
        tg.tensor(normal(5, 2, 8)),
    )
    y = layer.norm1(x + layer.self_attn(x, x, x)[0])
    y = layer.norm2(y + layer.linear2(nn.functional.gelu(layer.linear1(y))))
    np.testing.assert_allclose(layer(x).detach().numpy(), y.detach().numpy())


def test_layers_of_a_stack_are_copies():
    layer = nn.TransformerDecoderLayer(8, 2, 16)
    model = nn.TransformerDecoder(layer, 3)
    assert len(model.layers) == 3
    first, second = (dict(model.layers[i].named_parameters()) for i in (0, 1))
    assert all((first[n] == second[n]).all() and first[n] is not second[n] for n in first)
    assert model(tg.zeros(4, 2, 8), tg.zeros(5, 2, 8)).shape == (4, 2, 8)


def test_dropout_ends_with_training():
    model, x = nn.Transformer(8, 2, 1, 1, 16, dropout=0.5), tg.randn(5, 2, 8)
    assert (model(x, x) != model(x, x)).any()
    model.eval()
    assert (model(x, x) == model(x, x)).all()


def test_weights_are_drawn_by_xavier():
    model = nn.Transformer(64, 2, 1, 1, 128)
    weight = model.encoder.layers[0].linear1.weight
    bound = np.sqrt(6 / (64 + 128))
    assert 0.98 * bound < abs(weight).max().item() <= bound


@pytest.mark.filterwarnings("ignore:enable_nested_tensor", "ignore:Support for mismatched", "ignore:.*nested tensors")
class TestAgainstTorch:
    @pytest.fixture(autouse=True)
    def torch(self):
        return pytest.importorskip("torch", reason="the comparison needs PyTorch")

    @pytest.mark.parametrize(
        "options", [{}, {"norm_first": True, "batch_first": True}, {"activation": "gelu", "bias": False}], ids=str
    )
    def test_layers_and_stacks(self, options):
        options = {"dropout": 0.0, **options}
        x, y = (normal(2, 5, 8), normal(2, 4, 8)) if options.get("batch_first") else (normal(5, 2, 8), normal(4, 2, 8))
        padding = np.zeros((2, 5), bool)
        padding[0, 3:] = True
        later, hidden = np.triu(np.full((4, 4), -np.inf), 1), np.triu(np.ones((5, 5), bool), 1)

        def encoder(nn):
            return nn.TransformerEncoderLayer(8, 2, 16, **options)

        def decoder(nn):
            return nn.TransformerDecoderLayer(8, 2, 16, **options)

        def transformer(nn):
            return nn.Transformer(8, 2, 2, 1, 16, **options)

        same(encoder, x)
        same(encoder, x, src_mask=hidden, src_key_padding_mask=padding)
        same(decoder, y, x, tgt_mask=later, memory_key_padding_mask=padding)
        same(lambda nn: nn.TransformerEncoder(encoder(nn), 2, nn.LayerNorm(8)), x, mask=hidden)
        same(lambda nn: nn.TransformerDecoder(decoder(nn), 2), y, x, tgt_mask=later)
        same(transformer, x, y, tgt_mask=later, src_key_padding_mask=padding)
        same(transformer, normal(5, 8), normal(4, 8))

    def test_other_activations(self):
        same(lambda nn: nn.TransformerEncoderLayer(8, 2, 16, 0.0, nn.functional.silu), normal(4, 2, 8))
        same(lambda nn: nn.TransformerEncoderLayer(8, 2, 16, 0.0, nn.GELU()), normal(4, 2, 8))

    @pytest.mark.parametrize("options", [{}, {"batch_first": True}, {"batch_first": True, "norm_first": True}], ids=str)
    def test_padding_in_evaluation(self, options):
        """PyTorch leaves padding out where it can; its places are then zeros before the last norm."""
        options = {"dropout": 0.0, **options}
        padding = np.zeros((2, 5), bool)
        padding[0, 3:] = True
        scattered = padding.copy()
        scattered[1, 0] = True

        def call(model, engine, x, **masks):
            model.eval()
            with engine.no_grad():
                return model(x, **masks)

        def make(nn):
            return nn.TransformerEncoder(nn.TransformerEncoderLayer(8, 2, 16, **options), 2, nn.LayerNorm(8))

        x = normal(2, 5, 8) if options.get("batch_first") else normal(5, 2, 8)
        same(make, x, call=call, src_key_padding_mask=padding)
        same(make, x, call=call, src_key_padding_mask=scattered)
        same(make, x, call=call, src_key_padding_mask=padding, mask=np.triu(np.ones((5, 5), bool), 1))

    def test_errors(self):
        same_error(lambda nn: nn.TransformerEncoderLayer(8, 2, activation="x"))
        for a, b in [((5, 2, 8), (5, 3, 8)), ((5, 2, 7), (5, 2, 7))]:
            same_error(
                lambda nn: nn.Transformer(8, 2, 1, 1, 8),
                lambda model, engine, a=a, b=b: model(engine.zeros(*a), engine.zeros(*b)),
            )
