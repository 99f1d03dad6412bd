# Finds a CUDA compiler, never requires one: a toolkit of the user's first (on the PATH, CUDA_HOME,
# /usr/local/cuda), else the folder that tools/setup --with-cuda fills. Kernels are compiled by
# custom commands, so that CMake's own notion of the language, which wants a whole toolkit, is not
# needed.
set(SYN_CUDA_ROOT "" CACHE PATH "A CUDA toolkit, or pip's nvidia/cu13 folder; empty: look for one")
set(SYN_NVCOMP_ROOT "" CACHE PATH "A folder with nvCOMP's include; empty: look for one")
option(SYN_CUDA "Build the CUDA engine where a compiler is found" ON)
set(SYN_CUDA_ARCHITECTURES "80;90" CACHE STRING "Compute capabilities with machine code of their own")

if(NOT SYN_SOURCE_ROOT)
  set(SYN_SOURCE_ROOT ${CMAKE_SOURCE_DIR})
endif()
set(SYN_NVCC "")
if(SYN_CUDA)
  unset(SYN_NVCC_FOUND CACHE)
  if(SYN_CUDA_ROOT)
    find_program(SYN_NVCC_FOUND nvcc PATHS ${SYN_CUDA_ROOT}/bin NO_DEFAULT_PATH)
  else()
    find_program(SYN_NVCC_FOUND nvcc HINTS ENV CUDA_HOME ENV CUDA_PATH
      PATHS /usr/local/cuda/bin ${SYN_SOURCE_ROOT}/build/cuda/nvidia/cu13/bin)
  endif()
  if(SYN_NVCC_FOUND)
    set(SYN_NVCC ${SYN_NVCC_FOUND})
    file(REAL_PATH ${SYN_NVCC} real_nvcc)
    get_filename_component(SYN_CUDA_BIN ${real_nvcc} DIRECTORY)
    get_filename_component(SYN_CUDA_HOME ${SYN_CUDA_BIN} DIRECTORY)
    find_library(SYN_CUDART cudart_static NO_CACHE NO_DEFAULT_PATH
      PATHS ${SYN_CUDA_HOME}/lib64 ${SYN_CUDA_HOME}/lib ${SYN_CUDA_HOME}/targets/x86_64-linux/lib)
    find_path(SYN_CUDA_INCLUDE cuda_runtime.h NO_CACHE NO_DEFAULT_PATH
      PATHS ${SYN_CUDA_HOME}/include ${SYN_CUDA_HOME}/targets/x86_64-linux/include)
    if(NOT SYN_CUDART OR NOT SYN_CUDA_INCLUDE)
      message(WARNING "${SYN_NVCC} has no static runtime beside it: no CUDA engine")
      set(SYN_NVCC "")
    endif()
  endif()
endif()
# nvCOMP: its headers are looked for here, its library when it is first wanted; it is never needed.
set(SYN_NVCOMP_INCLUDE "")
if(SYN_NVCC)
  message(STATUS "CUDA compiler: ${SYN_NVCC}")
  unset(SYN_NVCOMP_FOUND CACHE)
  find_path(SYN_NVCOMP_FOUND nvcomp/version.h HINTS ${SYN_NVCOMP_ROOT}/include ${SYN_CUDA_INCLUDE}
    ${SYN_SOURCE_ROOT}/build/cuda/nvidia/libnvcomp/include)
  if(SYN_NVCOMP_FOUND)
    file(STRINGS ${SYN_NVCOMP_FOUND}/nvcomp/version.h nvcomp_major REGEX "NVCOMP_VER_MAJOR 6$")
    if(nvcomp_major)
      set(SYN_NVCOMP_INCLUDE ${SYN_NVCOMP_FOUND})
    else()
      message(STATUS "nvCOMP in ${SYN_NVCOMP_FOUND} is not of version 6, so it is left out")
    endif()
  endif()
else()
  message(STATUS "CUDA compiler: none, so no CUDA engine")
endif()

# syn_cuda_objects(OUT file.cu ...): compiles each for all architectures and PTX for later ones;
# warnings are errors. What ptxas says of registers and spills is kept beside each object.
function(syn_cuda_objects out)
  set(flags -std=c++20 -O3 -lineinfo -I${SYN_SOURCE_ROOT} --Werror all-warnings -Xptxas -v
    -Xcompiler -Wall,-Wextra,-Werror,-fPIC)
  foreach(capability IN LISTS SYN_CUDA_ARCHITECTURES)
    list(APPEND flags -gencode arch=compute_${capability},code=sm_${capability})
    set(newest ${capability})
  endforeach()
  list(APPEND flags -gencode arch=compute_${newest},code=compute_${newest})
  set(objects)
  foreach(source IN LISTS ARGN)
    get_filename_component(name ${source} NAME)
    set(object ${CMAKE_CURRENT_BINARY_DIR}/${name}.o)
    add_custom_command(OUTPUT ${object} BYPRODUCTS ${object}.ptxas
      COMMAND ${CMAKE_COMMAND} -E env CCACHE_DISABLE=1 ${SYN_SOURCE_ROOT}/tools/cmake/nvcc-report
              ${object}.ptxas ${SYN_NVCC} -ccbin ${CMAKE_CXX_COMPILER} ${flags} -MD -MF ${object}.d
              -c ${source} -o ${object}
      DEPENDS ${source} ${SYN_SOURCE_ROOT}/tools/cmake/nvcc-report DEPFILE ${object}.d
      COMMENT "Compiling ${name} for sm_${SYN_CUDA_ARCHITECTURES}" VERBATIM)
    list(APPEND objects ${object})
  endforeach()
  set(${out} ${objects} PARENT_SCOPE)
endfunction()
