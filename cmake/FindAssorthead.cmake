# masksc_assorthead: the header-only single-cell libraries (knncolle, scran, qdtsne, umappp, ...) of PyPI `assorthead`.
set(MASKSC_ASSORTHEAD_CACHED ${MASKSC_SITE_PACKAGES})
list(TRANSFORM MASKSC_ASSORTHEAD_CACHED APPEND /assorthead/include)
file(GLOB MASKSC_ASSORTHEAD_CACHED ${MASKSC_ASSORTHEAD_CACHED})
find_path(MASKSC_ASSORTHEAD knncolle/knncolle.hpp PATHS ${MASKSC_ASSORTHEAD_CACHED} REQUIRED)
add_library(masksc_assorthead INTERFACE)
target_include_directories(masksc_assorthead SYSTEM INTERFACE ${MASKSC_ASSORTHEAD})
target_link_libraries(masksc_assorthead INTERFACE Threads::Threads)
