// How a caller inside the process talks to the API server without bytes: its Request carries an InProcessCaller, asks for
// kObjectContent, and gets api::ObjectPtr or api::ObjectList in Response::value. Watches push into the sink.
#pragma once
#include <memory>
#include <string_view>
#include <vector>

#include "api/object.h"
#include "apiserver/request.h"
#include "base/unique_function.h"

namespace skiff::apiserver {

inline constexpr std::string_view kObjectContent = "application/vnd.skiff.object";

// Takes the events of one watch. Called from the server's watch thread; must not block.
class EventSink {
 public:
  virtual ~EventSink() = default;
  virtual void push(std::vector<api::WatchEvent> events) = 0;  // in order; wakes the caller once
  virtual void end() = 0;             // the server ended the watch
  virtual size_t pending() const = 0;  // events not yet taken: the server waits when there are many
  // Arms one call when the events are taken or the watch is cancelled, from any thread; at once if that is so already.
  virtual void onDrain(UniqueFunction<void()> callback) = 0;
  virtual bool cancelled() const = 0;
  // Called once when the caller gives up the watch; at once if it has.
  virtual void onCancel(UniqueFunction<void()> callback) = 0;
};

struct InProcessCaller {
  UserInfo user;
  api::ObjectPtr body;              // instead of Request::body; may be null
  std::shared_ptr<EventSink> sink;  // of a watch
};

}  // namespace skiff::apiserver
