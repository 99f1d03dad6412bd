#include "bench/micro/seal_rows.hpp"

#include <array>
#include <cmath>
#include <cstdlib>
#include <random>

#include <openssl/evp.h>
#include <zstd.h>

#include "host/model/types.hpp"
#include "kernels/contract/block.h"

namespace syncline::bench {
namespace {

constexpr size_t kFieldCount = 12;
constexpr size_t kTagSize = 16;
constexpr int kLevel = 1;

constexpr const char* kFirstNames[] = {
    "James", "Mary",   "Robert", "Patricia", "John",    "Jennifer",  "Michael", "Linda",
    "David", "Thomas", "Sarah",  "Karen",    "Urs",     "Beat",      "Reto",    "Regula",
    "Vreni", "Hans",   "Peter",  "Ruth",     "Ursula",  "Elizabeth", "Martin",  "Susan",
    "Maria", "Joseph", "Nadia",  "Charles",  "Barbara", "Francesca", "Luca",    "Anna"};
constexpr const char* kLastNames[] = {
    "Smith",  "Johnson",  "Williams", "Brown",   "Jones",   "Garcia",    "Miller",  "Davis",
    "Keller", "Martinez", "Anderson", "Taylor",  "Moore",   "Thompson",  "White",   "Harris",
    "Clark",  "Robinson", "Meier",    "Schmid",  "Weber",   "Huber",     "Steiner", "Baumann",
    "Frei",   "Moser",    "Gerber",   "Brunner", "Fischer", "Zimmermann"};
constexpr const char* kCities[] = {"Zurich",  "Geneva",       "Basel",  "Lausanne", "Bern",
                                   "Lucerne", "Winterthur",   "Lugano", "Biel",     "Thun",
                                   "Chur",    "Schaffhausen", "Sion",   "Fribourg", "Berlin",
                                   "Hamburg", "Munich",       "Vienna", "Milan",    "Paris"};
constexpr const char* kStates[] = {"delivered", "open", "paid", "returned"};

using Cells = std::array<std::string, kFieldCount>;

// Fields whose length is always 8 need none in the row.
bool is_fixed(size_t field) {
  return field < 2 || (field >= 7 && field < 10);
}

class Orders {
 public:
  explicit Orders(uint64_t seed) : random_(seed) {}

