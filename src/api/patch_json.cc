#include <algorithm>

#include "api/patch.h"
#include "base/strings.h"
#include "codec/json.h"

namespace skiff::api {
using codec::Arena;
using codec::Value;

namespace {

constexpr size_t kMaxOperations = 10000;         // as the API server
constexpr size_t kMaxCopied = 3 * 1024 * 1024;  // bytes that `copy` may add in all, as the API server

Error decodeError(const Value& value, std::string_view type) {
  std::string_view kind = value.isMap()      ? "object"
                          : value.isList()   ? "array"
                          : value.isString() ? "string"
                          : value.isBool()   ? "bool"
                                             : "number";
  return badRequest(concat("error decoding patch: json: cannot unmarshal ", kind, " into Go value of type ", type));
}

// The API server hides why a JSON patch failed behind one text.
Error cannotApply() {
  return {Reason::Invalid, "the server rejected our request due to an error in our request", ErrorDetails{}};
}

std::string unescaped(std::string_view token) {
  return replaceAll(replaceAll(token, "~1", "/"), "~0", "~");
}

struct Target {
  Value* parent = nullptr;  // the map or list that holds the last token; null when there is none
  std::string key;
};

class Editor {
 public:
  Editor(Value root, Arena& arena) : root_(root), arena_(arena) {}
  const Value& root() const { return root_; }

  bool run(const Value& operation) {
    std::string_view op = operation["op"].asString(), path = operation["path"].asString();
    if (!operation["path"].isString()) return false;
    if (op == "add") return add(path, operation["value"].clone(arena_));
    if (op == "remove") return remove(path);
    if (op == "replace") return replace(path, operation["value"].clone(arena_));
    if (op == "test") return test(path, operation["value"]);
    if (!operation["from"].isString()) return false;
    std::string_view from = operation["from"].asString();
    if (op == "move") return move(from, path);
    if (op == "copy") return copy(from, path);
    return false;
  }

 private:
  Target locate(std::string_view path) {
    auto tokens = split(path, '/');
    if (tokens.size() < 2) return {};
    Value* node = &root_;
    for (size_t i = 1; i + 1 < tokens.size(); ++i) {
      node = child(*node, unescaped(tokens[i]));
      if (!node) return {};
      if (node->isRaw()) *node = codec::parseRaw(*node, arena_);
    }
    if (!node->isMap() && !node->isList()) return {};
    return {node, unescaped(tokens.back())};
  }

  // Index of an existing item; negative ones count from the end.
  static std::optional<size_t> indexIn(const Value& list, std::string_view key, size_t size) {
    auto index = parseInt(key);
    if (!list.isList() || !index) return std::nullopt;
    if (*index < 0) *index += int64_t(size);
    if (*index < 0 || *index >= int64_t(size)) return std::nullopt;
    return size_t(*index);
  }

  static Value* child(Value& parent, std::string_view key) {
    if (parent.isMap()) return parent.find(key);
    auto index = indexIn(parent, key, parent.size());
    return index ? &parent.items()[*index] : nullptr;
  }

  bool add(std::string_view path, Value value) {
    Target target = locate(path);
    if (!target.parent) return false;
    if (target.parent->isMap()) {
      target.parent->set(arena_, target.key, value);
      return true;
    }
    if (target.key == "-") {
      target.parent->push(arena_, value);
      return true;
    }
    auto index = indexIn(*target.parent, target.key, target.parent->size() + 1);
    if (!index) return false;
    target.parent->insertAt(arena_, *index, value);
    return true;
  }

  bool remove(std::string_view path) {
    Target target = locate(path);
    if (!target.parent) return false;
    if (target.parent->isMap()) return target.parent->erase(target.key);
    auto index = indexIn(*target.parent, target.key, target.parent->size());
    if (!index) return false;
    target.parent->eraseAt(*index);
    return true;
  }

  // A missing member of a map is no obstacle, and an empty path is the document; upstream's library has it so.
  bool replace(std::string_view path, Value value) {
    if (path.empty() && (value.isMap() || value.isList())) {
      root_ = value;
      return true;
    }
    Target target = locate(path);
    if (!target.parent) return false;
    if (target.parent->isMap()) {
      target.parent->set(arena_, target.key, value);
      return true;
    }
    Value* existing = child(*target.parent, target.key);
    if (existing) *existing = value;
    return existing != nullptr;
  }

  // A missing member of a map counts as null here and in copy.
  bool test(std::string_view path, const Value& expected) {
    if (path.empty()) return root_ == expected;
    Target target = locate(path);
    if (!target.parent) return false;
    Value* existing = child(*target.parent, target.key);
    if (!existing) return target.parent->isMap() && expected.isNull();
    return *existing == expected;
  }

  bool move(std::string_view from, std::string_view path) {
    Target source = locate(from);
    Value* existing = source.parent ? child(*source.parent, source.key) : nullptr;
    if (!existing) return false;
    Value value = *existing;
    return remove(from) && add(path, value);
  }

  bool copy(std::string_view from, std::string_view path) {
    Target source = locate(from);
    if (!source.parent) return false;
    Value* existing = child(*source.parent, source.key);
    if (!existing && source.parent->isList()) return false;
    size_t before = arena_.bytes();
    Value value = existing ? existing->clone(arena_) : Value();
    copied_ += arena_.bytes() - before;
    return copied_ <= kMaxCopied && add(path, value);
  }

  Value root_;
  Arena& arena_;
  size_t copied_ = 0;
};

}  // namespace

Result<Value> applyJsonPatch(const Value& object, const Value& patch, Arena& arena) {
  if (!patch.isList()) return decodeError(patch, "[]handlers.jsonPatchOp");
  if (patch.size() > kMaxOperations)
    return Error(Reason::RequestEntityTooLarge, concat("The allowed maximum operations in a JSON patch is ",
                                                       kMaxOperations, ", got ", patch.size()));
  for (const Value& operation : patch.items())
    if (!operation.isMap() && !operation.isNull()) return decodeError(operation, "handlers.jsonPatchOp");
  Editor editor(object.clone(arena), arena);
  for (const Value& operation : patch.items())
    if (!editor.run(operation)) return cannotApply();
  TRY(checkPatchDepth(editor.root()));
  return editor.root();
}

}  // namespace skiff::api
