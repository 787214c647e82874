# Several real processes, over the MPI that pip installs: on this machine alone, each of them bounded in time.
set -euo pipefail
bash .ci/tools
.ci/build/tools/bin/pip install -q -e ".[test,mpi]"
export OMP_NUM_THREADS=1
.ci/build/tools/bin/python -m pytest tests/distributed
