# Which of this room's files have flags of their own; for every build that compiles them.
# A variant's file is the only one with its flags; cpu_engine.cpp chooses at run time.
# GCC 12 finds its own intrinsics of AVX-512 uninitialized (its bug 105593).
foreach(stage IN ITEMS fingerprint detect)
  set_source_files_properties(${CMAKE_CURRENT_LIST_DIR}/${stage}_avx2.cpp PROPERTIES
    COMPILE_OPTIONS "-mavx2;-mbmi2")
  set_source_files_properties(${CMAKE_CURRENT_LIST_DIR}/${stage}_avx512.cpp PROPERTIES
    COMPILE_OPTIONS "-mavx512f;-mavx512dq;-mavx512bw;-mavx512vl;-mbmi2;\
-Wno-uninitialized;-Wno-maybe-uninitialized")
endforeach()

# Loops over columns are worth unrolling: 10 % of seal.
foreach(part IN ITEMS encode pack stats)
  set_source_files_properties(${CMAKE_CURRENT_LIST_DIR}/columns_${part}.cpp PROPERTIES
    COMPILE_OPTIONS "-O3")
endforeach()
