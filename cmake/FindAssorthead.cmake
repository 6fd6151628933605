# masksc_assorthead: the header-only single-cell libraries (knncolle, scran, qdtsne, umappp, ...) of PyPI `assorthead`.
file(GLOB MASKSC_ASSORTHEAD_CACHED ${MASKSC_DEPS}/*/lib/python3*/site-packages/assorthead/include)
list(SORT MASKSC_ASSORTHEAD_CACHED ORDER DESCENDING)
find_path(MASKSC_ASSORTHEAD knncolle/knncolle.hpp PATHS ${MASKSC_ASSORTHEAD_CACHED} REQUIRED)
add_library(masksc_assorthead INTERFACE)
target_include_directories(masksc_assorthead SYSTEM INTERFACE ${MASKSC_ASSORTHEAD})
target_link_libraries(masksc_assorthead INTERFACE Threads::Threads)
