/*  TCP without ZeroMQ, and ZMTP spelled by hand (RFC 23, ZMTP 3.0): what a stranger's bytes are made with.
 *
 *  Nothing here waits longer than it says. Thread rule: one thread.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { ZMTP_GREETING_BYTES = 64, ZMTP_READY_BYTES_MAX = 128, ZMTP_HEADER_BYTES_MAX = 9 };
enum { ZMTP_MORE = 1, ZMTP_LONG = 2, ZMTP_COMMAND = 4 }; /* flags of a frame */

/* A connection to 127.0.0.1; fails the test if there is none. */
int raw_connect (int port);
/* A listener there. */
int raw_listen (int port);
/* The next connection, -1 after `timeout_ms`. */
int raw_accept (int listener, int timeout_ms);
/* Sends what the other end takes within a second; false once it has hung up. */
bool raw_send (int fd, const void *data, size_t size);
/* Reads until the other end has hung up; false after `timeout_ms`. */
bool raw_ended (int fd, int timeout_ms);
/* Reads until `text` came; false after `timeout_ms`, or when the other end has hung up. */
bool raw_answered (int fd, const char *text, int timeout_ms);
/* `rudely`: with a reset. */
void raw_close (int fd, bool rudely);

/* Each writes to `to` and answers how much. */
size_t zmtp_greeting (uint8_t *to, uint8_t major, uint8_t minor, const char *mechanism);
size_t zmtp_ready (uint8_t *to, const char *socket_type);
size_t zmtp_header (uint8_t *to, uint8_t flags, uint64_t size);
/* A connection that has shaken hands as a socket of that type. */
int zmtp_connect (int port, const char *socket_type);
