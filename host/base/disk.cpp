#include "host/base/disk.hpp"

namespace syncline {

Result<std::string> Disk::read_all(const std::string& path) {
  SYN_TRY(auto file, open(path, Mode::kRead));
  return file->read(0, file->size());
}

}  // namespace syncline
