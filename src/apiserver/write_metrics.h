// What writes cost on their way: admission steps, the plug-ins that may call out, and commits to the store. Upstream's names.
#pragma once
#include <array>
#include <chrono>
#include <string>

#include "api/schema.h"
#include "apiserver/request.h"
#include "apiserver/request_series.h"

namespace skiff::apiserver {

class WriteMetrics {
 public:
  enum class Step { Admit, Validate };
  void step(Operation operation, Step step, bool rejected, std::chrono::duration<double> took);
  void plugin(std::string_view name, Operation operation, Step step, bool rejected, std::chrono::duration<double> took);
  // Is this plug-in's time of interest? Most only look at the object, for less than reading a clock costs.
  static bool callsOut(std::string_view plugin);
  // `operation`: create, update or delete.
  void committed(std::string_view operation, const api::ResourceInfo& resource, std::chrono::duration<double> took);
  // What the watches of a resource are told of: own writes and those of other servers.
  void event(const api::ResourceInfo& resource);
  void write(std::string& out) const;

 private:
  static constexpr std::array kBounds{0.005, 0.025, 0.1, 0.5, 1.0, 2.5};
  static constexpr std::array<std::string_view, 4> kPlugins{"MutatingAdmissionPolicy", "MutatingAdmissionWebhook",
                                                            "ValidatingAdmissionPolicy", "ValidatingAdmissionWebhook"};
  using Durations = AtomicHistogram<kBounds.size()>;
  // By operation, step and whether it was rejected.
  struct Family {
    std::array<Durations, 4 * 2 * 2> of;
    Durations& at(Operation operation, Step step, bool rejected) {
      return of[size_t(operation) * 4 + size_t(step) * 2 + size_t(rejected)];
    }
  };
  static void writeFamily(MetricsText& text, std::string_view name, const Family& family);

  Family steps_;
  std::array<Family, kPlugins.size()> plugins_;
  SeriesTable commits_;  // the operation stands as the verb
  SeriesTable events_;
};

}  // namespace skiff::apiserver
