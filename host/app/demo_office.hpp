// The demo's two databases, an office and a shop, and the people who write in them.
//
// Writers use connections of their own, as any program of the user's would: they know nothing of
// Syncline. Threads: Writers owns its threads. Errors: kSystem*.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>

#include "host/base/result.hpp"

namespace syncline::app {

struct DemoFiles {
  std::string office;  // database files
  std::string shop;
  std::string config;
  std::string data;  // the appliance's folder
};

// Makes both databases with what each already holds (they differ), and the config.
// REQUIRES: folder exists and is empty.
Result<DemoFiles> make_demo(const std::string& folder, uint64_t seed);

struct WriterCounts {
  uint64_t office_total = 0;
  uint64_t shop_total = 0;
  uint64_t collisions_total = 0;  // the same field of one record, on both sides at once
  std::string error;              // of a writer that had to stop
};

class DemoWriters {
 public:
  // rate: changes a second on each side.
  DemoWriters(const DemoFiles& files, uint64_t seed, double rate);
  ~DemoWriters();
  void stop();
  WriterCounts counts() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace syncline::app
