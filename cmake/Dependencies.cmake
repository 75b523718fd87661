# Every library the project stands on (docs/dependencies.md says why). What is absent or too old is refused by name, all
# at once, with the Debian package that has it.
find_package (PkgConfig REQUIRED)
find_package (Threads REQUIRED)

set (rm_missing "")

# rm_need (PREFIX MODULES PACKAGE): PkgConfig::PREFIX, of the first of MODULES ("name" or "name>=version") that is there.
macro (rm_need prefix modules package)
    pkg_search_module (${prefix} QUIET IMPORTED_TARGET ${modules})
    if (NOT ${prefix}_FOUND)
        string (REPLACE ";" " or " wanted "${modules}")
        string (APPEND rm_missing "\n  ${wanted} (Debian: ${package})")
    else ()
        # Debian 13's msgpack-c.pc names the folder "include", relative to nothing; what is not absolute is no use.
        list (FILTER ${prefix}_INCLUDE_DIRS INCLUDE REGEX "^/")
        set_target_properties (PkgConfig::${prefix} PROPERTIES INTERFACE_INCLUDE_DIRECTORIES "${${prefix}_INCLUDE_DIRS}")
    endif ()
endmacro ()

rm_need (RAFT "raft>=0.22" "libraft-dev, on Debian 12 from bookworm-backports")
rm_need (UV "libuv>=1.42" libuv1-dev)
rm_need (ZMQ "libzmq>=4.3" libzmq3-dev)
rm_need (CZMQ "libczmq>=4.2" libczmq-dev)
rm_need (MSGPACK "msgpack-c>=4;msgpack>=4" "libmsgpack-dev, from Debian 13 libmsgpack-c-dev")
rm_need (XXHASH "libxxhash>=0.8" libxxhash-dev)
rm_need (MHD "libmicrohttpd>=0.9.71" libmicrohttpd-dev)
rm_need (JANSSON "jansson>=2.13" libjansson-dev)
rm_need (SQLITE "sqlite3>=3.35" libsqlite3-dev)
if (RM_TESTS)
    rm_need (CRITERION "criterion>=2.4" libcriterion-dev)
endif ()
find_path (UTHASH_INCLUDE_DIR uthash.h)
if (NOT UTHASH_INCLUDE_DIR)
    string (APPEND rm_missing "\n  uthash.h (Debian: uthash-dev)")
endif ()

if (rm_missing)
    pkg_search_module (RAFT_ANY QUIET raft)
    if (RAFT_ANY_FOUND AND NOT RAFT_FOUND)
        string (APPEND rm_missing "\nlibraft ${RAFT_ANY_VERSION} is here, but older ones than 0.22 lose acknowledged entries.")
    endif ()
    message (FATAL_ERROR "Not here, or too old:${rm_missing}\nscripts/deps installs what is missing.")
endif ()
