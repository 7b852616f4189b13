# Flags, compilers and dependencies, and splitsim_floor(), which makes one library of a folder.

# ---- CUDA: the compiler is optional, Thrust's and cuRAND's headers are not (the CPU backend uses them too) ----
set(SPLITSIM_WITH_CUDA OFF)
set(SPLITSIM_FETCHED_CUDA ${CMAKE_SOURCE_DIR}/.deps/cuda)  # where scripts/setup.sh puts what it takes from wheels
# The first compiler of CUDA 13 or newer; scripts/common.sh looks in the same places in the same order.
if(SPLITSIM_CUDA AND NOT CMAKE_CUDA_COMPILER)
  find_program(SPLITSIM_NVCC_ON_PATH nvcc NO_CACHE)
  foreach(nvcc "$ENV{CUDACXX}" "$ENV{CUDA_HOME}/bin/nvcc" "${SPLITSIM_NVCC_ON_PATH}" /usr/local/cuda/bin/nvcc
          ${SPLITSIM_FETCHED_CUDA}/bin/nvcc)
    if(EXISTS "${nvcc}")
      execute_process(COMMAND ${nvcc} --version OUTPUT_VARIABLE version ERROR_QUIET)
      if(version MATCHES "release ([0-9]+)\\." AND CMAKE_MATCH_1 GREATER_EQUAL 13)
        set(CMAKE_CUDA_COMPILER ${nvcc} CACHE FILEPATH "CUDA compiler")
        break()
      endif()
    endif()
  endforeach()
endif()
if(SPLITSIM_CUDA AND CMAKE_CUDA_COMPILER)
  if(NOT CMAKE_CUDA_ARCHITECTURES)
    set(CMAKE_CUDA_ARCHITECTURES 90)  # "native" fails on a machine without a GPU
  endif()
  enable_language(CUDA)
  find_package(CUDAToolkit QUIET)
  if(TARGET CUDA::cublas)
    set(SPLITSIM_WITH_CUDA ON)
  else()
    message(WARNING "CUDA compiler ${CMAKE_CUDA_COMPILER} has no cuBLAS beside it: CPU backend only")
  endif()
endif()
find_path(SPLITSIM_CURAND_INCLUDE curand_philox4x32_x.h
  HINTS ${SPLITSIM_CUDA_HEADERS} ${CUDAToolkit_INCLUDE_DIRS} /usr/local/cuda/include
  ${SPLITSIM_FETCHED_CUDA}/include REQUIRED NO_CACHE)
find_path(SPLITSIM_CCCL_INCLUDE thrust/version.h
  HINTS ${SPLITSIM_CUDA_HEADERS}/cccl ${SPLITSIM_CUDA_HEADERS} ${SPLITSIM_CURAND_INCLUDE}/cccl REQUIRED NO_CACHE)

# ---- libraries ----
find_package(OpenMP REQUIRED COMPONENTS CXX)
find_package(Threads REQUIRED)
# By hand: the package's own CMake file asks for OpenCL's headers, which its package does not bring.
find_path(SPLITSIM_DNNL_INCLUDE oneapi/dnnl/dnnl.h REQUIRED)
find_library(SPLITSIM_DNNL_LIBRARY dnnl REQUIRED)
add_library(DNNL::dnnl SHARED IMPORTED)
set_target_properties(DNNL::dnnl PROPERTIES IMPORTED_LOCATION ${SPLITSIM_DNNL_LIBRARY}
  INTERFACE_INCLUDE_DIRECTORIES ${SPLITSIM_DNNL_INCLUDE})
