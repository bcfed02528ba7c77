#include "kubelet/runtime_events.h"

#include "base/log.h"
#include "codec/wire.h"

namespace skiff::kubelet {
namespace {

constexpr std::string_view kSubscribe = "/containerd.services.events.v1.Events/Subscribe";
constexpr std::string_view kFilter = "topic==\"/tasks/exit\"";
constexpr seconds kRelistFallback{1};
constexpr seconds kRelistSafety{60};

// Bytes of a field of a message; "" when absent.
std::string_view fieldBytes(std::string_view message, uint32_t number) {
  codec::WireReader reader(message);
  std::string_view out;
  while (reader.next())
    if (reader.field() == number && reader.type() == codec::WireType::Bytes) out = reader.bytes();
  return out;
}

}  // namespace

void RuntimeEvents::start() {
  thread_ = rt::Thread("kubelet-events", [this] { run(); });
}

void RuntimeEvents::stop() {
  stop_.raise();
  {
    std::lock_guard lock(mutex_);
    if (stream_) stream_->cancel();
  }
  if (thread_.joinable()) thread_.join();
}

void RuntimeEvents::run() {
  std::string request;
  codec::writeBytesField(request, 1, kFilter);
  while (!stop_.raised()) {
    auto opened = client_.channel().stream(kSubscribe, request);
    if (opened.ok()) {
      std::shared_ptr<net::GrpcStream> stream = std::move(*opened);
      {
        std::lock_guard lock(mutex_);
        stream_ = stream;
      }
      if (!stop_.raised()) follow(*stream);
      stream->cancel();
    } else {
      relist();
    }
    if (stop_.waitFor(kRelistFallback)) return;
    handler_.runtimeLost();
  }
}

void RuntimeEvents::follow(net::GrpcStream& stream) {
  relist();  // what happened while nobody listened
  while (!stop_.raised() && !stream.ended()) {
    auto event = stream.next(kRelistSafety);
    if (event.ok()) {
      if (!event->empty()) handle(*event);
    } else if (event.failedWith(Reason::Timeout)) {
      relist();
    } else {
      return;
    }
  }
}

void RuntimeEvents::handle(std::string_view envelope) {
  // Envelope: timestamp 1, namespace 2, topic 3, event 4 (Any: type_url 1, value 2).
  // TaskExit: container_id 1, id 2, pid 3, exit_status 4. Another id than the container's is a process of exec.
  std::string_view exit = fieldBytes(fieldBytes(envelope, 4), 2);
  std::string_view container = fieldBytes(exit, 1);
  if (!container.empty() && container == fieldBytes(exit, 2)) handler_.containerEnded(std::string(container));
}

void RuntimeEvents::relist() {
  auto pods = reader_.allPods();
  if (!pods.ok()) {
    log::warn("Could not list the runtime's pods", {{"err", pods.error().message()}});
    return;
  }
  std::map<std::string, std::pair<std::string, cri::ContainerState>> now;
  std::set<std::string> changed;
  for (const auto& [uid, pod] : *pods) {
    for (const auto& c : pod.containers) now[c.id] = {uid, c.state};
    // Sandboxes that died count as well.
    for (const auto& s : pod.sandboxes)
      now[s.id] = {uid, s.ready ? cri::ContainerState::Running : cri::ContainerState::Exited};
  }
  for (const auto& [id, state] : now)
    if (auto it = seen_.find(id); it != seen_.end() && it->second.second != state.second) changed.insert(state.first);
  for (const auto& [id, state] : seen_)
    if (!now.contains(id)) changed.insert(state.first);
  seen_ = std::move(now);
  for (const auto& uid : changed) handler_.podChanged(uid);
}

}  // namespace skiff::kubelet
