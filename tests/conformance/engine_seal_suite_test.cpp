// Every engine seals what the CPU opens and opens what the CPU seals, and finds the same damage.
#include <random>
#include <string>

#include <gtest/gtest.h>

#include "kernels/cpu/aes_gcm.hpp"
#include "kernels/cpu/chunk.hpp"
#include "kernels/cpu/seal.hpp"
#include "tests/conformance/engines_under_test.hpp"
#include "tests/unit/bodies/zstd_frames.hpp"

namespace syncline::conformance {
namespace {

using engine::ColumnBytes;
using engine::ColumnView;

std::vector<ColumnView> views(const std::vector<ColumnBytes>& columns) {
  std::vector<ColumnView> out;
  for (const ColumnBytes& column : columns) out.push_back({column.id, column.type, column.bytes});
  return out;
}

std::string random_column(uint8_t type, std::mt19937_64& random) {
  const size_t width = type == 2 ? 4 : type == 3 ? 8 : 1;
  const size_t count = random() % 2000;
  const uint64_t mask = ~uint64_t{0} >> random() % 64;
  const uint64_t step = random() % 3;
  uint64_t value = random();
  std::string out;
  for (size_t i = 0; i < count; ++i) {
    value = step == 0 ? random() & mask : value + (random() & mask & 0xff) * step;
    out.append(reinterpret_cast<const char*>(&value), width);
  }
  return out;
}

std::vector<ColumnBytes> random_columns(uint64_t seed) {
  std::mt19937_64 random(seed);
  std::vector<ColumnBytes> out(random() % 20);
  for (ColumnBytes& column : out) {
    column.id = static_cast<uint16_t>(random() % 300);
    column.type = static_cast<uint8_t>(random() % 4);
    column.bytes = random_column(column.type, random);
  }
  return out;
}

bool seals(const engine::Engine& engine) {
  const engine::Description description = engine.describe();
  const bool has_seal = description.has_stage[static_cast<size_t>(engine::Stage::kSeal)];
  EXPECT_EQ(has_seal, description.has_stage[static_cast<size_t>(engine::Stage::kOpen)]);
  return has_seal;
}

class EngineSealSuite : public testing::TestWithParam<EngineUnderTest> {
 protected:
  EngineSealSuite() { key_.key.fill(9); }

  void expect_same(const std::vector<ColumnBytes>& columns,
                   const Result<std::vector<ColumnBytes>>& opened) {
    ASSERT_TRUE(opened.has_value()) << to_string(opened.error());
    ASSERT_EQ(opened.value().size(), columns.size());
    for (size_t i = 0; i < columns.size(); ++i) {
      ASSERT_EQ(opened.value()[i].id, columns[i].id);
      ASSERT_EQ(opened.value()[i].type, columns[i].type);
      ASSERT_TRUE(opened.value()[i].bytes == columns[i].bytes) << "column " << i;
    }
  }

