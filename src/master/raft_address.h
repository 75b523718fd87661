/*  Addresses of masters: "host:port", or "[host]:port" where the host itself has colons (IPv6).
 *
 *  Thread rule: any thread.
 */
#pragma once

#include <stdbool.h>
#include <sys/socket.h>

enum {
    RM_RAFT_ADDRESS_BYTES_MAX = 255, /* of one, without its end; a DNS name has 253 at most */
    RM_RAFT_PRINTED_BYTES = 64       /* of one that was printed, with its end */
};

/* Takes it apart; false if it is none. The host comes without its brackets. */
bool rm_raft_address_split (const char *address, char host[RM_RAFT_ADDRESS_BYTES_MAX + 1], char port[6]);

/* Whether the host is a number already, and then what it is. */
bool rm_raft_address_is_numeric (const char *host, const char *port, struct sockaddr_storage *numeric);

/* Whether it can be reached from this machine only. */
bool rm_raft_address_is_loopback (const struct sockaddr *address);

/* Spells it as above. */
void rm_raft_address_print (const struct sockaddr *address, char printed[RM_RAFT_PRINTED_BYTES]);
