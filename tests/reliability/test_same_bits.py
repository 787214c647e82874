"""The same seed gives the same bits: in one process, in others, however Python orders its sets, and beside other threads."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from amount import times
from training import KINDS, prepared

TRAINING = Path(__file__).with_name("training.py")


def elsewhere(hashes: str) -> str:
    """What another process, with one thread for matrix products, trains."""
    one_thread = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    environment = os.environ | one_thread | {"PYTHONHASHSEED": hashes}
    command = [sys.executable, str(TRAINING)]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=True, timeout=300).stdout


def test_across_processes() -> None:
    first = elsewhere("0")
    assert [line.split()[0] for line in first.splitlines()] == list(KINDS)
    for hashes in ("1", "random", "4294967295")[: times(2, 3)]:
        assert elsewhere(hashes) == first


@pytest.mark.parametrize("kind", KINDS)
def test_within_a_process(kind: str) -> None:
    assert prepared(kind)() == prepared(kind)()


def test_threads_that_train_separate_models_give_the_bits_of_each_alone() -> None:
    """None of them draws while it trains: the default generator is one for all threads, as in PyTorch."""
    kinds = [kind for kind in KINDS if kind != "convolutional"] * times(1, 4)
    alone = [prepared(kind)() for kind in kinds]
    ready = [prepared(kind) for kind in kinds]
    start, found = threading.Barrier(len(kinds)), [""] * len(kinds)

    def work(i: int) -> None:
        start.wait(60)
        found[i] = ready[i]()

    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)  # threads interrupt each other in the middle of everything
    try:
        threads = [threading.Thread(target=work, args=(i,)) for i in range(len(kinds))]
        for each in threads:
            each.start()
        for each in threads:
            each.join()
    finally:
        sys.setswitchinterval(before)
    assert found == alone
