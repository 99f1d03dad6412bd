#include "host/base/error.hpp"

#include "host/base/assert.hpp"

namespace syncline {

ExitStatus exit_status(ErrorCode code) {
  switch (code) {
#define SYN_CODE(name, number, status, meaning) \
  case ErrorCode::name:                         \
    return ExitStatus::status;
    SYN_ERROR_CODES(SYN_CODE)
#undef SYN_CODE
  }
  return ExitStatus::kInternal;
}

std::string_view meaning(ErrorCode code) {
  switch (code) {
#define SYN_CODE(name, number, status, meaning) \
  case ErrorCode::name:                         \
    return meaning;
    SYN_ERROR_CODES(SYN_CODE)
#undef SYN_CODE
  }
  return "unknown";
}

std::string code_text(ErrorCode code) {
  return "SYN-" + std::to_string(static_cast<int>(code));
}

std::string to_string(const Error& error) {
  std::string text = code_text(error.code) + ": " + error.what;
  if (!error.why.empty()) text += ": " + error.why;
  if (!error.fix.empty()) text += ". Fix: " + error.fix;
  return text;
}

}  // namespace syncline
