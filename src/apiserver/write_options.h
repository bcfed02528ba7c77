// CreateOptions, UpdateOptions, PatchOptions and DeleteOptions of a request, checked with upstream's words.
#pragma once
#include <string>
#include <string_view>

#include "apiserver/exchange.h"
#include "apiserver/object_codec.h"
#include "apiserver/registry.h"

namespace skiff::apiserver {

struct WriteOptions {
  bool dryRun = false;
  bool force = false;
  std::string fieldManager;  // as given; "" when absent
  FieldValidation fieldValidation = FieldValidation::Warn;
};
enum class OptionsKind { Create, Update, Patch, ApplyPatch };
Result<WriteOptions> parseWriteOptions(const Query& query, OptionsKind kind);

struct DeleteOptions {
  DeleteCall how;
  bool dryRun = false;
};
// From the body if there is one, else from the query.
Result<DeleteOptions> parseDeleteOptions(Exchange& exchange);

}  // namespace skiff::apiserver
