import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, settings

sys.path.insert(0, str(Path(__file__).parent))

# how long Hypothesis looks for examples: pytest --hypothesis-profile=thorough
settings.register_profile("ordinary", max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))
settings.register_profile("thorough", settings.get_profile("ordinary"), max_examples=5000)
settings.register_profile(
    "ci", settings.get_profile("ordinary"), derandomize=True, print_blob=True
)  # the same in every run
settings.load_profile("ci" if os.environ.get("CI") else "ordinary")


# what a shell starts in the background ignores Ctrl-C, and so would all that is started here, and interrupted
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def seed() -> None:
    """Every test draws the same random numbers in every run, whichever ran before it."""
    import tinygrad_edu

    np.random.seed(0)
    tinygrad_edu.manual_seed(0)


@pytest.fixture(params=["stand-in", pytest.param("gpu", marks=pytest.mark.gpu)])
def on_device(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """What `cuda` is in a test: the strict stand-in for a GPU, and with `pytest -m gpu` the one of this machine."""
    import standin

    from tinygrad_edu import cuda
    from tinygrad_edu import random as tg_random

    monkeypatch.setattr(tg_random, "_on_gpu", {})
    if request.param == "stand-in":
        with standin.device():
            yield "stand-in"
    else:
        if not cuda.is_available():
            pytest.skip(cuda.why_unavailable())
        yield "gpu"


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """The tests that need a GPU are there for who asks for them."""
    if "gpu" not in config.option.markexpr:
        config.hook.pytest_deselected(items=[item for item in items if item.get_closest_marker("gpu")])
        items[:] = [item for item in items if not item.get_closest_marker("gpu")]
