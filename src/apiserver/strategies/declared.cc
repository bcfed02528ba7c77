#include "apiserver/strategies/declared.h"

#include <algorithm>
#include <set>

#include "api/field_slots.h"
#include "apiserver/strategies/formats.h"
#include "codec/json.h"

namespace skiff::apiserver {

namespace {

using api::Cardinality;
using api::FieldInfo;
using api::FieldKind;
using codec::Value;

bool isZero(const Value& value) {
  switch (value.kind()) {
    case Value::Kind::Null: return true;
    case Value::Kind::Bool: return !value.asBool();
    case Value::Kind::Int: return value.asInt() == 0;
    case Value::Kind::Double: return value.asDouble() == 0;
    case Value::Kind::String: return value.asString().empty();
    case Value::Kind::List:
    case Value::Kind::Map: return value.size() == 0;
    case Value::Kind::Raw: return false;
  }
  return true;
}

formats::Faults formatFaults(std::string_view format, std::string_view text) {
  if (format == "k8s-long-name") return formats::dnsSubdomain(text);
  if (format == "k8s-long-name-caseless") return formats::dnsSubdomain(toLower(text));
  if (format == "k8s-short-name") return formats::dnsLabel(text);
  if (format == "k8s-uuid") return formats::uuid(text);
  if (format == "k8s-label-key") return formats::qualifiedName(text);
  if (format == "k8s-path-segment-name") return formats::pathSegment(text);
  return {};  // checked by the kind's strategy
}

class Checker {
 public:
  Checker(FieldErrors& errors) : errors_(errors) {
    for (const Cause& cause : errors.causes()) known_.insert(cause.field);
    handwritten_ = errors.causes().size();
  }

  void message(const api::TypeInfo& type, const Field& object, const Value* old, bool root) {
    api::FieldSlots values(*object.value, type);
    for (size_t i = 0; i < type.fields.size(); ++i) {
      const FieldInfo& info = type.fields[i];
      if (root && (info.json == "metadata" || info.json == "status")) continue;
      bool isMessage = info.kind == FieldKind::Message && info.type != nullptr;
      if (info.rules.empty() && info.enumInfo == nullptr && !isMessage) continue;
      const Value& value = values[i];
      if (info.rules.empty() && value.isNull()) continue;
      Field field{&value, object.path.name(info.json)};
      const Value* before = old != nullptr ? &(*old)[info.json] : nullptr;
      for (std::string_view rule : info.rules) apply(info, rule, field, before);
      if (info.enumInfo != nullptr && info.enumInfo->closed) checkEnum(info, field);
      if (isMessage && !value.isNull()) below(info, field, before);
    }
  }

 private:
  bool fresh(const Field& field) { return known_.insert(field.path.text()).second; }

  // Upstream's own checks stand at paths of their own now and then (a node's taints): the value tells them again.
  bool toldUnsupported(std::string_view value) const {
    std::string start = concat("Unsupported value: ", quoted(value), ":");
    for (size_t i = 0; i < handwritten_; ++i) {
      if (errors_.causes()[i].message.starts_with(start)) return true;
    }
    return false;
  }

  void below(const FieldInfo& info, const Field& field, const Value* old) {
    switch (info.cardinality) {
      case Cardinality::List:
        // Items without keys have no counterpart in the old list.
        each(field, [&](const Field& item) { message(*info.type, item, nullptr, false); });
        break;
      case Cardinality::Map:
        eachEntry(field, [&](std::string_view, const Field& item) {
          message(*info.type, item, nullptr, false);
        });
        break;
      default: message(*info.type, field, old, false);
    }
  }

  void checkEnum(const FieldInfo& info, const Field& field) {
    auto check = [&](const Field& item) {
      if (item.text().empty() && !item.value->isString()) return;
      if (item.text().empty() && info.cardinality == Cardinality::Single) return;
      auto values = info.enumInfo->values;
      if (std::ranges::find(values, item.text()) != values.end()) return;
      if (toldUnsupported(item.text()) || !fresh(item)) return;
      std::vector<std::string> supported(values.begin(), values.end());
      std::ranges::sort(supported);
      errors_.notSupported(item.path, shown(*item.value), supported);
    };
    if (info.cardinality == Cardinality::List) {
      if (!known_.contains(field.path.text())) each(field, check);
    } else if (info.cardinality != Cardinality::Map) {
      check(field);
    }
  }

