# Installs what each program prints for shells and for man. Where they cannot run (a build for another machine) the rest
# is installed all the same.
set(share "$ENV{DESTDIR}${CMAKE_INSTALL_PREFIX}/${MASKSC_SHARE}")
foreach(program IN LISTS MASKSC_PROGRAMS)
  foreach(description "--completion bash:bash-completion/completions/${program}"
                      "--completion zsh:zsh/site-functions/_${program}"
                      "--completion fish:fish/vendor_completions.d/${program}.fish" "--man:man/man1/${program}.1")
    string(REGEX MATCH "^(.*):(.*)$" matched "${description}")
    set(file "${share}/${CMAKE_MATCH_2}")
    separate_arguments(arguments UNIX_COMMAND "${CMAKE_MATCH_1}")
    get_filename_component(folder "${file}" DIRECTORY)
    file(MAKE_DIRECTORY "${folder}")
    execute_process(COMMAND ${CMAKE_COMMAND} -E env OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
      "${MASKSC_BIN}/${program}" ${arguments} OUTPUT_FILE "${file}" ERROR_VARIABLE said RESULT_VARIABLE failed)
    if(failed)
      file(REMOVE "${file}")
      message(WARNING "${program} does not run here (${failed}), so its completions and manual are left out: ${said}")
      break()
    endif()
    message(STATUS "Installing: ${file}")
    list(APPEND CMAKE_INSTALL_MANIFEST_FILES "${CMAKE_INSTALL_PREFIX}/${MASKSC_SHARE}/${CMAKE_MATCH_2}")
  endforeach()
endforeach()
