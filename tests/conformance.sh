#!/bin/bash
# conformance.sh DIR: upstream's own suite, built and run by the tools in DIR, as far as it needs no node and little time:
# what an API server can pass with few controllers. At least FLOOR tests must pass; it only rises.
set -euo pipefail
tools=$(cd "$1" && pwd)
cd "$(dirname "$0")/.."
FLOOR=112
skiff=$PWD/build/release/skiff
suite=${SKIFF_CONFORMANCE_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/skiff-conformance}/bin/e2e.test
if [ ! -x "$suite" ]; then
  command -v go >/dev/null || { echo "conformance: SKIPPED, no go here to build the suite with"; exit 0; }
  "$tools/build-suite.sh" >/dev/null 2>&1 || { echo "conformance: SKIPPED, the suite could not be built"; exit 0; }
fi
data=$(mktemp -d)
port=$((20000 + RANDOM % 20000))
cleanup() { "$skiff" down --purge --data-dir "$data/skiff" >/dev/null 2>&1 || true; rm -rf "$data"; }
trap cleanup EXIT
"$skiff" up --no-node --detach --data-dir "$data/skiff" --api-port "$port"
"$tools/run.sh" --kubeconfig "$data/skiff/admin.kubeconfig" --nodes 0 --parallel 4 --list "$tools/few-controllers.txt" \
  --timeout 900 --out "$data/results" >"$data/log" 2>&1 || true
cut -c1-400 "$data/results/why.txt" 2>/dev/null | head -40 || true
line=$(tail -1 "$data/log")
echo "$line (floor $FLOOR)"
passed=$(sed -n 's/^conformance: \([0-9]*\) passed.*/\1/p' <<<"$line")
[ "${passed:-0}" -ge "$FLOOR" ]
