#!/usr/bin/env python3
"""Where the fuzzers start from: the tests' own data and a few words of each language.   seeds.py FOLDER"""
import base64
import json
import pathlib
import subprocess
import sys
import tempfile
import zlib

ROOT = pathlib.Path(__file__).resolve().parent.parent
OUT = pathlib.Path(sys.argv[1])

POD = {"metadata": {"name": "a", "labels": {"app": "x"}, "managedFields": [
           {"manager": "m", "operation": "Update", "apiVersion": "v1", "fieldsType": "FieldsV1", "fieldsV1": {"f:spec": {}}}]},
       "spec": {"hostNetwork": True, "nodeSelector": {"a": "b"}, "tolerations": [{"key": "a", "operator": "Exists"}],
                "containers": [{"name": "c", "image": "i:1", "ports": [{"containerPort": 80, "protocol": "TCP"}],
                                "env": [{"name": "A", "value": "1"}], "resources": {"limits": {"cpu": "100m", "memory": "1Gi"}},
                                "livenessProbe": {"httpGet": {"port": "web"}}}],
                "volumes": [{"name": "v", "emptyDir": {}}]},
       "status": {"phase": "Running", "startTime": "2026-11-22T10:00:00Z"}}
DEPLOYMENT = {"metadata": {"name": "a"},
              "spec": {"replicas": 2, "selector": {"matchLabels": {"a": "b"}}, "strategy": {"rollingUpdate": {"maxSurge": "25%"}},
                       "template": {"metadata": {"labels": {"a": "b"}}, "spec": POD["spec"]}}}
SERVICE = {"metadata": {"name": "a"}, "spec": {"selector": {"a": "b"}, "ports": [{"port": 80, "name": "x", "protocol": "TCP"},
                                                                              {"port": 443, "name": "y"}]}}
count = {}


def seed(name, data):
    folder = OUT / name
    folder.mkdir(parents=True, exist_ok=True)
    count[name] = count.get(name, 0) + 1
    (folder / f"{count[name]:04}").write_bytes(data if isinstance(data, bytes) else data.encode())


def number(value, size):
    return value.to_bytes(size, "big")


def codecs():
    texts = [json.dumps(POD), json.dumps(DEPLOYMENT, indent=1), '[1,-2.5e3,1E-7,"\\u00e9\\ud83d\\ude00\\n",null,true,{}]',
             '{"a":1,"a":2}', '"\xff"', "18446744073709551616", "-0", "1e400"]
    for text in texts:
        seed("json", text)
        seed("yaml", text)
    for text in ["a: 1\nb: [x, y]\nc:\n- d: |\n    text\n  e: >-\n    folded\n    text\n", "a: &x {b: 1}\nc: *x\nd: {<<: *x, e: 2}\n",
                 "---\na: ~\n---\nb: 0x1f\n...\n", "? k\n: v\n", "a: 'it''s'\nb: \"\\x41\\u263a\"\nt: 2001-12-14t21:59:43Z\n",
                 "n: [1_000, 0o7, 07, .inf, -.INF, .nan, yes, no, on, off, 1:30]\n", "!!str 1: !!int \"2\"\n", "# c\n%YAML 1.1\n--- a\n"]:
        seed("yaml", text)


def objects():
    kinds = ["Pod", "Service", "Secret", "Node", "StatefulSet", "CustomResourceDefinition", "Lease", "TokenReview",
             "HorizontalPodAutoscaler", "Status", "ValidatingWebhookConfiguration"]  # in the order of fuzz_api.cc
    lines = (ROOT / "src/api/testdata/protobuf.txt").read_text().splitlines()
    for i in range(0, len(lines) - 2, 4):
        kind = lines[i].split(" ")[1]
        raw = base64.b64decode(lines[i + 2])
        seed("wire", raw[:4000])
        if kind in kinds:
            at = kinds.index(kind)
            seed("api", bytes([0, at]) + lines[i + 1].encode())
            seed("api", bytes([1, at]) + raw)
            # Inside the envelope: fields 1 (type) and 2 (raw).
            inner = raw[4:]
            inner = inner[2 + inner[1]:]
            size, shift, at_byte = 0, 0, 1
            while True:
                size |= (inner[at_byte] & 127) << shift
                shift += 7
                at_byte += 1
                if inner[at_byte - 1] < 128:
                    break
            seed("api", bytes([1, at]) + inner[at_byte:at_byte + size])
    for i, kind in enumerate([POD, SERVICE]):
        seed("api", bytes([0, i]) + json.dumps(kind).encode())


