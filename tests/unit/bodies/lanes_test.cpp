// The bodies that work by group with a thread a lane, as a device runs them: the coder, the decoder
// and AES-GCM end as they do where one thread plays all lanes. A barrier that is missing is a data
// race here, which the thread sanitizer reports; lanes that go different ways never end.
#include <cstdint>

#include <pthread.h>

namespace syncline::bodies {
namespace {
// What the lanes of a group have between them.
struct Meeting {
  pthread_barrier_t barrier;
  uint32_t width = 0;
  uint32_t words[32] = {};
};
thread_local Meeting* meeting = nullptr;
thread_local uint32_t lane_here = 0;
void meet() {
  pthread_barrier_wait(&meeting->barrier);
}
uint32_t alike(uint32_t word) {
  meeting->words[lane_here] = word;
  meet();
  uint32_t lanes = 0;
  for (uint32_t lane = 0; lane < meeting->width; ++lane) {
    if (meeting->words[lane] == word) lanes |= 1u << lane;
  }
  meet();
  return lanes;
}
}  // namespace
}  // namespace syncline::bodies

#define SYN_LANES_MEET() syncline::bodies::meet()
#define SYN_LANES_ALIKE(word) syncline::bodies::alike(word)
#define SYN_LOCAL_ADD(word, count) __atomic_fetch_add((word), (count), __ATOMIC_RELAXED)

#include <memory>
#include <thread>

#include <gtest/gtest.h>

#include "kernels/bodies/frames.h"
#include "kernels/bodies/gcm_group.h"
#include "tests/unit/bodies/zstd_frames.hpp"

namespace syncline::bodies {
namespace {

class Lanes : public testing::TestWithParam<uint32_t> {
 protected:
  template <class Work>
  static void run(uint32_t width, const Work& work) {
    Meeting all;
    all.width = width;
    ASSERT_EQ(pthread_barrier_init(&all.barrier, nullptr, width), 0);
    std::vector<std::thread> threads;
    threads.reserve(width);
    for (uint32_t lane = 0; lane < width; ++lane) {
      threads.emplace_back([&, lane] {
        meeting = &all;
        lane_here = lane;
        work(syn_group{lane, width});
      });
    }
    for (std::thread& thread : threads) thread.join();
    pthread_barrier_destroy(&all.barrier);
  }

  // Two pieces, one after the other in the same memory.
  static std::vector<std::string> coded(const std::vector<std::string>& pieces, uint32_t width) {
    std::vector<uint8_t> literals(SYN_ZSTD_PIECE_SIZE);
    std::vector<syn_zstd_sequence> sequences(SYN_ZSTD_SEQUENCES_MAX);
    const auto encoder = std::make_unique<syn_zstd_encoder>();
    std::vector<std::string> frames;
    frames.reserve(pieces.size());
    std::vector<std::vector<uint32_t>> sizes(pieces.size(), std::vector<uint32_t>(width));
    for (const std::string& piece : pieces) frames.emplace_back(piece.size() + 10, '\0');
    run(width, [&](syn_group group) {
      for (size_t i = 0; i < pieces.size(); ++i) {
        const syn_zstd_piece piece{bytes_of(pieces[i]), static_cast<uint32_t>(pieces[i].size()),
                                   reinterpret_cast<uint8_t*>(frames[i].data()), literals.data(),
                                   sequences.data()};
        sizes[i][group.lane] = syn_zstd_encode(group, encoder.get(), piece);
      }
    });
    for (size_t i = 0; i < pieces.size(); ++i) {
      EXPECT_EQ(sizes[i], std::vector<uint32_t>(width, sizes[i][0])) << "lanes differ";
      frames[i].resize(sizes[i][0]);
    }
    return frames;
  }

