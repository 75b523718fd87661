# rm_library (NAME libraries…): a static archive of every .c of this folder.
function (rm_library name)
    file (GLOB sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/*.c)
    add_library (${name} STATIC ${sources})
    target_include_directories (${name} PUBLIC ${CMAKE_SOURCE_DIR}/include ${CMAKE_SOURCE_DIR}/src)
    target_link_libraries (${name} PUBLIC ${ARGN})
endfunction ()

# rm_program (NAME libraries…): an executable of every .c of this folder, in bin/.
function (rm_program name)
    file (GLOB sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/*.c)
    add_executable (${name} ${sources})
    target_link_libraries (${name} PRIVATE ${ARGN})
endfunction ()
