#!/usr/bin/python3
"""Writes a container image as a docker archive (`ctr images import`, `docker load`) from plain files.

    mkimage.py --out pause.tar --name skiff.local/pause:1 --file build/pause=/pause:0755 --entrypoint /pause

The same input gives the same bytes: times are zero, owners root, members sorted.
"""
import argparse
import hashlib
import io
import json
import os
import platform
import tarfile

ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}


def header(name, mode, kind=tarfile.REGTYPE, size=0, target=""):
    info = tarfile.TarInfo(name)
    info.mode, info.type, info.size, info.linkname = mode, kind, size, target
    info.mtime = info.uid = info.gid = 0
    return info


def entries_of(spec):
    """(path in the image, source, mode) of SOURCE=TARGET[:MODE]; a directory is taken whole."""
    source, _, target = spec.partition("=")
    target, _, mode = target.partition(":")
    target = target.strip("/")
    if not os.path.isdir(source):
        yield target, source, int(mode, 8) if mode else os.stat(source).st_mode & 0o7777
        return
    for folder, dirs, files in os.walk(source):
        for name in files + [d for d in dirs if os.path.islink(os.path.join(folder, d))]:
            path = os.path.join(folder, name)
            inside = os.path.normpath(os.path.join(target, os.path.relpath(path, source)))
            yield inside, path, os.lstat(path).st_mode & 0o7777


def layer_of(args):
    members = {}
    for directory in args.dir:
        path, _, mode = directory.partition(":")
        members[path.strip("/")] = header(path.strip("/"), int(mode or "755", 8), tarfile.DIRTYPE), b""
    for link in args.symlink:
        target, _, path = link.partition("=")
        members[path.strip("/")] = header(path.strip("/"), 0o777, tarfile.SYMTYPE, 0, target), b""
    for spec in args.file:
        for inside, source, mode in entries_of(spec):
            if os.path.islink(source):
                members[inside] = header(inside, 0o777, tarfile.SYMTYPE, 0, os.readlink(source)), b""
            else:
                with open(source, "rb") as f:
                    data = f.read()
                members[inside] = header(inside, mode, size=len(data)), data
    for path in list(members):  # parents first
        parent = os.path.dirname(path)
        while parent:
            members.setdefault(parent, (header(parent, 0o755, tarfile.DIRTYPE), b""))
            parent = os.path.dirname(parent)
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for _, (info, data) in sorted(members.items()):
            tar.addfile(info, io.BytesIO(data))
    return out.getvalue()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", required=True)
    parser.add_argument("--name", required=True, help="name:tag of the image")
    parser.add_argument("--file", action="append", default=[], metavar="SOURCE=TARGET[:MODE]")
    parser.add_argument("--dir", action="append", default=[], metavar="PATH[:MODE]")
    parser.add_argument("--symlink", action="append", default=[], metavar="TARGET=PATH")
    parser.add_argument("--entrypoint", action="append", default=[])
    parser.add_argument("--cmd", action="append", default=[])
    parser.add_argument("--env", action="append", default=[], metavar="NAME=VALUE")
    parser.add_argument("--user", default="")
    parser.add_argument("--workdir", default="")
    args = parser.parse_args()

    layer = layer_of(args)
    digest = hashlib.sha256(layer).hexdigest()
    config = {
        "architecture": ARCHITECTURES.get(platform.machine(), platform.machine()),
        "os": "linux",
        "created": "1970-01-01T00:00:00Z",
        "config": {k: v for k, v in {"Entrypoint": args.entrypoint, "Cmd": args.cmd, "Env": args.env,
                                     "User": args.user, "WorkingDir": args.workdir}.items() if v},
        "rootfs": {"type": "layers", "diff_ids": ["sha256:" + digest]},
        "history": [{"created": "1970-01-01T00:00:00Z", "created_by": "mkimage.py"}],
    }
    config_bytes = json.dumps(config, sort_keys=True).encode()
    config_name = hashlib.sha256(config_bytes).hexdigest() + ".json"
    manifest = json.dumps([{"Config": config_name, "RepoTags": [args.name],
                            "Layers": [digest + "/layer.tar"]}]).encode()
    with tarfile.open(args.out + ".part", "w", format=tarfile.USTAR_FORMAT) as tar:
        for name, data in ((config_name, config_bytes), (digest + "/layer.tar", layer), ("manifest.json", manifest)):
            tar.addfile(header(name, 0o644, size=len(data)), io.BytesIO(data))
    os.rename(args.out + ".part", args.out)


if __name__ == "__main__":
    main()
