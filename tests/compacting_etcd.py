#!/usr/bin/env python3
"""Stands where replay.py expects an etcd to compact, before a store that forgets by age: compacting is waiting until
everything so far is too old.   compacting_etcd.py PORT AGE-SECONDS"""
import http.server
import json
import sys
import time

PORT, AGE = int(sys.argv[1]), float(sys.argv[2])


class Etcd(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        if self.path == "/v3/kv/compaction":
            time.sleep(AGE)
        body = json.dumps({"header": {"revision": "1"}}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


http.server.ThreadingHTTPServer(("127.0.0.1", PORT), Etcd).serve_forever()