  std::unique_ptr<engine::Engine> engine_ = GetParam().make();
  engine::SealKey key_;
  std::array<uint8_t, 32> digest_{};
};

TEST_P(EngineSealSuite, TheCpuOpensWhatItSeals) {
  for (uint64_t seed = 0; seed < 100; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    const auto columns = random_columns(seed);
    const auto sealed = engine_->seal(views(columns), key_, "block");
    ASSERT_TRUE(sealed.has_value()) << to_string(sealed.error());
    expect_same(columns, cpu::open_block(sealed.value().bytes, key_, "block", digest_));
    EXPECT_EQ(digest_, sealed.value().tags_digest);
  }
}

TEST_P(EngineSealSuite, ItOpensWhatTheCpuSeals) {
  for (uint64_t seed = 0; seed < 100; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    const auto columns = random_columns(seed);
    const auto sealed = cpu::seal_block(views(columns), key_, "block");
    ASSERT_TRUE(sealed.has_value());
    expect_same(columns, engine_->open(sealed.value().bytes, key_, "block", digest_));
    EXPECT_EQ(digest_, sealed.value().tags_digest);
  }
}

TEST_P(EngineSealSuite, ItFindsEveryFlippedBitAndEveryTruncation) {
  const std::vector<ColumnBytes> columns = {{1, 0, "Ann lives in Bern"}, {2, 2, "0123"}};
  const std::string sealed = cpu::seal_block(views(columns), key_, "block").value().bytes;
  ASSERT_TRUE(engine_->open(sealed, key_, "block", digest_).has_value());
  for (size_t bit = 0; bit < sealed.size() * 8; ++bit) {
    std::string flipped = sealed;
    flipped[bit / 8] = static_cast<char>(flipped[bit / 8] ^ 1 << bit % 8);
    const auto opened = engine_->open(flipped, key_, "block", digest_);
    ASSERT_FALSE(opened.has_value()) << "bit " << bit;
    ASSERT_EQ(opened.error().code, ErrorCode::kDamaged) << "bit " << bit;
  }
  for (size_t size = 0; size < sealed.size(); ++size) {
    const auto opened =
        engine_->open(std::string_view(sealed).substr(0, size), key_, "block", digest_);
    ASSERT_FALSE(opened.has_value()) << "size " << size;
  }
  EXPECT_FALSE(engine_->open(sealed, key_, "another block", digest_).has_value());
}

std::string text_of(size_t size, uint64_t seed) {
  std::mt19937_64 random(seed);
  std::string out;
  while (out.size() < size) {
    out +=
        "order " + std::to_string(random() % 5000) + (random() % 3 == 0 ? " is open; " : " paid ");
  }
  out.resize(size);
  return out;
}

TEST_P(EngineSealSuite, BlocksOfManyChunksAndOfLargeColumns) {
  std::vector<ColumnBytes> columns;
  for (const size_t size : {65536u, 65537u, 200000u, 1500000u, 100u, 900000u, 0u}) {
    columns.push_back({static_cast<uint16_t>(columns.size()), 0, text_of(size, size)});
  }
  const auto sealed = engine_->seal(views(columns), key_, "block");
  ASSERT_TRUE(sealed.has_value()) << to_string(sealed.error());
  EXPECT_GT(sealed.value().chunk_count, 2u);
  expect_same(columns, cpu::open_block(sealed.value().bytes, key_, "block", digest_));
  expect_same(columns, engine_->open(sealed.value().bytes, key_, "block", digest_));
  EXPECT_EQ(digest_, sealed.value().tags_digest);
  const auto by_cpu = cpu::seal_block(views(columns), key_, "block");
  expect_same(columns, engine_->open(by_cpu.value().bytes, key_, "block", digest_));
}

std::string repeated(const std::string& part, size_t size) {
  std::string out;
  while (out.size() < size) out += part;
  out.resize(size);
  return out;
}

// What no piece shows: repeats from piece to piece, of one block or of many in any order.
std::vector<bodies::Content> chunks_of(size_t size) {
  std::vector<bodies::Content> out = bodies::contents_of(size);
  std::string runs;
  std::string templates;
  std::mt19937_64 random(size);
  while (runs.size() < size) runs.append(random() % 3000, static_cast<char>(random()));
  while (templates.size() < size) templates += bodies::noise_of(1500, random() % 100, 8);
  runs.resize(size);
  templates.resize(size);
  out.push_back({"text", text_of(size, size)});
  out.push_back({"runs", runs});
  out.push_back({"long period", repeated(bodies::noise_of(20'000, size, 8), size)});
  out.push_back({"period beyond a piece", repeated(bodies::noise_of(70'000, size, 8), size)});
  out.push_back({"words of such a period", repeated(bodies::words_of(150'000, size), size)});
  out.push_back({"templates", templates});
  return out;
}

// The contract's rule of the ratio, chunk by chunk: never worse than by libzstd -1, as the CPU has
// it, by more than a tenth.
TEST_P(EngineSealSuite, NoChunkIsMoreThanATenthLargerThanByTheCpu) {
  for (const size_t size : {65'537u, 300'000u, 1'048'576u}) {
    for (const bodies::Content& content : chunks_of(size)) {
      SCOPED_TRACE(content.name + ", " + std::to_string(size));
      const std::vector<ColumnBytes> columns = {{1, 0, content.bytes}};
      const auto sealed = engine_->seal(views(columns), key_, "block");
      ASSERT_TRUE(sealed.has_value()) << to_string(sealed.error());
      const auto by_cpu = cpu::seal_block(views(columns), key_, "block");
      EXPECT_LE(0.9 * static_cast<double>(sealed.value().bytes.size()),
                static_cast<double>(by_cpu.value().bytes.size()))
          << sealed.value().bytes.size() << " beside " << by_cpu.value().bytes.size();
      expect_same(columns, cpu::open_block(sealed.value().bytes, key_, "block", digest_));
    }
  }
}

TEST_P(EngineSealSuite, TheSameColumnsGiveTheSameBytes) {
  const std::vector<ColumnBytes> columns = {{1, 0, text_of(100000, 1)}, {2, 0, text_of(900, 2)}};
  const auto first = engine_->seal(views(columns), key_, "block");
  const auto second = engine_->seal(views(columns), key_, "block");
  ASSERT_TRUE(first.has_value() && second.has_value());
  EXPECT_TRUE(first.value().bytes == second.value().bytes);
}

// What follows the header and the directory of a block of one chunk, in clear and back.
std::string decrypted(const cpu::Chunk& chunk, const engine::SealKey& key) {
  std::string plain(chunk.sealed.size(), '\0');
  const std::string additional = std::string(chunk.clear) + "block";
  const cpu::Nonce nonce = cpu::make_nonce(key.nonce_prefix, key.nonce_counter);
  EXPECT_TRUE(cpu::aes_gcm().decrypt(
      {key.key, nonce, additional, reinterpret_cast<const uint8_t*>(chunk.sealed.data()),
       plain.size(), reinterpret_cast<uint8_t*>(plain.data())},
      reinterpret_cast<const uint8_t*>(chunk.tag.data())));
  return plain;
}

std::string encrypted(const cpu::Chunk& chunk, const std::string& plain,
                      const engine::SealKey& key) {
  std::string out(chunk.clear);
  const std::string additional = out + "block";
  const cpu::Nonce nonce = cpu::make_nonce(key.nonce_prefix, key.nonce_counter);
  std::string sealed(plain.size(), '\0');
  uint8_t tag[SYN_TAG_SIZE];
  EXPECT_TRUE(cpu::aes_gcm().encrypt(
      {key.key, nonce, additional, reinterpret_cast<const uint8_t*>(plain.data()), plain.size(),
       reinterpret_cast<uint8_t*>(sealed.data())},
      tag));
  return out + sealed + std::string(reinterpret_cast<const char*>(tag), sizeof tag);
}

// Whoever has the key can seal anything: frames that no compressor made, under a tag that is right.
TEST_P(EngineSealSuite, HostileFramesAreJudgedAsTheCpuJudges) {
  std::mt19937_64 random(31);
  int opened_count = 0;
  int refused_count = 0;
  for (const size_t size : {1200u, 20000u, 150000u}) {
    const std::vector<ColumnBytes> columns = {{1, 0, text_of(size, size)}};
    const std::string sealed = cpu::seal_block(views(columns), key_, "block").value().bytes;
    cpu::Chunk chunk;
    ASSERT_EQ(cpu::parse_chunk(sealed, chunk), nullptr);
    const std::string plain = decrypted(chunk, key_);
    for (int i = 0; i < 120; ++i) {
      std::string broken = plain;
      for (uint64_t flips = 0; flips <= random() % 3; ++flips) {
        const size_t at = random() % (random() % 2 == 0 ? 60 : chunk.header.frames_size);
        broken[at] = static_cast<char>(broken[at] ^ 1 << random() % 8);
      }
      const std::string hostile = encrypted(chunk, broken, key_);
      const auto by_cpu = cpu::open_block(hostile, key_, "block", digest_);
      const auto ours = engine_->open(hostile, key_, "block", digest_);
      SCOPED_TRACE("size " + std::to_string(size) + ", round " + std::to_string(i));
      if (!ours.has_value()) {
        // It may be stricter, where the format is; it never fails otherwise.
        ASSERT_EQ(ours.error().code, ErrorCode::kDamaged) << to_string(ours.error());
        ++refused_count;
        continue;
      }
      ASSERT_TRUE(by_cpu.has_value());
      ASSERT_TRUE(ours.value()[0].bytes == by_cpu.value()[0].bytes);
      ++opened_count;
    }
  }
  EXPECT_GT(opened_count, 10);
  EXPECT_GT(refused_count, 50);
}

// Cut behind a tag that is right: the header agrees with what is left, the frames do not.
TEST_P(EngineSealSuite, CutFramesAreDamageToEveryEngine) {
  for (const size_t size : {300u, 5000u, 200000u}) {
    const std::vector<ColumnBytes> columns = {{1, 0, text_of(size, size)}};
    const std::string sealed = cpu::seal_block(views(columns), key_, "block").value().bytes;
    cpu::Chunk chunk;
    ASSERT_EQ(cpu::parse_chunk(sealed, chunk), nullptr);
    const std::string plain = decrypted(chunk, key_);
    const std::string clear(chunk.clear);
    ASSERT_GT(chunk.header.frames_size, 60u);
    const size_t step = chunk.header.frames_size < 1000 ? 1 : chunk.header.frames_size / 50;
    for (size_t cut = 1; cut <= chunk.header.frames_size; cut += step) {
      SCOPED_TRACE("size " + std::to_string(size) + ", cut by " + std::to_string(cut));
      cpu::ChunkHeader header = chunk.header;
      header.frames_size -= static_cast<uint32_t>(cut);
      std::string changed = clear;
      cpu::write_header(header, changed.data());
      cpu::Chunk shorter = chunk;
      shorter.clear = changed;
      std::string kept = plain;
      kept.erase(header.frames_size, cut);
      const auto opened = engine_->open(encrypted(shorter, kept, key_), key_, "block", digest_);
      ASSERT_FALSE(opened.has_value());
      ASSERT_EQ(opened.error().code, ErrorCode::kDamaged) << to_string(opened.error());
    }
  }
}

// An engine has both stages or neither: what it lacks it must say, and never half do.
TEST(EngineWithoutSeal, SaysThatItIsUnsupported) {
  const engine::SealKey key;
  std::array<uint8_t, 32> digest{};
  for (const EngineUnderTest& row : engines_under_test()) {
    const auto engine = row.make();
    if (seals(*engine)) continue;
    const auto sealed = engine->seal({}, key, "block");
    ASSERT_FALSE(sealed.has_value()) << row.name;
    EXPECT_EQ(sealed.error().code, ErrorCode::kUnsupported) << row.name;
    const auto opened = engine->open("", key, "block", digest);
    ASSERT_FALSE(opened.has_value()) << row.name;
    EXPECT_EQ(opened.error().code, ErrorCode::kUnsupported) << row.name;
  }
}

std::vector<EngineUnderTest> engines_that_seal() {
  std::vector<EngineUnderTest> rows = engines_under_test();
  std::erase_if(rows, [](const EngineUnderTest& row) { return !seals(*row.make()); });
  return rows;
}

INSTANTIATE_TEST_SUITE_P(Engines, EngineSealSuite, testing::ValuesIn(engines_that_seal()),
                         [](const auto& instance) { return instance.param.name; });

}  // namespace
}  // namespace syncline::conformance
