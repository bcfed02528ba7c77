// One request and its answer on their way through the server.
#pragma once
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "api/object.h"
#include "apiserver/flow/seat.h"
#include "apiserver/inprocess.h"
#include "apiserver/negotiate.h"
#include "apiserver/query.h"
#include "apiserver/request.h"
#include "apiserver/resource_map.h"
#include "base/clock.h"
#include "net/http.h"

namespace skiff::apiserver {

namespace audit {
class Record;
}
class Series;

class Exchange {
 public:
  Exchange(std::shared_ptr<net::Request> request, std::shared_ptr<net::ResponseWriter> writer);

  net::Request& request() const { return *request_; }
  const std::shared_ptr<net::Request>& sharedRequest() const { return request_; }
  const std::shared_ptr<net::ResponseWriter>& writer() const { return writer_; }
  bool inProcess() const { return caller_ != nullptr; }
  const InProcessCaller* caller() const { return caller_; }

  // Every answer ends in one of these.
  void respond(net::Response response);
  void fail(const Error& error);
  void text(int status, std::string_view body);
  void value(int status, const codec::Value& value, const api::TypeInfo* type);  // any JSON document
  net::Headers headers(std::string_view contentType) const;  // those of every answer
  void addWarning(std::string text);

  RequestInfo info;
  UserInfo user;
  Query query;
  Negotiated out;
  ServedPtr resource;
  std::vector<std::string> warnings;
  std::string auditId;
  SteadyTime started{};
  flow::Seat seat;       // its place in a priority level
  bool counted = false;   // against the limits without fair queueing
  bool watching = false;  // counted among the watches of its resource
  size_t answerBytes = 0;
  bool deprecated = false;   // the API that was asked
  Series* series = nullptr;  // counters of a long-running request; null for others
  std::shared_ptr<audit::Record> audit;  // null: nobody wants to know
  // The head of an answer that goes on for long has been sent.
  void begun(int status) {
    if (onBegin) onBegin(status);
  }
  UniqueFunction<void(int)> onBegin;
  // Called once with the status of the answer, for metrics and the release of the request's seat.
  UniqueFunction<void(int)> onAnswer;

 private:
  void answered(int status);
  std::shared_ptr<net::Request> request_;
  std::shared_ptr<net::ResponseWriter> writer_;
  InProcessCaller plainCaller_;
  const InProcessCaller* caller_ = nullptr;
};
using ExchangePtr = std::shared_ptr<Exchange>;

// The bytes of a document in a format; protobuf needs the type.
Result<SharedBytes> encodeDocument(const codec::Value& value, const api::TypeInfo* type, Format format, bool pretty);

}  // namespace skiff::apiserver
