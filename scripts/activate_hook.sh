#!/usr/bin/env bash
# Teaches a virtual environment's `activate` the variables that the plain commands need, so that after
# `. .venv/bin/activate` they work as typed. What is set is in pipelines/project/environment.sh, as for `nrdfer init`.
# Usage: scripts/activate_hook.sh VENV      (run again at will: the block is replaced)
set -euo pipefail
venv=$1
root=$(cd "$(dirname "$0")/.." && pwd)
activate=$venv/bin/activate
environment=$root/pipelines/project/environment.sh
test -r "$environment"
sed -i.bak '/^# >>> nrdfer >>>$/,/^# <<< nrdfer <<<$/d' "$activate" && rm -f "$activate.bak"
{
  echo "# >>> nrdfer >>>"
  printf '_NRDFER_ROOT=%q\n' "$root"
  cat "$environment"
  echo "# <<< nrdfer <<<"
} >> "$activate"
