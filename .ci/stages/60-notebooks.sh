# Every lesson runs from top to bottom, and its notebook is that of its source.
set -euo pipefail
bash .ci/tools
.ci/build/tools/bin/pip install -q -e ".[notebooks,mpi]"
export OMP_NUM_THREADS=1 # two lessons at a time
# a folder of data beside the checkout, if there is one: then the figures that the lessons name are asserted
for folder in ../*/data; do
    [ -d "$folder/mnist" ] && export TINYGRAD_EDU_DATA="${TINYGRAD_EDU_DATA:-$(realpath "$folder")}"
done
.ci/build/tools/bin/python notebooks/build.py --check --jobs 2
