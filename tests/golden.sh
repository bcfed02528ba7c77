#!/bin/bash
# golden.sh FACTS: the recorded facts of the public API against our codecs and a running control plane. Each suite must
# pass at least as many cases as tests/golden-floor.txt says: the floor only rises. What tests/golden-differences.txt
# lists counts as passed.
set -euo pipefail
facts=$(cd "$1" && pwd)
cd "$(dirname "$0")/.."
skiff=$PWD/build/release/skiff
data=$(mktemp -d)
port=$((20000 + RANDOM % 20000))
jobs=()
cleanup() {
  for job in "${jobs[@]}"; do kill "$job" 2>/dev/null || true; wait "$job" 2>/dev/null || true; done
  rm -rf "$data"
}
trap cleanup EXIT
printf 'admintoken,admin,admin-uid,"system:masters"\nusertoken,nobody,nobody-uid\n' >"$data/tokens"
allowed=$(grep -o '^[a-z0-9-]*' tests/golden-differences.txt)
passed=0 failed=0
below() { echo "below the floor: $1 passed $2 of at least $3"; failed=$((failed + 1)); }

bash scripts/build.sh release golden_codec >/dev/null
while read -r name p _ f _; do
  echo "codec $name $p passed, $f failed"
  passed=$((passed + p)) failed=$((failed + f))
done < <(build/release/tests/golden_codec/golden_codec "$facts" | grep ' passed, ')

# As the facts were recorded: an API server alone, no controllers, its users in a file, and anonymous requests let in.
serve() {  # DATA PORT [FLAG...]
  "$skiff" apiserver --data-dir "$1" --secure-port "$2" --token-auth-file "$data/tokens" --anonymous-auth "${@:3}" \
    >"$1.log" 2>&1 &
  jobs+=($!)
  for _ in $(seq 100); do
    curl -sfk "https://127.0.0.1:$2/readyz" >/dev/null && break
    sleep 0.1
  done
}
replay() {  # NAME DATA PORT FLOOR [OPTION...]
  local answer line p blamed
  answer=$(timeout 300 python3 "$facts/replay.py" --server "https://127.0.0.1:$3" --token admintoken \
    --ca "$2/pki/ca.crt" --list-failures "${@:5}" 2>&1) || true
  line=$(tail -1 <<<"$answer")
  p=$(sed -n 's/^\([0-9]*\) passed.*/\1/p' <<<"$line")
  blamed=$(sed -n 's/^  \([a-z0-9-]*\): .*/\1/p' <<<"$answer" | grep -cxFf <(echo "$allowed")) || true
  echo "$1: $line, $blamed of these as we mean to differ (floor $4)"
  p=$((${p:-0} + blamed))
  passed=$((passed + p))
  [ "$p" -ge "$4" ] || below "$1" "$p" "$4"
}
serve "$data/plain" "$port"
while read -r suite floor; do
  [ -z "$suite" ] || replay "$suite" "$data/plain" "$port" "$floor" --suite "$suite"
done <tests/golden-floor.txt
# Expired history, on a server that keeps a second of it.
serve "$data/short" $((port + 1)) --etcd-compaction-interval 1s
python3 tests/compacting_etcd.py $((port + 2)) 2 &
jobs+=($!)
replay "expired history" "$data/short" $((port + 1)) 3 --suite errors --only 'gone-*' --etcd "http://127.0.0.1:$((port + 2))"
echo "golden: $passed passed, $failed failed"
[ "$failed" = 0 ]
