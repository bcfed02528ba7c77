// A page of objects from memory, and its encodings: the objects' own bytes are spliced, never encoded again for one client.
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "apiserver/exchange.h"
#include "apiserver/list_options.h"
#include "apiserver/registry.h"

namespace skiff::apiserver {

struct ListPage {
  store::Revision revision = 0;
  std::vector<api::ObjectPtr> items;
  std::string continueToken;
  std::optional<int64_t> remaining;
};
// Reason::Expired when the page's revision is compacted.
Result<ListPage> listPage(const Registry& registry, const ServedResource& resource, std::string_view ns,
                          const ListOptions& options);

// The whole answer of a LIST in the negotiated form.
Result<std::vector<SharedBytes>> encodeList(const ServedResource& resource, const ListPage& page,
                                            const Negotiated& out, std::string_view includeObject, WallTime now);
std::string listKind(const ServedResource& resource);
// Answers in the negotiated form: pieces for the network, an ObjectList inside the process.
void respondList(Exchange& exchange, ListPage page, WallTime now);

void handleList(const ExchangePtr& exchange, const Registry& registry);

codec::Value partialMetadata(const codec::Value& object, std::string_view version, codec::Arena& arena);

}  // namespace skiff::apiserver
