#!/usr/bin/env python3
"""Checks that each folder of src/ includes only what tools/layers.txt allows. One line per breach."""
import pathlib
import re
import sys

root = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else ".")
allowed = {}
for line in (root / "tools/layers.txt").read_text().splitlines():
    if line and not line.startswith("#"):
        folder, _, rest = line.partition(":")
        allowed[folder] = set(rest.split()) | {folder}

breaches = 0
for path in sorted((root / "src").rglob("*")):
    if path.suffix not in (".h", ".cc"):
        continue
    folder = path.relative_to(root / "src").parts[0]
    for number, line in enumerate(path.read_text().splitlines(), 1):
        include = re.match(r'#include "([a-z0-9_]+)/', line)
        if include and include[1] not in allowed[folder]:
            print(f"{path}:{number}: {folder} may not include {include[1]}")
            breaches += 1
sys.exit(1 if breaches else 0)
