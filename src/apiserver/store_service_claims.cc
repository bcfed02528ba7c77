#include "apiserver/store_service_claims.h"

#include "api/convert.h"
#include "apiserver/list.h"
#include "apiserver/object_meta.h"
#include "apiserver/strategies/formats.h"
#include "base/log.h"
#include "base/strings.h"

namespace skiff::apiserver {
namespace {

using codec::Arena;
using codec::Value;

constexpr std::string_view kPortsKey = "/registry/ranges/servicenodeports";
constexpr std::string_view kGroup = "networking.k8s.io", kAddresses = "ipaddresses";
constexpr std::string_view kManagedBy = "ipaddress.kubernetes.io/managed-by", kAllocator = "ipallocator.k8s.io";
constexpr milliseconds kRepairEvery{180'000};  // as upstream's
constexpr int kMaxAttempts = 50;               // each round one of the servers wins

ServedPtr served(const Registry& registry, std::string_view group, std::string_view plural) {
  return registry.resources().current()->find(group, "v1", plural);
}

WriteCall callFor(const ServedPtr& resource, std::string_view name, std::vector<std::string>& warnings) {
  WriteCall call;
  call.user = &serverUser();
  call.resource = resource;
  call.name = std::string(name);
  call.fieldManager = "kube-apiserver";
  call.admit = false;
  call.warnings = &warnings;
  return call;
}

DocumentEdit addressObject(std::string_view address, std::string_view ns, std::string_view name) {
  auto document = std::make_shared<codec::Document>();
  Arena& arena = document->arena;
  auto ip = formats::parseIp(address);
  Value& object = document->root = Value::map();
  object.set(arena, "kind", Value::string("IPAddress"));
  object.set(arena, "apiVersion", Value::string("networking.k8s.io/v1"));
  Value& metadata = object.child(arena, "metadata");
  metadata.set(arena, "name", Value::text(arena, address));
  Value& labels = metadata.child(arena, "labels");
  labels.set(arena, "ipaddress.kubernetes.io/ip-family", Value::string(ip && ip->v6 ? "IPv6" : "IPv4"));
  labels.set(arena, kManagedBy, Value::string(kAllocator));
  Value& parent = object.child(arena, "spec").child(arena, "parentRef");
  parent.set(arena, "resource", Value::string("services"));
  parent.set(arena, "namespace", Value::text(arena, ns));
  parent.set(arena, "name", Value::text(arena, name));
  return document;
}

bool isOf(const api::ObjectPtr& address, std::string_view ns, std::string_view name) {
  if (!address) return false;
  const Value& parent = address->root()["spec"]["parentRef"];
  return parent["resource"].asString() == "services" && parent["namespace"].asString() == ns && parent["name"].asString() == name;
}

bool isTaken(std::string_view bits, int index) {
  size_t byte = size_t(index) / 8;
  return byte < bits.size() && (uint8_t(bits[bits.size() - 1 - byte]) >> (index % 8) & 1) != 0;
}

void setTaken(std::string& bits, int index, bool taken) {
  size_t byte = size_t(index) / 8;
  if (byte >= bits.size()) bits.insert(0, byte + 1 - bits.size(), '\0');
  char& c = bits[bits.size() - 1 - byte];
  int mask = 1 << (index % 8);
  c = char(taken ? uint8_t(c) | mask : uint8_t(c) & ~mask);
  bits.erase(0, bits.find_first_not_of('\0'));  // no leading zeros, as Go writes a number
}

}  // namespace

api::ObjectPtr StoreServiceClaims::liveService(std::string_view ns, std::string_view name) const {
  ServedPtr services = served(registry_, "", "services");
  if (!services) return nullptr;
  return registry_.get(*services, ns, name).valueOr(nullptr);
}

Result<bool> StoreServiceClaims::takeAddress(std::string_view address, std::string_view ns, std::string_view name, How how) {
  ServedPtr resource = served(registry_, kGroup, kAddresses);
  if (!resource) return true;  // switched off: upstream would not agree on anything either
  // Left by a server that did not come to write the service, or made beside the first service of all.
  auto awaitsIt = [&] { return isOf(registry_.get(*resource, "", address).valueOr(nullptr), ns, name) && !liveService(ns, name); };
  if (registry_.store().get(resource->keyOf("", address))) return awaitsIt();
  if (how == How::OnlyLook) return true;
  std::vector<std::string> warnings;
  auto created = registry_.create(callFor(resource, address, warnings), addressObject(address, ns, name));
  if (created.ok()) return true;
  if (created.failedWith(Reason::AlreadyExists)) return awaitsIt();
  return std::move(created).error();
}

void StoreServiceClaims::releaseAddress(std::string_view address, std::string_view ns, std::string_view name) {
  ServedPtr resource = served(registry_, kGroup, kAddresses);
  if (!resource) return;
  auto object = registry_.get(*resource, "", address);
  if (!object.ok()) return;
  if (!isOf(*object, ns, name)) return;
  // Another server has just made the service with it.
  if (auto service = liveService(ns, name))
    for (const Value& held : service->root()["spec"]["clusterIPs"].items())
      if (held.asString() == address) return;
  std::vector<std::string> warnings;
  DeleteCall how;
  how.uid = (*object)->uid();
  auto removed = registry_.remove(callFor(resource, address, warnings), how);
  if (!removed.ok() && !removed.failedWith(Reason::NotFound))
    log::warn("Cannot release the address of a service", {{"address", address}, {"err", removed.error().message()}});
}

Result<StoreServiceClaims::Ports> StoreServiceClaims::readPorts() const {
  Ports ports;
  store::RecordPtr record = registry_.store().get(kPortsKey);
  if (!record) return ports;
  ports.revision = record->modRevision();
  api::Envelope envelope = TRY(api::unwrapProtobuf(record->value().view()));
  Arena arena;
  Value allocation = TRY(api::decodeProtobuf(envelope.raw, *api::findKind("", "v1", "RangeAllocation"), arena));
  std::string range = concat(firstPort_, "-", lastPort_);
  // Another range's bits mean other ports.
  if (std::string_view kept = allocation["range"].asString(); !kept.empty() && kept != range)
    return internalError(concat("the servers of this cluster have different ranges of node ports: ", kept, " and ", range));
  ports.bits = base64Decode(allocation["data"].asString()).value_or("");
  return ports;
}

Result<bool> StoreServiceClaims::changePorts(const std::vector<int>& changed, bool taken) {
  for (int attempt = 0; attempt < kMaxAttempts; ++attempt) {
    Ports ports = TRY(readPorts());
    bool differs = false;
    for (int port : changed) {
      if (isTaken(ports.bits, port - firstPort_) == taken) continue;
      setTaken(ports.bits, port - firstPort_, taken);
      differs = true;
    }
    if (!differs) return false;
    Arena arena;
    Value allocation = Value::map();
    allocation.child(arena, "metadata") = Value::map();
    allocation.set(arena, "range", Value::text(arena, concat(firstPort_, "-", lastPort_)));
    allocation.set(arena, "data", Value::text(arena, base64Encode(ports.bits)));
    std::string raw;
    TRY(api::encodeProtobuf(allocation, *api::findKind("", "v1", "RangeAllocation"), raw));
    store::Write write{.key = std::string(kPortsKey),
                       .expected = ports.revision,
                       .value = SharedBytes(api::wrapProtobuf("v1", "RangeAllocation", raw))};
    if (TRY(registry_.store().commit(std::move(write))).applied) return true;
  }
  return Error(Reason::Conflict, "too many servers allocate node ports at the same time");
}

Result<bool> StoreServiceClaims::takePort(int port, How how) {
  if (how == How::OnlyLook) return !isTaken(TRY(readPorts()).bits, port - firstPort_);
  return changePorts({port}, true);
}

void StoreServiceClaims::releasePort(int port) {
  if (auto released = changePorts({port}, false); !released.ok())
    log::warn("Cannot release a node port", {{"port", port}, {"err", released.error().message()}});
}

// ---- what no service stands behind ----

void StoreServiceClaims::start() {
  started_ = true;
  thread_ = rt::Thread("service-claims", [this] { run(); });
}

void StoreServiceClaims::stop() {
  if (!std::exchange(started_, false)) return;
  stop_.raise();
  thread_.join();
}

void StoreServiceClaims::run() {
  do {
    repair();
  } while (!stop_.waitFor(kRepairEvery));
}

void StoreServiceClaims::repair() {
  ServedPtr services = served(registry_, "", "services");
  if (!services) return;
  auto page = listPage(registry_, *services, "", {});
  if (!page.ok()) return;
  std::set<std::string> addresses;
  std::set<int> ports;
  for (const api::ObjectPtr& service : page->items) {
    const Value& spec = service->root()["spec"];
    for (const Value& address : spec["clusterIPs"].items()) addresses.insert(address.str());
    for (const Value& port : spec["ports"].items())
      if (int number = int(port["nodePort"].asInt()); number != 0) ports.insert(number);
    if (int number = int(spec["healthCheckNodePort"].asInt()); number != 0) ports.insert(number);
  }
  repairAddresses(addresses);
  repairPorts(ports);
}

// A claim is made before its service is written: only what is nobody's twice in a row is dropped.
void StoreServiceClaims::repairAddresses(const std::set<std::string>& used) {
  ServedPtr resource = served(registry_, kGroup, kAddresses);
  if (!resource) return;
  auto page = listPage(registry_, *resource, "", {});
  if (!page.ok()) return;
  std::set<std::string> doubtful;
  for (const api::ObjectPtr& address : page->items) {
    const Value& parent = address->root()["spec"]["parentRef"];
    bool ours = address->labels()[kManagedBy].asString() == kAllocator && parent["resource"].asString() == "services";
    if (!ours || used.contains(std::string(address->name()))) continue;
    if (doubtfulAddresses_.contains(std::string(address->uid())))
      releaseAddress(address->name(), parent["namespace"].asString(), parent["name"].asString());
    doubtful.insert(std::string(address->uid()));
  }
  doubtfulAddresses_ = std::move(doubtful);
}

void StoreServiceClaims::repairPorts(const std::set<int>& used) {
  auto ports = readPorts();
  if (!ports.ok()) return;
  std::set<int> doubtful;
  std::vector<int> missing, leaked;
  for (int port = firstPort_; port <= lastPort_; ++port) {
    bool taken = isTaken(ports->bits, port - firstPort_), wanted = used.contains(port);
    if (wanted && !taken) missing.push_back(port);
    if (!taken || wanted) continue;
    if (doubtfulPorts_.contains(port)) leaked.push_back(port);
    doubtful.insert(port);
  }
  doubtfulPorts_ = std::move(doubtful);
  for (const auto& [changed, taken] : {std::pair(missing, true), std::pair(leaked, false)})
    if (auto done = changePorts(changed, taken); !done.ok())
      log::warn("Cannot repair the allocation of node ports", {{"err", done.error().message()}});
}

}  // namespace skiff::apiserver
