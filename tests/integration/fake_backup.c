/*  A pretended http port of a master, for tests of how ringctl takes a backup that is not as it should be. The path that is
 *  asked for is always /backup, so it is the command line that says what every connection gets:
 *
 *      whole      as it should be         wrong    another checksum       none    no checksum
 *      short      the line breaks off     refuse   503 and a sentence
 *
 *  Prints the port that a master with this http port would have for jobs.
 */
#include <arpa/inet.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>
#include <xxhash.h>

enum { BODY_BYTES = 200000, RAFT_STEP = 1 /* from the http port to the raft port, which --from takes */ };

static char body[BODY_BYTES];

static void answer (int line, const char *how)
{
    char request[4096], head[256];
    unsigned long long sum = XXH3_64bits (body, sizeof body) ^ !strcmp (how, "wrong");
    if (recv (line, request, sizeof request, 0) <= 0)
        return;
    if (!strcmp (how, "refuse")) {
        snprintf (head, sizeof head, "HTTP/1.1 503 No\r\nContent-Length: 9\r\n\r\nnot\033 now\n");
        send (line, head, strlen (head), MSG_NOSIGNAL);
        return;
    }
    int size = snprintf (head, sizeof head, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n", BODY_BYTES);
    if (strcmp (how, "none"))
        size += snprintf (head + size, sizeof head - (size_t)size, "x-checksum-xxh3: %016llx\r\n", sum);
    size += snprintf (head + size, sizeof head - (size_t)size, "\r\n");
    send (line, head, (size_t)size, MSG_NOSIGNAL);
    send (line, body, strcmp (how, "short") ? sizeof body : sizeof body / 2, MSG_NOSIGNAL);
}

int main (int argc, char **argv)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl (INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    int listener = socket (AF_INET, SOCK_STREAM, 0);
    prctl (PR_SET_PDEATHSIG, SIGKILL);
    for (size_t i = 0; i < sizeof body; i++)
        body[i] = (char)(i * 7 >> 3);
    if (argc != 2 || bind (listener, (struct sockaddr *)&address, size) || listen (listener, 8) ||
        getsockname (listener, (struct sockaddr *)&address, &size))
        return 1;
    printf ("%d\n", ntohs (address.sin_port) + RAFT_STEP);
    fflush (stdout);
    for (;;) {
        int line = accept (listener, NULL, NULL);
        answer (line, argv[1]);
        close (line);
    }
}
