#include "master/raft_address.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* 0 to 65535, in digits only. */
static bool is_port (const char *text)
{
    size_t size = strlen (text);
    return size >= 1 && size <= 5 && strspn (text, "0123456789") == size && atoi (text) <= 65535;
}

bool rm_raft_address_split (const char *address, char host[RM_RAFT_ADDRESS_BYTES_MAX + 1], char port[6])
{
    const char *colon = strrchr (address, ':');
    if (strlen (address) > RM_RAFT_ADDRESS_BYTES_MAX || !colon || !is_port (colon + 1))
        return false;
    size_t size = colon - address;
    bool bracketed = size >= 2 && address[0] == '[' && address[size - 1] == ']';
    if (bracketed) {
        address++;
        size -= 2;
    }
    if (size == 0 || (!bracketed && memchr (address, ':', size)))
        return false;
    for (size_t i = 0; i < size; i++)
        if (address[i] <= ' ' || strchr ("#,=[]/\"\x7f", address[i]))
            return false;
    memcpy (host, address, size);
    host[size] = 0;
    strcpy (port, colon + 1);
    return true;
}

bool rm_raft_address_is_numeric (const char *host, const char *port, struct sockaddr_storage *numeric)
{
    struct sockaddr_in *four = (struct sockaddr_in *)numeric;
    struct sockaddr_in6 *six = (struct sockaddr_in6 *)numeric;
    *numeric = (struct sockaddr_storage){0};
    if (inet_pton (AF_INET, host, &four->sin_addr) == 1) {
        four->sin_family = AF_INET;
        four->sin_port = htons (atoi (port));
        return true;
    }
    if (inet_pton (AF_INET6, host, &six->sin6_addr) == 1) {
        six->sin6_family = AF_INET6;
        six->sin6_port = htons (atoi (port));
        return true;
    }
    return false;
}

bool rm_raft_address_is_loopback (const struct sockaddr *address)
{
    if (address->sa_family == AF_INET)
        return ntohl (((const struct sockaddr_in *)address)->sin_addr.s_addr) >> 24 == 127;
    if (address->sa_family != AF_INET6)
        return false;
    const struct in6_addr *six = &((const struct sockaddr_in6 *)address)->sin6_addr;
    return IN6_IS_ADDR_LOOPBACK (six) || (IN6_IS_ADDR_V4MAPPED (six) && six->s6_addr[12] == 127);
}

void rm_raft_address_print (const struct sockaddr *address, char printed[RM_RAFT_PRINTED_BYTES])
{
    char host[INET6_ADDRSTRLEN] = "?";
    if (address->sa_family == AF_INET6) {
        const struct sockaddr_in6 *six = (const struct sockaddr_in6 *)address;
        inet_ntop (AF_INET6, &six->sin6_addr, host, sizeof host);
        snprintf (printed, RM_RAFT_PRINTED_BYTES, "[%s]:%u", host, ntohs (six->sin6_port));
        return;
    }
    const struct sockaddr_in *four = (const struct sockaddr_in *)address;
    if (address->sa_family == AF_INET)
        inet_ntop (AF_INET, &four->sin_addr, host, sizeof host);
    snprintf (printed, RM_RAFT_PRINTED_BYTES, "%s:%u", host, ntohs (four->sin_port));
}
