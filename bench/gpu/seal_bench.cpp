// G4 and the sealing part of G5: zstd frames on the card beside libzstd -1 on all cores, and the
// CUDA engine's seal and open, host columns to host bytes, beside the CPU engine's.
#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <zstd.h>

#include "bench/engine_scan.hpp"
#include "bench/gpu/benches.hpp"
#include "bench/gpu/card.hpp"
#include "bench/gpu/nvcomp_pieces.hpp"
#include "kernels/cpu/cpu_engine.hpp"
#include "kernels/cuda/cuda_engine.hpp"
#include "kernels/cuda/kernels.hpp"

namespace syncline::bench {
namespace {

constexpr uint32_t kPieceSize = SYN_ZSTD_PIECE_SIZE;
constexpr uint32_t kPlaceSize = kPieceSize + 16;  // of a frame, at a multiple of 16

// Lines as a table of orders has them.
std::string make_lines(size_t size, uint64_t seed) {
  constexpr const char* kWords[] = {"Zurich", "Bern",    "Basel",  "open",
                                    "paid",   "overdue", "invoice"};
  std::mt19937_64 random(seed);
  std::string out;
  while (out.size() < size) {
    out += std::to_string(random() % 100'000'000) + ";" + kWords[random() % 7] + ";" +
           kWords[random() % 7] + ";" + std::to_string(random() % 10'000) + ".00 CHF\n";
  }
  out.resize(size);
  return out;
}

cuda::GroupCounts groups() {
  cuda::GroupCounts counts{};
  require(cuda::count_groups(counts), "no card");
  return counts;
}

// Pieces on the card, their frames, and the contents of those again.
class Pieces {
 public:
  explicit Pieces(uint32_t count)
      : count_(count),
        lines_(make_lines(size_t{count} * kPieceSize, 4)),
        places_(count * sizeof(syn_piece_place)),
        frame_places_(count * sizeof(syn_frame_place)),
        contents_(lines_.size() + 64),
        frames_(size_t{count} * kPlaceSize + 64),
        opened_(lines_.size() + 64),
        sizes_(count * sizeof(uint32_t)),
        statuses_(count * sizeof(uint32_t)),
        groups_(groups()),
        scratch_(std::max(size_t{groups_.compress} * SYN_CODER_SCRATCH_SIZE,
                          size_t{groups_.decompress} * SYN_DECODER_SCRATCH_SIZE)) {
    std::vector<syn_piece_place> places;
    places.reserve(count);
    for (uint32_t i = 0; i < count; ++i) {
      places.push_back({i * kPieceSize, kPieceSize, i * kPlaceSize});
    }
    copy_in(places_, places.data(), places.size() * sizeof places[0]);
    copy_in(contents_, lines_.data(), lines_.size());
  }

  cudaError_t compress() {
    const cuda::CompressWork work{count_,
                                  places_.as<syn_piece_place>(),
                                  contents_.as<uint8_t>(),
                                  frames_.as<uint8_t>(),
                                  sizes_.as<uint32_t>(),
                                  scratch_.as<uint8_t>()};
    return cuda::launch_compress(work, std::min(count_, groups_.compress), nullptr);
  }
  cudaError_t decompress() {
    const cuda::DecompressWork work{count_,
                                    frame_places_.as<syn_frame_place>(),
                                    frames_.as<uint8_t>(),
                                    opened_.as<uint8_t>(),
                                    statuses_.as<uint32_t>(),
                                    scratch_.as<uint8_t>()};
    return cuda::launch_decompress(work, std::min(count_, groups_.decompress), nullptr);
  }

  // libzstd opens every frame, and the card gives the contents again. Gives all frames' size.
  size_t expect_right() {
    require(compress(), "compression cannot be started");
    require(cudaDeviceSynchronize(), "compression failed");
    const std::string frames = copied(frames_, size_t{count_} * kPlaceSize);
    const std::string sizes = copied(sizes_, count_ * sizeof(uint32_t));
    std::vector<syn_frame_place> places;
    std::string back(kPieceSize, '\0');
    size_t all = 0;
    for (uint32_t i = 0; i < count_; ++i) {
      uint32_t size = 0;
      std::memcpy(&size, sizes.data() + i * sizeof size, sizeof size);
      const size_t done =
          ZSTD_decompress(back.data(), back.size(), frames.data() + size_t{i} * kPlaceSize, size);
      if (done != kPieceSize ||
          back != std::string_view(lines_).substr(i * kPieceSize, kPieceSize)) {
        stop("a frame of the card is wrong");
      }
      places.push_back({i * kPlaceSize, size, i * kPieceSize, kPieceSize});
      all += size;
    }
    copy_in(frame_places_, places.data(), places.size() * sizeof places[0]);
    require(decompress(), "decompression cannot be started");
    require(cudaDeviceSynchronize(), "decompression failed");
    if (copied(opened_, lines_.size()) != lines_) stop("the card opened a frame wrongly");
    return all;
  }

  const std::string& lines() const { return lines_; }
  uint8_t* contents() { return contents_.as<uint8_t>(); }
  uint32_t count() const { return count_; }
  double size() const { return static_cast<double>(lines_.size()); }

 private:
  [[noreturn]] static void stop(const char* what) {
    std::fprintf(stderr, "bench: %s\n", what);
    std::exit(1);
  }
  static void copy_in(CardMemory& to, const void* from, size_t size) {
    require(cudaMemcpy(to.as<uint8_t>(), from, size, cudaMemcpyHostToDevice), "copy");
  }
  static std::string copied(CardMemory& from, size_t size) {
    std::string out(size, '\0');
    require(cudaMemcpy(out.data(), from.as<uint8_t>(), size, cudaMemcpyDeviceToHost), "copy");
    return out;
  }

  uint32_t count_;
  std::string lines_;
  CardMemory places_;
  CardMemory frame_places_;
  CardMemory contents_;
  CardMemory frames_;
  CardMemory opened_;
  CardMemory sizes_;
  CardMemory statuses_;
  cuda::GroupCounts groups_;
  CardMemory scratch_;
};

// libzstd on every core over mebibytes of the lines, to compress or to open again.
class ZstdCores {
 public:
  explicit ZstdCores(const std::string& lines) : lines_(lines) {
    for (size_t at = 0; at < lines_.size(); at += kEach) {
      frames_.emplace_back(ZSTD_compressBound(kEach), '\0');
      const size_t size = ZSTD_compress(frames_.back().data(), frames_.back().size(),
                                        lines_.data() + at, std::min(kEach, lines_.size() - at), 1);
      frames_.back().resize(size);
      size_ += size;
    }
  }
  size_t size() const { return size_; }
  Work work(bool is_opening) const {
    return [this, is_opening] {
      const size_t thread_count = std::thread::hardware_concurrency();
      std::vector<std::thread> threads;
      threads.reserve(thread_count);
      for (size_t first = 0; first < thread_count; ++first) {
        threads.emplace_back([this, first, thread_count, is_opening] {
          for (size_t i = first; i < frames_.size(); i += thread_count) run(i, is_opening);
        });
      }
      for (std::thread& thread : threads) thread.join();
      return static_cast<double>(lines_.size());
    };
  }

 private:
  static constexpr size_t kEach = 1 << 20;

  void run(size_t i, bool is_opening) const {
    thread_local const std::unique_ptr<ZSTD_CCtx, decltype(&ZSTD_freeCCtx)> coder(ZSTD_createCCtx(),
                                                                                  &ZSTD_freeCCtx);
    thread_local std::string out;
    out.resize(ZSTD_compressBound(kEach));
    const size_t size = std::min(kEach, lines_.size() - i * kEach);
    const size_t done =
        is_opening ? ZSTD_decompress(out.data(), out.size(), frames_[i].data(), frames_[i].size())
                   : ZSTD_compressCCtx(coder.get(), out.data(), out.size(),
                                       lines_.data() + i * kEach, size, 1);
    if (ZSTD_isError(done) != 0) std::exit(1);
  }

  const std::string& lines_;
  std::vector<std::string> frames_;
  size_t size_ = 0;
};

// Every thread seals or opens its own block again and again.
Work blocks(engine::Engine& engine, const std::vector<std::string>& columns, bool is_opening,
            int rounds) {
  std::vector<std::string> sealed;
  sealed.reserve(columns.size());
  for (const std::string& column : columns) {
    const std::vector<engine::ColumnView> views = {{0, 0, column}};
    sealed.push_back(take(engine.seal(views, {}, "bench")).bytes);
  }
  return [&engine, &columns, is_opening, rounds, sealed = std::move(sealed)] {
    std::vector<std::thread> threads;
    threads.reserve(columns.size());
    for (size_t thread = 0; thread < columns.size(); ++thread) {
      threads.emplace_back([&, thread] {
        const std::vector<engine::ColumnView> views = {{0, 0, columns[thread]}};
        const engine::SealKey key;
        std::array<uint8_t, 32> digest{};
        for (int i = 0; i < rounds; ++i) {
          if (is_opening) {
            take(engine.open(sealed[thread], key, "bench", digest));
          } else {
            take(engine.seal(views, key, "bench"));
          }
        }
      });
    }
    for (std::thread& thread : threads) thread.join();
    return static_cast<double>(columns.size()) * rounds * static_cast<double>(columns[0].size());
  };
}

void beside_nvcomp(const Options& options, Pieces& pieces, size_t ours) {
  const cuda::Nvcomp* nvcomp = cuda::Nvcomp::find();
  if (nvcomp == nullptr) {
    std::fprintf(stderr, "bench: nvCOMP is not here, so nothing is measured beside it\n");
    return;
  }
  NvcompPieces theirs(*nvcomp, pieces.contents(), pieces.count(), kPieceSize);
  require(theirs.compress(), "nvCOMP does not compress");
  const size_t size = theirs.frames_size();
  require(theirs.decompress(), "nvCOMP does not decompress");
  if (theirs.opened() != pieces.lines()) {
    std::fprintf(stderr, "bench: nvCOMP opened its frames to something else\n");
    std::exit(1);
  }
  char what[96];
  std::snprintf(what, sizeof what, "zstd frames of 64 KiB on the card; %.3f of nvCOMP's ratio",
                static_cast<double>(size) / static_cast<double>(ours));
  report(measure_rate(
      options, "engines.cuda.frames.compress.nvcomp", what, "bytes/s",
      repeated(4, pieces.size(), [&] { return pieces.compress(); }),
      {"nvCOMP's zstd", repeated(4, pieces.size(), [&] { return theirs.compress(); })}));
  report(measure_rate(
      options, "engines.cuda.frames.decompress.nvcomp", "frames of 64 KiB opened, each its own",
      "bytes/s", repeated(4, pieces.size(), [&] { return pieces.decompress(); }),
      {"nvCOMP's zstd", repeated(4, pieces.size(), [&] { return theirs.decompress(); })}));
}

}  // namespace

void bench_card_frames(const Options& options) {
  Pieces pieces(options.is_quick ? 512 : 8192);
  const size_t ours = pieces.expect_right();
  const ZstdCores cores(pieces.lines());
  char what[96];
  std::snprintf(what, sizeof what, "zstd frames of 64 KiB on the card; %.3f of libzstd -1's ratio",
                static_cast<double>(cores.size()) / static_cast<double>(ours));
  report(measure_rate(options, "engines.cuda.frames.compress", what, "bytes/s",
                      repeated(4, pieces.size(), [&] { return pieces.compress(); }),
                      {"libzstd -1 on all cores", cores.work(false)}));
  report(measure_rate(options, "engines.cuda.frames.decompress", "the same frames opened",
                      "bytes/s", repeated(4, pieces.size(), [&] { return pieces.decompress(); }),
                      {"libzstd on all cores", cores.work(true)}));
  beside_nvcomp(options, pieces, ours);
}

void bench_card_seal(const Options& options) {
  const auto cuda = take(cuda::make_cuda_engine());
  const auto cpu = cpu::make_cpu_engine();
  const int rounds = options.is_quick ? 2 : 6;
  std::vector<std::string> columns;
  columns.reserve(8);
  for (uint64_t i = 0; i < 8; ++i) columns.push_back(make_lines(16 << 20, i));
  for (const bool is_opening : {false, true}) {
    report(measure_rate(
        options, is_opening ? "engines.cuda.open" : "engines.cuda.seal",
        "host columns of 16 MiB and host bytes, by the engine, threads: 8", "bytes/s",
        blocks(*cuda, columns, is_opening, rounds),
        {"the CPU engine, as many threads", blocks(*cpu, columns, is_opening, rounds)}));
  }
  // Which coder it chose, and what the other one would have done.
  const std::string variants = cuda->describe().variants;
  std::fprintf(stderr, "engines.cuda.seal: %s\n", variants.c_str());
  if (variants.find("+nvcomp") == std::string::npos) return;
  const auto ours = take(cuda::make_cuda_engine(
      {.find_nvcomp = [] { return static_cast<const cuda::Nvcomp*>(nullptr); }}));
  report(measure_rate(options, "engines.cuda.seal.nvcomp", "the same, with nvCOMP's coder",
                      "bytes/s", blocks(*cuda, columns, false, rounds),
                      {"with our own coder", blocks(*ours, columns, false, rounds)}));
}

}  // namespace syncline::bench
