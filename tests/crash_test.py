#!/usr/bin/env python3
"""kill -9 in a write storm, round after round on one directory: nothing acknowledged is lost, revisions are never used
twice, and watches go on where they were.   crash_test.py SKIFF
SKIFF_CRASH_ROUNDS=100 for the full proof, SKIFF_CRASH_SEED to repeat a run's choices."""
import contextlib
import http.client
import json
import os
import random
import signal
import sys
import threading
import time
import unittest

from harness import ApiServer

BINARY = sys.argv.pop(1)
CONFIGMAPS = "/api/v1/namespaces/storm/configmaps"
ROUNDS = int(os.environ.get("SKIFF_CRASH_ROUNDS", "5"))
SEED = int(os.environ.get("SKIFF_CRASH_SEED", str(random.randrange(1 << 32))))
WRITERS, WATCHERS, KEYS = 6, 4, 20
GONE_CONNECTION = (OSError, http.client.HTTPException)


def version(obj):
    return int(obj["metadata"]["resourceVersion"])


def config_map(name, value, resource_version=None):
    made = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": {"v": value}}
    if resource_version is not None:
        made["metadata"]["resourceVersion"] = str(resource_version)
    return made


class Faults:
    """What went wrong, from any thread."""

    def __init__(self):
        self.found = []

    def add(self, *words):
        self.found.append(" ".join(str(w) for w in words))


class Writer:
    """Owns some names, writes them one request at a time, and knows what the server has acknowledged of each."""

    def __init__(self, number, server, faults):
        self.number, self.server, self.faults = number, server, faults
        self.rng = random.Random(SEED * 1000 + number)
        self.state = {}    # name -> (revision, value), as acknowledged
        self.doubt = None  # (name, value wanted; None: its deletion): sent, not answered
        self.revisions = {}  # revision -> name, of acknowledged creates and updates
        self.deleted = 0
        self.count = 0

    def storm(self, stop):
        with contextlib.closing(self.server.connection()) as connection:
            while not stop.is_set():
                try:
                    self.step(connection, f"w{self.number}-{self.rng.randrange(KEYS)}")
                except GONE_CONNECTION:
                    return

    def step(self, connection, name):
        self.count += 1
        value = f"{self.number}.{self.count}." + "x" * self.rng.randrange(400)
        known = self.state.get(name)
        send = lambda *request: self.server.request(*request, connection=connection)
        if known is None:
            self.doubt = (name, value)
            status, answer = send("POST", CONFIGMAPS, config_map(name, value))
            wanted = 201
        elif self.rng.random() < 0.2:
            self.doubt = (name, None)
            status, answer = send("DELETE", f"{CONFIGMAPS}/{name}")
            wanted = 200
        else:
            self.doubt = (name, value)
            status, answer = send("PUT", f"{CONFIGMAPS}/{name}", config_map(name, value, known[0]))
            wanted = 200
        if status != wanted:
            if status != 503:  # said by a server that is about to end
                self.faults.add("unexpected answer", status, answer)
            raise OSError("not acknowledged")
        if self.doubt[1] is None:
            del self.state[name]
            self.deleted += 1
        else:
            self.state[name] = (version(answer), value)
            self.revisions[version(answer)] = name
        self.doubt = None

    def check(self, listed):
        """The server's state against what it has acknowledged; what was in doubt is decided by it."""
        doubted, wanted = self.doubt or (None, None)
        self.doubt = None
        for name in [f"w{self.number}-{i}" for i in range(KEYS)]:
            there, known = listed.get(name), self.state.get(name)
            if there == known:
                continue
            if name != doubted:
                self.faults.add(f"{name} was acknowledged as {known} and is {there}")
            elif there is not None and there[1] == wanted:
                if known and there[0] <= known[0]:
                    self.faults.add(f"{name}: revision {there[0]} after {known[0]}")
                self.revisions[there[0]] = name
            elif there is not None or wanted is not None:
                self.faults.add(f"{name} is {there}, neither {known} nor {wanted}")
            if there is None:
                self.state.pop(name, None)
            else:
                self.state[name] = there


