#!/bin/bash
# Installs, builds and passes the tests. Node tests need root.
set -euo pipefail
cd "$(dirname "$0")/.."
step() { printf '\n== %s\n' "$*"; }
step "Packages"; bash scripts/install.sh
step "Build"; bash scripts/build.sh release
step "Tests"
ctest --test-dir build/release --output-on-failure -j2
