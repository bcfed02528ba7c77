#include <doctest/doctest.h>

#include "apiserver/gzip.h"
#include "apiserver/negotiate.h"

#include <zlib.h>

using namespace skiff;
using namespace skiff::apiserver;

namespace {
Result<Negotiated> accept(std::string header, std::string_view verb = "get", Protobuf protobuf = Protobuf::Offered) {
  net::Request request;
  request.headers.set("accept", header);
  return negotiate(request, Query(), verb, protobuf);
}
}  // namespace

TEST_CASE("the best clause that can be served wins") {
  CHECK(accept("text/html, application/yaml;q=0.5, */*;q=0.1")->format == Format::Yaml);
  CHECK(accept("application/vnd.kubernetes.protobuf,application/json")->format == Format::Protobuf);
  CHECK(accept("application/vnd.kubernetes.protobuf,application/json", "get", Protobuf::NotOffered)->format == Format::Json);
  CHECK(accept("*/*")->format == Format::Json);
}

TEST_CASE("transforms are taken where they make sense") {
  std::string kubectl = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json;as=Table;v=v1beta1;g=meta.k8s.io,application/json";
  CHECK(accept(kubectl)->shape == Shape::Table);
  CHECK(accept("application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io", "list")->shape == Shape::PartialMetadataList);
  CHECK(accept("application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io", "get").error().is(Reason::NotAcceptable));
  CHECK(accept("application/json;as=Frob;v=v1;g=meta.k8s.io").error().is(Reason::NotAcceptable));
}

TEST_CASE("custom resources have protobuf for their metadata alone") {
  auto custom = [](std::string header) { return accept(std::move(header), "list", Protobuf::OfMetadata); };
  constexpr auto kMetadata = "application/vnd.kubernetes.protobuf;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json";
  CHECK(custom(kMetadata)->format == Format::Protobuf);
  CHECK(custom("application/vnd.kubernetes.protobuf,application/json")->format == Format::Json);
  CHECK(custom("application/vnd.kubernetes.protobuf").error().is(Reason::NotAcceptable));
}

TEST_CASE("gzip makes what zlib reads") {
  std::string text;
  for (int i = 0; i < 50000; ++i) text += std::to_string(i * 7919);
  std::string packed;
  for (const SharedBytes& piece : gzip({SharedBytes(text.substr(0, 1000)), SharedBytes(text.substr(1000))})) packed += piece.view();
  std::string out(text.size() + 100, '\0');
  z_stream stream{};
  REQUIRE(inflateInit2(&stream, 15 + 16) == Z_OK);
  stream.next_in = reinterpret_cast<Bytef*>(packed.data());
  stream.avail_in = uInt(packed.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = uInt(out.size());
  CHECK(inflate(&stream, Z_FINISH) == Z_STREAM_END);
  out.resize(stream.total_out);
  inflateEnd(&stream);
  CHECK(out == text);
}
