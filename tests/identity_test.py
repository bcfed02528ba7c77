#!/usr/bin/env python3
"""Who asks, may they, and what lies on the disk: a real API server with issuers, webhooks and encryption.   identity_test.py SKIFF"""
import base64
import http.server
import json
import os
import ssl
import subprocess
import sys
import tempfile
import threading
import time
import unittest

from harness import Skiff, eventually

BINARY = sys.argv.pop(1)
SECRETS = "/api/v1/namespaces/default/secrets"
REVIEW = "/apis/authentication.k8s.io/v1/selfsubjectreviews"
SELF_REVIEW = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}


def openssl(*args, data=None):
    return subprocess.run(["openssl", *args], input=data, capture_output=True, check=True).stdout


def base64url(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


class TlsServer:
    """An HTTPS server of one handler: handle(method, path, body) -> JSON value."""

    def __init__(self, directory, handle):
        self.cert, key = os.path.join(directory, "server.crt"), os.path.join(directory, "server.key")
        openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", self.cert, "-days", "2", "-subj", "/CN=127.0.0.1",
                "-addext", "subjectAltName=IP:127.0.0.1")

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def answer(self):
                body = self.rfile.read(int(self.headers.get("content-length") or 0))
                value = json.dumps(handle(self.command, self.path, json.loads(body) if body else None)).encode()
                self.send_response(200)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(value)))
                self.end_headers()
                self.wfile.write(value)

            do_GET = do_POST = answer

            def log_message(self, *args):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.cert, key)
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        self.url = f"https://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()


class Issuer(TlsServer):
    def __init__(self, directory):
        self.key = os.path.join(directory, "issuer.key")
        openssl("genrsa", "-out", self.key, "2048")
        modulus = openssl("rsa", "-in", self.key, "-noout", "-modulus").decode().strip().split("=")[1]
        self.jwk = {"kty": "RSA", "use": "sig", "kid": "k1", "alg": "RS256", "e": "AQAB", "n": base64url(bytes.fromhex(modulus))}
        super().__init__(directory, self.handle)

    def handle(self, _method, path, _body):
        if path == "/.well-known/openid-configuration":
            return {"issuer": self.url, "jwks_uri": self.url + "/keys"}
        return {"keys": [self.jwk]}

    def token(self, **claims):
        claims = {"iss": self.url, "aud": "skiff", "exp": int(time.time()) + 600, **claims}
        text = ".".join(base64url(json.dumps(part).encode()) for part in ({"alg": "RS256", "kid": "k1"}, claims))
        return text + "." + base64url(openssl("dgst", "-sha256", "-sign", self.key, data=text.encode()))


def indent(text, by):
    return "".join(" " * by + line + "\n" for line in text.splitlines())


