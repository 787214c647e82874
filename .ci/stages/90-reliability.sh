# What the ordinary run tries a little, tried much: 100,000 damaged files, hundreds of killed writers and workers,
# 100,000 steps of training with flat memory, many more wrong calls.
set -euo pipefail
bash .ci/tools
.ci/build/tools/bin/pip install -q -e ".[test,safetensors]"
export RELIABILITY=full OMP_NUM_THREADS=1
.ci/build/tools/bin/python -m pytest -n auto --durations=5 tests/reliability
