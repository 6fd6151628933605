# masksc_torch: LibTorch's headers and its CPU libraries.
#
# find_package(Torch) of a CUDA build demands a CUDA toolkit and probes GPUs; we need neither to compile. We take the
# place of TorchConfig.cmake and link the CPU part. At run time, where a GPU is visible, core/device loads libtorch_cuda
# (LibTorch registers its kernels then): a laptop never maps the gigabytes of CUDA libraries.
set(MASKSC_TORCH_CACHED ${MASKSC_SITE_PACKAGES})
list(TRANSFORM MASKSC_TORCH_CACHED APPEND /torch/share/cmake/Torch)
file(GLOB MASKSC_TORCH_CACHED ${MASKSC_TORCH_CACHED})
find_path(MASKSC_TORCH_CONFIG TorchConfig.cmake
  HINTS ${Torch_DIR} $ENV{Torch_DIR}
  PATHS ${MASKSC_TORCH_CACHED} ${CMAKE_PREFIX_PATH}
  PATH_SUFFIXES share/cmake/Torch libtorch/share/cmake/Torch)
if(NOT MASKSC_TORCH_CONFIG)
  message(FATAL_ERROR "LibTorch not found: run launch/setup.sh, or set Torch_DIR to the folder of TorchConfig.cmake")
endif()
get_filename_component(MASKSC_TORCH_ROOT ${MASKSC_TORCH_CONFIG}/../../.. ABSOLUTE)
message(STATUS "LibTorch: ${MASKSC_TORCH_ROOT}")

find_library(MASKSC_TORCH_CPU torch_cpu PATHS ${MASKSC_TORCH_ROOT}/lib NO_DEFAULT_PATH REQUIRED)
find_library(MASKSC_C10 c10 PATHS ${MASKSC_TORCH_ROOT}/lib NO_DEFAULT_PATH REQUIRED)
find_library(MASKSC_TORCH_CUDA torch_cuda PATHS ${MASKSC_TORCH_ROOT}/lib NO_DEFAULT_PATH)
if(MASKSC_CUDA STREQUAL "ON" AND NOT MASKSC_TORCH_CUDA)
  message(FATAL_ERROR "MASKSC_CUDA=ON, but the LibTorch at ${MASKSC_TORCH_ROOT} has no CUDA (no libtorch_cuda)")
endif()

# CUDA's headers, for libmasksc_cuda (CUDA graphs): of the toolkit, or those that PyTorch's wheels bring.
if(MASKSC_TORCH_CUDA)
  set(MASKSC_CUDA_WHEELS ${MASKSC_TORCH_ROOT}/../nvidia/cu*/include ${MASKSC_TORCH_ROOT}/../nvidia/cuda_runtime/include)
  file(GLOB MASKSC_CUDA_WHEELS ${MASKSC_CUDA_WHEELS})
  find_path(MASKSC_CUDA_HEADERS cuda_runtime_api.h
    HINTS $ENV{CUDA_HOME}/include ${MASKSC_CUDA_WHEELS} PATHS /usr/local/cuda/include)
endif()
if(MASKSC_CUDA STREQUAL "ON" AND NOT MASKSC_CUDA_HEADERS)
  message(FATAL_ERROR "MASKSC_CUDA=ON, but there are no CUDA headers (cuda_runtime_api.h): set CUDA_HOME")
endif()

add_library(masksc_torch INTERFACE)
target_include_directories(masksc_torch SYSTEM INTERFACE ${MASKSC_TORCH_ROOT}/include
  ${MASKSC_TORCH_ROOT}/include/torch/csrc/api/include)
# Torch carries its own fmt, which would have to be header-only. The one that is linked comes first: seconds of each file.
get_target_property(fmt_include fmt::fmt INTERFACE_INCLUDE_DIRECTORIES)
find_path(MASKSC_FMT_INCLUDE fmt/format.h HINTS ${fmt_include} REQUIRED)
file(MAKE_DIRECTORY ${CMAKE_BINARY_DIR}/generated/fmt)
file(CREATE_LINK ${MASKSC_FMT_INCLUDE}/fmt ${CMAKE_BINARY_DIR}/generated/fmt/fmt SYMBOLIC)
target_include_directories(masksc_torch SYSTEM BEFORE INTERFACE ${CMAKE_BINARY_DIR}/generated/fmt)
target_link_libraries(masksc_torch INTERFACE fmt::fmt ${MASKSC_TORCH_CPU} ${MASKSC_C10})
