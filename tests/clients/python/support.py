"""What the tests of the Python clients share."""
import os
import time
import unittest

from kubernetes import client
from kubernetes.client.exceptions import ApiException

IMAGE = os.environ.get("TEST_IMAGE", "")


def eventually(check, timeout=60, step=0.05):
    end = time.monotonic() + timeout
    while not (value := check()):
        if time.monotonic() > end:
            raise AssertionError(f"not within {timeout} s")
        time.sleep(step)
    return value


def found(call, *args):
    try:
        return call(*args)
    except ApiException as e:
        if e.status != 404:
            raise


class Namespaced(unittest.TestCase):
    """A namespace for each class of tests."""

    @classmethod
    def setUpClass(cls):
        core = client.CoreV1Api()
        cls.ns = core.create_namespace(client.V1Namespace(metadata=client.V1ObjectMeta(generate_name="py-"))).metadata.name
        eventually(lambda: found(core.read_namespaced_service_account, "default", cls.ns))

    @classmethod
    def tearDownClass(cls):
        client.CoreV1Api().delete_namespace(cls.ns)
