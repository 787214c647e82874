# A built wheel in an empty environment, with nothing but what it asks for: it imports, trains, and loads nothing optional.
set -euo pipefail
bash .ci/tools
rm -rf .ci/build/wheel .ci/build/empty
.ci/build/tools/bin/pip wheel -q --no-deps -w .ci/build/wheel .
python3 -m venv .ci/build/empty
.ci/build/empty/bin/pip install -q .ci/build/wheel/*.whl
cd .ci/build/wheel # not where the package's source is
../empty/bin/python - <<'PYTHON'
import sys
import tinygrad_edu as torch
from tinygrad_edu import nn
optional = {"graphviz", "pygraphviz", "matplotlib", "cupy", "safetensors", "mpi4py", "torch", "IPython", "PIL"}
assert not optional & {name.partition(".")[0] for name in sys.modules}
from pathlib import Path
assert (Path(torch.__file__).parent / "py.typed").exists()  # editors and type checkers may rely on the annotations
x = torch.randn(8, 4)
nn.functional.cross_entropy(nn.Linear(4, 3)(x), torch.arange(8) % 3).backward()
PYTHON
../empty/bin/tinygrad-edu info
../empty/bin/tinygrad-edu train digits --epochs 1 --out digits
ls digits
../empty/bin/tinygrad-edu lessons --out lessons
test -e lessons/05_build_the_engine.ipynb
