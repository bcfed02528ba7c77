// Between value trees and the generated structs, driven by tables: two functions for all types.
#pragma once
#include <cstddef>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "api/schema.h"
#include "base/result.h"
#include "codec/value.h"

namespace skiff::api {

// How the codec reaches into the containers of a generated struct without knowing its type.
struct TypeBinding {
  const TypeInfo* type;
  void* (*create)();
  void (*destroy)(void*);
  // std::vector<T>
  void* (*push)(void* vector);
  size_t (*count)(const void* vector);
  const void* (*element)(const void* vector, size_t index);
  // std::map<std::string, T>
  void* (*insert)(void* map, std::string_view key);
  void (*each)(const void* map, void* context,
               void (*visit)(void* context, std::string_view key, const void* value));
  struct Field {
    uint32_t offset;
    const TypeBinding* binding;  // of a message, else null
  };
  std::span<const Field> fields;  // parallel to type->fields
};

template <class T>
struct Containers {
  static void* create() { return new T(); }
  static void destroy(void* p) { delete static_cast<T*>(p); }
  static void* push(void* v) { return &static_cast<std::vector<T>*>(v)->emplace_back(); }
  static size_t count(const void* v) { return static_cast<const std::vector<T>*>(v)->size(); }
  static const void* element(const void* v, size_t i) {
    return &(*static_cast<const std::vector<T>*>(v))[i];
  }
  static void* insert(void* m, std::string_view key) {
    return &(*static_cast<std::map<std::string, T>*>(m))[std::string(key)];
  }
  static void each(const void* m, void* context,
                   void (*visit)(void*, std::string_view, const void*)) {
    for (const auto& [key, value] : *static_cast<const std::map<std::string, T>*>(m))
      visit(context, key, &value);
  }
};

// Fills *into (a fresh struct of binding.type). Unknown fields are skipped; a wrong kind of value
// is an error with its path. The tree is as the API server or a client's decoder left it.
Status fromValue(const TypeBinding& binding, const codec::Value& value, void* into);
// The JSON form of the struct: zero and empty fields are left out as the tables say. A kind gets
// its apiVersion and kind (at the root only).
codec::Value toValue(const TypeBinding& binding, const void* from, codec::Arena& arena);

template <class T>
Result<T> fromValue(const codec::Value& value) {
  T out;
  TRY(fromValue(T::binding(), value, &out));
  return out;
}
template <class T>
codec::Value toValue(const T& from, codec::Arena& arena) {
  return toValue(T::binding(), &from, arena);
}
template <class T>
Result<T> fromJson(std::string_view json);
template <class T>
std::string toJson(const T& from);
// Deep equality by JSON form: empty and absent are the same, as upstream's semantic equality.
bool equal(const TypeBinding& binding, const void* a, const void* b);
template <class T>
bool equal(const T& a, const T& b) {
  return equal(T::binding(), &a, &b);
}

Status fromJsonText(const TypeBinding& binding, std::string_view json, void* into);
std::string toJsonText(const TypeBinding& binding, const void* from);
template <class T>
Result<T> fromJson(std::string_view json) {
  T out;
  TRY(fromJsonText(T::binding(), json, &out));
  return out;
}
template <class T>
std::string toJson(const T& from) {
  return toJsonText(T::binding(), &from);
}

}  // namespace skiff::api
