#!/bin/bash
# Builds the fuzzers and runs them one after the other:   fuzz/run.sh SECONDS [NAME...]
# The seconds are each one's CPU time: a busy machine takes longer, it does not try less. A line each: executions, coverage,
# corpus, result. Fails when one finds something; its input lies in build/fuzz/findings.
# TIMEOUT is the seconds one input may take (busy machines need more than 5). What they learn stays in build/fuzz/corpus. JOBS=2 runs two at a time; BUILD="slot ninja -j1" changes how it is built.
set -u
cd "$(dirname "$0")/.." || exit 1
seconds=${1:?seconds for each fuzzer}
shift
out=build/fuzz
[ -f $out/build.ninja ] || cmake --preset fuzz >/dev/null || exit 1
targets=("${@/#/fuzz_}")
${BUILD:-ninja} -C $out "${targets[@]:-fuzzers}" >$out/build.log || { tail -40 $out/build.log; exit 1; }
names=("$@")
[ $# -gt 0 ] || mapfile -t names < <(ls fuzz/fuzz_*.cc | sed 's,.*/fuzz_\(.*\)\.cc,\1,')
python3 fuzz/seeds.py $out/seeds || exit 1
mkdir -p $out/findings $out/logs

interrupted=72  # libFuzzer's exit code then
# Until the process has used its CPU time, or has ended.
interrupt_after() {
  local ticks
  while ticks=$(awk '$3 != "Z" { print $14 + $15 }' "/proc/$1/stat" 2>/dev/null) && [ -n "$ticks" ]; do
    [ "$ticks" -lt $((seconds * $(getconf CLK_TCK))) ] || { kill -INT "$1"; return; }
    sleep 1
  done
}

run() {
  local name=$1 log=$out/logs/$1.log dict=() result=ok
  mkdir -p $out/corpus/$name $out/seeds/$name
  [ -f fuzz/dict/$name.dict ] && dict=(-dict=fuzz/dict/$name.dict)
  nice -n 10 $out/fuzz/fuzz_$name $out/corpus/$name $out/seeds/$name "${dict[@]}" -max_len=${MAX_LEN:-4096} \
    -timeout=${TIMEOUT:-5} -rss_limit_mb=2048 -print_final_stats=1 -artifact_prefix=$out/findings/$name- >$log 2>&1 &
  interrupt_after $! || true
  wait $!
  case $? in 0 | $interrupted) ;; *) result=FOUND ;; esac
  printf '%-11s %10s execs  %6s edges  %6s inputs  %s\n' "$name" "$(sed -n 's/^stat::number_of_executed_units: *//p' $log)" \
    "$(grep -o ' cov: [0-9]*' $log | tail -1 | tr -dc 0-9)" "$(ls $out/corpus/$name | wc -l)" "$result"
  [ $result = ok ] && return
  grep -m3 -E 'ERROR:|SUMMARY:|runtime error:|MUST|Test unit written' $log
  return 1
}

failed=0
for name in "${names[@]}"; do
  while [ "$(jobs -rp | wc -l)" -ge "${JOBS:-1}" ]; do wait -n || failed=1; done
  run "$name" &
done
while [ -n "$(jobs -p)" ]; do wait -n || failed=1; done
exit $failed
