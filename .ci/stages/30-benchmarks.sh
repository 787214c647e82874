# The benchmarks must run; nothing timed is asserted.
set -euo pipefail
bash .ci/tools
.ci/build/tools/bin/python -m benchmarks --quick
