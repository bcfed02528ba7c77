#include "api/internal_form.h"

#include <algorithm>
#include <cctype>
#include <vector>

#include "base/line_diff.h"
#include "base/strings.h"
#include "codec/json.h"

namespace skiff::api {
using codec::Arena;
using codec::Value;

namespace {

struct GoName {
  std::string_view json, go;
};
// Names whose Go form is more than a capital letter: acronyms at the start, and a few that differ.
constexpr GoName kGoNames[] = {
    {"apiGroup", "APIGroup"},
    {"apiVersion", "APIVersion"},
    {"awsElasticBlockStore", "AWSElasticBlockStore"},
    {"cephfs", "CephFS"},
    {"chapAuthDiscovery", "DiscoveryCHAPAuth"},
    {"chapAuthSession", "SessionCHAPAuth"},
    {"csi", "CSI"},
    {"diskURI", "DataDiskURI"},
    {"dnsConfig", "DNSConfig"},
    {"dnsPolicy", "DNSPolicy"},
    {"fc", "FC"},
    {"fsGroup", "FSGroup"},
    {"fsGroupChangePolicy", "FSGroupChangePolicy"},
    {"fsType", "FSType"},
    {"gcePersistentDisk", "GCEPersistentDisk"},
    {"gmsaCredentialSpec", "GMSACredentialSpec"},
    {"gmsaCredentialSpecName", "GMSACredentialSpecName"},
    {"grpc", "GRPC"},
    {"httpGet", "HTTPGet"},
    {"httpHeaders", "HTTPHeaders"},
    {"ip", "IP"},
    {"iqn", "IQN"},
    {"iscsi", "ISCSI"},
    {"iscsiInterface", "ISCSIInterface"},
    {"nfs", "NFS"},
    {"os", "OS"},
    {"pdID", "PdID"},
    {"pdName", "PDName"},
    {"rbd", "RBD"},
    {"seLinuxChangePolicy", "SELinuxChangePolicy"},
    {"seLinuxOptions", "SELinuxOptions"},
    {"serviceAccount", "DeprecatedServiceAccount"},
    {"sslEnabled", "SSLEnabled"},
    {"storageos", "StorageOS"},
    {"tcpSocket", "TCPSocket"},
    {"tty", "TTY"},
    {"uid", "UID"},
    {"wwids", "WWIDs"},
};

// Names of one type alone; `types` is what the type's name starts with.
struct TypedGoName {
  std::string_view types, json, go;
};
constexpr TypedGoName kTypedGoNames[] = {
    {"Glusterfs", "endpoints", "EndpointsName"},
    {"RBD", "image", "RBDImage"},
    {"RBD", "monitors", "CephMonitors"},
    {"RBD", "pool", "RBDPool"},
    {"RBD", "user", "RadosUser"},
};

std::string goName(const TypeInfo& type, std::string_view json) {
  for (const TypedGoName& name : kTypedGoNames)
    if (name.json == json && type.name.starts_with(name.types)) return std::string(name.go);
  auto found = std::ranges::find(kGoNames, json, &GoName::json);
  if (found != std::end(kGoNames)) return std::string(found->go);
  std::string out(json);
  if (!out.empty()) out[0] = char(std::toupper(static_cast<unsigned char>(out[0])));
  return out;
}

// The tree in that form. Limited in depth as the conformed trees are that it is made of.
class InternalForm {
 public:
  explicit InternalForm(Arena& arena) : arena_(arena) {}

  Value message(const Value& value, const TypeInfo& type) {
    if (type.package == "meta/v1" || type.isWrapper || type.custom) return value;
    Value out = Value::map();
    for (const FieldInfo& field : type.fields) {
      const Value& held = value[field.json];
      if (field.json == "metadata" && field.type && field.type->package == "meta/v1") {
        // Metadata is embedded: its fields stand among the others.
        for (const codec::Member& member : held.members()) out.append(arena_, member.key, member.value);
        continue;
      }
      out.append(arena_, arena_.copy(goName(type, field.json)), fieldValue(held, field));
    }
    return out;
  }

 private:
  Value fieldValue(const Value& value, const FieldInfo& field) {
    if (field.cardinality == Cardinality::Single) return value.isNull() ? zero(field) : element(value, field);
    if (value.isNull()) return Value::null();
    if (field.cardinality == Cardinality::Optional) return element(value, field);
    Value out = field.cardinality == Cardinality::List ? Value::list() : Value::map();
    for (const Value& item : value.items()) out.push(arena_, element(item, field));
    for (const codec::Member& member : value.members()) out.append(arena_, member.key, element(member.value, field));
    return out;
  }

  Value element(const Value& value, const FieldInfo& field) {
    return field.kind == FieldKind::Message && field.type ? message(value, *field.type) : value;
  }

  // Of a field that is no pointer, list or map.
  Value zero(const FieldInfo& field) {
    switch (field.kind) {
      case FieldKind::Bool: return Value::boolean(false);
      case FieldKind::Int32:
      case FieldKind::Int64:
      case FieldKind::Double:
      case FieldKind::IntOrString: return Value::integer(0);
      case FieldKind::String: return Value::string("");
      case FieldKind::Quantity: return Value::string("0");
      case FieldKind::Duration: return Value::string("0s");
      case FieldKind::Message:
        return field.type && field.type->package != "meta/v1" ? message(Value::map(), *field.type) : Value::map();
      default: return Value::null();
    }
  }

  Arena& arena_;
};

// One line for each value, indented by one space a level, as json.MarshalIndent writes it.
void appendLines(std::vector<std::string>& lines, const Value& value, size_t depth, std::string_view lead,
                 std::string_view comma) {
  std::string indent(depth, ' ');
  bool nested = (value.isMap() || value.isList()) && !value.empty();
  if (!nested) return lines.push_back(concat(indent, lead, codec::toJson(value), comma));
  lines.push_back(concat(indent, lead, value.isMap() ? "{" : "["));
  size_t left = value.size();
  for (const codec::Member& member : value.members()) {
    std::string key;
    codec::writeJsonString(key, member.key);
    appendLines(lines, member.value, depth + 1, key + ": ", --left > 0 ? "," : "");
  }
  for (const Value& item : value.items()) appendLines(lines, item, depth + 1, "", --left > 0 ? "," : "");
  lines.push_back(concat(indent, value.isMap() ? "}" : "]", comma));
}

std::vector<std::string> linesOf(const Value& value, const TypeInfo& type) {
  Arena arena;
  std::vector<std::string> lines;
  appendLines(lines, InternalForm(arena).message(value, type), 0, "", "");
  return lines;
}

}  // namespace

std::string internalText(const Value& value, const TypeInfo& type) {
  Arena arena;
  return codec::toJson(InternalForm(arena).message(value, type));
}

std::string internalDiff(const Value& before, const Value& after, const TypeInfo& type) {
  return unifiedDiff(linesOf(before, type), linesOf(after, type));
}

}  // namespace skiff::api
