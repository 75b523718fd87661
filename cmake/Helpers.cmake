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

# rm_test (KIND/NAME [TIMEOUT seconds] [WAITS] [ALONE] COMMAND …): a test, labelled KIND. It fails after TIMEOUT (120 s
# unless said), and is skipped if it exits with 77: this machine has not what it needs. It is taken to keep a processor busy; one that WAITS (for timers, disks, elections) counts half, so that
# `ctest -j 2N` fills N processors. ALONE keeps other tests from running beside it. Those that may take longest begin
# first. A program of KIND is also built by the target tests_KIND.
function (rm_test name)
    cmake_parse_arguments (PARSE_ARGV 1 arg "ALONE;WAITS" "TIMEOUT" "COMMAND")
    if (NOT arg_TIMEOUT)
        set (arg_TIMEOUT 120)
    endif ()
    set (slots 2)
    if (arg_WAITS)
        set (slots 1)
    endif ()
    string (REGEX MATCH "^[^/]+" kind ${name})
    add_test (NAME ${name} COMMAND ${arg_COMMAND})
    set_tests_properties (${name} PROPERTIES TIMEOUT ${arg_TIMEOUT} COST ${arg_TIMEOUT} PROCESSORS ${slots} LABELS ${kind}
                          SKIP_RETURN_CODE 77)
    if (arg_ALONE)
        set_tests_properties (${name} PROPERTIES RUN_SERIAL ON)
    endif ()
    if (NOT TARGET tests_${kind})
        add_custom_target (tests_${kind})
    endif ()
    list (GET arg_COMMAND 0 program)
    if (TARGET ${program})
        add_dependencies (tests_${kind} ${program})
    endif ()
endfunction ()