class Watcher:
    """Follows all names over every crash, as an informer does: list, watch, resume, and list again only when told to."""

    def __init__(self, number, server, faults):
        self.server, self.faults = server, faults
        self.timeout = 1 if number == 0 else 3600  # one that has to resume all the time
        self.last = None     # resourceVersion to go on from
        self.state = {}      # name -> (revision, value)
        self.events = {}     # revision -> (type, name)
        self.covered = []    # [from, to] revisions whose events must all be in `events`
        self.resumed = self.relisted = 0
        self.server_up = threading.Event()
        self.stop = threading.Event()
        self.thread = threading.Thread(target=self.run)

    def run(self):
        while not self.stop.is_set():
            self.server_up.wait()
            try:
                if self.last is None:
                    self.list()
                self.follow()
            except GONE_CONNECTION:
                time.sleep(0.005)
            except Exception as e:  # a broken answer is a fault of the server
                self.faults.add("watch:", repr(e))
                return

    def list(self):
        status, listed = self.server.request("GET", CONFIGMAPS)
        if status != 200:
            raise OSError(listed)
        self.state = {o["metadata"]["name"]: (version(o), o["data"]["v"]) for o in listed["items"]}
        self.last = version(listed)
        self.covered.append([self.last, self.last])

    def follow(self):
        with contextlib.closing(self.server.connection()) as connection:
            connection.request("GET", f"{CONFIGMAPS}?watch=1&resourceVersion={self.last}&allowWatchBookmarks=true"
                                      f"&timeoutSeconds={self.timeout}", headers={"Authorization": "Bearer admintoken"})
            with connection.getresponse() as answer:
                if answer.status == 410:
                    return self.expire()
                if answer.status != 200:
                    raise OSError(answer.status)
                self.resumed += 1
                for line in answer:
                    if not line.endswith(b"\n"):
                        return  # cut in the middle: not an event
                    event = json.loads(line)
                    if event["type"] == "ERROR":
                        if event["object"].get("code") == 410:
                            return self.expire()
                        raise OSError(event)
                    self.take(event["type"], event["object"])

    def expire(self):
        self.relisted += 1
        self.last = None

    def take(self, kind, obj):
        revision = version(obj)
        if kind == "BOOKMARK":
            if revision < self.last:
                self.faults.add(f"bookmark {revision} after {self.last}")
            self.last = self.covered[-1][1] = revision
            return
        name = obj["metadata"]["name"]
        if revision <= self.last:
            self.faults.add(f"event {kind} {name} of {revision} after {self.last}")
        if (kind == "ADDED") == (name in self.state):
            self.faults.add(f"event {kind} {name} of {revision}, before it {self.state.get(name)}")
        if kind == "DELETED":
            self.state.pop(name, None)
        else:
            self.state[name] = (revision, obj["data"]["v"])
        self.events[revision] = (kind, name)
        self.last = self.covered[-1][1] = revision

    def covers(self, revision):
        return any(first < revision <= last for first, last in self.covered)


