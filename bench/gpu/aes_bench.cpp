// G3: AES-256-GCM of 16 KB records on the card, beside OpenSSL on one core and on all.
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "bench/gpu/benches.hpp"
#include "bench/gpu/card.hpp"
#include "kernels/cpu/aes_gcm.hpp"
#include "kernels/cuda/kernels.hpp"

namespace syncline::bench {
namespace {

constexpr uint32_t kRecordSize = 16384;
constexpr uint32_t kAdditionalSize = 52;  // a chunk's header and directory

const cpu::AesKey& test_key() {
  static const cpu::AesKey key = [] {
    cpu::AesKey made;
    made.fill(0x2b);
    return made;
  }();
  return key;
}

class Records {
 public:
  explicit Records(uint32_t count)
      : count_(count),
        plain_(size_t{count} * kRecordSize),
        additional_(kAdditionalSize, '\x35'),
        key_(sizeof(syn_gcm_key)),
        records_(count * sizeof(syn_gcm_record)),
        extra_(64),
        input_(plain_.size()),
        output_(plain_.size()),
        tags_(count * 16) {
    std::mt19937_64 random(5);
    for (size_t i = 0; i < plain_.size(); i += 8) {
      const uint64_t word = random();
      std::memcpy(plain_.data() + i, &word, 8);
    }
    const auto prepared = std::make_unique<syn_gcm_key>();
    syn_gcm_prepare(test_key().data(), prepared.get());
    std::vector<syn_gcm_record> records(count);
    for (uint32_t i = 0; i < count; ++i) {
      records[i].input_at = records[i].output_at = uint64_t{i} * kRecordSize;
      records[i].size = size_of(i);
      records[i].additional_size = kAdditionalSize;
      std::memcpy(records[i].nonce, cpu::make_nonce(1, i).data(), SYN_NONCE_SIZE);
    }
    copy(key_, prepared.get(), sizeof *prepared);
    copy(records_, records.data(), records.size() * sizeof records[0]);
    copy(extra_, additional_.data(), additional_.size());
    copy(input_, plain_.data(), plain_.size());
  }

  cudaError_t seal() {
    return cuda::launch_gcm(work(input_, output_), cuda::GcmDirection::kSeal, nullptr);
  }
  cudaError_t open() {
    return cuda::launch_gcm(work(output_, output_), cuda::GcmDirection::kOpen, nullptr);
  }

  // OpenSSL's bytes and tags for every record, and the plain bytes again after opening in place.
  void expect_right() {
    std::vector<uint8_t> sealed(plain_.size());
    std::vector<uint8_t> tags(count_ * size_t{16});
    for (const bool is_open : {false, true}) {
      require(is_open ? open() : seal(), "records cannot be started");
      require(cudaDeviceSynchronize(), "records failed");
      require(
          cudaMemcpy(sealed.data(), output_.as<uint8_t>(), sealed.size(), cudaMemcpyDeviceToHost),
          "copy");
      require(cudaMemcpy(tags.data(), tags_.as<uint8_t>(), tags.size(), cudaMemcpyDeviceToHost),
              "copy");
      for (uint32_t i = 0; i < count_; ++i) expect_record(i, sealed, tags, is_open);
    }
  }

  // One core seals `count` records from first on.
  void seal_on_cpu(uint32_t first, uint32_t count, uint8_t* out) const {
    uint8_t tag[SYN_TAG_SIZE];
    for (uint32_t i = first; i < first + count; ++i) {
      const cpu::Nonce nonce = cpu::make_nonce(1, i);
      if (!cpu::aes_gcm().encrypt({test_key(), nonce, additional_,
                                   plain_.data() + size_t{i} * kRecordSize, kRecordSize, out},
                                  tag)) {
        std::exit(1);
      }
    }
  }

  uint32_t count() const { return count_; }
  double size() const {
    double sum = 0;
    for (uint32_t i = 0; i < count_; ++i) sum += size_of(i);
    return sum;
  }

 private:
  // Some are shorter, down to nothing: the bench's check covers partial blocks too.
  uint32_t size_of(uint32_t record) const {
    return record % 64 == 63 ? record * 7919 % kRecordSize : kRecordSize;
  }

  static void copy(CardMemory& to, const void* from, size_t size) {
    require(cudaMemcpy(to.as<uint8_t>(), from, size, cudaMemcpyHostToDevice), "copy");
  }

  cuda::GcmWork work(CardMemory& from, CardMemory& to) {
    return {key_.as<syn_gcm_key>(),
            records_.as<syn_gcm_record>(),
            count_,
            count_,
            nullptr,
            nullptr,
            extra_.as<uint8_t>(),
            from.as<uint8_t>(),
            to.as<uint8_t>(),
            tags_.as<uint32_t>()};
  }

  void expect_record(uint32_t record, const std::vector<uint8_t>& got,
                     const std::vector<uint8_t>& tags, bool is_open) const {
    std::vector<uint8_t> wanted(kRecordSize);
    uint8_t tag[SYN_TAG_SIZE];
    const size_t at = size_t{record} * kRecordSize;
    const uint32_t size = size_of(record);
    const cpu::Nonce nonce = cpu::make_nonce(1, record);
    const bool is_sealed = cpu::aes_gcm().encrypt(
        {test_key(), nonce, additional_, plain_.data() + at, size, wanted.data()}, tag);
    if (is_open) std::memcpy(wanted.data(), plain_.data() + at, size);
    if (is_sealed && std::memcmp(wanted.data(), got.data() + at, size) == 0 &&
        std::memcmp(tag, tags.data() + size_t{record} * 16, sizeof tag) == 0) {
      return;
    }
    std::fprintf(stderr, "bench: record %u of %u bytes is %s wrongly\n", record, size,
                 is_open ? "opened" : "sealed");
    std::exit(1);
  }

  uint32_t count_;
  std::vector<uint8_t> plain_;
  std::string additional_;
  CardMemory key_;
  CardMemory records_;
  CardMemory extra_;
  CardMemory input_;
  CardMemory output_;
  CardMemory tags_;
};

// Each thread has its records; all bytes count.
Work on_cores(const Records& records, uint32_t thread_count) {
  return [&records, thread_count] {
    constexpr uint32_t kEach = 512;
    std::vector<std::thread> threads;
    for (uint32_t i = 0; i < thread_count; ++i) {
      threads.emplace_back([&records, i] {
        std::vector<uint8_t> out(kRecordSize);
        for (int round = 0; round < 8; ++round) {
          records.seal_on_cpu(i * kEach % (records.count() - kEach), kEach, out.data());
        }
      });
    }
    for (std::thread& thread : threads) thread.join();
    return 8.0 * kEach * kRecordSize * thread_count;
  };
}

}  // namespace

void bench_card_aes(const Options& options) {
  Records records(options.is_quick ? 2048 : 16384);
  records.expect_right();
  const Work ours = repeated(10, records.size(), [&] { return records.seal(); });
  report(measure_rate(options, "engines.cuda.aes.core", "AES-256-GCM, 16 KB records, on the card",
                      "bytes/s", ours, {"OpenSSL on one core", on_cores(records, 1)}));
  const uint32_t cores = std::thread::hardware_concurrency();
  report(measure_rate(
      options, "engines.cuda.aes.cores", "AES-256-GCM, 16 KB records, on the card", "bytes/s", ours,
      {"OpenSSL on " + std::to_string(cores) + " cores", on_cores(records, cores)}));
}

}  // namespace syncline::bench
