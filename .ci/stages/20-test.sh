# Exactly the README's test command, in a fresh virtual environment.
set -euo pipefail
rm -rf .venv && mkdir -p .ci/build
command=$(awk '/the test command/ {found = 1} found && /^```bash/ {inside = 1; next} inside && /^```/ {exit} inside' README.md)
echo "$command"
bash -c "$command" | tee .ci/build/test.log
tail -n 1 .ci/build/test.log > .ci/build/1-test.summary
