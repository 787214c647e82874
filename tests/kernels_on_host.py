"""CUDA kernels run by a host's C++ compiler: a thread for each thread of a block, one block after the other.

This proves what a kernel computes, with its barriers and its shared memory, where there is no GPU to run it.
"""

from __future__ import annotations

import ctypes
import functools
import re
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

THREADS = 4  # of a block: kernels work with any power of two
COMPILER = shutil.which("g++") or shutil.which("clang++")

CUDA = """
#include <atomic>
#include <barrier>
#include <cmath>
#include <thread>
#include <vector>
using std::erf; using std::exp; using std::log; using std::sqrt; using std::tanh;
#define __global__
#define __device__
#define __shared__ static
struct Place { long long x; };
static thread_local Place threadIdx, blockIdx;
static Place blockDim, gridDim;
static std::barrier<>* here;
#define __syncthreads() here->arrive_and_wait()
template <typename V> void atomicAdd(V* place, V value) { std::atomic_ref<V>(*place).fetch_add(value); }
template <typename F> void on_all_threads(int blocks, int threads, F body) {
    std::barrier<> barrier(threads);
    here = &barrier; blockDim.x = threads; gridDim.x = blocks;
    std::vector<std::thread> all;
    for (int t = 0; t < threads; t++) all.emplace_back([=] {
        threadIdx.x = t;
        for (int b = 0; b < blocks; b++) { blockIdx.x = b; body(); here->arrive_and_wait(); }
    });
    for (auto& thread : all) thread.join();
}
"""


@functools.cache
def _built(code: str, name: str) -> Any:
    parameters = re.search(rf"__global__ void {name}\((.*?)\)", code, re.DOTALL)[1]  # type: ignore[index]
    names = ", ".join(re.split(r"[\s*]+", p.strip())[-1] for p in parameters.split(","))
    run = f'extern "C" void run(int blocks, int threads, {parameters}) {{\n'
    run += f"    on_all_threads(blocks, threads, [=] {{ {name}({names}); }});\n}}\n"
    with tempfile.TemporaryDirectory() as folder:
        text, library = Path(folder, "kernel.cpp"), Path(folder, "kernel.so")
        text.write_text(CUDA + code + run)
        command = [COMPILER, "-std=c++20", "-O1", "-shared", "-fPIC", "-pthread", str(text), "-o", str(library)]
        done = subprocess.run(command, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return ctypes.CDLL(str(library)).run


class RawKernel:
    """cupy's class of this name, for arrays of the stand-in; `launched` counts by name."""

    launched: dict[str, int] = {}  # noqa: RUF012

    def __init__(self, code: str, name: str, options: tuple[str, ...] = ()) -> None:
        self.run, self.name = _built(code, name), name

    def __call__(self, grid: tuple[int], block: tuple[int], args: tuple) -> None:
        self.launched[self.name] = self.launched.get(self.name, 0) + 1
        self.run(grid[0], min(block[0], THREADS), *map(_passed, args))


def _passed(value: Any) -> Any:
    if isinstance(value, np.int64):
        return ctypes.c_longlong(int(value))
    if isinstance(value, np.floating):
        return (ctypes.c_float if value.dtype == np.float32 else ctypes.c_double)(float(value))
    assert value.flags.c_contiguous, "a kernel reads memory in order"
    return ctypes.c_void_p(value.data.ptr)
