// Encryption by a key service (KMS v2) on a unix socket: https://kubernetes.io/docs/tasks/administer-cluster/kms-provider/
//
// The service is asked to encrypt one seed at the start and whenever its key has changed, and to decrypt each seed it meets once.
// Between that nothing waits for it: values are sealed with the seed. One thread asks for its status once a minute.
#pragma once
#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>

#include "apiserver/encryption/kms_envelope.h"
#include "apiserver/encryption/provider.h"
#include "base/clock.h"
#include "net/grpc.h"
#include "rt/executor.h"

namespace skiff::apiserver::encryption {

class KmsProvider final : public Provider {
 public:
  struct Options {
    std::string name;        // in the prefix
    std::string socketPath;
    milliseconds timeout{3000};
    const Clock* clock = &Clock::real();
  };
  explicit KmsProvider(Options options);
  ~KmsProvider() override;
  // Asks for the status and a seed; then begins to ask once a minute.
  Status start();

  Result<std::string> seal(std::string_view key, std::string_view value) override;
  Result<std::optional<std::string>> open(std::string_view key, std::string_view stored) override;
  std::string currentSeal() override;
  Status healthy() override;
  Status checkNow();  // what the thread does

 private:
  struct Seed {
    std::string plain, encrypted, keyId;
    std::map<std::string, std::string> annotations;
  };
  Result<Seed> newSeed(const std::string& keyId);
  Result<std::string> decryptSeed(const KmsEnvelope& envelope);
  void run();

  static constexpr size_t kMaxSeeds = 1000;  // of envelopes that were read; then all are forgotten
  static constexpr seconds kBetweenChecks{60};
  static constexpr seconds kPatience{180};   // a seed is used on for so long while the service does not answer
  const Options options_;
  const std::string prefix_;
  std::unique_ptr<net::GrpcChannel> channel_;
  std::mutex mutex_;  // guards what follows
  std::condition_variable stopping_;
  bool stopped_ = false;
  std::shared_ptr<const Seed> seed_;
  SteadyTime good_{};  // when the service was last well
  std::optional<Error> problem_;
  std::unordered_map<std::string, std::string> seeds_;  // plain by encrypted
  rt::Thread thread_;
};

}  // namespace skiff::apiserver::encryption
