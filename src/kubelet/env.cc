#include "kubelet/env.h"

#include "base/strings.h"

namespace skiff::kubelet {
namespace {

using api::core::v1::Service;

std::string mapLines(const std::map<std::string, std::string>& values) {
  std::string out;
  for (const auto& [key, value] : values) {
    if (!out.empty()) out += '\n';
    out += concat(key, "=", quoted(value));
  }
  return out;
}

// "metadata.labels['key']" -> key.
std::optional<std::string_view> subscript(std::string_view path, std::string_view field) {
  if (!path.starts_with(field)) return std::nullopt;
  path.remove_prefix(field.size());
  if (!path.starts_with("['") || !path.ends_with("']")) return std::nullopt;
  return path.substr(2, path.size() - 4);
}

std::string valueIn(const std::map<std::string, std::string>& values, std::string_view key) {
  auto it = values.find(std::string(key));
  return it == values.end() ? std::string() : it->second;
}

std::string environmentName(std::string_view name) {
  std::string out(name);
  for (char& c : out) c = c == '-' ? '_' : c >= 'a' && c <= 'z' ? char(c - 'a' + 'A') : c;
  return out;
}

const api::core::v1::ResourceRequirements* resourcesOf(const Pod& pod, std::string_view container) {
  for (const auto* list : {&pod.spec.initContainers, &pod.spec.containers})
    for (const auto& c : *list)
      if (c.name == container) return &c.resources;
  return nullptr;
}

Error missingKey(std::string_view key, std::string_view kind, std::string_view ns, std::string_view name) {
  return {Reason::NotFound, concat("couldn't find key ", key, " in ", kind, " ", ns, "/", name)};
}

// The environment while it is put together; later definitions replace earlier ones in their place.
class Builder {
 public:
  Builder(const PodFacts& facts, const Container& container, ObjectSource& objects)
      : facts_(facts), container_(container), objects_(objects), ns_(facts.pod->metadata.namespace_) {}

  Result<std::vector<cri::KeyValue>> build() {
    const Pod& pod = *facts_.pod;
    std::vector<std::shared_ptr<const Service>> services;
    if (pod.spec.enableServiceLinks.value_or(true)) services = objects_.services(ns_);
    // The API server's own service is linked in every namespace, and though links are off.
    if (ns_ != "default" || !pod.spec.enableServiceLinks.value_or(true)) {
      for (auto& service : objects_.services("default"))
        if (service->metadata.name == "kubernetes") services.insert(services.begin(), service);
    }
    links_ = serviceEnvironment(services);
    for (const auto& source : container_.envFrom) TRY(addFrom(source));
    for (const auto& variable : container_.env) TRY(add(variable));
    for (const auto& [name, value] : links_)
      if (!index_.contains(name)) set(name, value);
    return std::move(out_);
  }

 private:
  void set(const std::string& name, std::string value) {
    auto [it, fresh] = index_.emplace(name, out_.size());
    if (fresh) {
      out_.push_back({name, std::move(value)});
    } else {
      out_[it->second].value = std::move(value);
    }
  }
  std::optional<std::string> lookup(std::string_view name) const {
    if (auto it = index_.find(name); it != index_.end()) return out_[it->second].value;
    if (auto it = links_.find(std::string(name)); it != links_.end()) return it->second;
    return std::nullopt;
  }

  Status addFrom(const api::core::v1::EnvFromSource& source) {
    if (source.configMapRef) {
      auto found = objects_.configMap(ns_, source.configMapRef->name);
      if (!found.ok()) {
        if (found.failedWith(Reason::NotFound) && source.configMapRef->optional.value_or(false)) return okStatus();
        return std::move(found).error();
      }
      for (const auto& [key, value] : found->data) set(source.prefix + key, value);
    }
    if (source.secretRef) {
      auto found = objects_.secret(ns_, source.secretRef->name);
      if (!found.ok()) {
        if (found.failedWith(Reason::NotFound) && source.secretRef->optional.value_or(false)) return okStatus();
        return std::move(found).error();
      }
      for (const auto& [key, value] : found->data) set(source.prefix + key, value);
    }
    return okStatus();
  }

  Status add(const api::core::v1::EnvVar& variable) {
    if (!variable.valueFrom) {
      set(variable.name, expandVariables(variable.value, [this](std::string_view n) { return lookup(n); }));
      return okStatus();
    }
    const auto& from = *variable.valueFrom;
    if (from.fieldRef) {
      set(variable.name, TRY(fieldValue(facts_, from.fieldRef->fieldPath)));
    } else if (from.resourceFieldRef) {
      set(variable.name, TRY(resourceFieldValue(facts_, *from.resourceFieldRef, container_.name)));
    } else if (from.configMapKeyRef) {
      TRY(addKey(variable.name, *from.configMapKeyRef, "ConfigMap",
                 [&] { return dataOf(objects_.configMap(ns_, from.configMapKeyRef->name)); }));
    } else if (from.secretKeyRef) {
      TRY(addKey(variable.name, *from.secretKeyRef, "Secret",
                 [&] { return dataOf(objects_.secret(ns_, from.secretKeyRef->name)); }));
    } else {
      return badRequest(concat("variable ", variable.name, ": its source is not supported"));
    }
    return okStatus();
  }

  template <class T>
  static Result<std::map<std::string, std::string>> dataOf(Result<T> object) {
    if (!object.ok()) return std::move(object).error();
    return std::move(object->data);
  }
  template <class Ref, class Fetch>
  Status addKey(const std::string& variable, const Ref& ref, std::string_view kind, Fetch fetch) {
    bool optional = ref.optional.value_or(false);
    auto data = fetch();
    if (!data.ok()) {
      if (optional && data.failedWith(Reason::NotFound)) return okStatus();
      return std::move(data).error();
    }
    auto it = data->find(ref.key);
    if (it == data->end()) {
      if (optional) return okStatus();
      return missingKey(ref.key, kind, ns_, ref.name);
    }
    set(variable, it->second);
    return okStatus();
  }

