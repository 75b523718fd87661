/*  Values of the public API. */
#include <string.h>

#include "ringmaster/rpc.h"

rm_rpc_value_t rm_rpc_int (int64_t number)
{
    return (rm_rpc_value_t){.type = 'i', .number = number};
}

rm_rpc_value_t rm_rpc_real (double real)
{
    return (rm_rpc_value_t){.type = 'd', .real = real};
}

rm_rpc_value_t rm_rpc_bool (bool truth)
{
    return (rm_rpc_value_t){.type = 't', .truth = truth};
}

static rm_rpc_value_t bytes_of (char type, const void *data, size_t size)
{
    return (rm_rpc_value_t){.type = type, .bytes = {data, size}};
}

rm_rpc_value_t rm_rpc_text (const char *text)
{
    return bytes_of ('s', text ? text : "", text ? strlen (text) : 0);
}

rm_rpc_value_t rm_rpc_bytes (const void *data, size_t size)
{
    return bytes_of ('b', data, size);
}

rm_rpc_value_t rm_rpc_raw (const void *msgpack, size_t size)
{
    return bytes_of ('m', msgpack, size);
}
