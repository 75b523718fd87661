#include "net.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "process.h"

enum { HARMS_MAX = 4096, COMMAND_BYTES_MAX = 1024, ROOT = -1 };

static int root;                  /* the namespace of the bridges; open, so that they live wherever we go */
static int spaces[NET_SEATS_MAX]; /* of each seat */
static bool is_far[NET_SEATS_MAX];
static char addresses[NET_SEATS_MAX][NET_ADDRESS_BYTES];
static unsigned seats;
static struct {
    unsigned seat; /* whose packets are looked at as they come in */
    bool used;
} harms[HARMS_MAX]; /* by number, around and around */
static unsigned harm_count;

/* ---- commands ---------------------------------------------------------------------------------------------------- */

static void be_command (int space, int out, char *command)
{
    prctl (PR_SET_PDEATHSIG, SIGKILL);
    if (space >= 0 && setns (space, CLONE_NEWNET))
        _exit (126);
    if (out >= 0)
        dup2 (out, 1);
    char *const arguments[] = {"sh", "-c", command, NULL};
    execv ("/bin/sh", arguments);
    _exit (127);
}

/* Runs a shell's command in a namespace; what it prints into `text` (NULL: to our own stdout). Its exit status. */
static int run (int space, char *text, size_t room, char *command)
{
    int ends[2] = {-1, -1}, status;
    if (text && pipe2 (ends, O_CLOEXEC))
        return -1;
    pid_t pid = fork ();
    if (!pid)
        be_command (space, ends[1], command);
    size_t used = 0;
    if (text) {
        close (ends[1]);
        for (ssize_t got; pid > 0 && (got = read (ends[0], text + used, room - 1 - used)) > 0;)
            used += (size_t)got;
        close (ends[0]);
        text[used] = 0;
    }
    if (pid < 0 || waitpid (pid, &status, 0) != pid)
        return -1;
    return WIFEXITED (status) ? WEXITSTATUS (status) : -1;
}

__attribute__ ((format (printf, 2, 3))) static void must_run (int seat, const char *format, ...)
{
    char command[COMMAND_BYTES_MAX];
    va_list arguments;
    va_start (arguments, format);
    vsnprintf (command, sizeof command, format, arguments);
    va_end (arguments);
    int status = run (seat == ROOT ? -1 : spaces[seat], NULL, 0, command);
    if (status)
        harness_fail ("seat %d: exit status %d of: %s", seat, status, command);
}

/* ---- the network ------------------------------------------------------------------------------------------------- */

static void write_file (const char *path, const char *text)
{
    int fd = open (path, O_WRONLY | O_CLOEXEC);
    if (fd >= 0 && write (fd, text, strlen (text)) < 0)
        errno = EPERM; /* shows later, in what does not work then */
    if (fd >= 0)
        close (fd);
}

/* Root's right to a network can also come from a user namespace, where the machine allows those. */
static bool leave (void)
{
    char map[64];
    uid_t user = getuid ();
    gid_t group = getgid ();
    if (!unshare (CLONE_NEWNET))
        return true;
    if (unshare (CLONE_NEWUSER | CLONE_NEWNET))
        return false;
    snprintf (map, sizeof map, "0 %u 1", (unsigned)user);
    write_file ("/proc/self/uid_map", map);
    write_file ("/proc/self/setgroups", "deny");
    snprintf (map, sizeof map, "0 %u 1", (unsigned)group);
    write_file ("/proc/self/gid_map", map);
    return true;
}

