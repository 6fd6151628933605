# MASKSC_PLOTLY: plotly.min.js of PyPI's `plotly`, which report.html carries inside.
set(MASKSC_PLOTLY_CACHED ${MASKSC_SITE_PACKAGES})
list(TRANSFORM MASKSC_PLOTLY_CACHED APPEND /plotly/package_data)
file(GLOB MASKSC_PLOTLY_CACHED ${MASKSC_PLOTLY_CACHED})
find_file(MASKSC_PLOTLY plotly.min.js PATHS ${MASKSC_PLOTLY_CACHED} REQUIRED)
