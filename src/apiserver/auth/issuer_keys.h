// The keys of an OpenID issuer: found by its discovery document, fetched when the first token needs them, kept, and fetched again
// when a token names a key that is not among them.
// https://openid.net/specs/openid-connect-discovery-1_0.html
#pragma once
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "apiserver/http_clients.h"
#include "base/clock.h"
#include "pki/jwt.h"

namespace skiff::apiserver {

class IssuerKeys {
 public:
  struct Options {
    std::string issuerUrl;
    std::string discoveryUrl;  // empty: below the issuer's URL, as the standard says
    std::string caPem;         // empty: the system's roots
    const Clock* clock = &Clock::real();
  };
  explicit IssuerKeys(Options options) : options_(std::move(options)), clients_(kMaxClients) {}

  // Is the token signed by one of the keys? Blocks while keys are fetched.
  Status verify(const pki::Jwt& token);
  // nullopt: the keys must be fetched first.
  std::optional<Status> tryVerify(const pki::Jwt& token);

 private:
  using Keys = std::vector<pki::JwtPublicKey>;
  struct State {
    std::shared_ptr<const Keys> keys;  // null: never fetched
    std::optional<SteadyTime> asked;   // the last time, with success or without
    std::optional<Error> problem;      // of that time
  };
  State state();
  bool mayAsk(const State& state) const;
  void fetch(const std::shared_ptr<const Keys>& seen);
  Result<Keys> fetchKeys();
  Result<std::string> get(const std::string& url);

  static constexpr size_t kMaxClients = 4;  // the issuer, and where its keys lie
  // A flood of tokens with invented keys must not become a flood of requests to the issuer.
  static constexpr seconds kBetweenFetches{10};
  static constexpr milliseconds kTimeout{30000};
  const Options options_;
  HttpClients clients_;
  std::mutex fetching_;  // one fetch at a time; taken before mutex_
  std::mutex mutex_;     // guards state_
  State state_;
};

}  // namespace skiff::apiserver
