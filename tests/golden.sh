#!/bin/bash
# golden.sh FACTS: the recorded facts of the public API against our codecs and a running control plane. Each suite must
# pass at least as many cases as tests/golden-floor.txt says: the floor only rises.
set -euo pipefail
facts=$(cd "$1" && pwd)
cd "$(dirname "$0")/.."
skiff=$PWD/build/release/skiff
data=$(mktemp -d)
port=$((20000 + RANDOM % 20000))
cleanup() { "$skiff" down --data-dir "$data" >/dev/null 2>&1 || true; rm -rf "$data"; }
trap cleanup EXIT
printf 'admintoken,admin,admin,"system:masters"\nusertoken,nobody,nobody\n' >"$data/tokens"
passed=0 failed=0
below() { echo "below the floor: $1 passed $2 of at least $3"; failed=$((failed + 1)); }

bash scripts/build.sh release golden_codec >/dev/null
while read -r name p _ f _; do
  echo "codec $name $p passed, $f failed"
  passed=$((passed + p)) failed=$((failed + f))
done < <(build/release/tests/golden_codec/golden_codec "$facts" | grep ' passed, ')

"$skiff" up --no-node --detach --data-dir "$data" --api-port "$port" --token-auth-file "$data/tokens"
while read -r suite floor; do
  [ -n "$suite" ] || continue
  line=$(timeout 300 python3 "$facts/replay.py" --server "https://127.0.0.1:$port" --token admintoken \
    --ca "$data/pki/ca.crt" --suite "$suite" 2>&1 | tail -1) || true
  p=$(sed -n 's/^\([0-9]*\) passed.*/\1/p' <<<"$line")
  echo "$suite: $line (floor $floor)"
  p=${p:-0}
  passed=$((passed + p))
  [ "$p" -ge "$floor" ] || below "$suite" "$p" "$floor"
done <tests/golden-floor.txt
echo "golden: $passed passed, $failed failed"
[ "$failed" = 0 ]
