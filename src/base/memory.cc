#include "base/memory.h"

#if __has_include(<mimalloc.h>)
#include <mimalloc.h>

#include <mutex>

// Tests and other programs are not linked with it.
#pragma weak mi_collect
#pragma weak mi_option_set
#pragma weak mi_option_get
#endif

namespace skiff {

void releaseFreeMemory() {
#if __has_include(<mimalloc.h>)
  if (mi_collect == nullptr || mi_option_set == nullptr || mi_option_get == nullptr) return;
  static std::mutex oneAtATime;  // the option is the whole process's
  std::lock_guard lock(oneAtATime);
  // With a delay, free pages go back when more of their segment becomes free later: never, when the thread sleeps.
  long delay = mi_option_get(mi_option_decommit_delay);
  mi_option_set(mi_option_decommit_delay, 0);
  mi_collect(true);
  mi_option_set(mi_option_decommit_delay, delay);
#endif
}

}  // namespace skiff
