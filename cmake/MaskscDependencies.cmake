# Third parties. Order of preference: what the user names (Torch_DIR, CMAKE_PREFIX_PATH, modules), then the cache that
# launch/setup.sh fills (MASKSC_DEPS, default ~/.cache/masksc), then the system.
if(DEFINED ENV{MASKSC_DEPS})
  set(MASKSC_DEPS $ENV{MASKSC_DEPS})
else()
  set(MASKSC_DEPS $ENV{HOME}/.cache/masksc)
endif()
# In it, the Python environments of this checkout's pins, with and without a LibTorch (python_environment in launch/env.sh).
file(SHA256 ${PROJECT_SOURCE_DIR}/launch/requirements.txt MASKSC_PINS)
string(SUBSTRING ${MASKSC_PINS} 0 12 MASKSC_PINS)
set(MASKSC_PYTHON_CACHES ${MASKSC_DEPS}/python-${MASKSC_PINS} ${MASKSC_DEPS}/light-${MASKSC_PINS})
set(MASKSC_SITE_PACKAGES ${MASKSC_PYTHON_CACHES})
list(TRANSFORM MASKSC_SITE_PACKAGES APPEND /lib/python3*/site-packages)

find_package(Threads REQUIRED)
find_package(MPI REQUIRED COMPONENTS C)
# Without these, mpi.h brings in the obsolete C++ bindings, which need a library of their own.
set_property(TARGET MPI::MPI_C APPEND PROPERTY INTERFACE_COMPILE_DEFINITIONS OMPI_SKIP_MPICXX MPICH_SKIP_MPICXX)
set(HDF5_PREFER_PARALLEL ON)
find_package(HDF5 REQUIRED COMPONENTS C)
if(NOT HDF5_IS_PARALLEL)
  message(FATAL_ERROR "HDF5 at ${HDF5_INCLUDE_DIRS} is serial; mask-sc needs parallel HDF5 (launch/setup.sh installs it)")
endif()
find_package(Boost 1.66 REQUIRED COMPONENTS program_options)
find_package(spdlog REQUIRED)
find_package(fmt REQUIRED)
find_package(nlohmann_json 3.9 REQUIRED)
find_path(XXHASH_INCLUDE xxhash.h REQUIRED)
find_library(XXHASH_LIBRARY xxhash REQUIRED)
find_package(ZLIB REQUIRED)

# Figures as PDF and PNG; without it masksc_report makes SVG only, and says so.
find_package(PkgConfig)
if(PkgConfig_FOUND)
  pkg_check_modules(RSVG IMPORTED_TARGET librsvg-2.0>=2.52 cairo-pdf)
endif()

include(FindLibTorch)
include(FindAssorthead)
include(FindPlotly)

if(MASKSC_IGRAPH)
  find_path(IGRAPH_INCLUDE igraph.h PATH_SUFFIXES igraph REQUIRED)
  find_library(IGRAPH_LIBRARY igraph REQUIRED)
endif()
