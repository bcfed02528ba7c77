#include "apiserver/auth/node_authorizer.h"

#include <algorithm>

#include "apiserver/auth/bootstrap_policy.h"
#include "base/strings.h"

namespace skiff::apiserver {

namespace {

using codec::Value;

Verdict allow() { return {Decision::Allow, ""}; }
Verdict noOpinion(std::string reason) { return {Decision::NoOpinion, std::move(reason)}; }

rbac::Rules nodeRules() {
  rbac::Rules out;
  for (const auto& row : bootstrap::clusterRoles()) {
    if (row.name != "system:node") continue;
    for (std::string_view line : splitNonEmpty(row.rules, '\n')) {
      auto columns = split(line, ' ');
      rbac::Rule rule;
      for (std::string_view item : split(columns[0], ',')) {
        rule.apiGroups.emplace_back(item == "-" ? std::string_view() : item);
      }
      for (std::string_view item : split(columns[1], ',')) rule.resources.emplace_back(item);
      for (std::string_view item : split(columns[2], ',')) rule.verbs.emplace_back(item);
      out.push_back(std::move(rule));
    }
  }
  return out;
}

bool isOneOf(std::string_view text, std::initializer_list<std::string_view> list) {
  return std::ranges::find(list, text) != list.end();
}

bool containerReferences(const Value& container, std::string_view source, std::string_view key,
                         std::string_view name) {
  for (const Value& from : container["envFrom"].items()) {
    if (from[source]["name"].asString() == name) return true;
  }
  for (const Value& env : container["env"].items()) {
    if (env["valueFrom"][key]["name"].asString() == name) return true;
  }
  return false;
}

bool volumeReferencesSecret(const Value& volume, std::string_view name) {
  if (volume["secret"]["secretName"].asString() == name) return true;
  for (const Value& source : volume["projected"]["sources"].items()) {
    if (source["secret"]["name"].asString() == name) return true;
  }
  for (std::string_view driver : {"cephfs", "rbd", "scaleIO", "iscsi", "flexVolume", "storageos"}) {
    if (volume[driver]["secretRef"]["name"].asString() == name) return true;
  }
  return volume["azureFile"]["secretName"].asString() == name ||
         volume["csi"]["nodePublishSecretRef"]["name"].asString() == name;
}

bool volumeReferencesConfigMap(const Value& volume, std::string_view name) {
  if (volume["configMap"]["name"].asString() == name) return true;
  for (const Value& source : volume["projected"]["sources"].items()) {
    if (source["configMap"]["name"].asString() == name) return true;
  }
  return false;
}

bool anyContainer(const Value& spec, std::string_view source, std::string_view key,
                  std::string_view name) {
  for (std::string_view list : {"containers", "initContainers", "ephemeralContainers"}) {
    for (const Value& container : spec[list].items()) {
      if (containerReferences(container, source, key, name)) return true;
    }
  }
  return false;
}

bool claimReferenced(const Value& pod, std::string_view name) {
  for (const Value& volume : pod["spec"]["volumes"].items()) {
    if (volume["persistentVolumeClaim"]["claimName"].asString() == name) return true;
    if (volume.has("ephemeral") && concat(pod["metadata"]["name"].asString(), "-",
                                          volume["name"].asString()) == name) {
      return true;
    }
  }
  return false;
}

}  // namespace

bool podReferences(const Value& pod, std::string_view resource, std::string_view name) {
  const Value& spec = pod["spec"];
  if (resource == "serviceaccounts") return spec["serviceAccountName"].asString() == name;
  if (resource == "persistentvolumeclaims") return claimReferenced(pod, name);
  if (resource == "resourceclaims") {
    for (const Value& status : pod["status"]["resourceClaimStatuses"].items()) {
      if (status["resourceClaimName"].asString() == name) return true;
    }
    for (const Value& claim : spec["resourceClaims"].items()) {
      if (claim["resourceClaimName"].asString() == name) return true;
    }
    return false;
  }
  bool secret = resource == "secrets";
  for (const Value& volume : spec["volumes"].items()) {
    if (secret ? volumeReferencesSecret(volume, name) : volumeReferencesConfigMap(volume, name)) {
      return true;
    }
  }
  if (secret) {
    for (const Value& pull : spec["imagePullSecrets"].items()) {
      if (pull["name"].asString() == name) return true;
    }
    return anyContainer(spec, "secretRef", "secretKeyRef", name);
  }
  return anyContainer(spec, "configMapRef", "configMapKeyRef", name);
}

std::string_view nodeNameOf(const UserInfo& user) {
  constexpr std::string_view kPrefix = "system:node:";
  std::string_view name = user.name;
  if (!name.starts_with(kPrefix)) return {};
  bool member = std::ranges::find(user.groups, "system:nodes") != user.groups.end();
  return member ? name.substr(kPrefix.size()) : std::string_view();
}

NodeAuthorizer::NodeAuthorizer(const ClusterReader& cluster)
    : cluster_(cluster), rules_(nodeRules()) {}

Verdict NodeAuthorizer::authorize(const UserInfo& user, const RequestInfo& request) {
  bool node = std::ranges::find(user.groups, "system:nodes") != user.groups.end() &&
              user.name.starts_with("system:node:");
  if (!node) return {};
  std::string_view name = nodeNameOf(user);
  if (name.empty()) return noOpinion(concat("unknown node for user ", quoted(user.name)));
  if (request.isResource) {
    std::string_view resource = request.resource;
    if (request.group.empty()) {
      if (isOneOf(resource, {"secrets", "configmaps", "persistentvolumeclaims", "persistentvolumes"}) ||
          (resource == "serviceaccounts" && request.subresource == "token")) {
        return authorizeReference(name, request);
      }
      if (resource == "nodes") return authorizeNodeObject(name, request);
      if (resource == "pods") return authorizePod(name, request);
      if (resource == "serviceaccounts") return authorizeReference(name, request);
    } else if (request.group == "resource.k8s.io" && resource == "resourceclaims") {
      return authorizeReference(name, request);
    } else if (request.group == "coordination.k8s.io" && resource == "leases") {
      bool own = request.ns == "kube-node-lease" && request.subresource.empty() &&
                 (request.verb == "create" || request.name == name);
      bool verb = isOneOf(request.verb, {"get", "create", "update", "patch", "delete"});
      return own && verb ? allow() : noOpinion("can only access node lease with the same name as the requesting node");
    } else if (request.group == "certificates.k8s.io" && resource == "podcertificaterequests") {
      return authorizeCertificateRequest(name, request);
    } else if (request.group == "storage.k8s.io" && resource == "csinodes") {
      bool verb = isOneOf(request.verb, {"get", "create", "update", "patch", "delete"});
      bool own = request.verb == "create" || request.name == name;
      return own && verb ? allow() : noOpinion("can only access CSINode with the same name as the requesting node");
    }
  }
  for (const rbac::Rule& rule : rules_) {
    if (rule.allows(request)) return allow();
  }
  return {};
}

Verdict NodeAuthorizer::authorizeReference(std::string_view node, const RequestInfo& request) const {
  bool token = request.resource == "serviceaccounts" && !request.subresource.empty();
  bool claim = request.resource == "persistentvolumeclaims";
  bool verb = token ? request.verb == "create"
                    : isOneOf(request.verb, {"get", "list", "watch"}) ||
                          (claim && request.subresource == "status" &&
                           isOneOf(request.verb, {"get", "update", "patch"}));
  if (!verb) return noOpinion("can only read resources of this type");
  if (!token && !claim && !request.subresource.empty()) return noOpinion("cannot read subresource");
  if (request.name.empty()) return noOpinion("No Object name found,");
  if (podsReference(node, request)) return allow();
  return noOpinion(concat("no relationship found between node '", node, "' and this object"));
}

bool NodeAuthorizer::podsReference(std::string_view node, const RequestInfo& request) const {
  std::string ns = request.ns, name = request.name;
  std::string_view resource = request.resource;
  if (resource == "persistentvolumes") {
    auto volume = cluster_.get("", "persistentvolumes", "", name);
    if (volume == nullptr) return false;
    ns = volume->root["spec"]["claimRef"]["namespace"].str();
    name = volume->root["spec"]["claimRef"]["name"].str();
    resource = "persistentvolumeclaims";
  }
  for (const auto& pod : cluster_.list("", "pods", ns)) {
    if (pod->root["spec"]["nodeName"].asString() == node && podReferences(pod->root, resource, name)) {
      return true;
    }
  }
  return false;
}

Verdict NodeAuthorizer::authorizeNodeObject(std::string_view node, const RequestInfo& request) const {
  std::string_view verb = request.verb;
  if (verb == "create" && request.subresource.empty()) return allow();  // its name: NodeRestriction
  bool status = request.subresource.empty() || request.subresource == "status";
  if (isOneOf(verb, {"get", "update", "patch"}) && status && request.name == node) return allow();
  if (isOneOf(verb, {"list", "watch"}) && request.subresource.empty()) {
    if (request.name == node || request.fieldSelector == concat("metadata.name=", node)) return allow();
  }
  return noOpinion(concat("node '", node, "' cannot ", verb, " other nodes"));
}

Verdict NodeAuthorizer::authorizeCertificateRequest(std::string_view node, const RequestInfo& request) const {
  if (!request.subresource.empty()) return noOpinion("cannot access subresources of pod certificate requests");
  if (request.verb == "create") return allow();  // the rest: NodeRestriction
  if (request.verb == "get") {
    auto found = cluster_.get("certificates.k8s.io", "podcertificaterequests", request.ns, request.name);
    if (found != nullptr && found->root["spec"]["nodeName"].asString() == node) return allow();
    return noOpinion(concat("no relationship found between node '", node, "' and this object"));
  }
  if (isOneOf(request.verb, {"list", "watch"})) {
    for (std::string_view term : split(request.fieldSelector, ',')) {
      if (term == concat("spec.nodeName=", node) || term == concat("spec.nodeName==", node)) return allow();
    }
  }
  return noOpinion("can only create, and read its own with field selector spec.nodeName");
}

Verdict NodeAuthorizer::authorizePod(std::string_view node, const RequestInfo& request) const {
  std::string_view verb = request.verb, sub = request.subresource;
  if (sub.empty() && isOneOf(verb, {"list", "watch"})) {
    for (std::string_view term : split(request.fieldSelector, ',')) {
      if (term == concat("spec.nodeName=", node) || term == concat("spec.nodeName==", node)) return allow();
    }
    return noOpinion("can only list/watch pods with spec.nodeName field selector");
  }
  if (sub.empty() && isOneOf(verb, {"create", "delete"})) return allow();  // the rest: NodeRestriction
  if (sub == "eviction" && verb == "create") return allow();
  bool readOrStatus = (sub.empty() && verb == "get") ||
                      (sub == "status" && isOneOf(verb, {"update", "patch", "get"}));
  if (readOrStatus) {
    auto pod = cluster_.get("", "pods", request.ns, request.name);
    if (pod != nullptr && pod->root["spec"]["nodeName"].asString() == node) return allow();
    return noOpinion(concat("no relationship found between node '", node, "' and this object"));
  }
  return noOpinion("node may not do this with pods");
}

}  // namespace skiff::apiserver