  const PodFacts& facts_;
  const Container& container_;
  ObjectSource& objects_;
  const std::string& ns_;
  std::map<std::string, std::string> links_;
  std::vector<cri::KeyValue> out_;
  std::map<std::string, size_t, std::less<>> index_;
};

}  // namespace

std::string expandVariables(std::string_view text, const Lookup& lookup, std::vector<std::string>* missing) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '$' || i + 1 == text.size()) {
      out += text[i];
      continue;
    }
    if (text[i + 1] == '$') {
      out += '$';
      ++i;
      continue;
    }
    size_t end = text[i + 1] == '(' ? text.find(')', i + 2) : std::string_view::npos;
    if (end == std::string_view::npos) {
      out += '$';
      continue;
    }
    std::string_view name = text.substr(i + 2, end - i - 2);
    if (auto value = lookup(name)) {
      out += *value;
    } else {
      out += text.substr(i, end - i + 1);
      if (missing != nullptr) missing->emplace_back(name);
    }
    i = end;
  }
  return out;
}

Result<std::string> fieldValue(const PodFacts& facts, std::string_view path) {
  const Pod& pod = *facts.pod;
  if (auto key = subscript(path, "metadata.labels")) return valueIn(pod.metadata.labels, *key);
  if (auto key = subscript(path, "metadata.annotations")) return valueIn(pod.metadata.annotations, *key);
  if (path == "metadata.labels") return mapLines(pod.metadata.labels);
  if (path == "metadata.annotations") return mapLines(pod.metadata.annotations);
  if (path == "metadata.name") return pod.metadata.name;
  if (path == "metadata.namespace") return pod.metadata.namespace_;
  if (path == "metadata.uid") return pod.metadata.uid;
  if (path == "spec.nodeName") return facts.nodeName;
  if (path == "spec.serviceAccountName") return pod.spec.serviceAccountName;
  if (path == "status.hostIP") return facts.hostIPs.empty() ? std::string() : facts.hostIPs[0];
  if (path == "status.hostIPs") return join(facts.hostIPs, ",");
  if (path == "status.podIP") return facts.podIPs.empty() ? std::string() : facts.podIPs[0];
  if (path == "status.podIPs") return join(facts.podIPs, ",");
  return badRequest(concat("unsupported fieldPath: ", path));
}

Result<std::string> resourceFieldValue(const PodFacts& facts, const api::core::v1::ResourceFieldSelector& selector,
                                       std::string_view defaultContainer) {
  std::string_view container = selector.containerName.empty() ? defaultContainer : selector.containerName;
  const auto* resources = resourcesOf(*facts.pod, container);
  if (resources == nullptr) return badRequest(concat("container ", container, " not found"));
  auto parts = cut(selector.resource, ".");
  if (!parts || (parts->first != "limits" && parts->first != "requests"))
    return badRequest(concat("unsupported container resource : ", selector.resource));
  const std::string name(parts->second);
  const auto& list = parts->first == "limits" ? resources->limits : resources->requests;
  api::Quantity amount;
  if (auto it = list.find(name); it != list.end()) {
    amount = it->second;
  } else if (parts->first == "limits") {  // no limit: what the node can give
    if (auto whole = facts.nodeAllocatable.find(name); whole != facts.nodeAllocatable.end()) amount = whole->second;
  }
  bool cpu = name == "cpu";
  int64_t value = cpu ? amount.milliValue() : amount.value();
  int64_t divisor = selector.divisor.isZero() ? (cpu ? 1000 : 1)
                    : cpu                      ? selector.divisor.milliValue()
                                               : selector.divisor.value();
  if (divisor <= 0) divisor = 1;
  return std::to_string((value + divisor - 1) / divisor);
}

std::map<std::string, std::string> serviceEnvironment(const std::vector<std::shared_ptr<const Service>>& services) {
  std::map<std::string, std::string> out;
  for (const auto& service : services) {
    const std::string& ip = service->spec.clusterIP;
    if (ip.empty() || ip == "None" || service->spec.ports.empty()) continue;
    const std::string name = environmentName(service->metadata.name);
    const std::string host = ip.find(':') == std::string::npos ? ip : concat("[", ip, "]");
    out[name + "_SERVICE_HOST"] = ip;
    out[name + "_SERVICE_PORT"] = std::to_string(service->spec.ports[0].port);
    bool first = true;
    for (const auto& port : service->spec.ports) {
      const std::string number = std::to_string(port.port);
      if (!port.name.empty()) out[concat(name, "_SERVICE_PORT_", environmentName(port.name))] = number;
      const std::string protocol = port.protocol.empty() ? "TCP" : port.protocol;
      const std::string url = concat(toLower(protocol), "://", host, ":", number);
      const std::string prefix = concat(name, "_PORT_", number, "_", protocol);
      if (first) out[name + "_PORT"] = url;
      first = false;
      out[prefix] = url;
      out[prefix + "_PROTO"] = toLower(protocol);
      out[prefix + "_PORT"] = number;
      out[prefix + "_ADDR"] = ip;
    }
  }
  return out;
}

Result<std::vector<cri::KeyValue>> makeEnvironment(const PodFacts& facts, const Container& container,
                                                   ObjectSource& objects) {
  return Builder(facts, container, objects).build();
}

}  // namespace skiff::kubelet
