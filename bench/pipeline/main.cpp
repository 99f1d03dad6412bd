#include "bench/pipeline/benches.hpp"

int main(int argument_count, char** arguments) {
  using namespace syncline::bench;
  return run_benches(argument_count, arguments,
                     {
                         {"appliance.no_databases", bench_appliance},
                         {"memory.record", bench_record_memory},
                         {"sqlite.end_to_end", bench_sqlite},
                     });
}
