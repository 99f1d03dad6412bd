// engines.opencl.*: the OpenCL engine as the appliance calls it, host rows in and results out,
// beside the CPU engine's scalar variant on one core; seal and open, of which the CPU's engine has
// none, beside its only one, and as *.scalar beside the kernels' bodies as C++ on one core; and
// engines.dispatcher: how well one is chosen among all engines of this machine. Without a device
// there is no figure, and a line that says why.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>

#include "bench/dispatcher_scan.hpp"
#include "bench/engine_scan.hpp"
#include "bench/micro/benches.hpp"
#include "bench/micro/seal_rows.hpp"
#include "bench/micro/table_fill.hpp"
#include "bench/sample_rows.hpp"
#include "kernels/cpu/cpu_engine.hpp"
#include "kernels/cuda/cuda_engine.hpp"
#include "kernels/device/device_engine.hpp"
#include "kernels/opencl/opencl_engine.hpp"
#include "tests/unit/device/host_device.hpp"

namespace syncline::bench {
namespace {

constexpr size_t kSampleRowSize = 132;
constexpr size_t kDetectFields = 8;
constexpr const char* kPeer = "the CPU engine, scalar, one core";

Result<std::unique_ptr<engine::Engine>> make_opencl() {
  opencl::OpenclOptions options;
  options.cache_folder = opencl::default_cache_folder();
  return opencl::make_opencl_engine(options);
}

// Null where this machine has none, which is said.
std::unique_ptr<engine::Engine> opencl_for(const char* id) {
  auto made = make_opencl();
  if (made.has_value()) return std::move(made.value());
  std::fprintf(stderr, "%s: %s\n", id, to_string(made.error()).c_str());
  return nullptr;
}

std::unique_ptr<engine::Engine> make_scalar() {
  return cpu::make_cpu_engine({cpu::CpuVariant::kScalar});
}

// Seal's and open's plain reference: no library, no instruction of its own for AES, one thread.
struct ScalarBodies {
  device::Behaviour behaviour;
  std::unique_ptr<engine::Engine> engine =
      device::make_device_engine(std::make_unique<device::HostDevice>(behaviour));
};
constexpr const char* kBodies = "the kernels' bodies as C++, one core";

}  // namespace

void bench_opencl_fingerprint(const Options& options) {
  const auto ours = opencl_for("engines.opencl.fingerprint");
  if (ours == nullptr) return;
  const auto scalar = make_scalar();
  const size_t row_count = 16384;
  const int rounds = options.is_quick ? 10 : 100;
  const model::Schema schema = sample_schema();
  const model::Batch batch = sample_batch(schema, model::kLaneCountDefault, row_count, 1);
  const syn_batch view = batch.view();
  const engine::Secret secret{};
  engine::Fingerprints results[2];
  const auto run = [&](engine::Engine& engine, engine::Fingerprints& out) {
    for (int i = 0; i < rounds; ++i) take(engine.fingerprint(view, secret, out));
    return static_cast<double>(rounds) * row_count;
  };
  const Figure figure = measure_rate(options, "engines.opencl.fingerprint",
                                     "12 cells, 16 Ki rows a batch; " + ours->describe().device,
                                     "rows/s", [&] { return run(*ours, results[0]); },
                                     {kPeer, [&] { return run(*scalar, results[1]); }});
  if (results[0].cells != results[1].cells) {
    std::fprintf(stderr, "engines.opencl.fingerprint: the results differ\n");
    std::exit(1);
  }
  report(figure);
}

void bench_opencl_detect(const Options& options) {
  const auto ours = opencl_for("engines.opencl.detect");
  if (ours == nullptr) return;
  const auto scalar = make_scalar();
  const size_t record_count = options.is_quick ? 1u << 18 : 1u << 22;
  const size_t row_count = 16384;
  state::FingerprintTable table(kDetectFields, model::kLaneCountDefault);
  table.reserve(record_count);
  fill_table(table, kDetectFields, model::kLaneCountDefault, record_count);
  const auto batches =
      random_detect_batches(options.is_quick ? 8 : 64, row_count, kDetectFields, record_count);
  engine::Detected results[2];
  const auto run = [&](engine::Engine& engine, engine::Detected& out) {
    for (const DetectBatch& batch : batches) {
      take(engine.detect(batch.view(kDetectFields), batch.fingerprints, table.ref(), out));
    }
    return static_cast<double>(batches.size() * row_count);
  };
  const std::string what = "8 cells, a table of " + std::to_string(table.size_bytes() >> 20) +
                           " MiB, 16 Ki rows a batch, one in ten changed; " +
                           ours->describe().device;
  const Figure figure = measure_rate(options, "engines.opencl.detect", what, "rows/s",
                                     [&] { return run(*ours, results[0]); },
                                     {kPeer, [&] { return run(*scalar, results[1]); }});
  if (results[0].delta.lanes != results[1].delta.lanes) {
    std::fprintf(stderr, "engines.opencl.detect: the results differ\n");
    std::exit(1);
  }
  report(figure);
}

void bench_opencl_seal(const Options& options) {
  const auto ours = opencl_for("engines.opencl.seal");
  if (ours == nullptr) return;
  const auto cpu = cpu::make_cpu_engine();
  const SealRows rows = seal_rows(1);
  const auto views = rows.views();
  const int rounds = options.is_quick ? 10 : 100;
  size_t sizes[2] = {0, 0};
  const auto run = [&](engine::Engine& engine, size_t& size) {
    for (int i = 0; i < rounds; ++i) size = take(engine.seal(views, {}, "header")).bytes.size();
    return rounds * static_cast<double>(rows.row_major.size());
  };
  run(*ours, sizes[0]);
  run(*cpu, sizes[1]);
  const std::string what = "64 KiB of rows of 12 fields to " + std::to_string(sizes[0]) +
                           " bytes, theirs " + std::to_string(sizes[1]) + "; " +
                           ours->describe().device;
  report(measure_rate(options, "engines.opencl.seal", what, "bytes/s",
                      [&] { return run(*ours, sizes[0]); },
                      {"the CPU engine, one core", [&] { return run(*cpu, sizes[1]); }}));
  const ScalarBodies scalar;
  report(measure_rate(options, "engines.opencl.seal.scalar", "the same rows", "bytes/s",
                      [&] { return run(*ours, sizes[0]); },
                      {kBodies, [&] { return run(*scalar.engine, sizes[1]); }}));
}

void bench_opencl_open(const Options& options) {
  const auto ours = opencl_for("engines.opencl.open");
  if (ours == nullptr) return;
  const auto cpu = cpu::make_cpu_engine();
  const SealRows rows = seal_rows(1);
  const int rounds = options.is_quick ? 10 : 100;
  const std::string sealed = take(cpu->seal(rows.views(), {}, "header")).bytes;
  const auto run = [&](engine::Engine& engine) {
    std::array<uint8_t, 32> digest{};
    for (int i = 0; i < rounds; ++i) {
      const auto opened = take(engine.open(sealed, {}, "header", digest));
      if (opened.size() != rows.columns.size()) std::exit(1);
    }
    return rounds * static_cast<double>(rows.row_major.size());
  };
  report(measure_rate(options, "engines.opencl.open",
                      "what the CPU engine sealed of such rows; " + ours->describe().device,
                      "bytes/s", [&] { return run(*ours); },
                      {"the CPU engine, one core", [&] { return run(*cpu); }}));
  const ScalarBodies scalar;
  report(measure_rate(options, "engines.opencl.open.scalar", "the same block", "bytes/s",
                      [&] { return run(*ours); }, {kBodies, [&] { return run(*scalar.engine); }}));
}

void bench_dispatcher(const Options& options) {
  const auto make_engines = [] {
    std::vector<std::unique_ptr<engine::Engine>> engines;
    if (auto cuda = cuda::make_cuda_engine(); cuda.has_value()) {
      engines.push_back(std::move(cuda.value()));
    }
    if (auto opencl = make_opencl(); opencl.has_value()) {
      engines.push_back(std::move(opencl.value()));
    }
    engines.push_back(cpu::make_cpu_engine());
    return engines;
  };
  const auto schema = std::make_shared<model::Schema>(sample_schema());
  const auto make_rows = [schema](size_t size) {
    struct Held {
      std::shared_ptr<model::Schema> schema;
      model::Batch batch;
    };
    const size_t row_count = std::max<size_t>(size / kSampleRowSize, 1);
    const auto held = std::make_shared<Held>(
        Held{schema, sample_batch(*schema, model::kLaneCountDefault, row_count, 1)});
    return MadeRows{held, held->batch.view()};
  };
  measure_dispatcher(options, {make_engines, make_rows, model::kLaneCountDefault});
}

}  // namespace syncline::bench
