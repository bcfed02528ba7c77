#include "apiserver/admission/pod_security_checks.h"

#include <algorithm>
#include <functional>

#include "apiserver/strategies/checks.h"

namespace skiff::apiserver::admission {

namespace {

using codec::Value;
using Names = std::vector<std::string>;

constexpr std::string_view kLists[] = {"initContainers", "containers", "ephemeralContainers"};

Names quotedAll(const Names& names) {
  Names out;
  for (const std::string& name : names) out.push_back(quoted(name));
  return out;
}

// `container "a"` or `containers "a", "b"`.
std::string subjects(std::string_view singular, std::string_view plural, const Names& names) {
  return concat(names.size() == 1 ? singular : plural, " ", join(quotedAll(names), ", "));
}
std::string containers(const Names& names) { return subjects("container", "containers", names); }

Names containersWhere(const Value& spec, const std::function<bool(const Value&)>& test) {
  Names out;
  for (std::string_view list : kLists) {
    for (const Value& container : spec[list].items()) {
      if (test(container)) out.push_back(container["name"].str());
    }
  }
  return out;
}

class Evaluation {
 public:
  Evaluation(const Value& metadata, const Value& spec) : metadata_(metadata), spec_(spec) {}

  void baseline(bool withSeccomp) {
    appArmor();
    capabilities();
    hostNamespaces();
    hostPaths();
    hostPorts();
    privileged();
    procMount();
    seLinux();
    if (withSeccomp) seccompBaseline();
    sysctls();
    hostProcess();
  }

  void restricted() {
    escalation();
    restrictedCapabilities();
    restrictedVolumes();
    nonRoot();
    rootUser();
    seccompRestricted();
  }

  std::vector<std::string> take() { return std::move(found_); }

 private:
  void add(std::string_view reason, std::string_view detail) { found_.push_back(concat(reason, " (", detail, ")")); }

  static const Value& context(const Value& container) { return container["securityContext"]; }

  void appArmor() {
    auto bad = [](const Value& ctx) { return ctx["appArmorProfile"]["type"].asString() == "Unconfined"; };
    std::vector<std::string> parts;
    if (bad(spec_["securityContext"])) {
      parts.push_back("pod must not set securityContext.appArmorProfile.type to \"Unconfined\"");
    }
    Names names = containersWhere(spec_, [&](const Value& c) { return bad(context(c)); });
    if (!names.empty()) parts.push_back(containers(names) + " must not set securityContext.appArmorProfile.type to \"Unconfined\"");
    constexpr std::string_view kPrefix = "container.apparmor.security.beta.kubernetes.io/";
    for (const codec::Member& member : metadata_["annotations"].members()) {
      if (member.key.starts_with(kPrefix) && member.value.asString() == "unconfined") {
        parts.push_back(concat("annotation ", quoted(concat(member.key, "=unconfined"))));
      }
    }
    if (!parts.empty()) add(parts.size() == 1 ? "forbidden AppArmor profile" : "forbidden AppArmor profiles", join(parts, ", "));
  }

  void capabilities() {
    Names names, capabilities;
    for (std::string_view list : kLists) {
      for (const Value& container : spec_[list].items()) {
        bool bad = false;
        for (const Value& capability : context(container)["capabilities"]["add"].items()) {
          if (oneOf(capability.asString(),
                    {"AUDIT_WRITE", "CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "MKNOD", "NET_BIND_SERVICE",
                     "SETFCAP", "SETGID", "SETPCAP", "SETUID", "SYS_CHROOT"})) {
            continue;
          }
          bad = true;
          if (std::ranges::find(capabilities, capability.asString()) == capabilities.end()) {
            capabilities.push_back(capability.str());
          }
        }
        if (bad) names.push_back(container["name"].str());
      }
    }
    if (names.empty()) return;
    std::ranges::sort(capabilities);
    add("non-default capabilities", concat(containers(names), " must not include ", join(quotedAll(capabilities), ", "),
                                           " in securityContext.capabilities.add"));
  }

  void hostNamespaces() {
    Names parts;
    for (std::string_view name : {"hostNetwork", "hostPID", "hostIPC"}) {
      if (spec_[name].asBool()) parts.push_back(concat(name, "=true"));
    }
    if (!parts.empty()) add("host namespaces", join(parts, ", "));
  }

  void hostPaths() {
    Names names;
    for (const Value& volume : spec_["volumes"].items()) {
      if (volume.has("hostPath")) names.push_back(volume["name"].str());
    }
    if (!names.empty()) add("hostPath volumes", subjects("volume", "volumes", names));
  }

