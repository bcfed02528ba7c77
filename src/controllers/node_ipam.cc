// Gives each node a block of pod addresses out of the cluster's range.
#include <arpa/inet.h>

#include "base/log.h"
#include "base/strings.h"
#include "controllers/node_ipam.h"
#include "controllers/registry.h"
#include "gen/core_v1.h"

namespace skiff::controllers {

std::optional<CidrBlocks> CidrBlocks::parse(std::string_view cidr, int nodeBits) {
  auto parts = cut(cidr, "/");
  if (!parts) return std::nullopt;
  auto bits = parseInt(parts->second);
  in_addr address{};
  if (!bits || *bits < 0 || *bits > nodeBits || nodeBits > 32 ||
      inet_pton(AF_INET, std::string(parts->first).c_str(), &address) != 1)
    return std::nullopt;
  CidrBlocks out;
  uint32_t mask = *bits == 0 ? 0 : ~uint32_t(0) << (32 - *bits);
  out.base_ = ntohl(address.s_addr) & mask;
  out.nodeBits_ = nodeBits;
  out.count_ = uint32_t(1) << std::min<int64_t>(nodeBits - *bits, 20);
  return out;
}

std::string CidrBlocks::at(uint32_t index) const {
  uint32_t ip = base_ + (nodeBits_ == 32 ? index : index << (32 - nodeBits_));
  return concat(ip >> 24, ".", (ip >> 16) & 255, ".", (ip >> 8) & 255, ".", ip & 255, "/", nodeBits_);
}

std::optional<std::string> CidrBlocks::take() {
  for (uint32_t i = 0; i < count_; ++i) {
    uint32_t index = (next_ + i) % count_;
    std::string block = at(index);
    if (!used_.insert(block).second) continue;
    next_ = index + 1;
    return block;
  }
  return std::nullopt;
}

namespace {

using api::core::v1::Node;
using client::Requeue;

class NodeIpamController final : public Controller {
 public:
  explicit NodeIpamController(Context& context)
      : Controller(context, "node-ipam", 1),
        nodes_(context.informers.of<Node>()),
        blocks_(CidrBlocks::parse(context.options.clusterCidr, context.options.nodeCidrMaskSize)),
        recorder_(context.recorder("cidrAllocator")) {
    if (!blocks_) log::error("No pod addresses to give to nodes", {{"clusterCidr", context.options.clusterCidr}});
    nodes_.addHandler({.onAdd = [this](const auto& node) { queue().add(node->metadata.name); },
                       .onUpdate = [this](const auto&, const auto& now) {
                         if (now->spec.podCIDR.empty()) queue().add(now->metadata.name);
                       },
                       .onDelete = [this](const auto& node) {
                         std::lock_guard lock(mutex_);
                         if (blocks_) blocks_->release(node->spec.podCIDR);
                       }});
  }

  Result<Requeue> reconcile(const std::string& key) override {
    auto node = nodes_.getByKey(key);
    if (!node || !blocks_) return done();
    std::optional<std::string> block;
    {
      std::lock_guard lock(mutex_);
      // Whatever the nodes already hold is taken: after a restart that is all there is to know.
      for (const auto& other : nodes_.list())
        if (!other->spec.podCIDR.empty()) blocks_->occupy(other->spec.podCIDR);
      if (!node->spec.podCIDR.empty()) return done();
      block = blocks_->take();
    }
    if (!block) {
      recorder_.record(*node, "Normal", "CIDRNotAvailable",
                       concat("Node ", key, " status is now: CIDRNotAvailable"));
      return again(std::chrono::minutes(1));
    }
    std::string patch = concat(R"({"spec":{"podCIDR":")", *block, R"(","podCIDRs":[")", *block, R"("]}})");
    auto patched = ctx_.client->patch<Node>({}, key, client::PatchType::StrategicMerge, patch);
    if (patched.ok()) return done();
    std::lock_guard lock(mutex_);
    blocks_->release(*block);
    // Invalid: the node has a block that the cache does not show yet; its update brings us back.
    if (patched.failedWith(Reason::NotFound) || patched.failedWith(Reason::Invalid)) return done();
    return std::move(patched).error();
  }

 private:
  client::Informer<Node> nodes_;
  std::mutex mutex_;  // guards blocks_
  std::optional<CidrBlocks> blocks_;
  client::EventRecorder& recorder_;
};

}  // namespace

std::unique_ptr<Controller> createNodeIpamController(Context& context) {
  return std::make_unique<NodeIpamController>(context);
}

}  // namespace skiff::controllers
