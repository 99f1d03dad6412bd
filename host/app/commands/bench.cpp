#include <cstdio>
#include <cstring>

#include <boost/json/array.hpp>

#include "host/app/command_support.hpp"
#include "host/app/engines.hpp"
#include "host/base/random.hpp"
#include "host/dispatch/dispatcher.hpp"
#include "host/model/batch.hpp"
#include "host/state/fingerprint_table.hpp"

namespace syncline::app {
namespace {

namespace json = boost::json;

constexpr size_t kRows = 4096;
constexpr size_t kFields = 12;
constexpr size_t kLanes = 64;
constexpr int64_t kMeasureUs = 500'000;

model::Schema make_schema() {
  model::Schema schema;
  schema.name = "bench";
  schema.dataset = model::stable_id(schema.name);
  schema.stream = schema.dataset;
  schema.key_count = 1;
  for (size_t i = 0; i < kFields; ++i) schema.fields.push_back({"f" + std::to_string(i), {}, true});
  return schema;
}

// Rows of 132 bytes in 12 fields.
model::Batch make_rows(const model::Schema& schema) {
  model::BatchBuilder builder(schema, kLanes);
  builder.begin_transaction({});
  for (size_t row = 0; row < kRows; ++row) {
    std::vector<std::string> values;
    for (size_t field = 0; field < kFields; ++field) {
      std::string value = std::to_string((row + 1) * 7919 * (field + 3) % 100'000'007);
      value.resize(11, 'x');
      values.push_back(std::move(value));
    }
    std::vector<model::CellView> cells;
    cells.reserve(values.size());
    for (const std::string& value : values) cells.push_back({model::CellState::kValue, value});
    builder.add_row(SYN_OP_UPDATE, false, 0, cells);
  }
  return builder.finish();
}

struct Measured {
  std::string stage;
  double per_second = 0;
  std::string unit;
};

// How often `work` runs in a second, times what one run does.
template <class Work>
Result<double> rate(double amount, const Work& work) {
  SYN_TRY(work());
  const int64_t started_us = system_clock().steady_us();
  int64_t elapsed_us = 0;
  double done = 0;
  while (elapsed_us < kMeasureUs) {
    SYN_TRY(work());
    done += amount;
    elapsed_us = system_clock().steady_us() - started_us;
  }
  return done / (static_cast<double>(elapsed_us) / 1e6);
}

Result<std::vector<Measured>> measure(dispatch::Dispatcher& dispatcher) {
  const model::Schema schema = make_schema();
  const model::Batch batch = make_rows(schema);
  const syn_batch view = batch.view();
  engine::Secret secret;
  system_random().fill(secret);
  engine::Fingerprints fingerprints;
  engine::Detected detected;
  state::FingerprintTable table(schema.value_count(), kLanes);
  std::vector<Measured> measured;
  SYN_TRY(const double hashed,
          rate(kRows, [&] { return dispatcher.fingerprint(view, secret, fingerprints); }));
  measured.push_back({"fingerprint", hashed, "rows/s"});
  SYN_TRY(const double compared, rate(kRows, [&] {
            return dispatcher.detect(view, fingerprints, table.ref(), detected);
          }));
  measured.push_back({"detect", compared, "rows/s"});
  const engine::ColumnView column{
      1, 0, {reinterpret_cast<const char*>(view.arena), view.arena_size}};
  engine::SealKey key;
  engine::Sealed sealed;
  SYN_TRY(const double shut, rate(view.arena_size, [&]() -> Result<void> {
            SYN_TRY(sealed, dispatcher.seal({&column, 1}, key, "bench"));
            return success();
          }));
  measured.push_back({"seal", shut, "bytes/s"});
  SYN_TRY(const double opened, rate(view.arena_size, [&]() -> Result<void> {
            std::array<uint8_t, 32> digest{};
            SYN_TRY(dispatcher.open(sealed.bytes, key, "bench", digest));
            return success();
          }));
  measured.push_back({"open", opened, "bytes/s"});
  return measured;
}

}  // namespace

Result<ExitStatus> run_bench(const Arguments& arguments) {
  SYN_TRY(const auto dispatcher, make_dispatcher("auto", system_clock()));
  SYN_TRY(const auto measured, measure(*dispatcher));
  json::array list;
  std::string text;
  for (const Measured& one : measured) {
    list.push_back(
        json::object{{"stage", one.stage}, {"value", one.per_second}, {"unit", one.unit}});
    char line[120];
    std::snprintf(line, sizeof line, "%-12s %10.1f M %s\n", one.stage.c_str(), one.per_second / 1e6,
                  one.unit.c_str());
    text += line;
  }
  print(arguments, list, text + "beside plain library calls: bench/run\n");
  return ExitStatus::kOk;
}

}  // namespace syncline::app