  void hostPorts() {
    Names names, ports;
    for (std::string_view list : kLists) {
      for (const Value& container : spec_[list].items()) {
        bool bad = false;
        for (const Value& port : container["ports"].items()) {
          if (port["hostPort"].asInt() == 0) continue;
          bad = true;
          std::string number = std::to_string(port["hostPort"].asInt());
          if (std::ranges::find(ports, number) == ports.end()) ports.push_back(number);
        }
        if (bad) names.push_back(container["name"].str());
      }
    }
    if (names.empty()) return;
    add("hostPort", concat(containers(names), names.size() == 1 ? " uses " : " use ",
                           ports.size() == 1 ? "hostPort " : "hostPorts ", join(ports, ", ")));
  }

  void privileged() {
    Names names = containersWhere(spec_, [](const Value& c) { return context(c)["privileged"].asBool(); });
    if (!names.empty()) add("privileged", containers(names) + " must not set securityContext.privileged=true");
  }

  void procMount() {
    Names names = containersWhere(spec_, [](const Value& c) {
      std::string_view mount = context(c)["procMount"].asString();
      return !mount.empty() && mount != "Default";
    });
    if (!names.empty() && spec_["hostUsers"] != Value::boolean(false)) {
      add("procMount", containers(names) + " must not set securityContext.procMount to \"Unmasked\"");
    }
  }

  void seLinux() {
    auto bad = [](const Value& ctx) {
      const Value& options = ctx["seLinuxOptions"];
      return !options["user"].asString().empty() || !options["role"].asString().empty() ||
             !oneOf(options["type"].asString(),
                    {"", "container_t", "container_init_t", "container_kvm_t", "container_engine_t"});
    };
    Names parts;
    if (bad(spec_["securityContext"])) parts.push_back("pod");
    Names names = containersWhere(spec_, [&](const Value& c) { return bad(context(c)); });
    if (!names.empty()) parts.push_back(containers(names));
    if (!parts.empty()) add("seLinuxOptions", join(parts, " and ") + " set forbidden securityContext.seLinuxOptions");
  }

  void seccompBaseline() {
    auto bad = [](const Value& ctx) { return ctx["seccompProfile"]["type"].asString() == "Unconfined"; };
    Names parts;
    if (bad(spec_["securityContext"])) parts.push_back("pod");
    Names names = containersWhere(spec_, [&](const Value& c) { return bad(context(c)); });
    if (!names.empty()) parts.push_back(containers(names));
    if (!parts.empty()) {
      add("seccompProfile", join(parts, " and ") + " must not set securityContext.seccompProfile.type to \"Unconfined\"");
    }
  }

  void sysctls() {
    Names names;
    for (const Value& sysctl : spec_["securityContext"]["sysctls"].items()) {
      if (!oneOf(sysctl["name"].asString(),
                 {"kernel.shm_rmid_forced", "net.ipv4.ip_local_port_range", "net.ipv4.tcp_syncookies",
                  "net.ipv4.ping_group_range", "net.ipv4.ip_unprivileged_port_start",
                  "net.ipv4.ip_local_reserved_ports", "net.ipv4.tcp_keepalive_time", "net.ipv4.tcp_fin_timeout",
                  "net.ipv4.tcp_keepalive_intvl", "net.ipv4.tcp_keepalive_probes", "net.ipv4.tcp_rmem",
                  "net.ipv4.tcp_wmem"})) {
        names.push_back(sysctl["name"].str());
      }
    }
    if (!names.empty()) add(names.size() == 1 ? "forbidden sysctl" : "forbidden sysctls", join(names, ", "));
  }

  void hostProcess() {
    auto bad = [](const Value& ctx) { return ctx["windowsOptions"]["hostProcess"].asBool(); };
    Names parts;
    if (bad(spec_["securityContext"])) parts.push_back("pod");
    Names names = containersWhere(spec_, [&](const Value& c) { return bad(context(c)); });
    if (!names.empty()) parts.push_back(containers(names));
    if (!parts.empty()) {
      add("hostProcess", join(parts, " and ") + " must not set securityContext.windowsOptions.hostProcess=true");
    }
  }

  void escalation() {
    Names names = containersWhere(spec_, [](const Value& c) {
      return context(c)["allowPrivilegeEscalation"] != Value::boolean(false);
    });
    if (!names.empty() && !windows()) {
      add("allowPrivilegeEscalation != false", containers(names) + " must set securityContext.allowPrivilegeEscalation=false");
    }
  }

  void restrictedCapabilities() {
    if (windows()) return;
    Names keeping, adding, added;
    for (std::string_view list : kLists) {
      for (const Value& container : spec_[list].items()) {
        const Value& capabilities = context(container)["capabilities"];
        auto drop = capabilities["drop"].items();
        bool all = std::ranges::any_of(drop, [](const Value& item) { return item.asString() == "ALL"; });
        if (!all) keeping.push_back(container["name"].str());
        bool bad = false;
        for (const Value& item : capabilities["add"].items()) {
          if (item.asString() == "NET_BIND_SERVICE") continue;
          bad = true;
          if (std::ranges::find(added, item.asString()) == added.end()) added.push_back(item.str());
        }
        if (bad) adding.push_back(container["name"].str());
      }
    }
    Names parts;
    if (!keeping.empty()) parts.push_back(containers(keeping) + " must set securityContext.capabilities.drop=[\"ALL\"]");
    if (!adding.empty()) {
      std::ranges::sort(added);
      parts.push_back(concat(containers(adding), " must not include ", join(quotedAll(added), ", "),
                             " in securityContext.capabilities.add"));
    }
    if (!parts.empty()) add("unrestricted capabilities", join(parts, "; "));
  }

