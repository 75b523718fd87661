#include "proto/msg.h"
#include "proto/table.h"

bool rm_name_valid (rm_bytes_t name)
{
    const uint8_t *at = name.data;
    if (name.size == 0 || name.size > RM_NAME_BYTES_MAX)
        return false;
    unsigned bad = 0;
    for (uint32_t i = 0; i < name.size; i++)
        bad |= (unsigned)(at[i] <= ' ') | (at[i] > '~') | (at[i] == '/') | (at[i] == '"');
    return !bad;
}

bool rm_name_is_master (rm_bytes_t name)
{
    return rm_bytes_equal (name, rm_bytes (RM_MASTER_NAME));
}
