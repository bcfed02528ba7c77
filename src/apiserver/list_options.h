// metav1.ListOptions of a LIST, WATCH or DELETE of a collection, read and checked as upstream does.
#pragma once
#include <optional>
#include <string>

#include "api/object.h"
#include "api/selectors.h"
#include "apiserver/query.h"
#include "apiserver/resource_map.h"
#include "base/result.h"
#include "store/store.h"

namespace skiff::apiserver {

struct ListOptions {
  api::LabelSelector labels;
  api::FieldSelector fields;
  std::string exactName;  // of a field selector metadata.name=..., else ""
  enum class Match { Unset, Exact, NotOlderThan } match = Match::Unset;
  bool versionGiven = false;       // resourceVersion was not ""
  store::Revision version = 0;     // 0: "" or "0"
  int64_t limit = 0;
  std::string continueToken;
  bool bookmarks = false;
  std::optional<bool> sendInitialEvents;
  std::optional<int64_t> timeoutSeconds;

  bool selects() const { return !labels.empty() || !fields.empty(); }
  bool matches(const api::Object& object) const;
};

// What a selector of the field compares: mostly the text at that path of the object.
std::string selectableText(const codec::Value& object, std::string_view field);

enum class ListPurpose { List, Watch };
Result<ListOptions> parseListOptions(const Query& query, const ServedResource& resource, ListPurpose purpose,
                                     std::string_view nameOnPath = {});

// Where a list in pages goes on: base64 of JSON, as upstream's, so that both can read it.
struct ContinueToken {
  store::Revision revision = 0;  // -1: whatever is newest (after the first one expired)
  std::string startKey;          // relative to the list's prefix
};
std::string encodeContinue(const ContinueToken& token);
Result<ContinueToken> decodeContinue(std::string_view text);

}  // namespace skiff::apiserver
