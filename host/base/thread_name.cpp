#include "host/base/thread_name.hpp"

#include <string>

#include <pthread.h>

namespace syncline {

void name_thread(std::string_view name) {
  constexpr size_t kNameBytesMax = 15;  // the kernel's, without the ending zero
  pthread_setname_np(pthread_self(), std::string(name.substr(0, kNameBytesMax)).c_str());
}

}  // namespace syncline
