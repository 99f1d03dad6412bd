// An appliance opened on its data folder: lock, key, engines, journal, shadow, systems, runtime, in
// the order they need each other; closed in the reverse.
//
// The data folder (docs/architecture.md): format, lock, key, journal/, shadow/, tables/.
// Threads: open and destroy from one. Errors: kStorageLocked, kKeyFile, kFormat, and those of the
// parts.
#pragma once

#include <memory>
#include <string>

#include "host/app/blueprint.hpp"
#include "host/app/runtime.hpp"

namespace syncline::app {

// The data folder without the systems: enough to look at, also while nothing runs.
class Storage {
 public:
  enum class Mode : uint8_t {
    kRun,   // makes the folder where it is not there yet
    kLook,  // refuses where there is none: kNotRunning
  };
  static Result<std::unique_ptr<Storage>> open(const config::Config& config, Mode mode,
                                               Clock& clock, Random& random, Log& log);
  virtual ~Storage() = default;

  virtual Disk& disk() = 0;
  virtual dispatch::Dispatcher& dispatcher() = 0;
  virtual journal::Journal& journal() = 0;
  virtual state::Shadow& shadow() = 0;
  virtual WorkPool& pool() = 0;
  virtual const engine::Secret& secret() const = 0;
};

class Appliance {
 public:
  static Result<std::unique_ptr<Appliance>> open(Blueprint&& blueprint, Clock& clock,
                                                 Random& random, Log& log);
  ~Appliance();

  Runtime& runtime() { return *runtime_; }
  Storage& storage() { return *storage_; }
  const Blueprint& blueprint() const { return blueprint_; }

 private:
  explicit Appliance(Blueprint&& blueprint) : blueprint_(std::move(blueprint)) {}

  Blueprint blueprint_;
  std::unique_ptr<Storage> storage_;
  std::unique_ptr<Runtime> runtime_;
};

// How the journal's audit and `conflicts` reach a key without making one.
Result<std::string> load_wrapping_key(const config::Config& config);

}  // namespace syncline::app