def patches():
    kinds = [POD, DEPLOYMENT, SERVICE]
    bodies = {0: ['[{"op":"add","path":"/metadata/labels/x","value":"y"},{"op":"test","path":"/spec/ports/0/port","value":80},'
                  '{"op":"move","from":"/spec/ports/0","path":"/spec/ports/-"}]',
                  '[{"op":"copy","from":"/spec","path":"/spec/template"},{"op":"remove","path":"/metadata/labels"},'
                  '{"op":"replace","path":"/spec/containers/-1/image","value":"a~1"}]'],
              1: ['{"metadata":{"labels":{"a":null,"b":"c"}},"spec":{"containers":[{"name":"z"}],"volumes":null}}'],
              2: ['{"spec":{"containers":[{"name":"c","image":"b"},{"$patch":"delete","name":"d"}],"$setElementOrder/containers":'
                  '[{"name":"d"},{"name":"c"}]}}',
                  '{"spec":{"ports":[{"$patch":"replace"},{"port":1}]}}',
                  '{"metadata":{"$deleteFromPrimitiveList/finalizers":["a"],"finalizers":["b"],"$setElementOrder/finalizers":["b"]}}',
                  '{"spec":{"strategy":{"$retainKeys":["type"],"type":"Recreate"},"template":{"$patch":"replace","spec":{}}}}']}
    for kind, texts in bodies.items():
        for text in texts:
            for i, tree in enumerate(kinds):
                seed("patch", bytes([kind, i]) + json.dumps(tree).encode() + b"\0" + text.encode())


def applies():
    metadata = '"metadata":{"name":"a","labels":{"x":"1"}}'
    custom = ["{%s,\"spec\":%s}" % (metadata, spec) for spec in [
        '{"replicas":1,"items":[{"name":"x","v":1},{"name":"y","port":2}],"tags":["a","b"],"atom":{"k":"1"},"map":{"a":{"v":1}}}',
        '{"items":[{"name":"z"}],"tags":["b","c"],"free":{"any":[1,{"x":null}]}}', '{"replicas":null,"tags":[]}', "{}"]]
    for steps in ["ab", "ac", "bd", "au", "uab", "acbd"]:
        seed("apply", b"\1" + "\n".join(how + custom[i % 4] for i, how in enumerate(steps)).encode())
        seed("apply", b"\2" + "\n".join(how + custom[i % 4] for i, how in enumerate(steps)).encode())
        seed("apply", b"\0" + "\n".join(how + json.dumps(d) for how, d in zip(steps, [DEPLOYMENT, {
            "metadata": {"name": "a"}, "spec": {"template": {"spec": {"containers": [{"name": "c", "image": "2"}, {"name": "d"}]}}}}] * 2)).encode())


def texts():
    for line in (ROOT / "src/cel/testdata/expressions.txt").read_text().split("\n"):
        if " => " in line and not line.startswith("#"):
            seed("cel", line.split(" => ")[0])
    for kind, words in enumerate([["a=1,b!=2", "app.io/b in (x, y),!c,d", "a notin (b),x>1,y<2"],
                                  ['{"matchLabels":{"a":"1"},"matchExpressions":[{"key":"b","operator":"In","values":["x"]}]}'],
                                  ["spec.nodeName=n1,metadata.name!=b", "a==b\\,c"],
                                  ["{.metadata.name}", '{range .list[*]}{.b}{"\\n"}{end}', "{.list[?(@.b>1)].c}{.list[-1:]}{..b}",
                                   ".spec.nodeName", "{.metadata.labels.app\\.io/b}{['metadata','spec']}"]]):
        for word in words:
            seed("selectors", bytes([kind]) + word.encode())
    for kind, words in enumerate([["100m", "1.5Gi", "1e3", "-0.000000001", "12E", "9223372036854775807", "+.5", "1e-12"],
                                  ["1h30m0.5s", "-1.5us", "9223372036854775807ns"],
                                  ["2026-11-22T10:00:00Z", "0001-01-01T00:00:00Z", "2024-02-29T23:59:60.5+23:59"],
                                  ["2026-11-22T10:00:00.123456Z", "2026-11-22T10:00:00.000001-01:30"],
                                  ["YWJj\nZA==", "+/==", "YQ"], ["25%", "100%", "-1%", "99999999999%"]]):
        for word in words:
            seed("scalars", bytes([kind]) + word.encode())