  void apply(const FieldInfo& info, std::string_view rule, const Field& field, const Value* old) {
    auto parts = cut(rule, "=");
    std::string_view name = parts ? parts->first : rule;
    std::string_view argument = parts ? parts->second : std::string_view();
    if (argument.size() >= 2 && argument.front() == '"' && argument.back() == '"') {
      argument = argument.substr(1, argument.size() - 2);
    }
    const Value& value = *field.value;
    if (name == "required") {
      // A pointer to a zero value is there.
      bool absent = info.cardinality == Cardinality::Optional ? value.isNull() : isZero(value);
      if (absent && fresh(field)) errors_.required(field.path, "");
    } else if (name == "immutable") {
      bool same = old == nullptr || *old == value || (isZero(*old) && isZero(value));
      if (!same && fresh(field)) errors_.invalid(field.path, shown(value), "field is immutable");
    } else if (name == "eachKey" || name == "eachVal") {
      nested(name == "eachKey", argument, field);
    } else if (!value.isNull()) {
      applyToPresent(info, name, argument, field);
    }
  }

  void applyToPresent(const FieldInfo& info, std::string_view name, std::string_view argument,
                      const Field& field) {
    int64_t limit = parseInt(argument).value_or(0);
    if (name == "maxItems") {
      if (int64_t(field.size()) > limit && fresh(field)) {
        errors_.tooMany(field.path, int64_t(field.size()), limit);
      }
    } else if (name == "maxLength" || name == "maxBytes") {
      if (int64_t(field.text().size()) > limit && fresh(field)) errors_.tooLong(field.path, limit);
    } else if (name == "minimum") {
      if (field.value->isInt() && field.number() < limit && fresh(field)) {
        errors_.invalid(field.path, shown(*field.value),
                        concat("must be greater than or equal to ", limit));
      }
    } else if (name == "maximum") {
      if (field.value->isInt() && field.number() > limit && fresh(field)) {
        errors_.invalid(field.path, shown(*field.value),
                        concat("must be less than or equal to ", limit));
      }
    } else if (name == "format") {
      format(argument, field, field);
    } else if (name == "unique") {
      unique(info, argument, field);
    }
  }

  void format(std::string_view name, const Field& item, const Field& at) {
    if (item.text().empty()) return;
    auto faults = formatFaults(name, item.text());
    if (faults.empty() || !fresh(at)) return;
    for (const std::string& fault : faults) errors_.invalid(at.path, quoted(item.text()), fault);
  }

  // "eachKey=+k8s:format=k8s-short-name"
  void nested(bool keys, std::string_view rule, const Field& field) {
    constexpr std::string_view kFormat = "+k8s:format=";
    if (!rule.starts_with(kFormat)) return;
    std::string_view name = rule.substr(kFormat.size());
    eachEntry(field, [&](std::string_view key, const Field& item) {
      Value text = Value::string(key);
      format(name, keys ? Field{&text, field.path} : item, item);
    });
    each(field, [&](const Field& item) { format(name, item, item); });
  }

  void unique(const FieldInfo& info, std::string_view kind, const Field& field) {
    std::set<std::string> seen;
    each(field, [&](const Field& item) {
      std::string key;
      if (kind == "map") {
        for (std::string_view name : info.listMapKeys) {
          key += codec::toJson((*item.value)[name]);
          key += '\n';
        }
        if (info.listMapKeys.empty()) return;
      } else {
        key = codec::toJson(*item.value);
      }
      if (!seen.insert(key).second && fresh(item)) errors_.duplicate(item.path, shown(*item.value));
    });
  }

  FieldErrors& errors_;
  size_t handwritten_ = 0;  // causes that were there before
  std::set<std::string, std::less<>> known_;
};

}  // namespace

void validateDeclared(const api::TypeInfo& type, const Value& object, const Value* old,
                      FieldErrors& errors) {
  Checker(errors).message(type, rootField(object), old, true);
}

}  // namespace skiff::apiserver
