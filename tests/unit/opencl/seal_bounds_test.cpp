// The kernels that seal a block before it is encrypted, the coder and the gathering of its frames,
// touch nothing outside what they were given, whatever the content: pieces of every length in
// memory that borders on closed pages. What they write libzstd opens. Kernels bent by a byte must
// be noticed.
#include <gtest/gtest.h>

#include "kernels/bodies/frames.h"
#include "tests/unit/bodies/zstd_frames.hpp"
#include "tests/unit/opencl/bounds_fixture.hpp"

namespace syncline::opencl {
namespace {

class PieceBounds : public BoundsTest {
 protected:
  static constexpr size_t kGroupCount = 2;
  static constexpr size_t kPieceCount = 3;  // more than groups: one takes two of them

  void SetUp() override {
    BoundsTest::SetUp();
    if (IsSkipped()) return;
    constexpr size_t kPlaceSize = SYN_ZSTD_PIECE_SIZE + SYN_ZSTD_OVERHEAD_MAX;
    input_ =
        std::make_unique<Guarded>(context_.get(), kPieceCount * sizeof(syn_piece_place),
                                  SYN_ZSTD_PIECE_SIZE, SYN_ZSTD_PIECE_SIZE, SYN_ZSTD_PIECE_SIZE);
    frames_ = std::make_unique<Guarded>(context_.get(), kPieceCount * sizeof(uint32_t), kPlaceSize,
                                        kPlaceSize, kPlaceSize);
    scratch_ = std::make_unique<Guarded>(context_.get(), kGroupCount * SYN_CODER_SCRATCH_SIZE, 0);
  }

  // The pieces' frames, each in a place of its own.
  std::vector<std::string> compress(const std::vector<std::string>& pieces, Edge edge) {
    syn_piece_place places[kPieceCount] = {};
    for (size_t i = 0; i < kPieceCount; ++i) {
      places[i].from = input_->put(edge, pieces[i], i);
      places[i].size = static_cast<uint32_t>(pieces[i].size());
      places[i].to = frames_->place(edge, pieces[i].size() + SYN_ZSTD_OVERHEAD_MAX, i);
    }
    std::memcpy(input_->front(), places, sizeof places);
    run_groups(kGroupCount, "compress_pieces", cl_uint{kPieceCount}, input_->memory(),
               frames_->memory(), scratch_->memory());
    uint32_t sizes[kPieceCount] = {};
    std::memcpy(sizes, frames_->front(), sizeof sizes);
    std::vector<std::string> out;
    for (size_t i = 0; i < kPieceCount; ++i) {
      const size_t room = pieces[i].size() + SYN_ZSTD_OVERHEAD_MAX;
      out.push_back(frames_->take(edge, room, i).substr(0, sizes[i]));
      EXPECT_LE(sizes[i], room);
    }
    return out;
  }

  void expect_opened(const std::vector<std::string>& pieces) {
    for (const Edge edge : kEdges) {
      const std::vector<std::string> frames = compress(pieces, edge);
      ASSERT_EQ(Guards::take_touches(), 0);
      for (size_t i = 0; i < kPieceCount; ++i) {
        std::string back(pieces[i].size(), '\0');
        ASSERT_EQ(ZSTD_decompress(back.data(), back.size(), frames[i].data(), frames[i].size()),
                  back.size());
        ASSERT_TRUE(back == pieces[i]);
      }
    }
  }

