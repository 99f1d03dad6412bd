// stage.table_memory: bytes a record of the whole fingerprint table at 8 fields and 10 million
// records, filled as a first sync fills it, in 64 lanes.
#include <cstdio>

#include <malloc.h>
#include <unistd.h>

#include "bench/micro/benches.hpp"
#include "bench/micro/table_fill.hpp"

namespace syncline::bench {
namespace {

double resident_bytes() {
  malloc_trim(0);
  long pages = 0;
  std::FILE* file = std::fopen("/proc/self/statm", "r");
  if (file == nullptr) return 0;
  const int read = std::fscanf(file, "%*d %ld", &pages);
  std::fclose(file);
  return read == 1 ? static_cast<double>(pages) * static_cast<double>(sysconf(_SC_PAGESIZE)) : 0;
}

}  // namespace

void bench_table_memory(const Options& options) {
  constexpr size_t kFields = 8;
  const size_t record_count = options.is_quick ? 1000000 : 10000000;
  const double before = resident_bytes();
  state::FingerprintTable table(kFields, model::kLaneCountDefault);
  fill_table(table, kFields, model::kLaneCountDefault, record_count);
  const double records = static_cast<double>(table.record_count());
  Figure figure;
  figure.id = "stage.table_memory";
  figure.what = std::to_string(record_count) + " records of 8 fields, all of the table";
  figure.value = static_cast<double>(table.size_bytes()) / records;
  figure.unit = "bytes/record";
  figure.runs = 1;
  figure.beside = "resident memory";
  figure.beside_value = (resident_bytes() - before) / records;
  figure.ratio = figure.value / figure.beside_value;
  report(figure);
}

}  // namespace syncline::bench
