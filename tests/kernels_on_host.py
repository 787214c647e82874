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
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

THREADS = 4  # of a block: kernels work with any power of two
COMPILER = shutil.which("g++") or shutil.which("clang++")

CUDA = """
#include <barrier>
#include <cmath>
#include <mutex>
#include <thread>
#include <vector>
using std::erf; using std::exp; using std::log; using std::sqrt; using std::tanh;
typedef _Float16 half;
#define __global__
#define __device__
#define __shared__ static
struct Place { long long x; };
static thread_local Place threadIdx, blockIdx;
static Place blockDim, gridDim;
static std::barrier<>* here;
#define __syncthreads() here->arrive_and_wait()
static std::mutex alone;
template <typename V> void atomicAdd(V* place, V value) { std::lock_guard<std::mutex> here(alone); *place += value; }
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
def _built(code: str) -> Any:
    runs = []
    for name, parameters in re.findall(r"__global__ void (\w+)\((.*?)\)", code, re.DOTALL):
        names = ", ".join(re.split(r"[\s*]+", p.strip())[-1] for p in parameters.split(","))
        runs.append(f'extern "C" void run_{name}(int blocks, int threads, {parameters}) {{')
        runs.append(f"    on_all_threads(blocks, threads, [=] {{ {name}({names}); }});\n}}")
    with tempfile.TemporaryDirectory() as folder:
        text, library = Path(folder, "kernel.cpp"), Path(folder, "kernel.so")
        text.write_text(CUDA + code.replace("#include <cuda_fp16.h>", "") + "\n".join(runs))
        command = [COMPILER, "-std=c++20", "-O1", "-shared", "-fPIC", "-pthread", str(text), "-o", str(library)]
        done = subprocess.run(command, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return ctypes.CDLL(str(library))


class RawModule:
    """cupy's class of this name, for arrays of the stand-in; `launched` counts by the kernels' names."""

    launched: dict[str, int] = {}  # noqa: RUF012

    def __init__(self, *, code: str, options: tuple[str, ...] = ()) -> None:
        self.library = _built(code)

    def get_function(self, name: str) -> Callable:
        """A kernel, which is started with the number of blocks, that of threads, and its arguments."""

        def start(grid: tuple[int], block: tuple[int], args: tuple) -> None:
            self.launched[name] = self.launched.get(name, 0) + 1
            self.library[f"run_{name}"](grid[0], min(block[0], THREADS), *map(_passed, args))

        return start


def _passed(value: Any) -> Any:
    if isinstance(value, np.int64):
        return ctypes.c_longlong(int(value))
    if isinstance(value, np.floating):
        return (ctypes.c_float if value.dtype == np.float32 else ctypes.c_double)(float(value))
    assert value.flags.c_contiguous, "a kernel reads memory in order"
    return ctypes.c_void_p(value.data.ptr)
