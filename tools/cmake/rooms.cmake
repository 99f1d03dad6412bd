# A room is a folder, a target and a namespace. Its target links only the rooms it names.

# syn_room(NAME DEPS ... [LIBS ...]): the static library of this folder's *.cpp; header-only where
# there are none.
function(syn_room name)
  cmake_parse_arguments(ROOM "" "" "DEPS;LIBS" ${ARGN})
  file(GLOB sources CONFIGURE_DEPENDS *.cpp detail/*.cpp)
  if(sources)
    add_library(${name} STATIC ${sources})
    target_include_directories(${name} PUBLIC ${CMAKE_SOURCE_DIR})
    target_link_libraries(${name} PUBLIC ${ROOM_DEPS} PRIVATE ${ROOM_LIBS} syn_flags)
  else()
    add_library(${name} INTERFACE)
    target_include_directories(${name} INTERFACE ${CMAKE_SOURCE_DIR})
    target_link_libraries(${name} INTERFACE ${ROOM_DEPS})
  endif()
endfunction()

# syn_test(NAME SOURCES ... DEPS ... [LIBS ...] [LABELS ...] [TIMEOUT s]): a GoogleTest program, one
# ctest entry.
function(syn_test name)
  cmake_parse_arguments(TEST "" "TIMEOUT" "SOURCES;DEPS;LIBS;LABELS" ${ARGN})
  add_executable(${name} ${TEST_SOURCES})
  target_include_directories(${name} PRIVATE ${CMAKE_SOURCE_DIR})
  target_link_libraries(${name} PRIVATE ${TEST_DEPS} ${TEST_LIBS} GTest::gmock GTest::gtest_main syn_flags)
  add_test(NAME ${name} COMMAND ${name} WORKING_DIRECTORY ${CMAKE_SOURCE_DIR})
  if(NOT TEST_TIMEOUT)
    set(TEST_TIMEOUT 300)
  endif()
  set_tests_properties(${name} PROPERTIES TIMEOUT ${TEST_TIMEOUT} LABELS "${TEST_LABELS}")
endfunction()
