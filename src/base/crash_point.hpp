// Named places in cold code where a test can end the process, to prove that dying there loses nothing. Outside tests
// the hook is empty and a point costs one relaxed load; nothing but a program that links the floors can set it.
#pragma once

#include <atomic>

namespace arca::base {

using CrashHook = void (*)(const char* point) noexcept;
inline std::atomic<CrashHook> crash_hook{nullptr};

inline void crash_point(const char* point) noexcept {
  if (const CrashHook hook = crash_hook.load(std::memory_order_relaxed); hook != nullptr) [[unlikely]]
    hook(point);
}

}  // namespace arca::base