class Crash(unittest.TestCase):
    def test_a_write_storm_survives_kill_9(self):
        rng = random.Random(SEED)
        faults = Faults()
        with ApiServer(BINARY) as server:
            self.assertIn(server.request("POST", "/api/v1/namespaces", {"metadata": {"name": "storm"}})[0], (201, 409))
            writers = [Writer(i, server, faults) for i in range(WRITERS)]
            watchers = [Watcher(i, server, faults) for i in range(WATCHERS)]
            for w in watchers:
                w.server_up.set()
                w.thread.start()
            highest = 0
            try:
                for turn in range(ROUNDS):
                    self.storm(server, writers, watchers, rng)
                    highest = self.check(server, writers, watchers, faults, highest, turn)
                    self.assertEqual(faults.found[:5], [], f"round {turn}, seed {SEED}")
            finally:
                for w in watchers:
                    w.stop.set()
                    w.server_up.set()
                server.stop()
                for w in watchers:
                    w.thread.join()
            self.assertEqual([w.relisted for w in watchers], [0] * WATCHERS, "a watch was told to list again")
            writes = sum(len(w.revisions) + w.deleted for w in writers)
            print(f"{ROUNDS} rounds, {writes} writes acknowledged, {sum(len(w.events) for w in watchers)} events seen by "
                  f"{WATCHERS} watchers, {sum(w.resumed for w in watchers)} watches",
                  flush=True)

    def storm(self, server, writers, watchers, rng):
        stop = threading.Event()
        threads = [threading.Thread(target=w.storm, args=(stop,)) for w in writers]
        for t in threads:
            t.start()
        time.sleep(rng.uniform(0.1, 0.9))
        for w in watchers:
            w.server_up.clear()
        server.stop(signal.SIGKILL)
        stop.set()
        for t in threads:
            t.join()
        server.start()
        for w in watchers:
            w.server_up.set()

    def check(self, server, writers, watchers, faults, highest, turn):
        status, listed = server.request("GET", CONFIGMAPS)
        self.assertEqual(status, 200, listed)
        there = {o["metadata"]["name"]: (version(o), o["data"]["v"]) for o in listed["items"]}
        for w in writers:
            w.check(there)
        acknowledged = [r for w in writers for r in w.revisions]
        self.assertEqual(len(acknowledged), len(set(acknowledged)), "two writes have one revision")
        seen = max([*acknowledged, *(r for w in watchers for r in list(w.events)), highest])
        self.assertGreaterEqual(version(listed), seen, "the store went back")
        # What comes now is newer than all that was ever seen.
        status, fence = server.request("POST", CONFIGMAPS, config_map(f"fence-{turn}", "x"))
        self.assertEqual(status, 201, fence)
        self.assertGreater(version(fence), seen)
        there[f"fence-{turn}"] = (version(fence), "x")
        deadline = time.monotonic() + 20
        for w in watchers:
            while (w.last or 0) < version(fence) and time.monotonic() < deadline and w.thread.is_alive():
                time.sleep(0.002)
            self.assertGreaterEqual(w.last or 0, version(fence), f"a watch does not go on; faults: {faults.found[:5]}")
            if w.state != there:
                wrong = {n: (w.state.get(n), there.get(n)) for n in {*w.state, *there} if w.state.get(n) != there.get(n)}
                faults.add("a watcher's state differs:", dict(list(wrong.items())[:3]))
            missed = [r for r in acknowledged if w.covers(r) and r not in w.events]
            if missed:
                faults.add("a watcher missed the events of", missed[:10])
        for revision in {r for w in watchers for r in list(w.events)}:
            told = {w.events[revision] for w in watchers if revision in w.events}
            if len(told) > 1 or any(w.covers(revision) and revision not in w.events for w in watchers):
                faults.add(f"watchers disagree about revision {revision}: {told}")
        return version(fence)

    def test_what_happened_before_the_crash_can_be_watched_after_it(self):
        path = "/api/v1/namespaces/default/configmaps"
        with ApiServer(BINARY) as server:
            first = server.request("POST", path, config_map("first", "1"))[1]
            server.request("POST", path, config_map("second", "1"))
            server.request("PUT", f"{path}/first", config_map("first", "2"))
            server.request("DELETE", f"{path}/second")
            for _ in range(3):
                server.stop(signal.SIGKILL)
                server.start()
                watched = server.watch(f"{path}?resourceVersion={version(first)}", timeout=1)
                events = [(e["type"], e["object"]["metadata"]["name"]) for e in watched]
                self.assertEqual([e for e in events if e[1] in ("first", "second")],
                                 [("ADDED", "second"), ("MODIFIED", "first"), ("DELETED", "second")])


if __name__ == "__main__":
    unittest.main(verbosity=2)
