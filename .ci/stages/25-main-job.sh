# Exactly the README's other command: from a fresh clone to a trained model.
set -euo pipefail
rm -rf .venv runs
command=$(awk '/the main job/ {found = 1} found && /^```bash/ {inside = 1; next} inside && /^```/ {exit} inside' README.md)
echo "$command"
bash -c "$command"
