// MB/s of the codecs on a pod of usual size. One line a measurement: name, MB/s, ns a document.
#include <cstdio>
#include <ctime>
#include <string>

#include "codec/json.h"
#include "codec/wire.h"
#include "codec/yaml.h"

using namespace skiff::codec;

namespace {
constexpr double kSeconds = 1.0;  // per measurement

double cpuSeconds() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return double(now.tv_sec) + double(now.tv_nsec) * 1e-9;
}

template <class F>
void measure(const char* name, size_t bytes, F run) {
  size_t count = 0;
  double start = cpuSeconds(), used = 0;
  do {
    for (int i = 0; i < 100; ++i) run();
    count += 100;
    used = cpuSeconds() - start;
  } while (used < kSeconds);
  std::printf("%-24s %8.0f MB/s %10.0f ns\n", name, double(bytes) * double(count) / used / 1e6,
              used / double(count) * 1e9);
}

std::string samplePod() {
  std::string containers;
  for (int i = 0; i < 2; ++i) {
    std::string n = std::to_string(i);
    containers += (i ? "," : "") +
                  (R"({"name":"container-)" + n +
                   R"(","image":"registry.example.com/team/application:v1.2.3","command":["/bin/app","--listen=:8080","--log-level=info"],
"ports":[{"name":"http","containerPort":8080,"protocol":"TCP"}],"env":[{"name":"POD_NAME","valueFrom":{"fieldRef":{"apiVersion":"v1","fieldPath":"metadata.name"}}},{"name":"MODE","value":"production"}],
"resources":{"limits":{"cpu":"500m","memory":"256Mi"},"requests":{"cpu":"100m","memory":"128Mi"}},"volumeMounts":[{"name":"config","mountPath":"/etc/config","readOnly":true},{"name":"kube-api-access-x7k2p","readOnly":true,"mountPath":"/var/run/secrets/kubernetes.io/serviceaccount"}],
"livenessProbe":{"httpGet":{"path":"/healthz","port":8080,"scheme":"HTTP"},"initialDelaySeconds":10,"timeoutSeconds":1,"periodSeconds":10,"successThreshold":1,"failureThreshold":3},"terminationMessagePath":"/dev/termination-log","terminationMessagePolicy":"File","imagePullPolicy":"IfNotPresent"})");
  }
  return R"({"kind":"Pod","apiVersion":"v1","metadata":{"name":"web-6d4b75cb6d-x7k2p","generateName":"web-6d4b75cb6d-","namespace":"default","uid":"0f6d9a3e-5f2b-4c53-9a55-1a2b3c4d5e6f","resourceVersion":"123456","creationTimestamp":"2026-11-22T10:00:00Z","labels":{"app":"web","pod-template-hash":"6d4b75cb6d"},"ownerReferences":[{"apiVersion":"apps/v1","kind":"ReplicaSet","name":"web-6d4b75cb6d","uid":"6f5e4d3c-2b1a-4f5e-8d7c-9b8a7c6d5e4f","controller":true,"blockOwnerDeletion":true}]},"spec":{"volumes":[{"name":"config","configMap":{"name":"web-config","defaultMode":420}}],"containers":[)" +
         containers +
         R"(],"restartPolicy":"Always","terminationGracePeriodSeconds":30,"dnsPolicy":"ClusterFirst","serviceAccountName":"default","serviceAccount":"default","nodeName":"node-17","securityContext":{},"schedulerName":"default-scheduler","tolerations":[{"key":"node.kubernetes.io/not-ready","operator":"Exists","effect":"NoExecute","tolerationSeconds":300}],"priority":0,"enableServiceLinks":true},"status":{"phase":"Running","conditions":[{"type":"Ready","status":"True","lastProbeTime":null,"lastTransitionTime":"2026-11-22T10:00:05Z"}],"hostIP":"10.0.0.17","podIP":"10.244.17.3","startTime":"2026-11-22T10:00:00Z","qosClass":"Burstable"}})";
}

// A message of ten fields with a nested one: ends, tags and lengths.
std::string sampleMessage() {
  std::string out;
  for (uint32_t field = 1; field <= 10; ++field) {
    size_t mark = beginMessage(out, field);
    writeBytesField(out, 1, "app.kubernetes.io/name");
    writeVarintField(out, 2, field * 1000);
    endMessage(out, mark);
  }
  return out;
}
}  // namespace

int main() {
  std::string json = samplePod();
  Arena arena;
  Value pod = *parseJson(json, arena);
  std::string yaml = toYaml(pod), message = sampleMessage();
  std::printf("pod of %zu bytes\n", json.size());
  measure("json.parse.copy", json.size(), [&] {
    Arena own(8192);
    if (!parseJson(json, own).ok()) std::abort();
  });
  measure("json.parse.inplace", json.size(), [&] {
    Arena own(8192);
    if (!parseJson(json, own, {.copyStrings = false}).ok()) std::abort();
  });
  std::string out;
  measure("json.write", json.size(), [&] {
    out.clear();
    writeJson(out, pod);
  });
  measure("value.clone", json.size(), [&] {
    Arena own(8192);
    if (!pod.clone(own).isMap()) std::abort();
  });
  measure("yaml.parse", yaml.size(), [&] {
    Arena own(8192);
    if (!parseYaml(yaml, own).ok()) std::abort();
  });
  measure("yaml.write", yaml.size(), [&] { out = toYaml(pod); });
  measure("wire.read", message.size(), [&] {
    WireReader reader(message);
    while (reader.next()) {
      WireReader inner(reader.bytes());
      while (inner.next()) {
      }
    }
    if (reader.failed()) std::abort();
  });
  measure("wire.write", message.size(), [&] { out = sampleMessage(); });
}
