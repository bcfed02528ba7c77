#!/bin/bash
# Unmodified clients of Kubernetes against Skiff: see README.md beside this.   run.sh [client ...]
# SKIFF: the binary (default: the release build).
exec python3 "$(dirname "$0")/run.py" "$@"
