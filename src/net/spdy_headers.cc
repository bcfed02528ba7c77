#include "net/spdy_headers.h"

#include <zlib.h>

#include "base/strings.h"

namespace skiff::net::spdy {
namespace {

constexpr size_t kMaxBlockBytes =
    64 * 1024;  // decompressed: a few small headers are all there ever is

void appendNumber(std::string& out, size_t value) {
  for (int shift = 24; shift >= 0; shift -= 8) out += char(value >> shift & 0xff);
}

// draft-mbelshe-httpbis-spdy-00 section 2.6.10.1: words with their lengths, then plain text.
std::string makeDictionary() {
  constexpr std::string_view kWords =
      "options,head,post,put,delete,trace,accept,accept-charset,accept-encoding,accept-language,"
      "accept-ranges,age,allow,authorization,cache-control,connection,content-base,"
      "content-encoding,content-language,content-length,content-location,content-md5,"
      "content-range,content-type,date,etag,expect,expires,from,host,if-match,if-modified-since,"
      "if-none-match,if-range,if-unmodified-since,last-modified,location,max-forwards,pragma,"
      "proxy-authenticate,proxy-authorization,range,referer,retry-after,server,te,trailer,"
      "transfer-encoding,upgrade,user-agent,vary,via,warning,www-authenticate,method,get,status,"
      "200 OK,version,HTTP/1.1,url,public,set-cookie,keep-alive,origin";
  constexpr std::string_view kText =
      "100101201202205206300302303304305306307402405406407408409410411412413414415416417502504505"
      "203 Non-Authoritative Information204 No Content301 Moved Permanently400 Bad Request"
      "401 Unauthorized403 Forbidden404 Not Found500 Internal Server Error501 Not Implemented"
      "503 Service UnavailableJan Feb Mar Apr May Jun Jul Aug Sept Oct Nov Dec 00:00:00 "
      "Mon, Tue, Wed, Thu, Fri, Sat, Sun, GMTchunked,text/html,image/png,image/jpg,image/gif,"
      "application/xml,application/xhtml+xml,text/plain,text/javascript,publicprivatemax-age="
      "gzip,deflate,sdchcharset=utf-8charset=iso-8859-1,utf-,*,enq=0.";
  std::string dictionary;
  for (auto word : split(kWords, ',')) {
    appendNumber(dictionary, word.size());
    dictionary += word;
  }
  dictionary += kText;
  return dictionary;
}

Bytef* bytesOf(std::string_view text) {
  return const_cast<Bytef*>(reinterpret_cast<const Bytef*>(text.data()));
}

Error malformed(std::string_view what) { return badRequest(concat("spdy: ", what)); }

}  // namespace

struct HeaderCodec::Impl {
  std::string dictionary = makeDictionary();
  z_stream out{};
  z_stream in{};

  Result<std::string> inflateBlock(std::string_view block) {
    std::string plain;
    char chunk[4096];
    in.next_in = bytesOf(block);
    in.avail_in = uInt(block.size());
    for (;;) {
      in.next_out = reinterpret_cast<Bytef*>(chunk);
      in.avail_out = sizeof chunk;
      int result = inflate(&in, Z_SYNC_FLUSH);
      if (result == Z_NEED_DICT) {
        if (inflateSetDictionary(&in, bytesOf(dictionary), uInt(dictionary.size())) != Z_OK) {
          return malformed("unknown compression dictionary");
        }
        continue;
      }
      if (result != Z_OK && result != Z_BUF_ERROR) return malformed("bad compression");
      plain.append(chunk, sizeof chunk - in.avail_out);
      if (plain.size() > kMaxBlockBytes) return malformed("header block is too large");
      if (in.avail_in == 0 && in.avail_out > 0) return plain;
      if (result == Z_BUF_ERROR && in.avail_out == sizeof chunk)
        return malformed("bad compression");
    }
  }
};

HeaderCodec::HeaderCodec() : impl_(std::make_unique<Impl>()) {
  MUST(deflateInit(&impl_->out, Z_BEST_SPEED) == Z_OK);
  MUST(deflateSetDictionary(&impl_->out, bytesOf(impl_->dictionary),
                            uInt(impl_->dictionary.size())) == Z_OK);
  MUST(inflateInit(&impl_->in) == Z_OK);
}

HeaderCodec::~HeaderCodec() {
  deflateEnd(&impl_->out);
  inflateEnd(&impl_->in);
}

std::string HeaderCodec::encode(const Headers& headers) {
  std::string plain;
  appendNumber(plain, headers.items().size());
  for (const auto& [name, value] : headers.items()) {
    appendNumber(plain, name.size());
    plain += toLower(name);
    appendNumber(plain, value.size());
    plain += value;
  }
  auto& out = impl_->out;
  std::string block(deflateBound(&out, uLong(plain.size())) + 64, '\0');
  out.next_in = bytesOf(plain);
  out.avail_in = uInt(plain.size());
  out.next_out = bytesOf(block);
  out.avail_out = uInt(block.size());
  MUST(deflate(&out, Z_SYNC_FLUSH) == Z_OK && out.avail_out > 0);
  block.erase(block.size() - out.avail_out);
  return block;
}

Result<Headers> HeaderCodec::decode(std::string_view block) {
  auto plain = TRY(impl_->inflateBlock(block));
  std::string_view rest = plain;
  auto number = [&](size_t* value) {
    if (rest.size() < 4) return false;
    *value = 0;
    for (size_t i = 0; i < 4; ++i) *value = *value << 8 | static_cast<unsigned char>(rest[i]);
    rest.remove_prefix(4);
    return true;
  };
  auto text = [&](std::string_view* value) {
    size_t size = 0;
    if (!number(&size) || size > rest.size()) return false;
    *value = rest.substr(0, size);
    rest.remove_prefix(size);
    return true;
  };
  Headers headers;
  size_t count = 0;
  if (!number(&count)) return malformed("truncated header block");
  for (size_t i = 0; i < count; ++i) {
    std::string_view name, values;
    if (!text(&name) || !text(&values)) return malformed("truncated header block");
    for (auto value : split(values, '\0')) headers.add(toLower(name), value);
  }
  return headers;
}

}  // namespace skiff::net::spdy