class Identity(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.dir = tempfile.TemporaryDirectory(prefix="skiff-identity-")
        cls.issuer = Issuer(cls.dir.name)
        cls.reviews = []
        hooks = os.path.join(cls.dir.name, "hook")
        os.mkdir(hooks)
        cls.hook = TlsServer(hooks, cls.review)
        with open(cls.issuer.cert) as f:
            ca = indent(f.read(), 6)
        cls.authentication = cls.write("authentication.yaml", f"""apiVersion: apiserver.config.k8s.io/v1
kind: AuthenticationConfiguration
jwt:
- issuer:
    url: {cls.issuer.url}
    audiences: [skiff]
    certificateAuthority: |
{ca}  claimMappings:
    username: {{expression: '"idp:" + claims.sub'}}
    groups: {{claim: groups, prefix: 'idp:'}}
  userValidationRules:
  - {{expression: "user.username != 'idp:mallory'", message: not her}}
""")
        kubeconfig = cls.write("hook.kubeconfig", f"""apiVersion: v1
kind: Config
clusters: [{{name: a, cluster: {{server: "{cls.hook.url}/review", certificate-authority: {cls.hook.cert}}}}}]
users: [{{name: a, user: {{}}}}]
contexts: [{{name: a, context: {{cluster: a, user: a}}}}]
current-context: a
""")
        authorization = cls.write("authorization.yaml", f"""apiVersion: apiserver.config.k8s.io/v1
kind: AuthorizationConfiguration
authorizers:
- {{type: Node, name: node}}
- {{type: RBAC, name: rbac}}
- type: Webhook
  name: hook
  webhook:
    timeout: 3s
    subjectAccessReviewVersion: v1
    matchConditionSubjectAccessReviewVersion: v1
    failurePolicy: NoOpinion
    connectionInfo: {{type: KubeConfigFile, kubeConfigFile: {kubeconfig}}}
    matchConditions: [{{expression: "request.user.startsWith('idp:')"}}]
""")
        cls.skiff = Skiff(BINARY, ["--no-node", "--authentication-config", cls.authentication, "--authorization-config", authorization])
        cls.skiff.start()

    @classmethod
    def tearDownClass(cls):
        cls.skiff.stop()
        cls.issuer.close()
        cls.hook.close()
        cls.dir.cleanup()

    @classmethod
    def write(cls, name, text):
        path = os.path.join(cls.dir.name, name)
        with open(path + ".new", "w") as f:
            f.write(text)
        os.rename(path + ".new", path)
        return path

    @classmethod
    def review(cls, _method, _path, review):
        spec = review["spec"]
        cls.reviews.append(spec)
        allowed = "idp:readers" in spec.get("groups", []) and spec.get("resourceAttributes", {}).get("verb") == "list"
        return {"apiVersion": review["apiVersion"], "kind": review["kind"], "status": {"allowed": allowed}}

    def test_a_token_of_an_issuer_names_a_user(self):
        token = self.issuer.token(sub="ann", groups=["dev"])
        status, review = self.skiff.request("POST", REVIEW, SELF_REVIEW, token=token)
        self.assertEqual(status, 201, review)
        self.assertEqual(review["status"]["userInfo"], {"username": "idp:ann", "groups": ["idp:dev", "system:authenticated"]})
        self.assertEqual(self.skiff.request("POST", REVIEW, SELF_REVIEW, token=self.issuer.token(sub="mallory"))[0], 401)
        self.assertEqual(self.skiff.request("POST", REVIEW, SELF_REVIEW, token=self.issuer.token(sub="ann", aud="other"))[0], 401)
        self.assertEqual(self.skiff.request("POST", REVIEW, SELF_REVIEW, token=token[:-8] + "AAAAAAAA")[0], 401)

    def test_a_webhook_decides_what_rbac_does_not(self):
        reader = self.issuer.token(sub="bob", groups=["readers"])
        self.assertEqual(self.skiff.request("GET", SECRETS, token=reader)[0], 200)
        status, refused = self.skiff.request("GET", SECRETS + "/x", token=reader)
        self.assertEqual((status, refused["message"]), (403, 'secrets "x" is forbidden: User "idp:bob" cannot get resource "secrets" '
                                                             'in API group "" in the namespace "default"'))
        asked = len(self.reviews)
        self.assertEqual(self.skiff.request("GET", SECRETS, token=reader)[0], 200)
        self.assertEqual(len(self.reviews), asked, "the answer is kept")
        self.assertEqual(self.skiff.request("GET", SECRETS, token="usertoken")[0], 403)
        self.assertEqual(len(self.reviews), asked, "the match condition keeps it from being asked")

    def test_a_changed_configuration_is_applied(self):
        token = self.issuer.token(sub="carl")
        with open(self.authentication) as f:
            before = f.read()
        self.write("authentication.yaml", before.replace("idp:mallory", "idp:carl"))
        eventually(lambda: self.skiff.request("POST", REVIEW, SELF_REVIEW, token=token)[0] == 401)
        self.write("authentication.yaml", before)
        eventually(lambda: self.skiff.request("POST", REVIEW, SELF_REVIEW, token=token)[0] == 201)

    def test_bootstrap_tokens(self):
        data = {"token-id": "abcdef", "token-secret": "0123456789abcdef", "usage-bootstrap-authentication": "true",
                "auth-extra-groups": "system:bootstrappers:workers"}
        made = self.skiff.request("POST", "/api/v1/namespaces/kube-system/secrets",
                                  {"metadata": {"name": "bootstrap-token-abcdef"}, "type": "bootstrap.kubernetes.io/token", "stringData": data})
        self.assertEqual(made[0], 201, made)
        status, review = self.skiff.request("POST", REVIEW, SELF_REVIEW, token="abcdef.0123456789abcdef")
        self.assertEqual(status, 201, review)
        self.assertEqual(review["status"]["userInfo"]["username"], "system:bootstrap:abcdef")
        self.assertEqual(self.skiff.request("DELETE", "/api/v1/namespaces/kube-system/secrets/bootstrap-token-abcdef")[0], 200)
        self.assertEqual(self.skiff.request("POST", REVIEW, SELF_REVIEW, token="abcdef.0123456789abcdef")[0], 401)

    def test_impersonation_can_be_confined(self):
        rbac = "/apis/rbac.authorization.k8s.io/v1/"
        rules = [{"apiGroups": ["authentication.k8s.io"], "resources": ["users"], "resourceNames": ["bob"], "verbs": ["impersonate:user-info"]},
                 {"apiGroups": ["authentication.k8s.io"], "resources": ["selfsubjectreviews"], "verbs": ["impersonate-on:user-info:create"]}]
        self.assertEqual(self.skiff.request("POST", rbac + "clusterroles", {"metadata": {"name": "bobs"}, "rules": rules})[0], 201)
        self.assertEqual(self.skiff.request("POST", rbac + "clusterrolebindings", {
            "metadata": {"name": "bobs"}, "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "bobs"},
            "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "nobody"}]})[0], 201)
        status, review = self.skiff.request("POST", REVIEW, SELF_REVIEW, {"Impersonate-User": "bob"}, token="usertoken")
        self.assertEqual((status, review["status"]["userInfo"]["username"]), (201, "bob"))
        status, refused = self.skiff.request("GET", SECRETS, None, {"Impersonate-User": "bob"}, token="usertoken")
        self.assertEqual((status, refused["message"]), (403, 'secrets is forbidden: User "nobody" cannot impersonate-on:user-info:list '
                                                             'resource "secrets" in API group "" in the namespace "default"'))


class Encryption(unittest.TestCase):
    def test_secrets_are_encrypted_on_disk_and_migrate_to_a_new_key(self):
        with tempfile.TemporaryDirectory(prefix="skiff-encryption-") as directory:
            config = os.path.join(directory, "encryption.yaml")

            def write(*providers):
                with open(config + ".new", "w") as f:
                    f.write("apiVersion: apiserver.config.k8s.io/v1\nkind: EncryptionConfiguration\nresources:\n"
                            "- resources: [secrets]\n  providers:\n" + "".join(f"  - {p}\n" for p in providers))
                os.rename(config + ".new", config)

            def key(provider, name):
                secret = base64.b64encode(name.encode() * 8).decode()
                return f"{provider}: {{keys: [{{name: {name}, secret: {secret}}}]}}"

            write(key("aesgcm", "key1"), "identity: {}")
            skiff = Skiff(BINARY, ["--no-node", "--encryption-provider-config", config, "--encryption-provider-config-automatic-reload"])
            with skiff:
                def disk():
                    content = b""
                    for entry in os.scandir(os.path.join(skiff.dir, "store")):
                        with open(entry.path, "rb") as f:
                            content += f.read()
                    return content

                made = skiff.request("POST", SECRETS, {"metadata": {"name": "s"}, "stringData": {"a": "hunter2-in-the-clear"}})[1]
                self.assertNotIn(b"hunter2-in-the-clear", disk())
                self.assertIn(b"k8s:enc:aesgcm:v1:key1:", disk())
                self.assertEqual(skiff.request("GET", "/readyz/kms-providers")[0], 200)
                write(key("secretbox", "key2"), key("aesgcm", "key1"), "identity: {}")
                eventually(lambda: "Applied a changed file of configuration" in skiff.log_text())
                skiff.request("POST", "/apis/storagemigration.k8s.io/v1/storageversionmigrations",
                              {"metadata": {"name": "m"}, "spec": {"resource": {"group": "", "resource": "secrets"}}})

                def migrated():
                    answer = skiff.request("GET", "/apis/storagemigration.k8s.io/v1/storageversionmigrations/m")[1]
                    return any(c["type"] == "Succeeded" and c["status"] == "True" for c in answer.get("status", {}).get("conditions", []))
                eventually(migrated)
                now = skiff.request("GET", SECRETS + "/s")[1]
                self.assertNotEqual(now["metadata"]["resourceVersion"], made["metadata"]["resourceVersion"])
                # The old key is gone: all that is read was written with the new one.
                write(key("secretbox", "key2"))
                self.assertEqual(skiff.stop(), 0)
                skiff.start()
                self.assertEqual(skiff.request("GET", SECRETS + "/s")[1]["data"], now["data"])
                self.assertNotIn("cannot be decrypted", skiff.log_text())


if __name__ == "__main__":
    unittest.main()
