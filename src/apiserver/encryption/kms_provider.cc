#include "apiserver/encryption/kms_provider.h"

#include "base/log.h"
#include "base/strings.h"
#include "codec/wire.h"
#include "pki/ciphers.h"

namespace skiff::apiserver::encryption {
namespace {

constexpr std::string_view kService = "/v2.KeyManagementService/";
constexpr size_t kMaxKeyId = 1024;

struct StatusAnswer {
  std::string version, healthz, keyId;
};

Result<StatusAnswer> parseStatus(std::string_view bytes) {
  StatusAnswer out;
  codec::WireReader reader(bytes);
  while (reader.next()) {
    if (reader.field() == 1) out.version = std::string(reader.bytes());
    if (reader.field() == 2) out.healthz = std::string(reader.bytes());
    if (reader.field() == 3) out.keyId = std::string(reader.bytes());
  }
  if (reader.failed()) return internalError("malformed answer of a KMS");
  if (out.version != "v2" && out.version != "v2beta1") return internalError(concat("expected KMS API version v2, got ", out.version));
  if (out.healthz != "ok") return internalError(concat("got unexpected healthz status: ", out.healthz));
  if (out.keyId.empty() || out.keyId.size() > kMaxKeyId) return internalError("the KMS's key id is empty or too long");
  return out;
}

}  // namespace

KmsProvider::KmsProvider(Options options) : options_(std::move(options)), prefix_(concat(kKmsPrefix, options_.name, ":")) {
  net::Endpoint endpoint;
  endpoint.unixPath = options_.socketPath;
  channel_ = net::GrpcChannel::create(std::move(endpoint));
}

KmsProvider::~KmsProvider() {
  {
    std::lock_guard lock(mutex_);
    stopped_ = true;
    stopping_.notify_all();
  }
  if (thread_.joinable()) thread_.join();
}

Status KmsProvider::start() {
  TRY(checkNow());
  thread_ = rt::Thread("kms", [this] { run(); });
  return okStatus();
}

void KmsProvider::run() {
  std::unique_lock lock(mutex_);
  while (!stopping_.wait_for(lock, kBetweenChecks, [this] { return stopped_; })) {
    lock.unlock();
    if (auto checked = checkNow(); !checked.ok())
      log::warn("A KMS is not well", {{"provider", options_.name}, {"err", checked.error().message()}});
    lock.lock();
  }
}

Status KmsProvider::checkNow() {
  auto check = [this]() -> Result<std::shared_ptr<const Seed>> {
    std::string bytes = TRY(channel_->call(concat(kService, "Status"), "", options_.timeout));
    StatusAnswer status = TRY(parseStatus(bytes));
    {
      std::lock_guard lock(mutex_);
      if (seed_ && seed_->keyId == status.keyId) return seed_;
    }
    return std::make_shared<const Seed>(TRY(newSeed(status.keyId)));
  };
  auto seed = check();
  std::lock_guard lock(mutex_);
  problem_.reset();
  if (!seed.ok()) {
    problem_ = seed.error();
    return std::move(seed).error();
  }
  seed_ = *std::move(seed);
  seeds_[seed_->encrypted] = seed_->plain;
  good_ = options_.clock->steadyNow();
  return okStatus();
}

Result<KmsProvider::Seed> KmsProvider::newSeed(const std::string& keyId) {
  Seed seed;
  seed.plain = pki::randomBytes(kSeedSize);
  std::string request;
  codec::writeBytesField(request, 1, seed.plain);
  codec::writeBytesField(request, 2, newUid());
  std::string bytes = TRY(channel_->call(concat(kService, "Encrypt"), request, options_.timeout));
  codec::WireReader reader(bytes);
  while (reader.next()) {
    if (reader.field() == 1) seed.encrypted = std::string(reader.bytes());
    if (reader.field() == 2) seed.keyId = std::string(reader.bytes());
    if (reader.field() != 3) continue;
    std::string key, value;
    codec::WireReader pair(reader.bytes());
    while (pair.next()) (pair.field() == 1 ? key : value) = std::string(pair.bytes());
    seed.annotations[key] = value;
  }
  if (reader.failed() || seed.encrypted.empty()) return internalError("malformed answer of a KMS");
  // The key may change between the two calls: the next check will see it.
  if (seed.keyId != keyId) return internalError(concat("the KMS encrypted with key ", quoted(seed.keyId), " after it told ", quoted(keyId)));
  return seed;
}

Result<std::string> KmsProvider::decryptSeed(const KmsEnvelope& envelope) {
  {
    std::lock_guard lock(mutex_);
    if (auto found = seeds_.find(envelope.encryptedSeed); found != seeds_.end()) return found->second;
  }
  std::string request;
  codec::writeBytesField(request, 1, envelope.encryptedSeed);
  codec::writeBytesField(request, 2, newUid());
  codec::writeBytesField(request, 3, envelope.keyId);
  for (const auto& [key, value] : envelope.annotations) {
    std::string pair;
    codec::writeBytesField(pair, 1, key);
    codec::writeBytesField(pair, 2, value);
    codec::writeBytesField(request, 4, pair);
  }
  std::string bytes = TRY(channel_->call(concat(kService, "Decrypt"), request, options_.timeout));
  std::string plain;
  codec::WireReader reader(bytes);
  while (reader.next())
    if (reader.field() == 1) plain = std::string(reader.bytes());
  if (reader.failed() || plain.empty()) return internalError("malformed answer of a KMS");
  std::lock_guard lock(mutex_);
  if (seeds_.size() >= kMaxSeeds) seeds_.clear();
  seeds_[envelope.encryptedSeed] = plain;
  return plain;
}

Result<std::string> KmsProvider::seal(std::string_view key, std::string_view value) {
  TRY(healthy());
  std::shared_ptr<const Seed> seed;
  {
    std::lock_guard lock(mutex_);
    seed = seed_;
  }
  KmsEnvelope envelope;
  envelope.data = TRY(sealWithSeed(seed->plain, key, value));
  envelope.keyId = seed->keyId;
  envelope.encryptedSeed = seed->encrypted;
  envelope.annotations = seed->annotations;
  return concat(prefix_, envelope.encode());
}

Result<std::optional<std::string>> KmsProvider::open(std::string_view key, std::string_view stored) {
  if (!stored.starts_with(prefix_)) return std::optional<std::string>();
  KmsEnvelope envelope = TRY(KmsEnvelope::decode(stored.substr(prefix_.size())));
  std::string seed = TRY(decryptSeed(envelope));
  return std::optional(TRY(openWithSeed(seed, envelope.source, key, envelope.data)));
}

std::string KmsProvider::currentSeal() {
  std::lock_guard lock(mutex_);
  return seed_ ? concat(prefix_, seed_->keyId) : prefix_;
}

Status KmsProvider::healthy() {
  std::lock_guard lock(mutex_);
  if (!seed_) return Error(Reason::ServiceUnavailable, concat("KMS provider ", options_.name, " has no key"));
  if (options_.clock->steadyNow() - good_ <= kPatience) return okStatus();
  return Error(Reason::ServiceUnavailable, concat("KMS provider ", options_.name, " does not answer: ", problem_ ? problem_->message() : ""));
}

}  // namespace skiff::apiserver::encryption
