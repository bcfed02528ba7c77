#include "net/http1_client.h"

#include "base/strings.h"

namespace skiff::net {
namespace {

constexpr size_t kReadBytes = 64 * 1024;
constexpr size_t kMaxHeadBytes = 1024 * 1024;

Error brokenError(std::string_view what) {
  return {Reason::ServiceUnavailable, concat("malformed HTTP response: ", what)};
}

}  // namespace

Status Http1Exchange::fill(SteadyTime deadline) {
  stream_->setDeadline(deadline);
  size_t before = in_.size();
  in_.resize(before + kReadBytes);
  auto count = stream_->read(in_.data() + before, kReadBytes);
  in_.resize(before + (count.ok() ? *count : 0));
  if (!count.ok()) return std::move(count).error();
  eof_ = *count == 0;
  received_ = received_ || !eof_;
  return okStatus();
}

Status Http1Exchange::start(const Request& request, std::string_view defaultHost,
                            SteadyTime deadline) {
  Headers headers = request.headers;
  if (!headers.has("host")) headers.add("host", defaultHost);
  bool carriesBody = request.method != "GET" && request.method != "HEAD";
  if (!headers.has("content-length") && (carriesBody || !request.body.empty())) {
    headers.add("content-length", std::to_string(request.body.size()));
  }
  std::string out;
  std::string target = request.path.empty() ? "/" : request.path;
  if (!request.query.empty()) target += concat('?', request.query);
  http1::writeRequestHead(out, request.method, target, headers);
  stream_->setDeadline(deadline);
  Status written = okStatus();
  if (request.body.size() < kReadBytes) {
    out += request.body.view();  // one packet for small requests
    written = stream_->write(out);
  } else {
    written = stream_->write(out);
    if (written.ok()) written = stream_->write(request.body.view());
  }
  // A server that refuses a large body answers and closes while we still send: its answer counts.
  auto read = readHead(request.method, deadline);
  if (!written.ok() && !read.ok()) return written;
  return read;
}

Status Http1Exchange::readHead(const std::string& method, SteadyTime deadline) {
  for (;;) {
    size_t consumed = 0;
    http1::ResponseHead head;
    auto parsed = http1::parseResponseHead(in_, &head, &consumed);
    if (parsed == http1::Parse::Bad) return brokenError("bad head");
    if (parsed == http1::Parse::NeedMore) {
      if (in_.size() > kMaxHeadBytes) return brokenError("head is too large");
      if (eof_) return Error(Reason::ServiceUnavailable, received_ ? "unexpected EOF" : "EOF");
      TRY(fill(deadline));
      continue;
    }
    in_.erase(0, consumed);
    if (head.status < 200 && head.status != 101) continue;  // informational
    head_ = std::move(head);
    break;
  }
  if (head_.status == 101) return okStatus();
  auto framing = http1::responseFraming(head_, method);
  if (!framing) return brokenError("bad framing");
  framing_ = *framing;
  left_ = framing_.length;
  keepAlive_ = http1::wantsKeepAlive(head_.minorVersion, head_.headers) &&
               framing_.kind != http1::Framing::Kind::UntilClose;
  done_ = framing_.kind == http1::Framing::Kind::None;
  return okStatus();
}

Result<std::string> Http1Exchange::takeLength(size_t available) {
  std::string piece;
  if (in_.size() <= available) {
    piece = std::move(in_);
    in_ = {};
  } else {
    piece = in_.substr(0, available);
    in_.erase(0, available);
  }
  return piece;
}

Result<std::string> Http1Exchange::next(SteadyTime deadline) {
  while (!done_) {
    if (in_.empty()) {
      if (eof_) {
        if (framing_.kind != http1::Framing::Kind::UntilClose) {
          return Error(Reason::ServiceUnavailable, "unexpected EOF");
        }
        done_ = true;
        break;
      }
      TRY(fill(deadline));
      continue;
    }
    switch (framing_.kind) {
      case http1::Framing::Kind::None:
        break;
      case http1::Framing::Kind::UntilClose:
        return takeLength(in_.size());
      case http1::Framing::Kind::Length: {
        auto piece = TRY(takeLength(size_t(std::min<uint64_t>(left_, in_.size()))));
        left_ -= piece.size();
        done_ = left_ == 0;
        return piece;
      }
      case http1::Framing::Kind::Chunked: {
        std::string piece;
        size_t consumed = 0;
        auto parsed = decoder_.feed(in_, &piece, &consumed);
        if (parsed == http1::Parse::Bad) return brokenError("bad chunk");
        in_.erase(0, consumed);
        done_ = parsed == http1::Parse::Done;
        if (!piece.empty()) return piece;
        break;
      }
    }
  }
  return std::string();
}

std::unique_ptr<SocketStream> Http1Exchange::takeUpgraded() {
  stream_->setDeadline(std::nullopt);
  stream_->unread(std::move(in_));
  return std::move(stream_);
}

}  // namespace skiff::net
