#include "net/http1.h"

#include "base/strings.h"

namespace skiff::net::http1 {
namespace {

constexpr size_t kMaxTrailerBytes = 16 * 1024;
constexpr size_t kMaxExtensionBytes = 4 * 1024;

// RFC 9110 section 5.6.2.
bool isTokenChar(char c) {
  if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9')) return true;
  return c != '\0' && std::strchr("!#$%&'*+-.^_`|~", c) != nullptr;
}

bool isToken(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), isTokenChar);
}

// No control characters except the tab: CR, LF and NUL above all.
bool isFieldValue(std::string_view text) {
  for (char c : text) {
    auto u = static_cast<unsigned char>(c);
    if ((u < 0x20 && c != '\t') || u == 0x7f) return false;
  }
  return true;
}

// Splits the head into lines and checks each field. The first line is left to the caller.
Parse parseFields(std::string_view bytes, std::string_view* firstLine, Headers* headers,
                  size_t* consumed) {
  size_t end = bytes.find("\r\n\r\n");
  if (end == std::string_view::npos) return Parse::NeedMore;
  *consumed = end + 4;
  std::string_view rest = bytes.substr(0, end + 2);
  size_t eol = rest.find("\r\n");
  *firstLine = rest.substr(0, eol);
  rest.remove_prefix(eol + 2);
  while (!rest.empty()) {
    eol = rest.find("\r\n");
    auto line = rest.substr(0, eol);
    rest.remove_prefix(eol + 2);
    size_t colon = line.find(':');
    if (colon == std::string_view::npos) return Parse::Bad;
    auto name = line.substr(0, colon);
    auto value = trim(line.substr(colon + 1));
    if (!isToken(name) || !isFieldValue(value)) return Parse::Bad;
    headers->add(name, value);
  }
  return Parse::Done;
}

std::optional<int> minorVersion(std::string_view version) {
  if (version == "HTTP/1.1") return 1;
  if (version == "HTTP/1.0") return 0;
  return std::nullopt;
}

int hexDigit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

// The common part of both framings; nullopt inside: no header says anything.
bool readFraming(const Headers& headers, std::optional<Framing>* out) {
  auto codings = headers.all("transfer-encoding");
  auto lengths = headers.all("content-length");
  if (!codings.empty()) {
    if (codings.size() != 1 || !equalsIgnoreCase(codings[0], "chunked") || !lengths.empty()) {
      return false;
    }
    *out = Framing{.kind = Framing::Kind::Chunked};
    return true;
  }
  if (lengths.empty()) return true;
  for (auto text : lengths) {
    if (text != lengths[0]) return false;
  }
  auto digits = std::all_of(lengths[0].begin(), lengths[0].end(),
                            [](char c) { return c >= '0' && c <= '9'; });
  auto length = digits ? parseUint(lengths[0]) : std::nullopt;
  if (!length) return false;
  *out = Framing{.kind = *length == 0 ? Framing::Kind::None : Framing::Kind::Length,
                 .length = *length};
  return true;
}

void writeFields(std::string& out, const Headers& headers) {
  for (const auto& [name, value] : headers.items()) {
    if (!validHeader(name, value)) continue;
    out += name;
    out += ": ";
    out += value;
    out += "\r\n";
  }
  out += "\r\n";
}

}  // namespace

bool validHeader(std::string_view name, std::string_view value) {
  return isToken(name) && isFieldValue(value);
}

Parse parseRequestHead(std::string_view bytes, RequestHead* head, size_t* consumed) {
  std::string_view line;
  auto state = parseFields(bytes, &line, &head->headers, consumed);
  if (state != Parse::Done) return state;
  size_t first = line.find(' '), last = line.rfind(' ');
  if (first == std::string_view::npos || first == last) return Parse::Bad;
  auto method = line.substr(0, first), target = line.substr(first + 1, last - first - 1);
  auto minor = minorVersion(line.substr(last + 1));
  if (!isToken(method) || target.empty() || !minor) return Parse::Bad;
  for (char c : target) {
    auto u = static_cast<unsigned char>(c);
    if (u <= 0x20 || u == 0x7f) return Parse::Bad;
  }
  head->method = method;
  head->target = target;
  head->minorVersion = *minor;
  return Parse::Done;
}

Parse parseResponseHead(std::string_view bytes, ResponseHead* head, size_t* consumed) {
  std::string_view line;
  auto state = parseFields(bytes, &line, &head->headers, consumed);
  if (state != Parse::Done) return state;
  if (line.size() < 12 || line[8] != ' ') return Parse::Bad;
  auto minor = minorVersion(line.substr(0, 8));
  auto status = parseInt(line.substr(9, 3));
  if (!minor || !status || *status < 100 || *status > 999) return Parse::Bad;
  if (line.size() > 12 && line[12] != ' ') return Parse::Bad;
  head->minorVersion = *minor;
  head->status = int(*status);
  return Parse::Done;
}

std::optional<Framing> requestFraming(const Headers& headers) {
  std::optional<Framing> framing;
  if (!readFraming(headers, &framing)) return std::nullopt;
  return framing ? framing : Framing{};
}

std::optional<Framing> responseFraming(const ResponseHead& head, std::string_view method) {
  if (method == "HEAD" || !mayHaveBody(head.status)) return Framing{};
  std::optional<Framing> framing;
  if (!readFraming(head.headers, &framing)) return std::nullopt;
  return framing ? framing : Framing{.kind = Framing::Kind::UntilClose};
}

