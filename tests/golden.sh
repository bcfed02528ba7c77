#!/bin/bash
# golden.sh FACTS: the recorded facts of the public API against our codecs and a running control plane. Each suite must
# pass at least as many cases as tests/golden-floor.txt says: the floor only rises. Cases in tests/golden-bad-requests.txt
# count as passed when they differ: upstream answers them with 500, and we with 400 and the same text.
set -euo pipefail
facts=$(cd "$1" && pwd)
cd "$(dirname "$0")/.."
skiff=$PWD/build/release/skiff
data=$(mktemp -d)
port=$((20000 + RANDOM % 20000))
server=
cleanup() { if [ -n "$server" ]; then kill "$server" 2>/dev/null || true; wait "$server" 2>/dev/null || true; fi; rm -rf "$data"; }
trap cleanup EXIT
printf 'admintoken,admin,admin-uid,"system:masters"\nusertoken,nobody,nobody-uid\n' >"$data/tokens"
passed=0 failed=0
below() { echo "below the floor: $1 passed $2 of at least $3"; failed=$((failed + 1)); }

bash scripts/build.sh release golden_codec >/dev/null
while read -r name p _ f _; do
  echo "codec $name $p passed, $f failed"
  passed=$((passed + p)) failed=$((failed + f))
done < <(build/release/tests/golden_codec/golden_codec "$facts" | grep ' passed, ')

# As the facts were recorded: an API server alone, no controllers, its users in a file, and anonymous requests let in.
"$skiff" apiserver --data-dir "$data" --secure-port "$port" --token-auth-file "$data/tokens" --anonymous-auth \
  >"$data/log" 2>&1 &
server=$!
for _ in $(seq 100); do
  curl -sfk "https://127.0.0.1:$port/readyz" >/dev/null && break
  sleep 0.1
done
while read -r suite floor; do
  [ -n "$suite" ] || continue
  answer=$(timeout 300 python3 "$facts/replay.py" --server "https://127.0.0.1:$port" --token admintoken \
    --ca "$data/pki/ca.crt" --suite "$suite" --list-failures 2>&1) || true
  line=$(tail -1 <<<"$answer")
  p=$(sed -n 's/^\([0-9]*\) passed.*/\1/p' <<<"$line")
  blamed=$(sed -n 's/^  \([a-z0-9-]*\): .*/\1/p' <<<"$answer" | grep -cxFf tests/golden-bad-requests.txt) || true
  echo "$suite: $line, $blamed of these where we say 400 and upstream 500 (floor $floor)"
  p=$((${p:-0} + blamed))
  passed=$((passed + p))
  [ "$p" -ge "$floor" ] || below "$suite" "$p" "$floor"
done <tests/golden-floor.txt
echo "golden: $passed passed, $failed failed"
[ "$failed" = 0 ]