def certificates():
    with tempfile.TemporaryDirectory() as folder:
        key, cert, request = (f"{folder}/{name}" for name in ["key", "cert", "request"])
        run = lambda *args: subprocess.run(["openssl", *args], check=True, capture_output=True).stdout
        run("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", key)
        run("req", "-x509", "-new", "-key", key, "-subj", "/O=system:masters/CN=admin", "-addext",
            "subjectAltName=DNS:a.b,IP:10.0.0.1,IP:::1", "-addext", "extendedKeyUsage=clientAuth", "-out", cert)
        run("req", "-new", "-key", key, "-subj", "/O=system:nodes/CN=system:node:a", "-out", request)
        read = lambda path: pathlib.Path(path).read_bytes()
        der = lambda kind, path: run(kind, "-in", path, "-outform", "DER")
        for data in [read(cert), read(cert) * 2, der("x509", cert)]:
            seed("pki", b"\0" + data)
        for data in [read(request), der("req", request)]:
            seed("pki", b"\1" + data)
        for data in [read(key), run("ec", "-in", key, "-pubout")]:
            seed("pki", b"\2" + data)
    part = lambda tree: base64.urlsafe_b64encode(json.dumps(tree).encode()).rstrip(b"=")
    for algorithm in ["RS256", "ES256", "none"]:
        seed("pki", b"\3" + part({"alg": algorithm, "kid": "x"}) + b"." + part({"sub": "a", "exp": 1}) + b".c2ln")


def http():
    requests = ["GET /stream?a=b%20c HTTP/1.1\r\nHost: x\r\n\r\n",
                "POST /x HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabcGET /204 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
                "PUT /stream HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3;x=y\r\nabc\r\n0\r\nT: v\r\n\r\n",
                "GET /up HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\nhello",
                "POST /x HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 99999\r\n\r\n",
                "HEAD http://h/x HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", "GET /none HTTP/1.1\r\nHost: x\r\n\r\n"]
    for text in requests:
        for kind in [1, 2, 3]:
            seed("http1", bytes([kind, 1]) + text.encode())
    seed("http1", b"\0\3" + b"5\r\nhello\r\na;q=\"x\"\r\n0123456789\r\n0\r\nA: b\r\n\r\n")
    seed("http1", b"\1\0HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n")

    def literal(name, value):  # HPACK, neither indexed nor Huffman coded
        return b"\0" + bytes([len(name)]) + name.encode() + bytes([len(value)]) + value.encode()

    def frame(kind, flags, stream, payload):
        return bytes([kind, flags, stream, len(payload)]) + payload
    get = b"\x82\x86\x84" + literal(":authority", "x") + literal("a", "b")  # GET, http, /
    post = b"\x83\x86" + literal(":path", "/stream") + literal(":authority", "x") + literal("content-length", "3")
    for frames in [[frame(1, 5, 1, get)], [frame(1, 4, 1, post), frame(0, 1, 1, b"abc")], [frame(1, 1, 1, get[:3]), frame(9, 4, 1, get[3:])],
                   [frame(1, 5, 1, get), frame(3, 0, 1, number(8, 4)), frame(1, 5, 3, get)],
                   [frame(4, 0, 0, b"\0\4" + number(1, 4)), frame(1, 4, 1, post), frame(8, 0, 1, number(10, 4)), frame(8, 0, 0, number(9, 4))],
                   [frame(6, 0, 0, b"12345678"), frame(7, 0, 0, bytes(8)), frame(2, 0, 1, bytes(5)), frame(1, 13, 1, b"\1" + get + b"\0")]]:
        for kind in [1, 2]:
            seed("http2", bytes([kind, 4]) + b"".join(frames))
    seed("http2", bytes([0, 0]) + number(0, 3) + b"\4\0" + number(0, 4) + number(len(get), 3) + b"\1\5" + number(1, 4) + get)


