#include "rt/stack_sampler.h"

#include <dirent.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <ucontext.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <mutex>
#include <thread>

namespace skiff::rt {
namespace {

constexpr size_t kMaxFrames = 64;
// Gathered every 50 ms: enough for a hundred processors at full speed.
constexpr size_t kSlots = 512;
constexpr uintptr_t kMaxFrameSize = 1 << 20;
constexpr auto kGatherEvery = std::chrono::milliseconds(50);
// A thread that does not run its handler for so long (stopped by a debugger, or in the kernel) is not told.
constexpr auto kAnswerWithin = std::chrono::milliseconds(200);

enum class SlotState : uint8_t { Free, Writing, Full };

struct Slot {
  std::atomic<SlotState> state = SlotState::Free;
  pid_t thread = 0;
  size_t depth = 0;
  std::array<uintptr_t, kMaxFrames> frames{};
};

// What the handler writes to. A signal handler has nothing but statics to find it by; it is made once and never freed, as a
// late signal may still come. The one use at a time holds `mutex`.
struct Samples {
  std::mutex mutex;
  std::atomic<bool> wanted = false;
  std::atomic<uint64_t> next = 0, lost = 0;
  std::array<Slot, kSlots> slots;
};
std::atomic<Samples*> theSamples = nullptr;
std::once_flag made;

// Memory that may not be there is read through the kernel, which says so instead of ending the process.
bool readWords(uintptr_t from, uintptr_t (&to)[2]) {
  iovec local{to, sizeof to}, remote{reinterpret_cast<void*>(from), sizeof to};
  return ::process_vm_readv(::getpid(), &local, 1, &remote, 1, 0) == ssize_t(sizeof to);
}

struct Registers {
  uintptr_t pc = 0, frame = 0;
};

Registers registersOf(const void* context) {
  const auto& machine = static_cast<const ucontext_t*>(context)->uc_mcontext;
#if defined(__x86_64__)
  return {uintptr_t(machine.gregs[REG_RIP]), uintptr_t(machine.gregs[REG_RBP])};
#elif defined(__aarch64__)
  return {uintptr_t(machine.pc), uintptr_t(machine.regs[29])};
#else
  return (void)machine, Registers{};
#endif
}

// Both machines keep a frame's caller as [frame] and the place to return to as [frame + 8].
size_t walk(Registers at, std::array<uintptr_t, kMaxFrames>& frames) {
  size_t depth = 0;
  frames[depth++] = at.pc;
  while (depth < kMaxFrames && at.frame != 0 && at.frame % sizeof(uintptr_t) == 0) {
    uintptr_t words[2];
    if (!readWords(at.frame, words) || words[1] < 4096) break;
    frames[depth++] = words[1] - 1;
    if (words[0] <= at.frame || words[0] - at.frame > kMaxFrameSize) break;
    at.frame = words[0];
  }
  return depth;
}

void onSignal(int, siginfo_t*, void* context) {
  int before = errno;
  Samples* samples = theSamples.load();
  if (samples != nullptr && samples->wanted.load()) {
    Slot& slot = samples->slots[samples->next.fetch_add(1) % kSlots];
    SlotState expected = SlotState::Free;
    if (slot.state.compare_exchange_strong(expected, SlotState::Writing)) {
      slot.thread = pid_t(::syscall(SYS_gettid));
      slot.depth = walk(registersOf(context), slot.frames);
      slot.state.store(SlotState::Full);
    } else {
      samples->lost.fetch_add(1);
    }
  }
  errno = before;
}

Samples& samplesOfProcess() {
  std::call_once(made, [] {
    theSamples = new Samples();
    // Kept for good: a signal that comes late would end the process by default.
    struct sigaction action {};
    action.sa_sigaction = onSignal;
    action.sa_flags = SA_SIGINFO | SA_RESTART;
    ::sigfillset(&action.sa_mask);
    ::sigaction(SIGPROF, &action, nullptr);
  });
  return *theSamples.load();
}

// The handler writes while one of these lives.
class Wanted {
 public:
  explicit Wanted(Samples& samples) : samples_(samples) {
    samples_.lost = 0;
    samples_.wanted = true;
  }
  ~Wanted() {
    samples_.wanted = false;
    gather([](const Slot&) {});
  }
  template <class Take>
  size_t gather(Take take) {
    size_t count = 0;
    for (Slot& slot : samples_.slots) {
      if (slot.state.load() != SlotState::Full) continue;
      take(slot);
      slot.state.store(SlotState::Free);
      ++count;
    }
    return count;
  }

 private:
  Samples& samples_;
};

void setTimer(std::chrono::microseconds period) {
  timeval every{.tv_sec = 0, .tv_usec = period.count()};
  itimerval timer{.it_interval = every, .it_value = every};
  ::setitimer(ITIMER_PROF, &timer, nullptr);
}

Stack stackOf(const Slot& slot) { return {slot.frames.begin(), slot.frames.begin() + ptrdiff_t(slot.depth)}; }

std::vector<pid_t> threadIds() {
  std::vector<pid_t> out;
  DIR* tasks = ::opendir("/proc/self/task");
  if (tasks == nullptr) return out;
  while (const dirent* entry = ::readdir(tasks))
    if (pid_t id = pid_t(std::atoi(entry->d_name)); id > 0) out.push_back(id);
  ::closedir(tasks);
  return out;
}

}  // namespace

std::optional<CpuProfile> profileCpu(std::chrono::milliseconds duration, const std::function<bool()>& stopped) {
  Samples& samples = samplesOfProcess();
  std::unique_lock lock(samples.mutex, std::try_to_lock);
  if (!lock) return std::nullopt;
  CpuProfile profile;
  Wanted wanted(samples);
  setTimer(CpuProfile::kPeriod);
  auto end = std::chrono::steady_clock::now() + duration;
  auto gather = [&] { wanted.gather([&](const Slot& slot) { ++profile.samples[stackOf(slot)]; }); };
  while (std::chrono::steady_clock::now() < end && !stopped()) {
    std::this_thread::sleep_for(std::min<std::chrono::steady_clock::duration>(kGatherEvery, end - std::chrono::steady_clock::now()));
    gather();
  }
  setTimer({});
  gather();
  profile.lost = samples.lost;
  return profile;
}

std::optional<std::vector<ThreadStack>> stacksOfThreads() {
  Samples& samples = samplesOfProcess();
  std::unique_lock lock(samples.mutex, std::try_to_lock);
  if (!lock) return std::nullopt;
  std::vector<ThreadStack> stacks;
  Wanted wanted(samples);
  size_t asked = 0;
  auto gather = [&] { return wanted.gather([&](const Slot& slot) { stacks.push_back({slot.thread, stackOf(slot)}); }); };
  auto waitForAll = [&] {
    auto end = std::chrono::steady_clock::now() + kAnswerWithin;
    for (gather(); stacks.size() < asked && std::chrono::steady_clock::now() < end; gather())
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
  };
  for (pid_t thread : threadIds()) {
    if (::syscall(SYS_tgkill, ::getpid(), thread, SIGPROF) == 0) ++asked;
    if (asked % (kSlots / 2) == 0) waitForAll();
  }
  waitForAll();
  return stacks;
}

}  // namespace skiff::rt
