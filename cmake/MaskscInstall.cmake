# A relocatable tree: programs find their libraries relative to themselves; configurations and scripts beside them.
include(GNUInstallDirs)
install(DIRECTORY configs DESTINATION ${CMAKE_INSTALL_DATADIR}/masksc)
install(DIRECTORY launch DESTINATION ${CMAKE_INSTALL_DATADIR}/masksc USE_SOURCE_PERMISSIONS)
install(FILES LICENSE README.md DESTINATION ${CMAKE_INSTALL_DATADIR}/masksc)
