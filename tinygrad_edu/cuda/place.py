"""Which GPUs there are, and which one is meant."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from .. import devices
from ..tensor import Tensor


def why_unavailable() -> str:
    """The reason why no GPU can be used; nothing if one can."""
    try:
        devices.module(devices.device("cuda"))
    except RuntimeError as error:
        return str(error)
    return ""


def cupy() -> Any:
    """The array module of GPUs, or an error with the reason why there is none."""
    return devices.module(devices.device("cuda"))


def is_available() -> bool:
    """Whether tensors can be put on a GPU."""
    return devices.cuda_is_available()


def is_initialized() -> bool:
    """Whether a GPU is in use."""
    return is_available()


def init() -> None:
    """Begin to use GPUs; without one, an error that says why."""
    cupy()


def device_count() -> int:
    """How many GPUs there are."""
    return int(cupy().cuda.runtime.getDeviceCount()) if is_available() else 0


def current_device() -> int:
    """The GPU that is used where none is named."""
    return int(cupy().cuda.Device().id)


def _index(d: Any) -> int:
    """The number of a GPU: from a number, a name or a device; the current one for None."""
    if d is None:
        return current_device()
    if isinstance(d, int):
        return d
    d = devices.as_device(d)
    if d.type != "cuda":
        raise ValueError(f"Expected a cuda device, but got: {d}")
    return current_device() if d.index is None else d.index


def set_device(device: Any) -> None:
    """Use this GPU where none is named."""
    index = _index(device)
    if index >= 0:
        cupy().cuda.Device(index).use()


def synchronize(device: Any = None) -> None:
    """Wait until a GPU has done all that it was told."""
    cupy().cuda.Device(_index(device)).synchronize()


class device:
    """`with torch.cuda.device(1):` uses this GPU inside the block; a negative number or None changes nothing."""

    def __init__(self, device: Any) -> None:
        self.idx = -1 if device is None else _index(device)
        self._inside: Any = None

    def __enter__(self) -> None:
        if self.idx >= 0:
            self._inside = cupy().cuda.Device(self.idx)
            self._inside.__enter__()

    def __exit__(self, *exception: object) -> None:
        if self._inside is not None:
            self._inside.__exit__(*exception)


class device_of(device):
    """The GPU on which a tensor lives, inside the block."""

    def __init__(self, obj: Tensor) -> None:
        super().__init__(obj.device.index or 0 if obj.is_cuda else None)


def get_device_properties(device: Any = None) -> Any:
    """What a GPU says of itself."""
    told = cupy().cuda.runtime.getDeviceProperties(_index(device))
    return SimpleNamespace(
        name=told["name"].decode(),
        major=told["major"],
        minor=told["minor"],
        total_memory=told["totalGlobalMem"],
        multi_processor_count=told["multiProcessorCount"],
    )


def get_device_name(device: Any = None) -> str:
    """A GPU's name."""
    return get_device_properties(device).name


def get_device_capability(device: Any = None) -> tuple[int, int]:
    """A GPU's generation."""
    told = get_device_properties(device)
    return told.major, told.minor


def get_arch_list() -> list[str]:
    """Code is compiled for the GPU that is found, so no generation is prepared."""
    return []


def can_device_access_peer(device: Any, peer_device: Any) -> bool:
    """Whether one GPU reads another's memory."""
    return bool(cupy().cuda.runtime.deviceCanAccessPeer(_index(device), _index(peer_device)))


def is_bf16_supported(including_emulation: bool = True) -> bool:
    """There are no tensors of bfloat16 here; `autocast` has TF32 in its place."""
    return False


def is_tf32_supported() -> bool:
    """Whether a GPU multiplies float32 faster when `backends.cuda.matmul.allow_tf32` is set."""
    return is_available() and get_device_capability()[0] >= 8


def ipc_collect() -> None:
    """Memory is not shared between processes."""