bool net_open (char *why, unsigned size)
{
    static char bridges[] = "PATH=$PATH:/usr/sbin:/sbin; { ip link set lo up && ip link add near type bridge && "
                            "ip link add far type bridge && ip link set near up && ip link set far up && "
                            "ip addr add 10.77.0.254/24 dev near && nft add table ip chaos && "
                            "nft 'add chain ip chaos probe { type filter hook input priority 0; }' && "
                            "nft add rule ip chaos probe numgen random mod 100 '<' 1 counter drop && "
                            "nft add rule ip chaos probe meta l4proto tcp reject with tcp reset && "
                            "nft delete table ip chaos; } 2>&1";
    char text[256];
    if (!leave () || (root = open ("/proc/self/ns/net", O_RDONLY | O_CLOEXEC)) < 0) {
        snprintf (why, size, "network namespaces are not allowed here (%s): root may make them", strerror (errno));
        return false;
    }
    if (run (-1, text, sizeof text, bridges)) {
        text[strcspn (text, "\n")] = 0;
        snprintf (why, size, "a network of our own cannot be made (ip, nft, or the kernel's part of it): %s", text);
        return false;
    }
    setenv ("PATH", "/usr/local/bin:/usr/bin:/bin:/usr/local/sbin:/usr/sbin:/sbin", 1);
    return true;
}

unsigned net_seat (unsigned host, bool far)
{
    if (seats == NET_SEATS_MAX)
        harness_fail ("there are no more seats than %d", NET_SEATS_MAX);
    if (unshare (CLONE_NEWNET) || (spaces[seats] = open ("/proc/self/ns/net", O_RDONLY | O_CLOEXEC)) < 0 ||
        setns (root, CLONE_NEWNET))
        harness_fail ("cannot make a network namespace: %s", strerror (errno));
    char path[64];
    net_path (seats, path);
    is_far[seats] = far;
    snprintf (addresses[seats], sizeof addresses[seats], "10.77.0.%u", host);
    must_run (ROOT, "ip link add v%u type veth peer name eth0 netns %s && ip link set v%u master %s up", seats, path,
              seats, far ? "far" : "near");
    must_run ((int)seats,
              "ip link set lo up && ip addr add %s/24 dev eth0 && ip link set eth0 up && nft add table ip chaos",
              addresses[seats]);
    return seats++;
}

bool net_is_far (unsigned seat)
{
    return is_far[seat];
}

const char *net_address (unsigned seat)
{
    return addresses[seat];
}

void net_enter (void *arg)
{
    if (setns (spaces[*(const unsigned *)arg], CLONE_NEWNET))
        _exit (126);
}

void net_path (unsigned seat, char path[64])
{
    snprintf (path, 64, "/proc/%ld/fd/%d", (long)getpid (), spaces[seat]);
}

/* ---- harm -------------------------------------------------------------------------------------------------------- */

unsigned net_harm (unsigned from, unsigned into, net_harm_t harm, unsigned percent)
{
    unsigned number = harm_count++, at = number % HARMS_MAX;
    char what[80];
    if (harm == NET_LOSS)
        snprintf (what, sizeof what, "numgen random mod 100 < %u counter drop", percent);
    else
        snprintf (what, sizeof what, "%s",
                  harm == NET_CUT ? "counter drop" : "meta l4proto tcp counter reject with tcp reset");
    if (harms[at].used)
        harness_fail ("too many harms at a time");
    harms[at].used = true;
    harms[at].seat = into;
    must_run (
        (int)into,
        "nft 'add chain ip chaos h%u { type filter hook input priority 0; }; add rule ip chaos h%u ip saddr %s %s'",
        number, number, addresses[from], what);
    return number;
}

uint64_t net_heal (unsigned number)
{
    char command[COMMAND_BYTES_MAX], text[2048];
    unsigned long long packets = 0;
    snprintf (command, sizeof command,
              "nft list chain ip chaos h%u && nft 'flush chain ip chaos h%u; delete chain ip chaos h%u'", number,
              number, number);
    unsigned seat = harms[number % HARMS_MAX].seat;
    harms[number % HARMS_MAX].used = false;
    if (run (spaces[seat], text, sizeof text, command))
        harness_fail ("a fault of the network cannot be ended: %s", text);
    const char *at = strstr (text, "packets ");
    if (at)
        packets = strtoull (at + 8, NULL, 10);
    return packets;
}