  Cells next() {
    const std::string first = pick(kFirstNames);
    const std::string last = pick(kLastNames);
    time_us_ += below(40) * 1000;
    order_ += 1 + below(3);
    return {model::canonical_int64(order_),
            model::canonical_int64(below(200'000)),
            first + " " + last,
            first + "." + last + std::to_string(below(1000)) + "@example.com",
            kCities[static_cast<size_t>(std::pow(unit(), 2) * 20)],
            kStates[below(10) < 7 ? 0 : below(4)],
            std::to_string(static_cast<int64_t>(std::exp(2 + 3 * unit()) * 100)),
            model::canonical_int64(below(10) == 0 ? below(100) : 1 + below(4)),
            model::canonical_int64(time_us_ - below(30 * 86'400'000ll) * 1000),
            model::canonical_int64(time_us_),
            std::string(pick(kLastNames)) + " Street " + std::to_string(1 + below(200)),
            "+41 " + std::to_string(760'000'000 + below(39'999'999))};
  }

 private:
  int64_t below(int64_t limit) {
    return static_cast<int64_t>(random_() % static_cast<uint64_t>(limit));
  }
  double unit() { return static_cast<double>(random_() % 100'000) / 100'000; }
  template <size_t size>
  const char* pick(const char* const (&names)[size]) {
    return names[random_() % size];
  }

  std::mt19937_64 random_;
  int64_t time_us_ = 1'750'000'000'000'000;
  int64_t order_ = 4'000'000;
};

const uint8_t* bytes_of(const std::string& text) {
  return reinterpret_cast<const uint8_t*>(text.data());
}
uint8_t* bytes_of(std::string& text) {
  return reinterpret_cast<uint8_t*>(text.data());
}

void demand(bool is_good) {
  if (!is_good) std::abort();
}

}  // namespace

std::vector<engine::ColumnView> SealRows::views() const {
  std::vector<engine::ColumnView> out;
  for (const engine::ColumnBytes& column : columns) {
    out.push_back({column.id, column.type, column.bytes});
  }
  return out;
}

SealRows seal_rows(uint64_t seed) {
  SealRows out;
  for (uint16_t id = 0; id < 2 * kFieldCount; ++id) {
    const uint8_t type = id % 2 == 0 ? SYN_COLUMN_U32 : SYN_COLUMN_BYTES;
    out.columns.push_back({id, type, {}});
  }
  Orders orders(seed);
  while (true) {
    const Cells cells = orders.next();
    std::string row;
    for (size_t field = 0; field < kFieldCount; ++field) {
      if (!is_fixed(field)) row.push_back(static_cast<char>(cells[field].size()));
      row += cells[field];
    }
    if (out.row_major.size() + row.size() > kSealBlockSize) return out;
    out.row_major += row;
    for (size_t field = 0; field < kFieldCount; ++field) {
      const auto length = static_cast<uint32_t>(cells[field].size());
      out.columns[2 * field].bytes.append(reinterpret_cast<const char*>(&length), sizeof length);
      out.columns[2 * field + 1].bytes += cells[field];
    }
  }
}

struct PlainSealer::Contexts {
  std::unique_ptr<ZSTD_CCtx, decltype(&ZSTD_freeCCtx)> compress{ZSTD_createCCtx(), &ZSTD_freeCCtx};
  std::unique_ptr<ZSTD_DCtx, decltype(&ZSTD_freeDCtx)> expand{ZSTD_createDCtx(), &ZSTD_freeDCtx};
  std::unique_ptr<EVP_CIPHER_CTX, decltype(&EVP_CIPHER_CTX_free)> encrypt{EVP_CIPHER_CTX_new(),
                                                                          &EVP_CIPHER_CTX_free};
  std::unique_ptr<EVP_CIPHER_CTX, decltype(&EVP_CIPHER_CTX_free)> decrypt{EVP_CIPHER_CTX_new(),
                                                                          &EVP_CIPHER_CTX_free};
  std::string packed;
  std::string out;
  std::array<uint8_t, 12> nonce{};
};

PlainSealer::PlainSealer() : contexts_(std::make_unique<Contexts>()) {
  const std::array<uint8_t, 32> key{};
  Contexts& c = *contexts_;
  demand(EVP_EncryptInit_ex(c.encrypt.get(), EVP_aes_256_gcm(), nullptr, key.data(), nullptr) == 1);
  demand(EVP_DecryptInit_ex(c.decrypt.get(), EVP_aes_256_gcm(), nullptr, key.data(), nullptr) == 1);
}

PlainSealer::~PlainSealer() = default;

const std::string& PlainSealer::seal(const std::string& rows) {
  Contexts& c = *contexts_;
  c.packed.resize(ZSTD_compressBound(rows.size()));
  const size_t size = ZSTD_compressCCtx(c.compress.get(), c.packed.data(), c.packed.size(),
                                        rows.data(), rows.size(), kLevel);
  demand(ZSTD_isError(size) == 0);
  c.out.resize(size + kTagSize);
  int done = 0;
  EVP_CIPHER_CTX* aes = c.encrypt.get();
  demand(EVP_EncryptInit_ex(aes, nullptr, nullptr, nullptr, c.nonce.data()) == 1);
  demand(EVP_EncryptUpdate(aes, bytes_of(c.out), &done, bytes_of(c.packed),
                           static_cast<int>(size)) == 1);
  demand(EVP_EncryptFinal_ex(aes, bytes_of(c.out) + size, &done) == 1);
  demand(EVP_CIPHER_CTX_ctrl(aes, EVP_CTRL_AEAD_GET_TAG, kTagSize, c.out.data() + size) == 1);
  return c.out;
}

const std::string& PlainSealer::open(const std::string& sealed, size_t size) {
  Contexts& c = *contexts_;
  const size_t packed_size = sealed.size() - kTagSize;
  std::string tag = sealed.substr(packed_size);
  c.packed.resize(packed_size);
  int done = 0;
  EVP_CIPHER_CTX* aes = c.decrypt.get();
  demand(EVP_DecryptInit_ex(aes, nullptr, nullptr, nullptr, c.nonce.data()) == 1);
  demand(EVP_DecryptUpdate(aes, bytes_of(c.packed), &done, bytes_of(sealed),
                           static_cast<int>(packed_size)) == 1);
  demand(EVP_CIPHER_CTX_ctrl(aes, EVP_CTRL_AEAD_SET_TAG, kTagSize, tag.data()) == 1);
  demand(EVP_DecryptFinal_ex(aes, bytes_of(tag), &done) == 1);
  c.out.resize(size);
  const size_t expanded =
      ZSTD_decompressDCtx(c.expand.get(), c.out.data(), size, c.packed.data(), packed_size);
  demand(expanded == size);
  return c.out;
}

}  // namespace syncline::bench
