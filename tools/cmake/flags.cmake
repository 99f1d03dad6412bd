# One interface target carries every compiler and linker flag. Hardening follows the OpenSSF guide for C and C++.
set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_C_STANDARD 11)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_CXX_FLAGS_RELEASE "-O2 -g1 -DNDEBUG")
set(CMAKE_C_FLAGS_RELEASE "-O2 -g1 -DNDEBUG")
set(CMAKE_CXX_FLAGS_DEBUG "-O1 -g1")
set(CMAKE_C_FLAGS_DEBUG "-O1 -g1")
set(SYN_SANITIZE "" CACHE STRING "Sanitizers to build with, for example address,undefined")

find_program(SYN_CCACHE ccache)
if(SYN_CCACHE)
  set(CMAKE_C_COMPILER_LAUNCHER ${SYN_CCACHE})
  set(CMAKE_CXX_COMPILER_LAUNCHER ${SYN_CCACHE})
endif()

find_package(Threads REQUIRED)
find_package(PkgConfig REQUIRED)
find_package(GTest REQUIRED)
pkg_check_modules(zstd REQUIRED IMPORTED_TARGET libzstd)
pkg_check_modules(crypto REQUIRED IMPORTED_TARGET libcrypto)
pkg_check_modules(pq REQUIRED IMPORTED_TARGET libpq)
pkg_check_modules(mariadb REQUIRED IMPORTED_TARGET libmariadb)
pkg_check_modules(sqlite3 REQUIRED IMPORTED_TARGET sqlite3)
pkg_check_modules(spdlog REQUIRED IMPORTED_TARGET spdlog)
pkg_check_modules(tomlplusplus REQUIRED IMPORTED_TARGET tomlplusplus)

add_library(syn_flags INTERFACE)
target_link_libraries(syn_flags INTERFACE Threads::Threads)
target_compile_options(syn_flags INTERFACE
  -Wall -Wextra -Werror -Wshadow -Wnon-virtual-dtor -Wformat=2 -Wformat-security -Wimplicit-fallthrough
  -fstack-protector-strong -fstack-clash-protection -fcf-protection=full -fno-delete-null-pointer-checks
  -fno-strict-overflow -fno-omit-frame-pointer)
target_link_options(syn_flags INTERFACE -Wl,-z,relro,-z,now,-z,noexecstack,-z,nodlopen -Wl,--as-needed)
if(SYN_SANITIZE)
  # gcc follows values less well through what a sanitizer adds, and warns of some that are never read.
  add_compile_options(-fsanitize=${SYN_SANITIZE} -fno-sanitize-recover=all -Wno-maybe-uninitialized)
  add_link_options(-fsanitize=${SYN_SANITIZE})
else()
  target_compile_definitions(syn_flags INTERFACE $<$<CONFIG:Release>:_FORTIFY_SOURCE=2> _GLIBCXX_ASSERTIONS)
endif()
