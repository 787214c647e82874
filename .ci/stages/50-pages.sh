# Pictures and pages: drawn by a renderer, driven in a real browser, which is installed where it is missing.
set -euo pipefail
bash .ci/tools
.ci/build/tools/bin/pip install -q -e ".[test,viz,browser,safetensors]"
if ! command -v chromium >/dev/null || ! command -v chromedriver >/dev/null; then
    apt-get update -qq && apt-get install -y -qq chromium chromium-driver >/dev/null
fi
.ci/build/tools/bin/python -m pytest -n auto tests/browser tests/viz tests/learn
