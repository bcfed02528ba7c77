#!/bin/bash
# build.sh [PRESET] [TARGET...]: configures once and builds. Presets: release, dev, asan, tsan.
set -euo pipefail
cd "$(dirname "$0")/.."
preset=${1:-release}
shift || true
[ -f "build/$preset/build.ninja" ] || cmake --preset "$preset" >/dev/null
# ninja's own progress line, on one line at a terminal
exec cmake --build --preset "$preset" ${1:+--target "$@"}