find_package(fmt REQUIRED)
find_package(CLI11 REQUIRED)
find_package(tomlplusplus REQUIRED)
find_package(nlohmann_json REQUIRED)
find_package(ZLIB REQUIRED)
find_path(SPLITSIM_NETTLE_INCLUDE nettle/sha2.h REQUIRED)
find_library(SPLITSIM_NETTLE_LIBRARY nettle REQUIRED)
# By hand: libzip's own CMake file asks for its tools, which its package does not bring.
find_path(SPLITSIM_ZIP_INCLUDE zip.h REQUIRED)
find_library(SPLITSIM_ZIP_LIBRARY zip REQUIRED)
find_package(PNG 1.6 REQUIRED)
find_path(SPLITSIM_TURBOJPEG_INCLUDE turbojpeg.h REQUIRED)
find_library(SPLITSIM_TURBOJPEG_LIBRARY turbojpeg REQUIRED)
find_path(SPLITSIM_LEMON_INCLUDE lemon/edmonds_karp.h REQUIRED)
find_path(SPLITSIM_CLP_INCLUDE Clp_C_Interface.h PATH_SUFFIXES coin coin-or REQUIRED)
find_library(SPLITSIM_CLP_LIBRARY Clp REQUIRED)
find_path(SPLITSIM_CSV_INCLUDE csv.h PATH_SUFFIXES libfccp fast-cpp-csv-parser REQUIRED)

# Binaries that travel: libraries are looked for beside the executable and where CUDA's usually are. DT_RPATH, not DT_RUNPATH,
# so that it also holds for the libraries' own needs.
set(CMAKE_INSTALL_RPATH "$ORIGIN/../lib:/usr/local/cuda/lib64:/usr/local/cuda-13/lib64:/usr/local/cuda-13.0/lib64")
find_program(SPLITSIM_CCACHE ccache NO_CACHE)
if(SPLITSIM_CCACHE AND NOT DEFINED CMAKE_CXX_COMPILER_LAUNCHER)
  set(CMAKE_CXX_COMPILER_LAUNCHER ${SPLITSIM_CCACHE})
  set(CMAKE_CUDA_COMPILER_LAUNCHER ${SPLITSIM_CCACHE})
endif()

if(SPLITSIM_FLOORS)
  include(${SPLITSIM_FLOORS}/splitsim-floors.cmake)
  return()
endif()

# ---- flags, the same everywhere: no contraction, so that the maths that decides schedules and clocks has the same bits on
# every backend, and so that one inline function cannot be compiled in two ways ----
add_library(splitsim_flags INTERFACE)
target_include_directories(splitsim_flags INTERFACE ${CMAKE_SOURCE_DIR})
target_compile_options(splitsim_flags INTERFACE
  # The standard as a flag, not as a feature: CMake 3.25 would ask nvcc for a dialect that it thinks nvcc lacks.
  $<$<COMPILE_LANGUAGE:CXX>:-std=c++20 -march=${SPLITSIM_ARCH} -ffp-contract=off -Wall -Wextra -Wshadow -Werror=return-type
    -fno-semantic-interposition  # position independent, and inlined as if it were not
    # False alarms of g++ 12 at -O3: in fmt 9's headers, and of the sum of a literal and a string.
    $<$<CXX_COMPILER_ID:GNU>:-Wno-stringop-overflow -Wno-restrict>>
  $<$<COMPILE_LANGUAGE:CXX>:-isystem${SPLITSIM_CURAND_INCLUDE} -isystem${SPLITSIM_CCCL_INCLUDE}>
  $<$<COMPILE_LANGUAGE:CUDA>:-std=c++20 -fmad=false --Werror=all-warnings -Xcompiler=-march=${SPLITSIM_ARCH}
    -Xcompiler=-ffp-contract=off -Xcompiler=-fopenmp -Xcompiler=-Wall -Xcompiler=-Wextra -lineinfo>)
target_compile_definitions(splitsim_flags INTERFACE
  $<$<COMPILE_LANGUAGE:CXX>:THRUST_HOST_SYSTEM=THRUST_HOST_SYSTEM_CPP>
  $<$<COMPILE_LANGUAGE:CXX>:THRUST_DEVICE_SYSTEM=THRUST_DEVICE_SYSTEM_OMP>
  SPLITSIM_WITH_CUDA=$<BOOL:${SPLITSIM_WITH_CUDA}>)
