// Errors that a user may meet: a code, what happened, why, and what to do. One list of codes.
//
// Threads: values; no shared state. Errors are returned, never logged where they are made; whoever
// stops their way up logs or prints them once.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace syncline {

// Exit statuses are part of the command line's contract (docs/errors.md). Permanent values.
enum class ExitStatus : int {
  kOk = 0,
  kDifferent = 1,  // verify found differences; a check found something
  kUsage = 2,      // a wrong command line
  kConfig = 3,     // a wrong config file
  kSystem = 4,     // a system refused, is away or cannot be read
  kStorage = 5,    // the data folder: full, locked, damaged
  kInternal = 70,
};

// SYN_CODE(name, number, exit status, meaning). Numbers are permanent; the list is in the manual.
#define SYN_ERROR_CODES(SYN_CODE)                                                             \
  SYN_CODE(kInternal, 1000, kInternal, "a defect in Syncline itself")                         \
  SYN_CODE(kUsage, 1001, kUsage, "the command line is wrong")                                 \
  SYN_CODE(kInvalidArgument, 1002, kUsage, "a value handed over is out of range")             \
  SYN_CODE(kNotRunning, 1003, kSystem, "no appliance runs on this data folder")               \
  SYN_CODE(kConfigSyntax, 2001, kConfig, "the config file is not TOML")                       \
  SYN_CODE(kConfigUnknown, 2002, kConfig, "the config names something that does not exist")   \
  SYN_CODE(kConfigValue, 2003, kConfig, "a config value is missing, wrong or out of range")   \
  SYN_CODE(kConfigFile, 2004, kConfig, "the config file or a secret cannot be read")          \
  SYN_CODE(kSystemOpen, 3001, kSystem, "a system cannot be opened")                           \
  SYN_CODE(kSystemBusy, 3002, kSystem, "a system is locked or busy; it is tried again")       \
  SYN_CODE(kSystemSchema, 3003, kSystem, "a table or column is missing or of a wrong kind")   \
  SYN_CODE(kSystemKey, 3004, kSystem, "a table has no usable key")                            \
  SYN_CODE(kSystemLost, 3005, kSystem, "a system lost its log or went back in time")          \
  SYN_CODE(kSystemRefused, 3006, kSystem, "a system refused a write")                         \
  SYN_CODE(kSystemFull, 3007, kSystem, "a system has no room left")                           \
  SYN_CODE(kMarkerMoved, 3008, kSystem, "another writer moved our checkpoint row")            \
  SYN_CODE(kValue, 3009, kSystem, "a value that a type cannot hold exactly")                  \
  SYN_CODE(kDeletesHeld, 3010, kSystem, "more was deleted than the dataset's limit allows")   \
  SYN_CODE(kTwins, 3011, kSystem, "rows of one system are one record by the dataset's key")   \
  SYN_CODE(kLogLimit, 3012, kSystem, "a system keeps more of its log than its limit allows")  \
  SYN_CODE(kSystemWentBack, 3013, kSystem, "a system shows an older state of itself")         \
  SYN_CODE(kStorageOpen, 4001, kStorage, "the data folder cannot be opened or written")       \
  SYN_CODE(kStorageLocked, 4002, kStorage, "another appliance runs on this data folder")      \
  SYN_CODE(kStorageFull, 4003, kStorage, "no room is left for the data folder")               \
  SYN_CODE(kStorageSync, 4004, kStorage, "the disk did not confirm a write")                  \
  SYN_CODE(kDamaged, 4005, kStorage, "stored bytes are not what was written")                 \
  SYN_CODE(kKeyFile, 4006, kStorage, "the key file is missing, wrong or readable by others")  \
  SYN_CODE(kFormat, 4007, kStorage, "the data folder has another format number")              \
  SYN_CODE(kEngine, 5001, kInternal, "an engine failed or cannot do what it was asked")       \
  SYN_CODE(kUnsupported, 5002, kConfig, "this is not built into this version")                \
  SYN_CODE(kEngineAbsent, 5003, kConfig, "this machine has not the engine that is asked for") \
  SYN_CODE(kEngineNotReady, 5004, kInternal, "an engine cannot take a batch yet")

enum class ErrorCode : uint16_t {
#define SYN_CODE(name, number, exit_status, meaning) name = number,
  SYN_ERROR_CODES(SYN_CODE)
#undef SYN_CODE
};

struct Error {
  ErrorCode code = ErrorCode::kInternal;
  std::string what;  // what happened, naming the thing
  std::string why;   // the cause, as far as known
  std::string fix;   // what the reader can do about it
};

ExitStatus exit_status(ErrorCode code);

// A system that cannot go on from its place: it starts anew. One that went back does so by itself.
constexpr bool is_lost(ErrorCode code) {
  return code == ErrorCode::kSystemLost || code == ErrorCode::kSystemWentBack;
}
std::string_view meaning(ErrorCode code);

// "SYN-3003"
std::string code_text(ErrorCode code);

// "SYN-3003: what: why. Fix: ..." on one line.
std::string to_string(const Error& error);

}  // namespace syncline
