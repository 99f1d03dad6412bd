#include "drivers/systems/postgres/detail/spool.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <utility>

#include <fcntl.h>
#include <unistd.h>

namespace syncline::postgres {
namespace {

constexpr size_t kHeaderSize = 12;        // the record's size and tag
constexpr size_t kMoveLeast = 64 * 1024;  // less is not worth a write
constexpr size_t kWindowSize = size_t{1} << 20;

template <class Number>
Number number_at(std::string_view bytes, size_t at) {
  Number value = 0;
  std::memcpy(&value, bytes.data() + at, sizeof value);
  return value;
}

template <class Number>
void append_number(Number value, std::string& out) {
  out.append(reinterpret_cast<const char*>(&value), sizeof value);
}

// REQUIRES: a record begins with the bytes, and is whole. `offset` is where they lie.
Spool::Record record_of(std::string_view bytes, size_t offset) {
  const size_t size = number_at<uint32_t>(bytes, 0);
  return {number_at<uint64_t>(bytes, 4), bytes.substr(kHeaderSize, size),
          offset + kHeaderSize + size};
}

auto storage_error(const std::string& folder) {
  const bool is_full = errno == ENOSPC || errno == EDQUOT;
  return fail(is_full ? ErrorCode::kStorageFull : ErrorCode::kStorageOpen,
              "a transaction that is too large for memory cannot be kept in " + folder,
              std::strerror(errno), "make room there; it is read again from its beginning");
}

// Nothing but this process ever reaches the file.
int make_file(const std::string& folder) {
  std::string path = folder + "/spool-XXXXXX";
  const int file = mkostemp(path.data(), O_CLOEXEC);
  if (file >= 0) unlink(path.c_str());
  return file;
}

}  // namespace

Spool::~Spool() {
  release();
}

Spool::Spool(Spool&& other) noexcept
    : budget_(other.budget_),
      memory_(std::exchange(other.memory_, {})),
      counted_(std::exchange(other.counted_, 0)),
      window_(std::move(other.window_)),
      window_begin_(other.window_begin_),
      in_file_(std::exchange(other.in_file_, 0)),
      file_(std::exchange(other.file_, -1)) {}

Spool& Spool::operator=(Spool&& other) noexcept {
  std::swap(budget_, other.budget_);
  std::swap(memory_, other.memory_);
  std::swap(counted_, other.counted_);
  std::swap(window_, other.window_);
  std::swap(window_begin_, other.window_begin_);
  std::swap(in_file_, other.in_file_);
  std::swap(file_, other.file_);
  return *this;
}

void Spool::release() {
  budget_->memory_used -= counted_;
  if (file_ >= 0) close(file_);
}

void Spool::count_memory() {
  budget_->memory_used += memory_.capacity() - counted_;
  counted_ = memory_.capacity();
}

Result<void> Spool::add(uint64_t tag, std::string_view bytes) {
  append_number(static_cast<uint32_t>(bytes.size()), memory_);
  append_number(tag, memory_);
  memory_.append(bytes);
  count_memory();
  if (budget_->memory_used <= budget_->memory_max || memory_.size() < kMoveLeast) return success();
  return move_to_file();
}

Result<void> Spool::move_to_file() {
  std::error_code ignored;
  const std::string folder = budget_->folder.empty()
                                 ? std::filesystem::temp_directory_path(ignored).string()
                                 : budget_->folder;
  if (file_ < 0) {
    std::filesystem::create_directories(folder, ignored);  // the file then says why not
    file_ = make_file(folder);
    if (file_ < 0) return storage_error(folder);
  }
  for (size_t done = 0; done < memory_.size();) {
    const ssize_t put = pwrite(file_, memory_.data() + done, memory_.size() - done,
                               static_cast<off_t>(in_file_ + done));
    if (put < 0 && errno == EINTR) continue;
    if (put <= 0) return storage_error(folder);
    done += static_cast<size_t>(put);
  }
  in_file_ += memory_.size();
  budget_->written_bytes += memory_.size();
  std::string().swap(memory_);
  count_memory();
  return success();
}

Result<void> Spool::read(size_t offset, size_t size) {
  window_.resize(std::min(size, in_file_ - offset));
  window_begin_ = offset;
  for (size_t done = 0; done < window_.size();) {
    const ssize_t got = pread(file_, window_.data() + done, window_.size() - done,
                              static_cast<off_t>(offset + done));
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) {
      window_.clear();
      return storage_error(budget_->folder);
    }
    done += static_cast<size_t>(got);
  }
  return success();
}

bool Spool::is_in_window(size_t offset, size_t size) const {
  return offset >= window_begin_ && offset + size <= window_begin_ + window_.size();
}

// A record lies in memory or in the file, never in both.
Result<Spool::Record> Spool::at(size_t offset) {
  if (offset >= in_file_) {
    return record_of(std::string_view(memory_).substr(offset - in_file_), offset);
  }
  if (!is_in_window(offset, kHeaderSize)) {
    SYN_TRY(read(offset, kWindowSize));
  }
  const size_t size = kHeaderSize + number_at<uint32_t>(window_, offset - window_begin_);
  if (!is_in_window(offset, size)) {
    SYN_TRY(read(offset, std::max(size, kWindowSize)));
  }
  return record_of(std::string_view(window_).substr(offset - window_begin_), offset);
}

}  // namespace syncline::postgres
