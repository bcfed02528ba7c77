"""A real skiff in a directory of its own, for tests with real processes. Standard library only."""
import base64
import http.client
import json
import os
import re
import shutil
import signal
import socket
import ssl
import subprocess
import tempfile
import time


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Skiff:
    """skiff up in a temporary data directory; `args` such as ["--no-node"]."""

    def __init__(self, binary, args=("--no-node",)):
        self.binary, self.args = binary, list(args)
        self.dir = tempfile.mkdtemp(prefix="skiff-test-")
        self.port = free_port()
        self.tokens = os.path.join(self.dir, "tokens")
        with open(self.tokens, "w") as f:
            f.write('admintoken,admin,admin,"system:masters"\nusertoken,nobody,nobody\n')
        self.process = None

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *exc):
        self.stop()
        if self.command()[0] == "up" and "--no-node" not in self.args:
            subprocess.run([self.binary, "down", "--data-dir", self.dir], timeout=120)
        shutil.rmtree(self.dir, ignore_errors=True)

    def command(self):
        return ["up", "--data-dir", self.dir, "--api-port", str(self.port), "--token-auth-file", self.tokens]

    def complete(self):
        return os.path.exists(self.kubeconfig)

    def start(self):
        self.log = open(os.path.join(self.dir, "skiff.log"), "a")
        self.process = subprocess.Popen([self.binary, *self.command(), *self.args], stdout=self.log, stderr=subprocess.STDOUT)
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                raise RuntimeError("skiff ended at start:\n" + self.log_text()[-3000:])
            try:
                if self.request("GET", "/readyz")[0] == 200 and self.complete():
                    return
            except OSError:
                pass
            time.sleep(0.02)
        raise RuntimeError("skiff is not ready:\n" + self.log_text()[-3000:])

    def stop(self, sig=signal.SIGTERM):
        if self.process and self.process.poll() is None:
            self.process.send_signal(sig)
            self.process.wait(60)
        self.log.close()
        return self.process.returncode

    def log_text(self):
        with open(os.path.join(self.dir, "skiff.log")) as f:
            return f.read()

    @property
    def kubeconfig(self):
        return os.path.join(self.dir, "admin.kubeconfig")

    def memory_kib(self):
        with open(f"/proc/{self.process.pid}/status") as f:
            return int(re.search(r"VmRSS:\s+(\d+)", f.read())[1])

    def connection(self):
        context = ssl._create_unverified_context()
        return http.client.HTTPSConnection("127.0.0.1", self.port, context=context, timeout=30)

    def request(self, method, path, body=None, headers=None, token="admintoken", connection=None):
        """(status, parsed JSON or text)"""
        c = connection or self.connection()
        headers = {"Authorization": f"Bearer {token}", **(headers or {})}
        if body is not None and not isinstance(body, (bytes, str)):
            body = json.dumps(body)
            headers.setdefault("Content-Type", "application/json")
        try:
            c.request(method, path, body, headers)
            with c.getresponse() as answer:
                text = answer.read().decode("utf-8", "replace")
        finally:
            if connection is None:
                c.close()
        try:
            return answer.status, json.loads(text)
        except ValueError:
            return answer.status, text

    def watch(self, path, timeout=5):
        """Events until the server ends the watch after `timeout` seconds."""
        c = self.connection()
        c.request("GET", f"{path}{'&' if '?' in path else '?'}watch=true&timeoutSeconds={timeout}",
                  headers={"Authorization": "Bearer admintoken"})
        answer = c.getresponse()
        for line in answer:
            yield json.loads(line)
        c.close()

    def kubectl(self, *args, input=None, check=True, timeout=120):
        p = subprocess.run([self.binary, "kubectl", *args], env={**os.environ, "KUBECONFIG": self.kubeconfig},
                           input=input, capture_output=True, text=True, timeout=timeout)
        if check and p.returncode != 0:
            raise AssertionError(f"kubectl {' '.join(args)}: {p.returncode}\n{p.stdout}{p.stderr}")
        return p.stdout if check else p


class ApiServer(Skiff):
    """skiff apiserver alone: nobody writes but its clients, and it itself at its start."""

    def __init__(self, binary, args=()):
        super().__init__(binary, args)

    def command(self):
        return ["apiserver", "--data-dir", self.dir, "--bind-address", "127.0.0.1", "--secure-port", str(self.port),
                "--token-auth-file", self.tokens]

    def complete(self):
        return True


def eventually(check, timeout=30, step=0.05):
    """The first truthy value of check(); AssertionError when the time is over."""
    deadline = time.monotonic() + timeout
    while True:
        value = check()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {timeout} s: {check}")
        time.sleep(step)


def b64(text):
    return base64.b64encode(text.encode()).decode()
