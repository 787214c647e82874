# The documentation builds, with warnings as errors; that its blocks run and its links lead somewhere is in the tests.
set -euo pipefail
bash .ci/tools
.ci/build/tools/bin/pip install -q -e ".[test,docs]"
.ci/build/tools/bin/python docs/build.py
.ci/build/tools/bin/python -m pytest tests/test_docs.py
