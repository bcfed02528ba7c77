// ControllerRevisions: the versions of a template that a DaemonSet or StatefulSet has known.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "controllers/controller.h"
#include "controllers/controller_ref.h"
#include "controllers/pod_util.h"
#include "gen/apps_v1.h"

namespace skiff::controllers {

using api::apps::v1::ControllerRevision;
using RevisionPtr = std::shared_ptr<const ControllerRevision>;

inline constexpr std::string_view kControllerRevisionHash = "controller-revision-hash";

// The patch that a revision keeps: {"spec":{"template":{...,"$patch":"replace"}}}.
std::string templatePatch(const PodTemplateSpec& podTemplate);
// The template of a revision of ours.
Result<PodTemplateSpec> templateOf(const ControllerRevision& revision);
bool sameRevisionData(const ControllerRevision& a, const ControllerRevision& b);
void sortByRevision(std::vector<RevisionPtr>& revisions);

struct RevisionOwner {
  std::string ns, name;
  OwnerReference reference;
  std::map<std::string, std::string> labels;  // of the template
};

class RevisionHistory {
 public:
  RevisionHistory(Context& context, client::Informer<ControllerRevision> revisions)
      : ctx_(context), revisions_(revisions) {}

  // The revision with this data, made (or brought to the top of the history) as needed. `collisionCount` moves when
  // another revision has the name.
  Result<RevisionPtr> sync(const RevisionOwner& owner, const std::vector<RevisionPtr>& all, const std::string& data,
                           std::optional<int32_t>& collisionCount) const;
  // Deletes the oldest beyond `limit` that are not in use.
  Status truncate(std::vector<RevisionPtr> all, const std::set<std::string>& namesInUse, int32_t limit) const;

 private:
  Context& ctx_;
  client::Informer<ControllerRevision> revisions_;
};

}  // namespace skiff::controllers
