# Every lesson runs from top to bottom, and its notebook is that of its source.
set -euo pipefail
.ci/build/tools/bin/pip install -q -e ".[notebooks]"
export OMP_NUM_THREADS=1 # two lessons at a time
.ci/build/tools/bin/python notebooks/build.py --check --jobs 2
