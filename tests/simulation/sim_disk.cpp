#include "tests/simulation/sim_disk.hpp"

#include <algorithm>
#include <set>

#include "host/base/assert.hpp"

namespace syncline::simulation {
namespace {

auto machine_is_down() {
  return fail(ErrorCode::kStorageOpen, "the simulated machine is down", "it crashed", "restart it");
}

std::string folder_of(const std::string& path) {
  const size_t slash = path.rfind('/');
  return slash == std::string::npos ? "." : path.substr(0, slash);
}

}  // namespace

class SimFile final : public File {
 public:
  SimFile(SimDisk& disk, SimDisk::InodePointer inode, std::string path)
      : disk_(disk),
        inode_(std::move(inode)),
        path_(std::move(path)),
        generation_(disk.generation_) {}

  Result<void> append(std::string_view bytes) override {
    const std::lock_guard lock(disk_.mutex_);
    SYN_TRY(disk_.check_up(generation_));
    return disk_.append(*inode_, bytes, path_);
  }
  Result<void> sync() override {
    const std::lock_guard lock(disk_.mutex_);
    SYN_TRY(disk_.check_up(generation_));
    return disk_.sync(*inode_, path_);
  }
  Result<std::string> read(uint64_t offset, size_t size) override {
    const std::lock_guard lock(disk_.mutex_);
    SYN_TRY(disk_.check_up(generation_));
    if (offset >= inode_->bytes.size()) return std::string();
    return inode_->bytes.substr(offset, size);
  }
  Result<void> truncate(uint64_t size) override {
    const std::lock_guard lock(disk_.mutex_);
    SYN_TRY(disk_.check_up(generation_));
    return disk_.truncate(*inode_, size);
  }
  uint64_t size() const override {
    const std::lock_guard lock(disk_.mutex_);
    return inode_->bytes.size();
  }

