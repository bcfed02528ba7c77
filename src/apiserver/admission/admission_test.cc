#include <doctest/doctest.h>

#include "apiserver/admission/plugins.h"
#include "apiserver/auth/fake_cluster.h"

namespace skiff::apiserver::admission {
namespace {

struct Outcome {
  std::string error;  // "" when admitted
  std::string object;
};

// One request through all plug-ins, as the registry would send it.
struct Run {
  FakeCluster cluster;
  std::unique_ptr<Authorizer> authorizer = makeAuthorizer({}, cluster);
  std::vector<PluginPtr> plugins = makeAdmission({}, cluster, *authorizer);
  UserInfo user{.name = "admin", .groups = {"system:masters"}};
  std::vector<std::string> warnings;

  Run() {
    cluster.add("", "namespaces", R"({"metadata":{"name":"ns","labels":{"kubernetes.io/metadata.name":"ns"}}})");
    cluster.add("", "serviceaccounts", R"({"metadata":{"namespace":"ns","name":"default"},"automountServiceAccountToken":false})");
  }

  Outcome create(std::string_view plural, std::string_view json, std::string_view ns = "ns", std::string_view group = "") {
    auto document = *codec::parseJsonDocument(json);
    const api::ResourceInfo* resource = api::findResource(group, "v1", plural);
    REQUIRE(resource != nullptr);
    AdmissionRequest request{.user = &user, .resource = resource, .ns = ns, .object = &document->root, .arena = &document->arena, .warnings = &warnings};
    for (auto& plugin : plugins) {
      if (auto status = plugin->mutate(request); !status.ok()) return {status.error().message(), ""};
    }
    for (auto& plugin : plugins) {
      if (auto status = plugin->validate(request); !status.ok()) return {status.error().message(), ""};
    }
    return {"", codec::toJsonSorted(document->root)};
  }
};

constexpr std::string_view kPod = R"({"metadata":{"name":"a"},"spec":{"containers":[{"name":"c","image":"i"}]}})";

TEST_CASE("a plain pod gets its account, priority and tolerations") {
  Run run;
  Outcome made = run.create("pods", kPod);
  CHECK(made.error == "");
  CHECK(made.object ==
        R"({"metadata":{"name":"a"},"spec":{"containers":[{"image":"i","name":"c"}],"preemptionPolicy":"PreemptLowerPriority",)"
        R"("priority":0,"serviceAccount":"default","serviceAccountName":"default","tolerations":[)"
        R"({"effect":"NoExecute","key":"node.kubernetes.io/not-ready","operator":"Exists","tolerationSeconds":300},)"
        R"({"effect":"NoExecute","key":"node.kubernetes.io/unreachable","operator":"Exists","tolerationSeconds":300}]}})");
}

TEST_CASE("an account's token is mounted where nothing else is") {
  Run run;
  run.cluster.add("", "serviceaccounts", R"({"metadata":{"namespace":"ns","name":"default"}})");
  Outcome made = run.create("pods", R"({"metadata":{"name":"a"},"spec":{"containers":[{"name":"c","image":"i"},
    {"name":"d","image":"i","volumeMounts":[{"name":"own","mountPath":"/var/run/secrets/kubernetes.io/serviceaccount"}]}]}})");
  auto document = *codec::parseJsonDocument(made.object);
  const codec::Value& spec = document->root["spec"];
  REQUIRE(spec["volumes"].size() == 1);
  CHECK(spec["volumes"].at(0)["name"].asString().starts_with("kube-api-access-"));
  CHECK(spec["containers"].at(0)["volumeMounts"].at(0)["name"] == spec["volumes"].at(0)["name"]);
  CHECK(spec["containers"].at(1)["volumeMounts"].size() == 1);
}

