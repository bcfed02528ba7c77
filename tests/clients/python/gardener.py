"""An operator on kopf: a plot gets a ConfigMap, tells of it in its status, and cleans up behind its finalizer."""
import kopf
import kubernetes

kubernetes.config.load_kube_config()


@kopf.on.create("clients.example.com", "v1", "plots")
@kopf.on.update("clients.example.com", "v1", "plots", field="spec")
def plant(spec, name, namespace, **_):
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": {"crop": spec.get("crop", "none")}}
    kopf.adopt(body)
    kubernetes.client.CoreV1Api().patch_namespaced_config_map(
        name, namespace, body, field_manager="gardener", force=True, _content_type="application/apply-patch+yaml")
    return {"planted": spec.get("crop")}


@kopf.on.delete("clients.example.com", "v1", "plots")
def clear(name, namespace, **_):
    kubernetes.client.CoreV1Api().create_namespaced_config_map(
        namespace, {"metadata": {"name": f"{name}-cleared"}})
