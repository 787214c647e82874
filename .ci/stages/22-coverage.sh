# Every branch of the engine (the list is in pyproject.toml) is taken by some test; needs neither PyTorch nor a browser.
set -euo pipefail
export OMP_NUM_THREADS=1 PYTHONDONTWRITEBYTECODE=1
bash .ci/tools
python=.ci/build/tools/bin/python
"$python" -m coverage erase
"$python" -m coverage run -m pytest -n auto tests/test_*.py tests/viz
"$python" -m coverage combine -q
"$python" -m coverage report
