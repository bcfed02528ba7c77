#include "controllers/history.h"

#include "base/strings.h"
#include "codec/json.h"

namespace skiff::controllers {

std::string templatePatch(const PodTemplateSpec& podTemplate) {
  std::string json = api::toJson(podTemplate);
  // The mark makes the patch replace the whole template when it is applied by a client (kubectl rollout undo).
  json.insert(1, json == "{}" ? R"("$patch":"replace")" : R"("$patch":"replace",)");
  codec::Arena arena;
  auto parsed = codec::parseJson(concat(R"({"spec":{"template":)", json, "}}"), arena);
  return parsed.ok() ? codec::toJsonSorted(*parsed) : std::string();
}

Result<PodTemplateSpec> templateOf(const ControllerRevision& revision) {
  codec::Arena arena;
  codec::Value data = TRY(codec::parseJson(revision.data.json, arena));
  return api::fromValue<PodTemplateSpec>(data["spec"]["template"]);
}

bool sameRevisionData(const ControllerRevision& a, const ControllerRevision& b) {
  if (a.data.json == b.data.json) return true;
  codec::Arena arena;
  auto left = codec::parseJson(a.data.json, arena), right = codec::parseJson(b.data.json, arena);
  return left.ok() && right.ok() && *left == *right;
}

void sortByRevision(std::vector<RevisionPtr>& revisions) {
  std::sort(revisions.begin(), revisions.end(), [](const RevisionPtr& a, const RevisionPtr& b) {
    return std::tie(a->revision, a->metadata.creationTimestamp, a->metadata.name) <
           std::tie(b->revision, b->metadata.creationTimestamp, b->metadata.name);
  });
}

Result<RevisionPtr> RevisionHistory::sync(const RevisionOwner& owner, const std::vector<RevisionPtr>& all,
                                          const std::string& data, std::optional<int32_t>& collisionCount) const {
  ControllerRevision wanted;
  wanted.data.json = data;
  int64_t newest = 0;
  RevisionPtr same;
  for (const auto& revision : all) {
    newest = std::max(newest, revision->revision);
    if (sameRevisionData(*revision, wanted) && (!same || same->revision < revision->revision)) same = revision;
  }
  if (same && same->revision == newest) return same;
  if (same) {  // rolled back to: it becomes the newest again
    ControllerRevision updated = *same;
    updated.revision = newest + 1;
    return std::make_shared<const ControllerRevision>(TRY(ctx_.client->update(updated)));
  }
  wanted.revision = newest + 1;
  wanted.metadata.namespace_ = owner.ns;
  wanted.metadata.labels = owner.labels;
  wanted.metadata.ownerReferences.push_back(owner.reference);
  for (int attempt = 0;; ++attempt) {
    std::string hash = templateHash(data, collisionCount);
    wanted.metadata.name = concat(owner.name, "-", hash);
    wanted.metadata.labels[std::string(kControllerRevisionHash)] = hash;
    auto created = ctx_.client->create(wanted);
    if (created.ok()) return std::make_shared<const ControllerRevision>(std::move(created).value());
    if (!created.failedWith(Reason::AlreadyExists) || attempt == 10) return std::move(created).error();
    auto existing = ctx_.client->get<ControllerRevision>(owner.ns, wanted.metadata.name);
    if (!existing.ok()) return std::move(existing).error();
    if (sameRevisionData(*existing, wanted) && isControlledBy(existing->metadata, owner.reference.uid))
      return std::make_shared<const ControllerRevision>(std::move(existing).value());
    collisionCount = collisionCount.value_or(0) + 1;
  }
}

Status RevisionHistory::truncate(std::vector<RevisionPtr> all, const std::set<std::string>& namesInUse,
                                 int32_t limit) const {
  std::erase_if(all, [&](const RevisionPtr& revision) { return namesInUse.contains(revision->metadata.name); });
  if (int64_t(all.size()) <= limit) return okStatus();
  sortByRevision(all);
  for (size_t i = 0; i + size_t(limit) < all.size(); ++i)
    TRY(ignoreNotFound(ctx_.client->remove<ControllerRevision>(all[i]->metadata.namespace_, all[i]->metadata.name,
                                                               {.uid = all[i]->metadata.uid})));
  return okStatus();
}

}  // namespace skiff::controllers
