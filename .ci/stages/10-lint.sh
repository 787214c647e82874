# ruff (lint and format) and the type checker.
set -euo pipefail
rm -rf .ci/build
bash .ci/tools
.ci/build/tools/bin/ruff check .
.ci/build/tools/bin/ruff format --check .
.ci/build/tools/bin/mypy
