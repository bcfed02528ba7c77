// What is gathered of one audited request on its way; a part of its Exchange. One thread at a time.
#pragma once
#include <map>
#include <string>

#include "apiserver/audit/policy.h"
#include "base/bytes.h"
#include "base/clock.h"

namespace skiff::apiserver {
class Exchange;
}

namespace skiff::apiserver::audit {

class Record {
 public:
  Decision decision;
  UserInfo user;  // before impersonation
  WallTime received{};
  std::map<std::string, std::string> annotations;
  bool started = false, complete = false;  // stages that are told

  bool wantsRequest() const { return decision.level >= Level::Request; }
  bool wantsResponse() const { return decision.level == Level::RequestResponse; }

  // The object that a write carries, decoded and defaulted. It also completes what the URL does not say: the name.
  void setRequest(const codec::Value& object);
  // Its body as it was sent: patches.
  void setRawRequest(std::string_view body);
  void setResponse(const codec::Value& object);
  void setResponseJson(std::string_view json);
  // A Status that is the answer.
  void setStatus(const codec::Value& status);

  // One line of JSON, without its newline.
  enum class Objects { Shown, Left };  // left out: the event would be too large, and says so
  std::string event(const Exchange& exchange, Stage stage, int status, WallTime now, Objects objects = Objects::Shown) const;
  std::string legacyLine(const Exchange& exchange, Stage stage, int status, WallTime now) const;

 private:
  std::string shown(const codec::Value& object) const;
  void writeUser(std::string& out, const UserInfo& who) const;
  void writeObjectRef(std::string& out, const Exchange& exchange, bool resolved) const;

  std::string request_, response_, status_;  // JSON; "": none
  std::string ns_, name_, uid_, resourceVersion_;  // of the request's object
};

std::vector<std::string> sourceAddresses(const net::Request& request);

}  // namespace skiff::apiserver::audit