 private:
  SimDisk& disk_;
  const SimDisk::InodePointer inode_;
  const std::string path_;
  const uint64_t generation_;
};

// splitmix64
uint64_t SimDisk::below(uint64_t limit) {
  random_ += 0x9E3779B97F4A7C15u;
  uint64_t value = random_;
  value = (value ^ value >> 30) * 0xBF58476D1CE4E5B9u;
  value = (value ^ value >> 27) * 0x94D049BB133111EBu;
  return (value ^ value >> 31) % limit;
}

Result<void> SimDisk::check_up(uint64_t generation) const {
  if (is_down_ || generation != generation_) return machine_is_down();
  return success();
}

bool SimDisk::pass_boundary() {
  if (crash_at_ && boundary_count_ >= *crash_at_) {
    crash_at_.reset();
    is_down_ = true;
    ++generation_;
    return false;
  }
  ++boundary_count_;
  return true;
}

Result<std::unique_ptr<File>> SimDisk::open(const std::string& path, Mode mode) {
  const std::lock_guard lock(mutex_);
  SYN_TRY(check_up(generation_));
  auto found = names_.find(path);
  if (found == names_.end()) {
    if (mode == Mode::kRead) {
      return fail(ErrorCode::kStorageOpen, "cannot open " + path, "no such file");
    }
    if (!pass_boundary()) return machine_is_down();
    found = names_.emplace(path, std::make_shared<Inode>()).first;
  }
  return std::make_unique<SimFile>(*this, found->second, path);
}

Result<bool> SimDisk::exists(const std::string& path) {
  const std::lock_guard lock(mutex_);
  SYN_TRY(check_up(generation_));
  return names_.contains(path);
}

Result<std::vector<std::string>> SimDisk::list(const std::string& folder) {
  const std::lock_guard lock(mutex_);
  SYN_TRY(check_up(generation_));
  std::vector<std::string> out;
  for (const auto& [path, inode] : names_) {
    if (folder_of(path) == folder) out.push_back(path.substr(folder.size() + 1));
  }
  return out;
}

// Folders are always there.
Result<void> SimDisk::make_folder(const std::string&) {
  const std::lock_guard lock(mutex_);
  return check_up(generation_);
}

Result<void> SimDisk::remove(const std::string& path) {
  const std::lock_guard lock(mutex_);
  SYN_TRY(check_up(generation_));
  if (!names_.contains(path)) {
    return fail(ErrorCode::kStorageOpen, "cannot remove " + path, "no such file");
  }
  if (!pass_boundary()) return machine_is_down();
  names_.erase(path);
  return success();
}

Result<void> SimDisk::replace(const std::string& path, std::string_view bytes) {
  const std::string aside = path + ".new";
  {
    const std::lock_guard lock(mutex_);
    SYN_TRY(check_up(generation_));
    if (!pass_boundary()) return machine_is_down();
    const auto inode = std::make_shared<Inode>();
    names_[aside] = inode;
    const Result<void> written = append(*inode, bytes, aside);
    if (!written.has_value()) {
      if (!is_down_) names_.erase(aside);
      return written;
    }
    SYN_TRY(sync(*inode, aside));
    SYN_TRY(rename(aside, path));
  }
  return sync_folder(folder_of(path));
}

Result<void> SimDisk::rename(const std::string& from, const std::string& to) {
  if (!pass_boundary()) return machine_is_down();
  names_[to] = names_[from];
  names_.erase(from);
  return success();
}

Result<void> SimDisk::sync_folder(const std::string& folder) {
  const std::lock_guard lock(mutex_);
  SYN_TRY(check_up(generation_));
  if (!pass_boundary()) return machine_is_down();
  std::erase_if(durable_names_, [&](const auto& name) { return folder_of(name.first) == folder; });
  for (const auto& [path, inode] : names_) {
    if (folder_of(path) == folder) durable_names_[path] = inode;
  }
  return success();
}

Result<void> SimDisk::append(Inode& inode, std::string_view bytes, const std::string& path) {
  const bool is_up = pass_boundary();
  const uint64_t room = room_bytes_ ? *room_bytes_ - std::min(*room_bytes_, used_bytes()) : ~0ull;
  const std::string_view fitting = bytes.substr(0, room);
  inode.bytes.append(fitting);
  inode.changes.push_back({false, 0, std::string(fitting)});
  if (!is_up) return machine_is_down();
  if (fitting.size() == bytes.size()) return success();
  return fail(ErrorCode::kStorageFull, "cannot write " + path, "the simulated disk is full",
              "give it more room");
}

Result<void> SimDisk::truncate(Inode& inode, uint64_t size) {
  if (!pass_boundary()) return machine_is_down();
  inode.bytes.resize(size);
  inode.changes.push_back({true, size, {}});
  return success();
}

Result<void> SimDisk::sync(Inode& inode, const std::string& path) {
  if (!pass_boundary()) return machine_is_down();
  if (good_syncs_left_ && (*good_syncs_left_)-- == 0) {
    good_syncs_left_.reset();
    return fail(ErrorCode::kStorageSync, "cannot sync " + path, "the simulated disk failed",
                "stop");
  }
  inode.durable = inode.bytes;
  inode.changes.clear();
  return success();
}

uint64_t SimDisk::boundary_count() const {
  const std::lock_guard lock(mutex_);
  return boundary_count_;
}

void SimDisk::crash_at(uint64_t boundary) {
  const std::lock_guard lock(mutex_);
  crash_at_ = boundary;
}

void SimDisk::crash() {
  const std::lock_guard lock(mutex_);
  is_down_ = true;
  ++generation_;
}

bool SimDisk::is_down() const {
  const std::lock_guard lock(mutex_);
  return is_down_;
}

void SimDisk::restart(Loss loss) {
  const std::lock_guard lock(mutex_);
  if (!is_down_) ++generation_;
  is_down_ = false;
  crash_at_.reset();
  std::set<Inode*> inodes;
  for (const Names* names : {&names_, &durable_names_}) {
    for (const auto& [path, inode] : *names) inodes.insert(inode.get());
  }
  // In the order of names, for a set of pointers differs from run to run.
  for (const Names* names : {&names_, &durable_names_}) {
    for (const auto& [path, inode] : *names) {
      if (inodes.erase(inode.get()) > 0) settle(*inode, loss);
    }
  }
  settle_names(loss);
}

void SimDisk::settle(Inode& inode, Loss loss) {
  if (loss == Loss::kAny) loss = static_cast<Loss>(below(3));
  if (loss == Loss::kLost) inode.bytes = inode.durable;
  if (loss == Loss::kTorn && !inode.changes.empty()) {
    std::string bytes = inode.durable;
    size_t stable = bytes.size();  // never touched since the last sync
    const size_t whole = below(inode.changes.size() + 1);
    for (size_t i = 0; i <= whole && i < inode.changes.size(); ++i) {
      const Change& change = inode.changes[i];
      const std::string_view part =
          std::string_view(change.bytes)
              .substr(0, i < whole ? change.bytes.size() : below(change.bytes.size() + 1));
      if (!change.is_truncate) bytes.append(part);
      if (change.is_truncate && i < whole) bytes.resize(change.size);
      stable = std::min(stable, bytes.size());
    }
    // Pages go down in any order: one of the later ones may be there without an earlier one.
    if (bytes.size() > stable && below(4) == 0) {
      const size_t begin = stable + below(bytes.size() - stable);
      const size_t end = begin + below(bytes.size() - begin) + 1;
      std::fill(bytes.begin() + static_cast<ptrdiff_t>(begin),
                bytes.begin() + static_cast<ptrdiff_t>(end), '\0');
    }
    inode.bytes = std::move(bytes);
  }
  inode.durable = inode.bytes;
  inode.changes.clear();
}

void SimDisk::settle_names(Loss loss) {
  std::set<std::string> paths;
  for (const Names* names : {&names_, &durable_names_}) {
    for (const auto& [path, inode] : *names) paths.insert(path);
  }
  Names settled;
  for (const std::string& path : paths) {
    const bool takes_new = loss == Loss::kKept || (loss != Loss::kLost && below(2) == 0);
    const Names& from = takes_new ? names_ : durable_names_;
    const auto found = from.find(path);
    if (found != from.end()) settled.insert(*found);
  }
  names_ = settled;
  durable_names_ = std::move(settled);
}

void SimDisk::set_room_bytes(std::optional<uint64_t> room_bytes) {
  const std::lock_guard lock(mutex_);
  room_bytes_ = room_bytes;
}

void SimDisk::fail_sync_after(uint64_t count) {
  const std::lock_guard lock(mutex_);
  good_syncs_left_ = count;
}

void SimDisk::flip_bit(const std::string& path, uint64_t bit) {
  const std::lock_guard lock(mutex_);
  Inode& inode = *names_.at(path);
  const auto mask = static_cast<char>(1u << bit % 8);
  SYN_ASSERT(bit / 8 < inode.bytes.size());
  inode.bytes[bit / 8] ^= mask;
  if (bit / 8 < inode.durable.size()) inode.durable[bit / 8] ^= mask;
}

std::string SimDisk::contents(const std::string& path) const {
  const std::lock_guard lock(mutex_);
  return names_.at(path)->bytes;
}

std::vector<std::string> SimDisk::paths() const {
  const std::lock_guard lock(mutex_);
  std::vector<std::string> out;
  for (const auto& [path, inode] : names_) out.push_back(path);
  return out;
}

uint64_t SimDisk::size_bytes() const {
  const std::lock_guard lock(mutex_);
  return used_bytes();
}

uint64_t SimDisk::used_bytes() const {
  uint64_t used = 0;
  for (const auto& [path, inode] : names_) used += inode->bytes.size();
  return used;
}

}  // namespace syncline::simulation