  void restrictedVolumes() {
    Names names, types;
    for (const Value& volume : spec_["volumes"].items()) {
      for (const codec::Member& member : volume.members()) {
        if (oneOf(member.key, {"name", "configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "image",
                               "persistentVolumeClaim", "projected", "secret"})) {
          continue;
        }
        names.push_back(volume["name"].str());
        if (std::ranges::find(types, member.key) == types.end()) types.emplace_back(member.key);
      }
    }
    if (names.empty()) return;
    std::ranges::sort(types);
    add("restricted volume types",
        concat(subjects("volume", "volumes", names), names.size() == 1 ? " uses " : " use ", "restricted volume ",
               types.size() == 1 ? "type " : "types ", join(quotedAll(types), ", ")));
  }

  void nonRoot() {
    const Value& pod = spec_["securityContext"]["runAsNonRoot"];
    bool podSet = pod == Value::boolean(true);
    Names explicitly = containersWhere(spec_, [](const Value& c) { return context(c)["runAsNonRoot"] == Value::boolean(false); });
    Names silent = containersWhere(spec_, [](const Value& c) { return context(c)["runAsNonRoot"].isNull(); });
    Names parts;
    if (pod == Value::boolean(false) && !silent.empty()) parts.push_back("pod must not set securityContext.runAsNonRoot=false");
    if (!explicitly.empty()) parts.push_back(containers(explicitly) + " must not set securityContext.runAsNonRoot=false");
    if (parts.empty() && !podSet && !silent.empty()) {
      parts.push_back(concat("pod or ", containers(silent), " must set securityContext.runAsNonRoot=true"));
    }
    if (!parts.empty()) add("runAsNonRoot != true", join(parts, ", "));
  }

  void rootUser() {
    auto bad = [](const Value& ctx) { return ctx["runAsUser"] == Value::integer(0); };
    Names parts;
    if (bad(spec_["securityContext"])) parts.push_back("pod");
    Names names = containersWhere(spec_, [&](const Value& c) { return bad(context(c)); });
    if (!names.empty()) parts.push_back(containers(names));
    if (!parts.empty()) add("runAsUser=0", join(parts, " and ") + " must not set runAsUser=0");
  }

  void seccompRestricted() {
    if (windows()) return;
    auto good = [](const Value& ctx) { return oneOf(ctx["seccompProfile"]["type"].asString(), {"RuntimeDefault", "Localhost"}); };
    auto set = [](const Value& ctx) { return !ctx["seccompProfile"]["type"].asString().empty(); };
    const Value& pod = spec_["securityContext"];
    Names bad = containersWhere(spec_, [&](const Value& c) { return set(context(c)) && !good(context(c)); });
    Names silent = containersWhere(spec_, [&](const Value& c) { return !set(context(c)); });
    Names parts;
    if (set(pod) && !good(pod)) parts.push_back("pod must not set securityContext.seccompProfile.type to \"Unconfined\"");
    if (!bad.empty()) parts.push_back(containers(bad) + " must not set securityContext.seccompProfile.type to \"Unconfined\"");
    if (parts.empty() && !good(pod) && !silent.empty()) {
      parts.push_back(concat("pod or ", containers(silent),
                             " must set securityContext.seccompProfile.type to \"RuntimeDefault\" or \"Localhost\""));
    }
    if (!parts.empty()) add("seccompProfile", join(parts, ", "));
  }

  bool windows() const { return spec_["os"]["name"].asString() == "windows"; }

  const Value& metadata_;
  const Value& spec_;
  std::vector<std::string> found_;
};

}  // namespace

std::optional<SecurityLevel> securityLevel(std::string_view text) {
  if (text == "privileged") return SecurityLevel::Privileged;
  if (text == "baseline") return SecurityLevel::Baseline;
  if (text == "restricted") return SecurityLevel::Restricted;
  return std::nullopt;
}

std::vector<std::string> violations(SecurityLevel level, const Value& podMetadata, const Value& podSpec) {
  if (level == SecurityLevel::Privileged) return {};
  Evaluation evaluation(podMetadata, podSpec);
  // The restricted level has stricter words on seccomp of its own.
  evaluation.baseline(level == SecurityLevel::Baseline);
  if (level == SecurityLevel::Restricted) evaluation.restricted();
  return evaluation.take();
}

}  // namespace skiff::apiserver::admission
