# PyTorch's database of operations against ours, and every comparison with PyTorch that the ordinary run skips.
set -euo pipefail
bash .ci/tools
.ci/build/tools/bin/pip install -q torch==2.13.0 expecttest
# one thread a process: two libraries with a thread pool each would fight for the cores
export OMP_NUM_THREADS=1
.ci/build/tools/bin/python -m pytest -n auto | tee .ci/build/conformance.log
tail -n 1 .ci/build/conformance.log > .ci/build/2-conformance.summary
