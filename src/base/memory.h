// Memory that nobody uses, back to the system.
#pragma once

namespace skiff {

// Of the calling thread, and of threads that have ended. The allocator keeps for each thread what was freed of the
// memory that it had asked for, by whomever, until the thread asks again: who is about to sleep for long calls this.
void releaseFreeMemory();

}  // namespace skiff
