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

constexpr size_t kHeaderSize = 8;         // the record's size and tag
constexpr size_t kMoveLeast = 64 * 1024;  // less is not worth a write

uint32_t number_at(std::string_view bytes, size_t at) {
  uint32_t value = 0;
  std::memcpy(&value, bytes.data() + at, sizeof value);
  return value;
}

void append_number(uint32_t value, std::string& out) {
  out.append(reinterpret_cast<const char*>(&value), sizeof value);
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
      window_(std::move(other.window_)),
      in_file_(std::exchange(other.in_file_, 0)),
      file_(std::exchange(other.file_, -1)) {}

Spool& Spool::operator=(Spool&& other) noexcept {
  std::swap(budget_, other.budget_);
  std::swap(memory_, other.memory_);
  std::swap(window_, other.window_);
  std::swap(in_file_, other.in_file_);
  std::swap(file_, other.file_);
  return *this;
}

void Spool::release() {
  budget_->memory_used -= memory_.size();
  if (file_ >= 0) close(file_);
}

Result<void> Spool::add(uint32_t tag, std::string_view bytes) {
  append_number(static_cast<uint32_t>(bytes.size()), memory_);
  append_number(tag, memory_);
  memory_.append(bytes);
  budget_->memory_used += kHeaderSize + bytes.size();
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
  budget_->memory_used -= memory_.size();
  memory_.clear();
  return success();
}

Result<void> Spool::read(size_t offset, size_t size, std::string& out) const {
  out.resize(size);
  size_t done = 0;
  while (done < size && offset + done < in_file_) {
    const size_t wanted = std::min(size - done, in_file_ - offset - done);
    const ssize_t got = pread(file_, out.data() + done, wanted, static_cast<off_t>(offset + done));
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return storage_error(budget_->folder);
    done += static_cast<size_t>(got);
  }
  if (done < size) memory_.copy(out.data() + done, size - done, offset + done - in_file_);
  return success();
}

Result<std::string_view> Spool::window(size_t offset, size_t size) {
  const size_t left = this->size() - offset;
  if (offset >= in_file_) return std::string_view(memory_).substr(offset - in_file_);
  SYN_TRY(read(offset, std::min(left, std::max(size, kHeaderSize)), window_));
  const size_t first_size = kHeaderSize + number_at(window_, 0);
  if (window_.size() < first_size) {
    SYN_TRY(read(offset, first_size, window_));
  }
  size_t whole = 0;
  while (window_.size() - whole >= kHeaderSize) {
    const size_t next = whole + kHeaderSize + number_at(window_, whole);
    if (next > window_.size()) break;
    whole = next;
  }
  return std::string_view(window_).substr(0, whole);
}

Spool::Record Spool::first(std::string_view window, size_t offset) {
  const size_t size = number_at(window, 0);
  return {number_at(window, 4), window.substr(kHeaderSize, size), offset + kHeaderSize + size};
}

}  // namespace syncline::postgres
