#!/usr/bin/env python3
"""A real control plane among strangers: a storm of malformed requests ends in clear answers, never in a crash, a 500, or
memory that grows.   hostile_test.py SKIFF
SKIFF_HOSTILE_REQUESTS=1000000 for the full proof, SKIFF_HOSTILE_SEED for other requests."""
import collections
import multiprocessing
import os
import random
import socket
import ssl
import sys
import time
import unittest

import hostile_requests
from harness import Skiff

BINARY = sys.argv.pop(1)
REQUESTS = int(os.environ.get("SKIFF_HOSTILE_REQUESTS", "10000"))
SEED = int(os.environ.get("SKIFF_HOSTILE_SEED", "7"))
WORKERS = int(os.environ.get("SKIFF_HOSTILE_WORKERS", "2"))
WINDOW = 8  # requests on their way at once on a connection
KEPT_MIB = 64  # what a storm of garbage may leave behind: allocators keep some, and so does the history of watches

# 503 and 504 are right where a request is for somebody who is not there.
AWAY = ("/proxy", "/log", "/exec", "/attach", "/portforward")


def open_connection(port, alpn=None):
    context = ssl._create_unverified_context()
    if alpn:
        context.set_alpn_protocols([alpn])
    return context.wrap_socket(socket.create_connection(("127.0.0.1", port), timeout=60))


class Connection:
    """HTTP/1.1 by hand: whatever is asked is sent, answers are read as far as their framing says."""

    def __init__(self, port):
        self.port, self.tls, self.buffer = port, open_connection(port), b""

    def close(self):
        self.tls.close()

    def fill(self):
        more = self.tls.recv(65536)
        if not more:
            raise ConnectionError("closed")
        self.buffer += more

    def line_end(self, mark, start=0):
        while (at := self.buffer.find(mark, start)) < 0:
            self.fill()
        return at

    def drop(self, count):
        while len(self.buffer) < count:
            self.fill()
        self.buffer = self.buffer[count:]

    def answer(self, method):
        """(status, first bytes of the body, whether the connection goes on)"""
        end = self.line_end(b"\r\n\r\n")
        head = self.buffer[:end].lower()
        self.drop(end + 4)
        status = int(head[9:12])
        if status == 100:
            return self.answer(method)
        open_ = b"\r\nconnection: close" not in head and status != 101
        if method == "HEAD" or status in (101, 204, 304):
            return status, b"", open_
        if b"\r\ntransfer-encoding: chunked" in head:
            first = b""
            while True:
                end = self.line_end(b"\r\n")
                size = int(self.buffer[:end], 16)
                while len(self.buffer) < end + 4 + size:
                    self.fill()
                first = first or self.buffer[end + 2:end + 2 + min(size, 500)]
                self.drop(end + 4 + size)
                if size == 0:
                    return status, first, open_
        at = head.find(b"\r\ncontent-length:")
        size = int(head[at + 17:].split(b"\r\n", 1)[0]) if at >= 0 else 0
        while len(self.buffer) < size:
            self.fill()
        first = self.buffer[:min(size, 500)]
        self.drop(size)
        return status, first, open_


def encoded(rng, method, target, headers, body):
    lines = [f"{method} {target} HTTP/1.1", "Host: x", "Authorization: Bearer admintoken"]
    lines += [f"{name}: {value}" for name, value in headers]
    chunked = body and rng.random() < 0.05
    lines.append("Transfer-Encoding: chunked" if chunked else f"Content-Length: {len(body)}")
    if chunked:
        cut = rng.randrange(len(body) + 1)
        body = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in (body[:cut], body[cut:]) if part) + b"0\r\n\r\n"
    return "\r\n".join(lines).encode("utf-8", "surrogatepass") + b"\r\n\r\n" + body


def storm(port, seed, count, protobuf, results):
    """A worker: sends its requests, tells how they were answered and which answers are wrong."""
    generator = hostile_requests.Generator(seed, protobuf)
    rng = random.Random(seed + 1)
    statuses, bad = collections.Counter(), []
    connection, waiting = None, collections.deque()

    def receive():
        request = waiting[0]
        status, text, open_ = connection.answer(request[0])
        waiting.popleft()
        statuses[status] += 1
        away = status in (503, 504) and any(a in request[1] for a in AWAY)
        if status >= 500 and not away:
            bad.append((status, request[0], request[1][:200], request[2], request[3][:2000], text))
        if not open_:
            raise ConnectionError("closed")

    for _ in range(count):
        if len(bad) >= 20:
            break
        request = generator.request()
        try:
            if connection is None:
                connection = Connection(port)
            connection.tls.sendall(encoded(rng, *request))
            waiting.append(request)
            if len(waiting) >= WINDOW:
                receive()
        except (OSError, ValueError) as error:
            statuses["closed" if not isinstance(error, TimeoutError) else "timeout"] += 1
            if isinstance(error, TimeoutError):
                bad.append(("no answer", *waiting[0]))
            if connection:
                connection.close()
            connection = None
            waiting.clear()
    try:
        while waiting:
            receive()
    except (OSError, ValueError):
        pass
    if connection:
        connection.close()
    results.put((statuses, bad))


