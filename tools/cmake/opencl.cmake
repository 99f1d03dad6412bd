# Finds OpenCL's headers and its loader (libOpenCL), never requires them. Which devices there are is
# the loader's business when the program runs.
option(SYN_OPENCL "Build the OpenCL engine where its headers and loader are found" ON)
set(SYN_HAS_OPENCL OFF)
if(SYN_OPENCL)
  find_package(OpenCL QUIET)
  set(SYN_HAS_OPENCL ${OpenCL_FOUND})
endif()
if(SYN_HAS_OPENCL)
  message(STATUS "OpenCL: ${OpenCL_LIBRARIES}")
else()
  message(STATUS "OpenCL: no headers or no loader, so no OpenCL engine")
endif()

# syn_opencl_source(OUT file.cl): a C++ file that holds the kernels' text with all that it includes.
function(syn_opencl_source out kernels)
  set(embedded ${CMAKE_CURRENT_BINARY_DIR}/kernel_source.cpp)
  set(embed ${CMAKE_SOURCE_DIR}/tools/cmake/embed-opencl)
  file(GLOB bodies CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/kernels/bodies/*.h
    ${CMAKE_SOURCE_DIR}/kernels/contract/*.h)
  add_custom_command(OUTPUT ${embedded}
    COMMAND ${embed} ${CMAKE_SOURCE_DIR} ${kernels} ${embedded}
    DEPENDS ${embed} ${CMAKE_SOURCE_DIR}/${kernels} ${bodies}
    COMMENT "Embedding ${kernels}" VERBATIM)
  set(${out} ${embedded} PARENT_SCOPE)
endfunction()
