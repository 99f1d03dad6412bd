# The programs that run the appliance use tcmalloc where it is installed: frames are made on one
# thread and freed on another, which glibc's malloc pays for. Never under a sanitizer, which brings
# its own.
add_library(syn_malloc INTERFACE)
find_library(SYN_TCMALLOC tcmalloc_minimal)
find_path(SYN_TCMALLOC_HEADERS gperftools/malloc_extension.h)
if(SYN_TCMALLOC AND SYN_TCMALLOC_HEADERS AND NOT SYN_SANITIZE)
  target_link_libraries(syn_malloc INTERFACE ${SYN_TCMALLOC})
  target_compile_definitions(syn_malloc INTERFACE SYN_TCMALLOC)
endif()
