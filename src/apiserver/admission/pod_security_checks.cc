#include "apiserver/admission/pod_security_checks.h"

#include <algorithm>
#include <functional>
#include <set>

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

// Since when fields say it instead of annotations, and since when a pod with users of its own may do more.
constexpr int kSeccompFields = 19, kUserNamespaces = 35;

// Who sets something: the pod, containers, or annotations.
std::string settersOf(bool pod, const Names& names, size_t annotations = 0) {
  Names setters;
  if (pod) setters.push_back("pod");
  if (!names.empty()) setters.push_back(containers(names));
  if (annotations > 0) setters.push_back(annotations == 1 ? "annotation" : "annotations");
  return join(setters, " and ");
}

// "type \"a\"" or "types \"a\", \"b\"".
std::string sortedAll(std::string_view noun, const std::set<std::string>& names) {
  return concat(noun, names.size() == 1 ? " " : "s ", join(quotedAll({names.begin(), names.end()}), ", "));
}

class Evaluation {
 public:
  Evaluation(SecurityLevel level, int version, const Value& metadata, const Value& spec)
      : level_(level), version_(version), metadata_(metadata), spec_(spec) {}
  std::vector<Violation> run();

 private:
  struct Check;
  static const Check kChecks[];

  void add(std::string_view reason, std::string detail) { found_.push_back({std::string(reason), std::move(detail)}); }

  static const Value& context(const Value& container) { return container["securityContext"]; }

