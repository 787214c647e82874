# The core of the tests under every other Python of those the package promises that this machine has: operations,
# layers, optimizers, loaders, files, the command line; without pages, many processes, and what needs an extra package.
set -euo pipefail
export OMP_NUM_THREADS=1 PYTHONDONTWRITEBYTECODE=1

# a Python of that version that works: the one on the path, or one of pyenv's, whose name on the path may do nothing
python_of() {
    for candidate in "python$1" "$(pyenv root 2>/dev/null || true)"/versions/"$1".*/bin/python; do
        if "$candidate" -c "import ensurepip" 2>/dev/null; then
            command -v "$candidate"
            return
        fi
    done
}

own=$(python3 -c 'import sys; print("%d.%d" % sys.version_info[:2])')
found=""
for version in 3.10 3.11 3.12 3.13 3.14; do
    python=$([ "$version" = "$own" ] || python_of "$version")
    [ -n "$python" ] || continue
    found+=" $version"
    echo "--- Python $version"
    place=.ci/build/python$version
    "$python" -m venv "$place"
    "$place/bin/pip" install -q -e ".[test]"
    "$place/bin/python" -m pytest -n auto -p no:cacheprovider tests/test_*.py tests/nn tests/optim tests/data
done
echo "tested under${found:- no} other Python than $own"
