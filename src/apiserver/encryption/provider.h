// One provider of encryption at rest: it seals with its first key and opens with any of its keys. In upstream's stored form, a
// prefix that tells provider, version and key: "k8s:enc:aesgcm:v1:key1:".
// https://kubernetes.io/docs/tasks/administer-cluster/encrypt-data/
#pragma once
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace skiff::apiserver::encryption {

inline constexpr std::string_view kSealedPrefix = "k8s:enc:";

class Provider {
 public:
  virtual ~Provider() = default;
  virtual Result<std::string> seal(std::string_view key, std::string_view value) = 0;
  // nullopt: it was not sealed by this provider.
  virtual Result<std::optional<std::string>> open(std::string_view key, std::string_view stored) = 0;
  // What sealOf() says of what is written now.
  virtual std::string currentSeal() = 0;
  virtual Status healthy() { return okStatus(); }
};

// The prefix with the key's name, and of a KMS envelope also the key's id; "" of plain values.
std::string sealOf(std::string_view stored);

struct NamedKey {
  std::string name, secret;
};
enum class Cipher { AesGcm, AesCbc, Secretbox };
std::unique_ptr<Provider> makeKeyedProvider(Cipher cipher, std::vector<NamedKey> keys);
std::unique_ptr<Provider> makeIdentityProvider();

}  // namespace skiff::apiserver::encryption
