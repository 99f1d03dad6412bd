#include "bench/micro/benches.hpp"

int main(int argument_count, char** arguments) {
  using namespace syncline::bench;
  return run_benches(argument_count, arguments,
                     {
                         {"stage.fingerprint", bench_fingerprint},
                         {"stage.detect", bench_detect},
                         {"stage.seal", bench_seal},
                         {"stage.open", bench_open},
                         {"stage.table_memory", bench_table_memory},
                         {"engines.opencl.fingerprint", bench_opencl_fingerprint},
                         {"engines.opencl.detect", bench_opencl_detect},
                         {"engines.opencl.seal", bench_opencl_seal},
                         {"engines.opencl.open", bench_opencl_open},
                         {"engines.dispatcher", bench_dispatcher},
                         {"pipeline.all_changed", bench_all_changed},
                         {"pipeline.tenth_changed", bench_tenth_changed},
                     });
}