def streams():
    def frame(opcode, data, masked=True, fin=True):
        mask = b"\1\2\3\4" if masked else b""
        body = bytes(b ^ mask[i % 4] for i, b in enumerate(data)) if masked else data
        return bytes([(0x80 if fin else 0) | opcode, (0x80 if masked else 0) | len(data)]) + mask + body
    for masked in [True, False]:
        side = 0 if masked else 1
        f = lambda opcode, data, fin=True: frame(opcode, data, masked, fin)
        for kind in [0, 4, 6, 12]:
            seed("websocket", bytes([kind + side, 3]) + f(2, b"\0stdin") + f(2, b"\1out") + f(2, b"\xff\0") + f(8, b"\3\xe8bye"))
            seed("websocket", bytes([kind + side, 9]) + f(1, b"te", False) + f(9, b"ping") + f(0, b"xt") + f(10, b"") + f(8, b""))
        seed("websocket", bytes([side, 1, 0x82, 0xfe if masked else 0x7e, 0, 126]) + (b"\0" * 4 if masked else b"") + b"x" * 126)

    def spdy(kind, flags, stream, payload=b""):
        return bytes([kind, flags, stream, len(payload)]) + payload
    headers = b"streamtype=stdin\nport=80\nrequestid=0"
    for kind in [4, 6]:  # a server
        for frames in [[spdy(1, 0, 1, headers), spdy(0, 0, 1, b"data"), spdy(0, 1, 1, b"")],
                       [spdy(1, 1, 1, headers), spdy(1, 2, 3, headers), spdy(3, 0, 3, number(5, 4)), spdy(7, 0, 0, bytes(4))],
                       [spdy(1, 0, 1, headers), spdy(9, 0, 1, number(1000, 4)), spdy(6, 0, 1), spdy(4, 0, 1, number(7, 4) + number(100, 4)),
                        spdy(8, 0, 1, headers), spdy(0, 1, 1, b"x")]]:
            seed("spdy", bytes([kind, 7]) + b"".join(frames))
    for kind in [5, 7]:  # a client
        seed("spdy", bytes([kind, 7]) + spdy(2, 0, 1, b"") + spdy(0, 0, 1, b"answer") + spdy(0, 1, 1, b"") + spdy(2, 0, 3, b""))
        seed("spdy", bytes([kind, 3]) + spdy(2, 1, 1, b"a=b") + spdy(3, 0, 1, number(1, 4)))
    seed("spdy", bytes([0, 0]) + headers)
    seed("spdy", bytes([0, 0]) + zlib.compress(b"\0\0\0\1\0\0\0\1a\0\0\0\1b"))
    seed("spdy", bytes([2, 5]) + b"\x80\3\0\1\0\0\0\x0a" + number(1, 4) + bytes(6) + b"\0\0\0\1\0\0\0\1x")


def dns():
    question = b"\3www\7example\3com\0" + b"\0\1\0\1"
    head = lambda *counts: b"\x12\x34\x01\0" + b"".join(number(c, 2) for c in counts)
    seed("dns", head(1, 0, 0, 0) + question)
    seed("dns", head(1, 1, 0, 1) + question + b"\xc0\x0c\0\1\0\1\0\0\0\x1e\0\4\1\2\3\4" + b"\0\0\x29\x10\0\0\0\0\0\0\0")
    seed("dns", head(1, 1, 0, 0) + question + b"\xc0\x10\0\x21\0\1\0\0\0\x1e\0\x09\0\1\0\2\0\x50\1a\xc0\x0c")


for part in [codecs, objects, patches, applies, texts, certificates, http, streams, dns]:
    part()