// What kube-apiserver 1.37 says of these pods.
TEST_CASE("a pod security standard is that of the version a namespace names") {
  struct {
    std::string_view level, version, spec, said;
  } cases[] = {
      {"restricted", "v1.0", R"({"containers":[{"name":"c"}]})",
       R"(runAsNonRoot != true (pod or container "c" must set securityContext.runAsNonRoot=true))"},
      {"restricted", "v1.8", R"({"containers":[{"name":"c"}]})",
       R"(allowPrivilegeEscalation != false (container "c" must set securityContext.allowPrivilegeEscalation=false), )"
       R"(runAsNonRoot != true (pod or container "c" must set securityContext.runAsNonRoot=true))"},
      {"baseline", "latest", R"({"containers":[{"name":"c","livenessProbe":{"tcpSocket":{"host":"h","port":1}}}]})",
       R"(probe or lifecycle host (container "c" uses probe or lifecycle host "h"))"},
      {"baseline", "v1.33", R"({"containers":[{"name":"c","livenessProbe":{"tcpSocket":{"host":"h","port":1}}}]})", ""},
      {"baseline", "v1.28", R"({"securityContext":{"sysctls":[{"name":"net.ipv4.tcp_fin_timeout"},{"name":"a.b"}]},"containers":[{"name":"c"}]})",
       "forbidden sysctls (net.ipv4.tcp_fin_timeout, a.b)"},
      {"baseline", "latest", R"({"securityContext":{"sysctls":[{"name":"net.ipv4.tcp_fin_timeout"}]},"containers":[{"name":"c"}]})", ""},
      {"baseline", "latest", R"({"securityContext":{"seLinuxOptions":{"type":"foo"}},"containers":[{"name":"c","securityContext":{"seLinuxOptions":{"type":"bar","user":"u"}}}]})",
       R"(seLinuxOptions (pod and container "c" set forbidden securityContext.seLinuxOptions: types "bar", "foo"; user may not be set))"},
      {"baseline", "v1.30", R"({"securityContext":{"seLinuxOptions":{"type":"container_engine_t"}},"containers":[{"name":"c"}]})",
       R"(seLinuxOptions (pod set forbidden securityContext.seLinuxOptions: type "container_engine_t"))"},
      {"baseline", "v1.31", R"({"securityContext":{"seLinuxOptions":{"type":"container_engine_t"}},"containers":[{"name":"c"}]})", ""},
      {"baseline", "v1.18", R"({"securityContext":{"seccompProfile":{"type":"Unconfined"}},"containers":[{"name":"c"}]})", ""},
      {"baseline", "v1.19", R"({"securityContext":{"seccompProfile":{"type":"Unconfined"}},"containers":[{"name":"c"}]})",
       R"(seccompProfile (pod must not set securityContext.seccompProfile.type to "Unconfined"))"},
      {"baseline", "v1.34", R"({"hostUsers":false,"containers":[{"name":"c","securityContext":{"procMount":"Unmasked"}}]})",
       R"(procMount (container "c" must not set securityContext.procMount to "Unmasked"))"},
      {"baseline", "v1.35", R"({"hostUsers":false,"containers":[{"name":"c","securityContext":{"procMount":"Unmasked"}}]})", ""},
      {"restricted", "v1.7", R"({"volumes":[{"name":"h","hostPath":{}}],"securityContext":{"runAsNonRoot":true},"containers":[{"name":"c"}]})",
       R"(restricted volume types (volume "h" uses restricted volume type "hostPath"))"},
  };
  for (const auto& one : cases) {
    Run run;
    run.cluster.add("", "namespaces", concat(R"({"metadata":{"name":"ns","labels":{"pod-security.kubernetes.io/warn":")", one.level,
                                             R"(","pod-security.kubernetes.io/warn-version":")", one.version, R"("}}})"));
    CHECK(run.create("pods", concat(R"({"metadata":{"name":"a"},"spec":)", one.spec, "}")).error == "");
    std::string expected = one.said.empty() ? "" : concat("would violate PodSecurity \"", one.level, ":", one.version, "\": ", one.said);
    CHECK(join(run.warnings, "; ") == expected);
  }
}

TEST_CASE("labels of pod security must name what there is") {
  Run run;
  CHECK(run.create("namespaces", R"({"metadata":{"name":"x","labels":{"pod-security.kubernetes.io/enforce":"bad","pod-security.kubernetes.io/warn-version":"1.2"}}})", "").error ==
        "Namespace \"x\" is invalid: [metadata.labels[pod-security.kubernetes.io/enforce]: Invalid value: \"bad\": must be one of privileged, "
        "baseline, restricted, metadata.labels[pod-security.kubernetes.io/warn-version]: Invalid value: \"1.2\": must be \"latest\" or \"v1.x\"]");
  CHECK(run.create("namespaces", R"({"metadata":{"name":"x","labels":{"pod-security.kubernetes.io/enforce-version":"v1.99"}}})", "").error == "");
}

TEST_CASE("refusals") {
  Run run;
  CHECK(run.create("pods", kPod, "none").error == "namespaces \"none\" not found");
  CHECK(run.create("pods", R"({"metadata":{"name":"a"},"spec":{"serviceAccountName":"x","containers":[]}})").error ==
        "pods \"a\" is forbidden: error looking up service account ns/x: serviceaccount \"x\" not found");
  CHECK(run.create("pods", R"({"metadata":{"name":"a"},"spec":{"priorityClassName":"x","containers":[]}})").error ==
        "pods \"a\" is forbidden: no PriorityClass with name x was found");
  run.cluster.add("", "namespaces", R"({"metadata":{"name":"old","deletionTimestamp":"2026-01-01T00:00:00Z"}})");
  CHECK(run.create("configmaps", R"({"metadata":{"name":"a"}})", "old").error ==
        "configmaps \"a\" is forbidden: unable to create new content in namespace old because it is being terminated");
}

