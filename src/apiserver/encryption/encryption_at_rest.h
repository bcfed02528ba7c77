// Encryption at rest (--encryption-provider-config): which providers seal and open the objects of which resources. It stands
// between the store and its medium, so objects in memory are plain and readers pay nothing.
#pragma once
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "apiserver/auth/config_file.h"
#include "apiserver/encryption/provider.h"
#include "base/clock.h"
#include "store/transformer.h"

namespace skiff::apiserver::encryption {

// Resources as the configuration names them: "secrets", "deployments.apps", "*.apps", "*." (core), "*.*".
struct Rule {
  std::vector<std::string> resources;
  std::vector<std::shared_ptr<Provider>> providers;  // the first seals, all open
  bool covers(std::string_view group, std::string_view resource) const;
};
using Rules = std::vector<Rule>;

// Providers that need a service are started.
Result<Rules> parseEncryptionConfiguration(std::string_view text, const Clock& clock);

class EncryptionAtRest final : public store::Transformer {
 public:
  struct Options {
    std::string configFile;
    bool reload = false;  // --encryption-provider-config-automatic-reload
    std::string prefix = "/registry";  // of the keys in the medium
    const Clock* clock = &Clock::real();
  };
  static Result<std::shared_ptr<EncryptionAtRest>> create(Options options);

  Result<std::string> seal(std::string_view key, std::string_view value) override;
  Result<std::string> open(std::string_view key, std::string_view stored) override;
  std::string sealOf(std::string_view stored) const override { return encryption::sealOf(stored); }
  bool isStale(std::string_view key, std::string_view seal) override;
  // Of the key services, for the health check "kms-providers".
  Status healthy() const;

 private:
  explicit EncryptionAtRest(Options options) : options_(std::move(options)) {}
  std::shared_ptr<const Rules> rules() const;
  const Rule* ruleOf(const Rules& all, std::string_view key) const;
  Status apply(std::string_view text);

  const Options options_;
  mutable std::mutex mutex_;  // guards rules_
  std::shared_ptr<const Rules> rules_;
  std::unique_ptr<ReloadedFile> file_;  // last: its thread calls apply()
};

// The group and resource that a key of the store is of; empty when it is of none.
struct GroupResource {
  std::string_view group, resource;
};
GroupResource resourceOfKey(std::string_view key);

}  // namespace skiff::apiserver::encryption
