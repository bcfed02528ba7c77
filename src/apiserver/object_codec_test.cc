#include "apiserver/object_codec.h"

#include <doctest/doctest.h>

#include <thread>

#include "apiserver/warm_objects.h"

using namespace skiff;
using namespace skiff::apiserver;

namespace {

constexpr std::string_view kMap =
    R"({"kind":"ConfigMap","apiVersion":"v1","metadata":{"name":"a","namespace":"b"},"data":{"k":"v"}})";

store::RecordPtr record() {
  return std::make_shared<const store::Record>("/registry/configmaps/b/a", SharedBytes(std::string(kMap)), 3, 7, nullptr);
}

ServedResource configMaps(std::chrono::milliseconds period) {
  ServedResource resource;
  resource.info = resource.storage = api::findResourceByKind("", "v1", "ConfigMap");
  resource.warm = std::make_shared<WarmObjects>(period);
  return resource;
}

}  // namespace

TEST_CASE("a record's object is one for all until nobody has asked in a while; then it is made anew") {
  ServedResource resource = configMaps(std::chrono::milliseconds(1));
  store::RecordPtr kept = record();
  api::ObjectPtr first = *storedObject(kept, resource);
  CHECK(first->resourceVersion() == "7");
  SharedBytes json = first->json();
  std::weak_ptr<const api::Object> gone = first;
  first = nullptr;
  while (!gone.expired()) std::this_thread::yield();
  api::ObjectPtr again = *storedObject(kept, resource);
  CHECK(again->json().view() == json.view());
  CHECK(*storedObject(kept, resource) == again);
}

TEST_CASE("an object that somebody holds is not taken apart") {
  ServedResource resource = configMaps(std::chrono::milliseconds(1));
  store::RecordPtr kept = record();
  api::ObjectPtr held = *storedObject(kept, resource);
  std::weak_ptr<const api::Object> other = *storedObject(record(), resource);
  while (!other.expired()) std::this_thread::yield();
  CHECK(held->warm());
  CHECK(*storedObject(kept, resource) == held);
}
