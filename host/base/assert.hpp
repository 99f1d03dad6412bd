// SYN_ASSERT: for what cannot happen, also in release builds. Never on user input, a peer's bytes
// or a database's answer.
#pragma once

namespace syncline {

[[noreturn]] void assert_failed(const char* condition, const char* file, int line);

}  // namespace syncline

#define SYN_ASSERT(condition)                                    \
  do {                                                           \
    if (!(condition)) [[unlikely]]                               \
      ::syncline::assert_failed(#condition, __FILE__, __LINE__); \
  } while (false)
