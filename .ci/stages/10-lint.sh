# ruff (lint and format) and the type checker.
set -euo pipefail
rm -rf .ci/build && mkdir -p .ci/build
python3 -m venv .ci/build/tools
.ci/build/tools/bin/pip install -q -e ".[test]" "ruff==0.17.5" "mypy==2.4.1"
.ci/build/tools/bin/ruff check .
.ci/build/tools/bin/ruff format --check .
.ci/build/tools/bin/mypy