target_link_libraries(splitsim_flags INTERFACE OpenMP::OpenMP_CXX Threads::Threads)
target_link_options(splitsim_flags INTERFACE LINKER:--disable-new-dtags)
if(SPLITSIM_SANITIZE)
  target_compile_options(splitsim_flags INTERFACE
    $<$<COMPILE_LANGUAGE:CXX>:-fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer>)
  target_link_options(splitsim_flags INTERFACE -fsanitize=address,undefined)
endif()
if(SPLITSIM_TSAN)
  if(NOT CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
    message(FATAL_ERROR "SPLITSIM_TSAN needs clang (CMAKE_CXX_COMPILER=clang++): it cannot see what GCC's OpenMP waits for")
  endif()
  target_compile_options(splitsim_flags INTERFACE -fsanitize=thread -fno-omit-frame-pointer)
  target_link_options(splitsim_flags INTERFACE -fsanitize=thread)
endif()
if(SPLITSIM_FUZZ)
  if(NOT CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
    message(FATAL_ERROR "SPLITSIM_FUZZ needs clang (CMAKE_CXX_COMPILER=clang++): libFuzzer is a part of it")
  endif()
  target_compile_options(splitsim_flags INTERFACE -fsanitize=fuzzer-no-link)
endif()
if(SPLITSIM_TIDY)
  set(CMAKE_CXX_CLANG_TIDY clang-tidy --quiet)
endif()

# splitsim_units(out): for every *_impl.hpp below this folder that ends with a list SPLITSIM_UNIT(C), a unit per backend that
# makes the list for its context.
function(splitsim_units out)
  file(GLOB_RECURSE bodies CONFIGURE_DEPENDS RELATIVE ${CMAKE_SOURCE_DIR} *_impl.hpp)
  set(units "")
  foreach(body ${bodies})
    file(STRINGS ${CMAKE_SOURCE_DIR}/${body} list REGEX "^#define SPLITSIM_UNIT\\(C\\)")
    if(NOT list)
      continue()
    endif()
    string(REPLACE "_impl.hpp" "" stem ${body})
    foreach(backend "launch_cpu.hpp;CpuContext;_cpu.cpp" "launch_cuda.cuh;CudaContext;_cuda.cu")
      list(POP_FRONT backend launch context end)
      if(context STREQUAL "CudaContext" AND NOT SPLITSIM_WITH_CUDA)
        continue()
      endif()
      file(CONFIGURE OUTPUT ${CMAKE_BINARY_DIR}/units/${stem}${end} @ONLY CONTENT
        "#include \"kernels/device/@launch@\"\n#include \"@body@\"\n\nnamespace splitsim {\nSPLITSIM_UNIT(@context@)\n}\n")
      list(APPEND units ${CMAKE_BINARY_DIR}/units/${stem}${end})
    endforeach()
  endforeach()
  set(${out} ${units} PARENT_SCOPE)
endfunction()

# splitsim_floor(name below...): a static library of every source in this folder and its units. `below` are the floors it
# stands on; its link dependencies are the line base <- kernels <- samplers <- runtime <- drivers.
function(splitsim_floor name)
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS *.cpp)
  if(SPLITSIM_WITH_CUDA)
    file(GLOB_RECURSE cuda_sources CONFIGURE_DEPENDS *_cuda.cu)
    list(FILTER sources EXCLUDE REGEX "_no_cuda\\.cpp$")
    list(APPEND sources ${cuda_sources})
  endif()
  splitsim_units(units)
  add_library(${name} STATIC ${sources} ${units})
  set_target_properties(${name} PROPERTIES POSITION_INDEPENDENT_CODE ON)  # they are also linked into Python's module
  target_link_libraries(${name} PUBLIC splitsim_flags ${ARGN})
endfunction()