class Hostile(unittest.TestCase):
    def test_malformed_requests_get_clear_answers(self):
        print(f"seed {SEED}", flush=True)
        with Skiff(BINARY) as server:
            protobuf = self.prepare(server)
            warm = max(4000, REQUESTS // 10)  # every path has been taken, and its buffers grown
            self.run_storm(server, warm, protobuf, SEED)
            before = server.memory_kib() / 1024
            start = time.monotonic()
            statuses = self.run_storm(server, REQUESTS - warm, protobuf, SEED + 1000)
            took = time.monotonic() - start
            self.assertEqual(server.request("GET", "/readyz")[0], 200)
            time.sleep(1)
            after = server.memory_kib() / 1024
            print(f"{REQUESTS} malformed requests, {(REQUESTS - warm) / took:.0f} a second: {before:.0f} MiB after {warm}, {after:.0f} MiB at the end; "
                  + ", ".join(f"{n} of {s}" for s, n in statuses.most_common()), flush=True)
            self.assertEqual(statuses["timeout"], 0)
            if not os.environ.get("SKIFF_SANITIZED"):  # a sanitizer keeps what was freed on purpose
                self.assertLess(after - before, KEPT_MIB)

    def prepare(self, server):
        """The custom resource, objects named x, and their protobuf."""
        crds = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
        self.assertEqual(server.request("POST", crds, hostile_requests.BOATS)[0], 201)
        protobuf = {}
        for api_version, resource, namespaced, kind, rest in hostile_requests.KINDS:
            path = ("/apis/" if "/" in api_version else "/api/") + api_version
            path += f"/namespaces/default/{resource}" if namespaced else f"/{resource}"
            wide = any(w in path for w in hostile_requests.WIDE)
            made = {"apiVersion": api_version, "kind": kind, "metadata": {"name": "x"}, **rest}
            connection = server.connection()
            connection.request("POST", path + ("?dryRun=All" if wide else ""), hostile_requests.json.dumps(made),
                               {"Authorization": "Bearer admintoken", "Content-Type": "application/json",
                                "Accept": "application/vnd.kubernetes.protobuf, application/json"})
            answer = connection.getresponse()
            data = answer.read()
            if answer.status in (200, 201) and data.startswith(b"k8s\0"):
                protobuf[kind] = data
            connection.close()
        self.assertGreater(len(protobuf), 30)
        return protobuf

    def run_storm(self, server, count, protobuf, seed):
        results = multiprocessing.Queue()
        workers = [multiprocessing.Process(target=storm, args=(server.port, seed + i * 7, count // WORKERS, protobuf, results))
                   for i in range(WORKERS)]
        for w in workers:
            w.start()
        statuses, bad = collections.Counter(), []
        for _ in workers:
            counted, found = results.get(timeout=3600)
            statuses += counted
            bad += found
        for w in workers:
            w.join()
        self.assertIsNone(server.process.poll(), f"skiff ended: {server.log_text()[-3000:]}")
        kinds = collections.Counter((b[0], b[1], str(b[-1])[:150]) for b in bad)
        self.assertEqual(bad[:3], [], f"{kinds.most_common(20)}")
        return statuses

    def test_broken_bytes_on_the_wire(self):
        rng = random.Random(SEED)
        valid = b"POST /api/v1/namespaces/default/configmaps?dryRun=All HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer admintoken\r\nContent-Length: 2\r\n\r\n{}"
        broken = [lambda: rng.randbytes(100), lambda: b"GET / HTTP/9.9\r\n\r\n",
                  lambda: b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + rng.randbytes(300), lambda: b"GET " + b"a" * 200000,
                  lambda: b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0" + b"".join(
                      len(p).to_bytes(3, "big") + bytes([rng.randrange(11), rng.randrange(64)]) + rng.randrange(6).to_bytes(4, "big") + p
                      for p in [rng.randbytes(rng.randrange(20)) for _ in range(30)]),
                  lambda: b"POST /api HTTP/1.1\r\nContent-Length: -5\r\n\r\n", lambda: b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffff\r\n",
                  lambda: valid.replace(b"Content-Length: 2", b"Content-Length: 2\r\nContent-Length: 3"),
                  lambda: valid.replace(b"\r\n", b"\n"), lambda: valid[:rng.randrange(len(valid))],
                  lambda: (lambda at: valid[:at] + rng.randbytes(2) + valid[at:])(rng.randrange(len(valid))),
                  lambda: b"GET /api/v1/pods?resourceVersion=999999999 HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer admintoken\r\n\r\n",
                  lambda: b"GET /api/v1/pods?watch=1&resourceVersion=999999999 HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer admintoken\r\n\r\n",
                  lambda: b"GET /api/v1/pods?watch=1 HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer admintoken\r\n\r\n",
                  lambda: b"GET /api/v1/namespaces/default/pods/x/exec?command=a HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer admintoken\r\n"
                          b"Connection: Upgrade\r\nUpgrade: SPDY/3.1\r\n\r\n" + rng.randbytes(50)]
        with Skiff(BINARY) as server:
            for _ in range(max(200, REQUESTS // 1000)):
                with open_connection(server.port, rng.choice([None, "h2"])) as tls:
                    try:
                        tls.sendall(rng.choice(broken)())
                        if rng.random() < 0.2:
                            tls.settimeout(0.02)
                            tls.recv(1000)
                    except OSError:
                        pass
            self.assertEqual(server.request("GET", "/readyz")[0], 200)


if __name__ == "__main__":
    unittest.main(verbosity=2)
