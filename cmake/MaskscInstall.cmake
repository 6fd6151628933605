# A tree that can be moved: bin/ and share/masksc/. Programs carry the paths of LibTorch and of other libraries outside
# the system's folders, which must stay where they are.
include(GNUInstallDirs)
get_property(programs DIRECTORY ${PROJECT_SOURCE_DIR}/src/apps PROPERTY BUILDSYSTEM_TARGETS)
foreach(target ${programs})
  get_target_property(type ${target} TYPE)
  if(type STREQUAL EXECUTABLE)
    set_target_properties(${target} PROPERTIES
      INSTALL_RPATH "$ORIGIN/../${CMAKE_INSTALL_LIBDIR}" INSTALL_RPATH_USE_LINK_PATH ON)
    list(APPEND MASKSC_INSTALLED ${target})
  endif()
endforeach()

if(TARGET masksc_cuda)
  install(TARGETS masksc_cuda LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR})
endif()

# Completions and manual pages are what the programs print of their own options.
install(CODE "set(MASKSC_PROGRAMS \"${MASKSC_INSTALLED}\")
set(MASKSC_BIN \"${CMAKE_RUNTIME_OUTPUT_DIRECTORY}\")
set(MASKSC_SHARE \"${CMAKE_INSTALL_DATADIR}\")")
install(SCRIPT cmake/InstallDescriptions.cmake)
install(DIRECTORY configs DESTINATION ${CMAKE_INSTALL_DATADIR}/masksc)
install(PROGRAMS launch/run.sh launch/download_data.sh DESTINATION ${CMAKE_INSTALL_DATADIR}/masksc/launch)
install(PROGRAMS launch/slurm/train.sbatch DESTINATION ${CMAKE_INSTALL_DATADIR}/masksc/launch/slurm)
install(FILES launch/env.sh DESTINATION ${CMAKE_INSTALL_DATADIR}/masksc/launch)
install(FILES LICENSE README.md DESTINATION ${CMAKE_INSTALL_DATADIR}/masksc)
