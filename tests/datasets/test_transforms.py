"""Transforms: on arrays, on tensors, on Pillow's pictures if it is installed."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import tinygrad_edu as tg
from tinygrad_edu.datasets import transforms as T
from tinygrad_edu.datasets.transforms import functional as F

RNG = np.random.default_rng(random.randrange(2**32))
GREY, COLOURS = RNG.integers(0, 256, (9, 7), np.uint8), RNG.integers(0, 256, (9, 7, 3), np.uint8)


def tensor_of(image: np.ndarray) -> tg.Tensor:
    return tg.from_numpy(np.ascontiguousarray(image[None] if image.ndim == 2 else image.transpose(2, 0, 1)))


# --- pictures and tensors ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("image", [GREY, COLOURS])
def test_to_tensor(image: np.ndarray) -> None:
    found = T.ToTensor()(image)
    assert found.dtype == tg.float32
    np.testing.assert_array_equal(found.numpy(), tensor_of(image).numpy().astype(np.float32) / np.float32(255))
    assert T.PILToTensor()(image).dtype == tg.uint8
    np.testing.assert_array_equal(T.ToTensor()(image.astype(np.float64) / 7).numpy(), tensor_of(image / 7).numpy())
    with pytest.raises(TypeError, match="Got a Tensor"):
        T.ToTensor()(found)
    with pytest.raises(TypeError, match="PIL Image or ndarray"):
        T.ToTensor()("a path")


def test_normalize() -> None:
    x = tg.rand(2, 3, 4, 5)
    found = T.Normalize((0.1, 0.2, 0.3), [0.5, 2, 4])(x)
    wanted = (x.numpy() - np.array([0.1, 0.2, 0.3])[:, None, None]) / np.array([0.5, 2, 4])[:, None, None]
    np.testing.assert_allclose(found.numpy(), wanted, rtol=1e-5, atol=1e-6)
    kept = x.clone()
    assert T.Normalize(0.5, 0.5, inplace=True)(x).data_ptr() == x.data_ptr() and not tg.equal(x, kept)
    with pytest.raises(TypeError, match="float tensor"):
        T.Normalize(0.5, 0.5)(tg.zeros(1, 2, 2, dtype=tg.uint8))
    with pytest.raises(TypeError, match="put ToTensor"):
        T.Normalize(0.5, 0.5)(GREY)
    with pytest.raises(ValueError, match="division by zero"):
        T.Normalize(0.5, (1.0, 0.0))(tg.zeros(2, 2, 2))
    with pytest.raises(ValueError, match="C, H, W"):
        T.Normalize(0.5, 0.5)(tg.zeros(2, 2))


def test_convert_image_dtype() -> None:
    x = tg.tensor([[[0, 128, 255]]], dtype=tg.uint8)
    floats = T.ConvertImageDtype(tg.float64)(x)
    assert floats.tolist() == [[[0, 128 / 255, 1]]]
    assert T.ConvertImageDtype(tg.uint8)(floats).tolist() == x.tolist()
    assert T.ConvertImageDtype(tg.uint8)(x) is x


# --- geometry ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("image", [GREY, COLOURS])
@pytest.mark.parametrize(
    ("transform", "formula"),
    [
        (F.hflip, lambda a: a[:, ::-1]),
        (F.vflip, lambda a: a[::-1]),
        (lambda a: F.crop(a, 2, 1, 4, 5), lambda a: a[2:6, 1:6]),
        (lambda a: F.center_crop(a, 5), lambda a: a[2:7, 1:6]),
        (lambda a: F.pad(a, (1, 2)), lambda a: np.pad(a, [(2, 2), (1, 1)] + [(0, 0)] * (a.ndim - 2))),
        (lambda a: F.pad(a, 2, padding_mode="reflect"), lambda a: np.pad(a, [(2, 2)] * 2 + [(0, 0)] * (a.ndim - 2), "reflect")),
        (lambda a: F.crop(a, -1, 4, 3, 5), lambda a: np.pad(a, [(1, 0), (0, 2)] + [(0, 0)] * (a.ndim - 2))[:3, 4:9]),
        (lambda a: F.rotate(a, 180), lambda a: a[::-1, ::-1]),
        (lambda a: F.rotate(a, 90), lambda a: np.pad(np.rot90(a[1:-1]), [(1, 1), (0, 0)] + [(0, 0)] * (a.ndim - 2))),
        (lambda a: F.resize(a, (18, 7), F.InterpolationMode.NEAREST), lambda a: a.repeat(2, 0)),
    ],
)  # fmt: skip
def test_geometry_of_arrays_and_of_tensors(transform: Callable, formula: Callable, image: np.ndarray) -> None:
    wanted = formula(image)
    found, of_tensor = transform(image), transform(tensor_of(image))
    assert found.dtype == np.uint8 and of_tensor.dtype == tg.uint8
    np.testing.assert_array_equal(found, wanted)
    np.testing.assert_array_equal(of_tensor.numpy(), tensor_of(wanted).numpy())


def test_resize_of_one_number_is_the_shorter_side() -> None:
    assert F.resize(COLOURS, 14).shape == (18, 14, 3)
    assert F.resize(tensor_of(COLOURS), 14).shape == (3, 18, 14)
    assert F.resize(GREY, 14, max_size=9).shape == (9, 7)
    assert F.resize(GREY, [7]) is GREY


@pytest.mark.parametrize("shape", [(4, 3), (5, 7), (20, 13), (1, 1)])
def test_resize_keeps_what_is_flat_and_what_is_even(shape: tuple[int, int]) -> None:
    np.testing.assert_array_equal(F.resize(np.full((9, 7), 77, np.uint8), shape), np.full(shape, 77))
    ramp = np.broadcast_to(np.arange(64.0), (8, 64))
    halved = F.resize(ramp, (8, 32))
    np.testing.assert_allclose(halved[:, 2:-2], np.broadcast_to(np.arange(32) * 2 + 0.5, (8, 32))[:, 2:-2])


@pytest.mark.parametrize("size", [(5, 4), (18, 21), (9, 3), (3, 30)])
@pytest.mark.parametrize("image", [GREY, COLOURS])
def test_resize_is_pillows(size: tuple[int, int], image: np.ndarray) -> None:
    Image = pytest.importorskip("PIL.Image", reason="Pillow is not installed")
    wanted = np.asarray(Image.fromarray(image).resize(size[::-1], Image.Resampling.BILINEAR)).astype(int)
    # Pillow rounds after each of the two directions
    assert np.abs(F.resize(Image.fromarray(image), size).astype(int) - wanted).max() <= 1


def test_pictures_of_pillow() -> None:
    Image = pytest.importorskip("PIL.Image", reason="Pillow is not installed")
    picture = Image.fromarray(COLOURS)
    np.testing.assert_array_equal(T.ToTensor()(picture).numpy(), T.ToTensor()(COLOURS).numpy())
    np.testing.assert_array_equal(F.hflip(picture), COLOURS[:, ::-1])
    for image in (GREY, COLOURS):
        np.testing.assert_array_equal(np.asarray(T.ToPILImage()(image)), image)
        np.testing.assert_array_equal(np.asarray(T.ToPILImage()(T.ToTensor()(image))), image)


def test_grayscale() -> None:
    wanted = (COLOURS @ np.array([0.299, 0.587, 0.114])).astype(np.uint8)
    assert np.abs(T.Grayscale()(COLOURS).astype(int) - wanted).max() <= 1  # rounding of the sum
    assert T.Grayscale(3)(COLOURS).shape == (9, 7, 3) and T.Grayscale(3)(GREY).shape == (9, 7, 3)
    assert T.Grayscale()(tensor_of(COLOURS)).shape == (1, 9, 7)
    with pytest.raises(ValueError, match="1 or 3"):
        T.Grayscale(2)(COLOURS)


# --- chance --------------------------------------------------------------------------------------------------------------------

RANDOM = [
    T.RandomCrop(5),
    T.RandomCrop(8, padding=2),
    T.RandomResizedCrop(6),
    T.RandomHorizontalFlip(),
    T.RandomVerticalFlip(),
    T.RandomRotation(30),
    T.RandomRotation((10, 20), F.InterpolationMode.BILINEAR),
    T.RandomApply([F.hflip, F.vflip]),
    T.RandomChoice([F.hflip, F.vflip, lambda a: a]),
    T.RandomOrder([F.hflip, lambda a: F.pad(a, (1, 0, 0, 0))]),
]


@pytest.mark.parametrize("transform", RANDOM, ids=lambda t: type(t).__name__)
def test_a_seed_repeats_what_chance_does(transform: Callable) -> None:
    def draws(image: Any) -> list[np.ndarray]:
        tg.manual_seed(5)
        return [np.asarray(transform(image)) for _ in range(20)]

    first = draws(COLOURS)
    for a, b in zip(first, draws(COLOURS), strict=True):
        np.testing.assert_array_equal(a, b)
    for a, b in zip(first, draws(tensor_of(COLOURS)), strict=True):  # the same for tensors
        assert np.abs(a.transpose(2, 0, 1).astype(int) - b).max() <= 1
    assert any(a.shape != first[0].shape or (a != first[0]).any() for a in first)


def test_every_place_of_a_crop_is_reached() -> None:
    image = np.arange(63).reshape(9, 7)
    tg.manual_seed(0)
    corners = {int(T.RandomCrop((8, 5))(image)[0, 0]) for _ in range(200)}
    assert corners == {0, 1, 2, 7, 8, 9}
    with pytest.raises(ValueError, match=r"crop size \(10, 10\) is larger than input image size \(9, 7\)"):
        T.RandomCrop(10)(image)
    assert T.RandomCrop(10, pad_if_needed=True)(image).shape == (10, 10)


@pytest.mark.parametrize("p", [0.0, 1.0])
def test_probabilities(p: float) -> None:
    flipped = [np.array_equal(T.RandomHorizontalFlip(p)(GREY), GREY[:, ::-1]) for _ in range(20)]
    assert all(flipped) if p else not any(flipped)


def test_random_erasing() -> None:
    x = tg.ones(3, 20, 20)
    tg.manual_seed(0)
    erased = [T.RandomErasing(p=1.0)(x) for _ in range(30)]
    shares = [(e == 0).double().mean().item() for e in erased]
    assert tg.equal(x, tg.ones(3, 20, 20)) and min(shares) < 0.1 < 0.2 < max(shares) < 0.4
    assert T.RandomErasing(p=1.0, value="random")(x).std() > 0


# --- together ------------------------------------------------------------------------------------------------------------------


def test_compose_and_its_representation() -> None:
    both = T.Compose([T.Resize(4), T.ToTensor(), T.Normalize((0.5,), (0.5,)), T.Lambda(lambda x: x.flatten())])
    assert both(GREY).shape == (20,)
    assert repr(both).splitlines()[2:4] == ["    ToTensor()", "    Normalize(mean=(0.5,), std=(0.5,))"]
    assert repr(T.RandomHorizontalFlip()) == "RandomHorizontalFlip(p=0.5)"
    with pytest.raises(TypeError, match="callable"):
        T.Lambda(3)  # type: ignore[arg-type]
