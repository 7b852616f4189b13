# splitsim_pages(name program depends...): the program writes its man page and its completions when what it depends on has
# changed, and they are installed. As a script (-DPROGRAM=... -DOUT=...) this file does the writing: a program that cannot run here (another machine's libraries) is
# a warning, not a failed build.
if(CMAKE_SCRIPT_MODE_FILE)
  get_filename_component(name ${PROGRAM} NAME)
  foreach(page "man/man1/${name}.1;--man" "bash-completion/completions/${name};--completion;bash"
          "zsh/site-functions/_${name};--completion;zsh" "fish/vendor_completions.d/${name}.fish;--completion;fish")
    list(POP_FRONT page file)
    get_filename_component(folder ${OUT}/${file} DIRECTORY)
    file(MAKE_DIRECTORY ${folder})
    execute_process(COMMAND ${PROGRAM} ${page} OUTPUT_FILE ${OUT}/${file} RESULT_VARIABLE failed ERROR_VARIABLE why)
    if(failed)
      file(REMOVE ${OUT}/${file})
      message(WARNING "${name} ${page}: ${why}")
    endif()
  endforeach()
  return()
endif()

set(SPLITSIM_PAGES_SCRIPT ${CMAKE_CURRENT_LIST_FILE})
function(splitsim_pages name program)
  set(out ${CMAKE_BINARY_DIR}/share)
  set(stamp ${CMAKE_BINARY_DIR}/pages-${name}.stamp)
  add_custom_command(OUTPUT ${stamp}
    COMMAND ${CMAKE_COMMAND} -DPROGRAM=${program} -DOUT=${out} -P ${SPLITSIM_PAGES_SCRIPT}
    COMMAND ${CMAKE_COMMAND} -E touch ${stamp}
    DEPENDS ${ARGN} ${SPLITSIM_PAGES_SCRIPT} VERBATIM)
  add_custom_target(pages-${name} ALL DEPENDS ${stamp})
  foreach(page man/man1/${name}.1 bash-completion/completions/${name} zsh/site-functions/_${name}
          fish/vendor_completions.d/${name}.fish)
    get_filename_component(folder share/${page} DIRECTORY)
    install(FILES ${out}/${page} DESTINATION ${folder} COMPONENT splitsim OPTIONAL)
  endforeach()
endfunction()
