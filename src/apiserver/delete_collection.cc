// DELETE of a collection: the listed objects go one by one, several at a time, so that their writes share syncs.
#include <condition_variable>
#include <mutex>

#include "apiserver/audit/record.h"
#include "apiserver/list.h"
#include "apiserver/rest.h"
#include "apiserver/write_options.h"

namespace skiff::apiserver {
namespace {

// As many as profit from one sync of the disk, and few enough that other writers have threads.
constexpr size_t kDeletersAtOnce = 16;

// Objects are begun in order; nothing is begun after a failure. The thread that runs the request deletes as well, and
// waits for what others have begun only: helpers that come late, or never, find nothing to do.
class CollectionDeletion {
 public:
  CollectionDeletion(Registry& registry, WriteCall call, DeleteCall how, const std::vector<api::ObjectPtr>& items)
      : registry_(registry), call_(std::move(call)), how_(std::move(how)), items_(items), outcomes_(items.size()) {}

  void work() {
    while (std::optional<size_t> index = begin()) {
      bool deleted = removeOne(*items_[*index], outcomes_[*index]);
      std::lock_guard lock(mutex_);
      failed_ |= !deleted;
      if (--active_ == 0) idle_.notify_all();
    }
  }

  // The first error in the order of the objects. Their warnings and annotations are told to the request in that order.
  Status finish() {
    std::unique_lock lock(mutex_);
    idle_.wait(lock, [this] { return active_ == 0; });
    for (Outcome& outcome : outcomes_) {
      if (call_.warnings) std::ranges::move(outcome.warnings, std::back_inserter(*call_.warnings));
      if (call_.auditAnnotations) call_.auditAnnotations->merge(outcome.annotations);
      TRY(std::move(outcome.status));
    }
    return okStatus();
  }

 private:
  struct Outcome {
    Status status = okStatus();
    std::vector<std::string> warnings;
    std::map<std::string, std::string> annotations;
  };

  std::optional<size_t> begin() {
    std::lock_guard lock(mutex_);
    if (failed_ || next_ == outcomes_.size()) return std::nullopt;
    ++active_;
    return next_++;
  }

  bool removeOne(const api::Object& item, Outcome& outcome) {
    WriteCall call = call_;
    call.ns = std::string(item.ns());
    call.name = std::string(item.name());
    if (call.warnings) call.warnings = &outcome.warnings;
    if (call.auditAnnotations) call.auditAnnotations = &outcome.annotations;
    auto deleted = registry_.remove(call, how_);
    // Gone meanwhile is as good.
    if (deleted.ok() || deleted.failedWith(Reason::NotFound)) return true;
    outcome.status = std::move(deleted).error();
    return false;
  }

  Registry& registry_;
  const WriteCall call_;
  const DeleteCall how_;
  const std::vector<api::ObjectPtr>& items_;  // the request's: not touched once all are begun
  std::vector<Outcome> outcomes_;             // each is its deleter's until active_ is 0

  std::mutex mutex_;  // guards all below
  std::condition_variable idle_;
  size_t next_ = 0, active_ = 0;
  bool failed_ = false;
};

}  // namespace

void Rest::removeCollection(Exchange& exchange) {
  const ServedResource& resource = *exchange.resource;
  auto run = [&]() -> Result<ListPage> {
    ListOptions options = TRY(parseListOptions(exchange.query, resource, ListPurpose::List));
    DeleteOptions how = TRY(parseDeleteOptions(exchange));
    std::string_view ns = resource.info->namespaced ? std::string_view(exchange.info.ns) : "";
    ListPage page = TRY(listPage(*parts_.registry, resource, ns, options));
    auto deletion = std::make_shared<CollectionDeletion>(*parts_.registry, callOf(exchange, "", how.dryRun), how.how,
                                                         page.items);
    for (size_t i = 1; i < std::min(kDeletersAtOnce, page.items.size()); ++i)
      if (!parts_.writers->submit([deletion] { deletion->work(); })) break;
    deletion->work();
    TRY(deletion->finish());
    return page;
  };
  auto page = run();
  if (!page.ok()) return exchange.fail(page.error());
  respondList(exchange, std::move(page).value(), parts_.registry->clock().now());
}

}  // namespace skiff::apiserver