TEST_CASE("limits of a namespace fill gaps and bound what is asked for") {
  Run run;
  run.cluster.add("", "limitranges", R"({"metadata":{"namespace":"ns","name":"l"},"spec":{"limits":[
    {"type":"Container","default":{"cpu":"500m"},"defaultRequest":{"cpu":"100m"},"max":{"cpu":"1"}}]}})");
  Outcome made = run.create("pods", kPod);
  CHECK(made.object.find(R"("limits":{"cpu":"500m"},"requests":{"cpu":"100m"})") != std::string::npos);
  CHECK(made.object.find("LimitRanger plugin set: cpu request for container c; cpu limit for container c") != std::string::npos);
  CHECK(run.create("pods", R"({"metadata":{"name":"a"},"spec":{"containers":[{"name":"c","resources":{"limits":{"cpu":2}}}]}})").error ==
        "pods \"a\" is forbidden: maximum cpu usage per Container is 1, but limit is 2");
}

TEST_CASE("a quota counts up to its limit and no further") {
  Run run;
  run.cluster.add("", "resourcequotas", R"({"metadata":{"namespace":"ns","name":"q"},"spec":{"hard":{"secrets":"2"}},
    "status":{"hard":{"secrets":"2"},"used":{"secrets":"0"}}})");
  CHECK(run.create("secrets", R"({"metadata":{"name":"a"}})").error == "");
  CHECK(run.create("secrets", R"({"metadata":{"name":"b"}})").error == "");
  CHECK(run.create("secrets", R"({"metadata":{"name":"c"}})").error ==
        "secrets \"c\" is forbidden: exceeded quota: q, requested: secrets=1, used: secrets=2, limited: secrets=2");
  CHECK(run.create("configmaps", R"({"metadata":{"name":"c"}})").error == "");
}

TEST_CASE("pod security refuses and warns by the namespace's labels") {
  Run run;
  run.cluster.add("", "namespaces", R"({"metadata":{"name":"ns","labels":{"kubernetes.io/metadata.name":"ns",
    "pod-security.kubernetes.io/enforce":"baseline","pod-security.kubernetes.io/warn":"restricted"}}})");
  CHECK(run.create("pods", R"({"metadata":{"name":"a"},"spec":{"hostPID":true,"containers":[{"name":"c"}]}})").error ==
        "pods \"a\" is forbidden: violates PodSecurity \"baseline:latest\": host namespaces (hostPID=true)");
  CHECK(run.warnings.empty());
  CHECK(run.create("pods", kPod).error == "");
  REQUIRE(run.warnings.size() == 1);
  CHECK(run.warnings[0].starts_with("would violate PodSecurity \"restricted:latest\": allowPrivilegeEscalation != false ("));
}

TEST_CASE("a node asks for certificates of its own pods only, as they are now") {
  Run run;
  run.user = {.name = "system:node:n1", .groups = {"system:nodes"}};
  run.cluster.add("", "nodes", R"({"metadata":{"name":"n1","uid":"nu"}})");
  run.cluster.add("", "serviceaccounts", R"({"metadata":{"namespace":"ns","name":"sa","uid":"su"}})");
  run.cluster.add("", "pods", R"({"metadata":{"namespace":"ns","name":"p","uid":"pu"},"spec":{"nodeName":"n1","serviceAccountName":"sa"}})");
  run.cluster.add("", "pods", R"({"metadata":{"namespace":"ns","name":"q","uid":"pu"},"spec":{"nodeName":"n2","serviceAccountName":"sa"}})");
  const std::string fine = R"({"metadata":{"name":"r"},"spec":{"nodeName":"n1","nodeUID":"nu","podName":"p","podUID":"pu",)"
                           R"("serviceAccountName":"sa","serviceAccountUID":"su"}})";
  auto ask = [&](std::string_view from, std::string_view to) {
    return run.create("podcertificaterequests", replaceAll(fine, from, to), "ns", "certificates.k8s.io").error;
  };
  CHECK(ask("", "") == "");
  for (auto [from, to] : {std::pair{R"("n1")", R"("n2")"}, {R"("nu")", R"("x")"}, {R"("p")", R"("none")"}, {R"("p")", R"("q")"},
                          {R"("pu")", R"("x")"}, {R"("sa")", R"("default")"}, {R"("su")", R"("x")"}}) {
    CHECK_MESSAGE(ask(from, to) != "", from, " -> ", to);
  }
}

TEST_CASE("a node writes only its own") {
  Run run;
  run.user = {.name = "system:node:n1", .groups = {"system:nodes"}};
  CHECK(run.create("nodes", R"({"metadata":{"name":"n2"}})", "").error ==
        "nodes \"n2\" is forbidden: node \"n1\" is not allowed to modify node \"n2\"");
  CHECK(run.create("nodes", R"({"metadata":{"name":"n1"}})", "").error == "");
  CHECK(run.create("pods", kPod).error.find("can only create mirror pods") != std::string::npos);
}

}  // namespace
}  // namespace skiff::apiserver::admission
