# The benchmarks must run; nothing timed is asserted.
set -euo pipefail
.ci/build/tools/bin/python -m benchmarks --quick
