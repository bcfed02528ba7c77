#include "api/object.h"

#include <doctest/doctest.h>

#include <atomic>

#include "api/convert.h"
#include "codec/json.h"

using namespace skiff;
using namespace skiff::api;

namespace {

constexpr std::string_view kPod =
    R"({"kind":"Pod","apiVersion":"v1","metadata":{"name":"a","labels":{"x":"y"}},"spec":{"nodeName":"n"}})";

class CountingSource final : public ObjectSource {
 public:
  codec::DocumentPtr decode() const override {
    ++count;
    return *codec::parseJsonDocument(kPod);
  }
  mutable std::atomic<int> count = 0;
};

ObjectPtr pod() { return *Object::fromJson(kPod, findKind("", "v1", "Pod")); }

}  // namespace

TEST_CASE("an item of a list is its object without kind and apiVersion") {
  CHECK(pod()->json().view() == kPod);
  CHECK(pod()->jsonOfItem().view() == kPod.substr(kPod.find("\"metadata\"")));
  CHECK(pod()->metadataJson().view() == R"({"name":"a","labels":{"x":"y"}})");
}

TEST_CASE("a cooled object answers with its JSON undecoded, and decodes once for all else") {
  ObjectPtr warm = pod();
  SharedBytes json = warm->json();
  auto source = std::make_shared<CountingSource>();
  ObjectPtr cold = warm->cooled(source);
  CHECK_FALSE(cold->warm());
  CHECK(cold->json().view().data() == json.view().data());
  CHECK(cold->metadataJson().view() == warm->metadataJson().view());
  CHECK(source->count == 0);
  CHECK(cold->labels()["x"].asString() == "y");
  CHECK(cold->name() == "a");
  CHECK(cold->root() == warm->root());
  CHECK(source->count == 1);
}

TEST_CASE("a cold object is asked for its bytes and stays cold") {
  auto source = std::make_shared<CountingSource>();
  ObjectPtr cold = Object::fromSource(source, findKind("", "v1", "Pod"));
  CHECK_FALSE(cold->hasBytes());
  CHECK(cold->metadataJson().view() == pod()->metadataJson().view());
  CHECK(cold->json().view() == kPod);
  CHECK(cold->protobuf()->view() == pod()->protobuf()->view());
  CHECK(cold->hasBytes());
  CHECK_FALSE(cold->warm());
  int made = source->count;
  CHECK(cold->json().view() == kPod);
  CHECK(cold->cooled(source)->protobuf().ok());
  CHECK(source->count == made);
}

TEST_CASE("metadata in protobuf is the first field of its object's message, and made once") {
  ObjectPtr object = pod();
  SharedBytes metadata = *object->metadataProtobuf();
  SharedBytes whole = *object->protobuf();
  CHECK(unwrapProtobuf(whole.view())->raw.starts_with(metadata.view()));
  CHECK(object->metadataProtobuf()->view().data() == metadata.view().data());
}

TEST_CASE("an object that cooled before anybody asked for its JSON makes it from its source") {
  auto source = std::make_shared<CountingSource>();
  ObjectPtr cold = pod()->cooled(source);
  CHECK(cold->json().view() == kPod);
  CHECK(source->count == 1);
}