  void appArmor() {
    auto bad = [](const Value& ctx) { return ctx["appArmorProfile"]["type"].asString() == "Unconfined"; };
    bool pod = bad(spec_["securityContext"]);
    Names names = containersWhere(spec_, [&](const Value& c) { return bad(context(c)); });
    std::set<std::string> forbidden;
    if (pod || !names.empty()) forbidden.insert(quoted("Unconfined"));
    size_t annotations = 0;
    for (const codec::Member& member : metadata_["annotations"].members()) {
      if (!member.key.starts_with("container.apparmor.security.beta.kubernetes.io/")) continue;
      std::string_view profile = member.value.asString();
      if (profile.empty() || profile == "runtime/default" || profile.starts_with("localhost/")) continue;
      ++annotations;
      forbidden.insert(concat('"', member.key, "=", quoted(profile), '"'));
    }
    if (forbidden.empty()) return;
    add(forbidden.size() == 1 ? "forbidden AppArmor profile" : "forbidden AppArmor profiles",
        concat(settersOf(pod, names, annotations), " must not set AppArmor profile type to ", join(Names(forbidden.begin(), forbidden.end()), ", ")));
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

  void hostProbes() {
    std::set<std::string> hosts;
    Names names = containersWhere(spec_, [&](const Value& c) {
      size_t before = uses_;
      for (std::string_view probe : {"livenessProbe", "readinessProbe", "startupProbe"}) collectHosts(c[probe], hosts);
      for (std::string_view hook : {"postStart", "preStop"}) collectHosts(c["lifecycle"][hook], hosts);
      return uses_ != before;
    });
    if (names.empty()) return;
    std::ranges::sort(names);
    add("probe or lifecycle host",
        concat(containers(names), names.size() == 1 ? " uses " : " use ", sortedAll("probe or lifecycle host", hosts)));
  }
  void collectHosts(const Value& handler, std::set<std::string>& hosts) {
    for (std::string_view kind : {"httpGet", "tcpSocket"})
      if (std::string_view host = handler[kind]["host"].asString(); !host.empty()) {
        ++uses_;
        hosts.emplace(host);
      }
  }

  void procMount() {
    if (level_ == SecurityLevel::Baseline && inUserNamespace()) return;
    Names names = containersWhere(spec_, [](const Value& c) {
      std::string_view mount = context(c)["procMount"].asString();
      return !mount.empty() && mount != "Default";
    });
    if (!names.empty()) add("procMount", containers(names) + " must not set securityContext.procMount to \"Unmasked\"");
  }

  void seLinux() {
    std::set<std::string> types;
    bool user = false, role = false;
    auto bad = [&](const Value& ctx) {
      const Value& options = ctx["seLinuxOptions"];
      std::string_view type = options["type"].asString();
      bool known = oneOf(type, {"", "container_t", "container_init_t", "container_kvm_t"}) ||
                   (version_ >= 31 && type == "container_engine_t");
      bool hasUser = !options["user"].asString().empty(), hasRole = !options["role"].asString().empty();
      if (!known) types.emplace(type);
      user |= hasUser;
      role |= hasRole;
      return !known || hasUser || hasRole;
    };
    bool pod = bad(spec_["securityContext"]);
    Names names = containersWhere(spec_, [&](const Value& c) { return bad(context(c)); });
    if (!pod && names.empty()) return;
    Names parts;
    if (!types.empty()) parts.push_back(sortedAll("type", types));
    if (user) parts.push_back("user may not be set");
    if (role) parts.push_back("role may not be set");
    add("seLinuxOptions", concat(settersOf(pod, names), " set forbidden securityContext.seLinuxOptions: ", join(parts, "; ")));
  }

  // Before there were fields.
  void seccompAnnotations() {
    Names forbidden;
    auto check = [&](const std::string& key) {
      std::string_view profile = metadata_["annotations"][key].asString();
      if (profile == "unconfined") forbidden.push_back(concat(key, "=", quoted(profile)));
    };
    check("seccomp.security.alpha.kubernetes.io/pod");
    for (std::string_view list : kLists)
      for (const Value& container : spec_[list].items())
        check(concat("container.seccomp.security.alpha.kubernetes.io/", container["name"].asString()));
    if (forbidden.empty()) return;
    add("seccompProfile", concat("forbidden ", forbidden.size() == 1 ? "annotation " : "annotations ", join(forbidden, ", ")));
  }

  void seccompBaseline() {
    auto bad = [](const Value& ctx) { return ctx["seccompProfile"]["type"].asString() == "Unconfined"; };
    bool pod = bad(spec_["securityContext"]);
    Names names = containersWhere(spec_, [&](const Value& c) { return bad(context(c)); });
    if (pod || !names.empty())
      add("seccompProfile", settersOf(pod, names) + " must not set securityContext.seccompProfile.type to \"Unconfined\"");
  }

  void sysctls() {
    struct Safe {
      std::string_view name;
      int since;
    };
    constexpr Safe kSafe[] = {
        {"kernel.shm_rmid_forced", 0}, {"net.ipv4.ip_local_port_range", 0}, {"net.ipv4.tcp_syncookies", 0},
        {"net.ipv4.ping_group_range", 0}, {"net.ipv4.ip_unprivileged_port_start", 0},
        {"net.ipv4.ip_local_reserved_ports", 27},
        {"net.ipv4.tcp_keepalive_time", 29}, {"net.ipv4.tcp_fin_timeout", 29},
        {"net.ipv4.tcp_keepalive_intvl", 29}, {"net.ipv4.tcp_keepalive_probes", 29},
        {"net.ipv4.tcp_rmem", 32}, {"net.ipv4.tcp_wmem", 32},
    };
    Names names;
    for (const Value& sysctl : spec_["securityContext"]["sysctls"].items()) {
      auto safe = [&](const Safe& known) { return known.name == sysctl["name"].asString() && version_ >= known.since; };
      if (std::ranges::none_of(kSafe, safe)) names.push_back(sysctl["name"].str());
    }
    if (!names.empty()) add("forbidden sysctls", join(names, ", "));
  }

  void hostProcess() {
    auto bad = [](const Value& ctx) { return ctx["windowsOptions"]["hostProcess"].asBool(); };
    bool pod = bad(spec_["securityContext"]);
    Names names = containersWhere(spec_, [&](const Value& c) { return bad(context(c)); });
    if (pod || !names.empty())
      add("hostProcess", settersOf(pod, names) + " must not set securityContext.windowsOptions.hostProcess=true");
  }

  void escalation() {
    Names names = containersWhere(spec_, [](const Value& c) {
      return context(c)["allowPrivilegeEscalation"] != Value::boolean(false);
    });
    if (!names.empty() && !onWindows()) {
      add("allowPrivilegeEscalation != false", containers(names) + " must set securityContext.allowPrivilegeEscalation=false");
    }
  }

  void restrictedCapabilities() {
    if (onWindows()) return;
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
    if (inUserNamespace()) return;
    const Value& pod = spec_["securityContext"]["runAsNonRoot"];
    Names explicitly = containersWhere(spec_, [](const Value& c) { return context(c)["runAsNonRoot"] == Value::boolean(false); });
    Names silent = containersWhere(spec_, [](const Value& c) { return context(c)["runAsNonRoot"].isNull(); });
    bool podRefuses = pod == Value::boolean(false);
    if (podRefuses || !explicitly.empty()) {
      add("runAsNonRoot != true", settersOf(podRefuses, explicitly) + " must not set securityContext.runAsNonRoot=false");
    } else if (pod.isNull() && !silent.empty()) {
      add("runAsNonRoot != true", concat("pod or ", containers(silent), " must set securityContext.runAsNonRoot=true"));
    }
  }

  void rootUser() {
    if (inUserNamespace()) return;
    auto bad = [](const Value& ctx) { return ctx["runAsUser"] == Value::integer(0); };
    bool pod = bad(spec_["securityContext"]);
    Names names = containersWhere(spec_, [&](const Value& c) { return bad(context(c)); });
    if (pod || !names.empty()) add("runAsUser=0", settersOf(pod, names) + " must not set runAsUser=0");
  }

  void seccompRestricted() {
    if (onWindows()) return;
    auto good = [](const Value& ctx) { return oneOf(ctx["seccompProfile"]["type"].asString(), {"RuntimeDefault", "Localhost"}); };
    auto set = [](const Value& ctx) { return !ctx["seccompProfile"]["type"].asString().empty(); };
    const Value& pod = spec_["securityContext"];
    bool podBad = set(pod) && !good(pod);
    Names bad = containersWhere(spec_, [&](const Value& c) { return set(context(c)) && !good(context(c)); });
    Names silent = containersWhere(spec_, [&](const Value& c) { return !set(context(c)); });
    if (podBad || !bad.empty()) {
      add("seccompProfile", settersOf(podBad, bad) + " must not set securityContext.seccompProfile.type to \"Unconfined\"");
    } else if (!good(pod) && !silent.empty()) {
      add("seccompProfile", concat("pod or ", containers(silent),
                                   " must set securityContext.seccompProfile.type to \"RuntimeDefault\" or \"Localhost\""));
    }
  }

  // What Linux alone has is not asked of Windows.
  bool onWindows() const { return version_ >= 25 && spec_["os"]["name"].asString() == "windows"; }
  // Its root is nobody outside.
  bool inUserNamespace() const { return version_ >= kUserNamespaces && spec_["hostUsers"] == Value::boolean(false); }

  const SecurityLevel level_;
  const int version_;
  const Value& metadata_;
  const Value& spec_;
  size_t uses_ = 0;  // of hosts in probes and hooks
  std::vector<Violation> found_;
};

// A check of the baseline holds for the restricted level too, until that has a stricter one of its own.
struct Evaluation::Check {
  SecurityLevel level;
  void (Evaluation::*run)();
  int since = 0, until = kLatestSecurityVersion + 1;
  int stricterSince = kLatestSecurityVersion + 1;
};
const Evaluation::Check Evaluation::kChecks[] = {
    {.level = SecurityLevel::Baseline, .run = &Evaluation::appArmor},
    {.level = SecurityLevel::Baseline, .run = &Evaluation::capabilities, .stricterSince = 22},
    {.level = SecurityLevel::Baseline, .run = &Evaluation::hostNamespaces},
    {.level = SecurityLevel::Baseline, .run = &Evaluation::hostPaths, .stricterSince = 0},
    {.level = SecurityLevel::Baseline, .run = &Evaluation::hostPorts},
    {.level = SecurityLevel::Baseline, .run = &Evaluation::hostProbes, .since = 34},
    {.level = SecurityLevel::Baseline, .run = &Evaluation::privileged},
    {.level = SecurityLevel::Baseline, .run = &Evaluation::procMount, .stricterSince = kUserNamespaces},
    {.level = SecurityLevel::Baseline, .run = &Evaluation::seLinux},
    {.level = SecurityLevel::Baseline, .run = &Evaluation::seccompAnnotations, .until = kSeccompFields},
    {.level = SecurityLevel::Baseline, .run = &Evaluation::seccompBaseline, .since = kSeccompFields, .stricterSince = kSeccompFields},
    {.level = SecurityLevel::Baseline, .run = &Evaluation::sysctls},
    {.level = SecurityLevel::Baseline, .run = &Evaluation::hostProcess},
    {.level = SecurityLevel::Restricted, .run = &Evaluation::escalation, .since = 8},
    {.level = SecurityLevel::Restricted, .run = &Evaluation::restrictedCapabilities, .since = 22},
    {.level = SecurityLevel::Restricted, .run = &Evaluation::procMount, .since = kUserNamespaces},
    {.level = SecurityLevel::Restricted, .run = &Evaluation::restrictedVolumes},
    {.level = SecurityLevel::Restricted, .run = &Evaluation::nonRoot},
    {.level = SecurityLevel::Restricted, .run = &Evaluation::rootUser, .since = 23},
    {.level = SecurityLevel::Restricted, .run = &Evaluation::seccompRestricted, .since = kSeccompFields},
};

std::vector<Violation> Evaluation::run() {
  for (const Check& check : kChecks) {
    bool stricter = level_ == SecurityLevel::Restricted && version_ >= check.stricterSince;
    if (check.level <= level_ && version_ >= check.since && version_ < check.until && !stricter) (this->*check.run)();
  }
  return std::move(found_);
}

}  // namespace

std::optional<SecurityLevel> securityLevel(std::string_view text) {
  if (text == "privileged") return SecurityLevel::Privileged;
  if (text == "baseline") return SecurityLevel::Baseline;
  if (text == "restricted") return SecurityLevel::Restricted;
  return std::nullopt;
}

std::optional<int> securityVersion(std::string_view text) {
  if (text == "latest") return kLatestSecurityVersion;
  if (!text.starts_with("v1.")) return std::nullopt;
  std::string_view minor = text.substr(3);
  bool plain = !minor.empty() && minor.size() <= 4 && minor.find_first_not_of("0123456789") == minor.npos && (minor == "0" || minor[0] != '0');
  return plain ? std::optional(static_cast<int>(*parseInt(minor))) : std::nullopt;
}

std::vector<Violation> violations(SecurityLevel level, int version, const Value& podMetadata, const Value& podSpec) {
  if (level == SecurityLevel::Privileged) return {};
  return Evaluation(level, version, podMetadata, podSpec).run();
}

}  // namespace skiff::apiserver::admission