bool hasToken(const Headers& headers, std::string_view name, std::string_view token) {
  for (auto value : headers.all(name)) {
    for (auto part : split(value, ',')) {
      if (equalsIgnoreCase(trim(part), token)) return true;
    }
  }
  return false;
}

bool wantsKeepAlive(int minorVersion, const Headers& headers) {
  if (minorVersion == 0) return hasToken(headers, "connection", "keep-alive");
  return !hasToken(headers, "connection", "close");
}

Parse ChunkedDecoder::feed(std::string_view bytes, std::string* out, size_t* consumed) {
  size_t i = 0;
  while (i < bytes.size() && state_ != State::End) {
    if (state_ == State::Data) {
      size_t take = size_t(std::min<uint64_t>(left_, bytes.size() - i));
      out->append(bytes.substr(i, take));
      i += take;
      left_ -= take;
      if (left_ == 0) state_ = State::DataCr;
      continue;
    }
    char c = bytes[i++];
    switch (state_) {
      case State::Size:
        if (int digit = hexDigit(c); digit >= 0) {
          if (++digits_ > 15) return Parse::Bad;
          left_ = left_ * 16 + uint64_t(digit);
          break;
        }
        if (digits_ == 0) return Parse::Bad;
        if (c == '\r') {
          state_ = State::SizeLf;
        } else if (c == ';' || c == ' ' || c == '\t') {
          state_ = State::Extension;
        } else {
          return Parse::Bad;
        }
        break;
      case State::Extension:
        if (++lineBytes_ > kMaxExtensionBytes || c == '\n') return Parse::Bad;
        if (c == '\r') state_ = State::SizeLf;
        break;
      case State::SizeLf:
        if (c != '\n') return Parse::Bad;
        digits_ = 0;
        state_ = left_ == 0 ? State::Trailer : State::Data;
        break;
      case State::DataCr:
        if (c != '\r') return Parse::Bad;
        state_ = State::DataLf;
        break;
      case State::DataLf:
        if (c != '\n') return Parse::Bad;
        state_ = State::Size;
        break;
      case State::Trailer:
        if (++lineBytes_ > kMaxTrailerBytes || c == '\n') return Parse::Bad;
        if (c == '\r') {
          state_ = State::TrailerLf;
        } else {
          lineEmpty_ = false;
        }
        break;
      case State::TrailerLf:
        if (c != '\n') return Parse::Bad;
        state_ = lineEmpty_ ? State::End : State::Trailer;
        lineEmpty_ = true;
        break;
      case State::Data:
      case State::End:
        break;
    }
  }
  *consumed = i;
  return state_ == State::End ? Parse::Done : Parse::NeedMore;
}

bool mayHaveBody(int status) { return status >= 200 && status != 204 && status != 304; }

std::string_view statusText(int status) {
  switch (status) {
    case 100:
      return "Continue";
    case 101:
      return "Switching Protocols";
    case 200:
      return "OK";
    case 201:
      return "Created";
    case 202:
      return "Accepted";
    case 203:
      return "Non-Authoritative Information";
    case 204:
      return "No Content";
    case 206:
      return "Partial Content";
    case 301:
      return "Moved Permanently";
    case 302:
      return "Found";
    case 303:
      return "See Other";
    case 304:
      return "Not Modified";
    case 307:
      return "Temporary Redirect";
    case 308:
      return "Permanent Redirect";
    case 400:
      return "Bad Request";
    case 401:
      return "Unauthorized";
    case 403:
      return "Forbidden";
    case 404:
      return "Not Found";
    case 405:
      return "Method Not Allowed";
    case 406:
      return "Not Acceptable";
    case 408:
      return "Request Timeout";
    case 409:
      return "Conflict";
    case 410:
      return "Gone";
    case 411:
      return "Length Required";
    case 412:
      return "Precondition Failed";
    case 413:
      return "Request Entity Too Large";
    case 415:
      return "Unsupported Media Type";
    case 416:
      return "Requested Range Not Satisfiable";
    case 417:
      return "Expectation Failed";
    case 422:
      return "Unprocessable Entity";
    case 426:
      return "Upgrade Required";
    case 429:
      return "Too Many Requests";
    case 431:
      return "Request Header Fields Too Large";
    case 500:
      return "Internal Server Error";
    case 501:
      return "Not Implemented";
    case 502:
      return "Bad Gateway";
    case 503:
      return "Service Unavailable";
    case 504:
      return "Gateway Timeout";
    default:
      return "Status";
  }
}

void writeResponseHead(std::string& out, int status, const Headers& headers) {
  out += concat("HTTP/1.1 ", status, ' ', statusText(status), "\r\n");
  writeFields(out, headers);
}

void writeRequestHead(std::string& out, std::string_view method, std::string_view target,
                      const Headers& headers) {
  out += concat(method, ' ', target, " HTTP/1.1\r\n");
  writeFields(out, headers);
}

void writeChunkSize(std::string& out, size_t size) {
  char digits[20];
  auto end = std::to_chars(digits, digits + sizeof digits, size, 16).ptr;
  out.append(digits, size_t(end - digits));
  out += "\r\n";
}

}  // namespace skiff::net::http1