  std::unique_ptr<Guarded> input_;
  std::unique_ptr<Guarded> frames_;
  std::unique_ptr<Guarded> scratch_;
};

// Every length has three kinds of content, all kinds in turn.
TEST_P(PieceBounds, PiecesOfEveryLength) {
  build();
  for (size_t size = 0; size <= 1100; ++size) {
    const std::vector<bodies::Content> contents = bodies::contents_of(size);
    std::vector<std::string> pieces;
    for (size_t i = 0; i < kPieceCount; ++i) {
      pieces.push_back(contents[(size + i * 3) % contents.size()].bytes);
    }
    SCOPED_TRACE(size);
    expect_opened(pieces);
    if (HasFatalFailure()) return;
  }
}

TEST_P(PieceBounds, LargePiecesUpToTheLargest) {
  build();
  for (const size_t size : {4095u, 16384u, 65535u, 65536u}) {
    for (const bodies::Content& content : bodies::contents_of(size)) {
      SCOPED_TRACE(content.name + ", " + std::to_string(size));
      expect_opened({content.bytes, content.bytes.substr(1), std::string(content.bytes, 0, 70)});
      if (HasFatalFailure()) return;
    }
  }
}

class BentPieces : public PieceBounds {};

TEST_P(BentPieces, AreNoticed) {
  const Bend bends[] = {
      {"a literal is the byte behind it", "const uint8_t byte = piece.bytes[from + i];",
       "const uint8_t byte = piece.bytes[from + i + 1];"},
      {"literals lie one further", "piece.literals[to + i] = byte;",
       "piece.literals[to + i + 1] = byte;"},
      {"a plain block is a byte longer",
       "for (uint32_t i = lane; i < piece.size; i += width)\n    piece.output[e->head_size + i]",
       "for (uint32_t i = lane; i <= piece.size; i += width)\n    piece.output[e->head_size + i]"},
      {"a match goes on behind the piece", "syn_zstd_same(piece, end - offset, end, size - end);",
       "syn_zstd_same(piece, end - offset, end, size - end + 1);"},
      {"places are looked up to the piece's end", "#define SYN_ZSTD_TAIL 8u",
       "#define SYN_ZSTD_TAIL 6u"},
      {"a frame's size is the next one's", "if (group.lane == 0) sizes[i] = size;",
       "if (group.lane == 0) sizes[i + 1] = size;"}};
  const std::string noise = bodies::noise_of(SYN_ZSTD_PIECE_SIZE, 9, 8);
  for (const Bend& bend : bends) {
    build_bent(bend, {"compress_pieces"});
    if (HasFatalFailure()) return;
    int touches = 0;
    for (const std::string& content : {noise, std::string(SYN_ZSTD_PIECE_SIZE, 'x')}) {
      compress({content, content, content}, Edge::kEnd);
      touches += Guards::take_touches();
    }
    EXPECT_GT(touches, 0) << bend.what;
  }
}

class GatherBounds : public BoundsTest {
 protected:
  static constexpr size_t kSizeMax = 2 * SYN_ZSTD_PIECE_SIZE;
  enum Part : size_t { kMoves, kStored };

  void SetUp() override {
    BoundsTest::SetUp();
    if (IsSkipped()) return;
    input_ = std::make_unique<Guarded>(context_.get(), 0, sizeof(syn_move) * 2, kSizeMax);
    frames_ = std::make_unique<Guarded>(context_.get(), 0, kSizeMax);
    sealed_ = std::make_unique<Guarded>(context_.get(), 0, kSizeMax);
  }

  // A frame and what is stored beside it, one behind the other.
  std::string gather(const std::string& frame, const std::string& stored, Edge edge) {
    const size_t size = frame.size() + stored.size();
    const uint32_t to = sealed_->place(edge, size);
    const auto frame_size = static_cast<uint32_t>(frame.size());
    const syn_move moves[] = {{frames_->put(edge, frame), to, frame_size, 0},
                              {input_->put(edge, stored, kStored), to + frame_size,
                               static_cast<uint32_t>(stored.size()), 1}};
    const cl_ulong moves_at =
        input_->put(edge, {reinterpret_cast<const char*>(moves), sizeof moves}, kMoves);
    run_groups(2, "gather_bytes", cl_uint{2}, input_->memory(), moves_at, frames_->memory(),
               sealed_->memory());
    return sealed_->take(edge, size);
  }

  std::unique_ptr<Guarded> input_;
  std::unique_ptr<Guarded> frames_;
  std::unique_ptr<Guarded> sealed_;
};

TEST_P(GatherBounds, BytesOfEveryLength) {
  build();
  for (size_t size = 0; size <= 300; ++size) {
    const std::string frame = bodies::noise_of(size, size, 8);
    const std::string stored = bodies::noise_of(size * 7 % 301, size + 1, 8);
    for (const Edge edge : kEdges) {
      ASSERT_TRUE(gather(frame, stored, edge) == frame + stored) << size;
      ASSERT_EQ(Guards::take_touches(), 0) << size;
    }
  }
}

class BentGathers : public GatherBounds {};

TEST_P(BentGathers, AreNoticed) {
  build_bent({"a move is a byte longer", "for (uint32_t i = lane; i < move.size; i += width) to[",
              "for (uint32_t i = lane; i <= move.size; i += width) to["},
             {"gather_bytes"});
  gather("a frame", "what is stored", Edge::kEnd);
  EXPECT_GT(Guards::take_touches(), 0);
  build_bent({"a move begins a byte before", "(move.is_stored ? stored : frames) + move.from;",
              "(move.is_stored ? stored : frames) + move.from - 1;"},
             {"gather_bytes"});
  gather("a frame", "what is stored", Edge::kBegin);
  EXPECT_GT(Guards::take_touches(), 0);
}

INSTANTIATE_TEST_SUITE_P(Groups, PieceBounds, testing::Values(1u, 32u), width_name);
INSTANTIATE_TEST_SUITE_P(Groups, BentPieces, testing::Values(1u), width_name);
INSTANTIATE_TEST_SUITE_P(Groups, GatherBounds, testing::Values(1u, 32u), width_name);
INSTANTIATE_TEST_SUITE_P(Groups, BentGathers, testing::Values(1u), width_name);

}  // namespace
}  // namespace syncline::opencl