  static std::vector<Opened> opened(const std::vector<std::string>& frames, size_t content_size,
                                    uint32_t width) {
    std::vector<uint8_t> scratch(SYN_ZSTD_BLOCK_SIZE_MAX);
    const auto decoder = std::make_unique<syn_zstd_decoder>();
    std::vector<Opened> out(frames.size());
    std::vector<std::vector<uint32_t>> statuses(frames.size(), std::vector<uint32_t>(width));
    for (Opened& one : out) one.bytes.resize(content_size);
    run(width, [&](syn_group group) {
      for (size_t i = 0; i < frames.size(); ++i) {
        const syn_zstd_input in{bytes_of(frames[i]), static_cast<uint32_t>(frames[i].size()),
                                static_cast<uint32_t>(content_size),
                                reinterpret_cast<uint8_t*>(out[i].bytes.data()), scratch.data()};
        statuses[i][group.lane] = syn_zstd_decode(group, decoder.get(), in);
      }
    });
    for (size_t i = 0; i < frames.size(); ++i) {
      EXPECT_EQ(statuses[i], std::vector<uint32_t>(width, statuses[i][0])) << "lanes differ";
      out[i].status = statuses[i][0];
      if (out[i].status != SYN_ZSTD_OK) out[i].bytes.clear();
    }
    return out;
  }
};

constexpr size_t kSize = 1500;

// Lanes tell each other which hashes are alike, as a card's do; one lane has just the table.
TEST_P(Lanes, CodeAsOneDoes) {
  std::vector<std::string> pieces = {"", "x", words_of(20, 1)};
  for (const Content& content : contents_of(kSize)) pieces.push_back(content.bytes);
  // Batch after batch of literals, and of literals and sequences.
  pieces.push_back(noise_of(5000, 2, 4));
  pieces.push_back(words_of(3000, 3) + noise_of(3000, 4, 5) + words_of(3000, 5));
  const std::vector<std::string> frames = coded(pieces, GetParam());
  EXPECT_TRUE(frames == coded(pieces, 1));
  for (size_t i = 0; i < pieces.size(); ++i) {
    std::string back(pieces[i].size(), '\0');
    ASSERT_EQ(ZSTD_decompress(back.data(), back.size(), frames[i].data(), frames[i].size()),
              back.size());
    EXPECT_TRUE(back == pieces[i]);
  }
}

TEST_P(Lanes, OpenAsOneDoes) {
  std::vector<std::string> frames;
  std::mt19937_64 random(4);
  for (const Content& content : contents_of(kSize)) {
    for (const int level : {1, 19}) {
      frames.push_back(frame_of(content.bytes, level));
      for (int i = 0; i < 3; ++i) frames.push_back(broken(frames.back(), random));
    }
  }
  const std::vector<Opened> by_lanes = opened(frames, kSize, GetParam());
  const std::vector<Opened> by_one = opened(frames, kSize, 1);
  size_t opened_count = 0;
  for (size_t i = 0; i < frames.size(); ++i) {
    EXPECT_EQ(by_lanes[i].status, by_one[i].status) << i;
    EXPECT_TRUE(by_lanes[i].bytes == by_one[i].bytes) << i;
    opened_count += by_one[i].status == SYN_ZSTD_OK ? 1 : 0;
  }
  EXPECT_GE(opened_count, 16u);
  EXPECT_LT(opened_count, frames.size());
}

TEST_P(Lanes, SealRecordsAsOneDoes) {
  const auto key = std::make_unique<syn_gcm_key>();
  syn_gcm_prepare(bytes_of(noise_of(32, 1, 8)), key.get());
  const std::string additional = noise_of(21, 2, 8);
  const std::string plain = noise_of(700, 3, 8);
  const auto sealed = [&](uint32_t width) {
    const auto memory = std::make_unique<syn_gcm_memory>();
    std::string bytes = plain;
    std::vector<uint32_t> tags(8);
    run(width, [&](syn_group group) {
      for (const uint32_t size : {700u, 33u}) {
        syn_gcm_record record{};
        record.size = size;
        record.additional_size = static_cast<uint32_t>(additional.size());
        auto* data = reinterpret_cast<uint8_t*>(bytes.data());
        uint32_t* tag = tags.data() + (size == 700u ? 0 : 4);
        syn_gcm_run(group, memory.get(), {key.get(), bytes_of(additional), data, data, tag},
                    &record, SYN_GCM_SEAL);
      }
    });
    bytes.append(reinterpret_cast<const char*>(tags.data()), tags.size() * sizeof(uint32_t));
    return bytes;
  };
  EXPECT_TRUE(sealed(GetParam()) == sealed(1));
}

INSTANTIATE_TEST_SUITE_P(Widths, Lanes, testing::Values(3u, 32u));

}  // namespace
}  // namespace syncline::bodies
