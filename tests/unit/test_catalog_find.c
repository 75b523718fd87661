/*  Looking a service up: which catalogs are meant, what one of them may answer, and that none can hold up or mislead
 *  who asks. */
#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "catalog/list.h"
#include "net/clock.h"
#include "ringmaster/catalog.h"

Test (catalog_list, a_catalog_is_a_host_and_maybe_a_port)
{
    rm_endpoint_t list[RM_ENDPOINTS_MAX];
    rm_fault_t fault = {0};
    unsetenv ("CATALOG_PORT");
    unsetenv ("CATALOG_HOST");
    cr_assert_eq (rm_catalog_list (list, "names.example,10.0.0.1:99,[::1]:5", &fault), 3);
    cr_assert_str_eq (list[0].text, "tcp://names.example:9097");
    cr_assert_str_eq (list[1].text, "tcp://10.0.0.1:99");
    cr_assert_str_eq (list[2].text, "tcp://[::1]:5");
    setenv ("CATALOG_PORT", "7", 1);
    setenv ("CATALOG_HOST", "a,b:8", 1);
    cr_assert_eq (rm_catalog_list (list, NULL, &fault), 2);
    cr_assert_str_eq (list[0].text, "tcp://a:7");
    cr_assert_str_eq (list[1].text, "tcp://b:8");
    setenv ("CATALOG_HOST", "", 1);
    cr_assert_eq (rm_catalog_list (list, NULL, &fault), RM_EINVAL);
    cr_assert (strstr (fault.text, "$CATALOG_HOST"));
}

Test (catalog_list, what_is_none_is_refused)
{
    static const char *const texts[] = {"",    ",",       "a,",  "a b",
                                        "a:0", "a:70000", "::1", "a,b,c,d,e,f,g,h,i,j,k,l,m,n,o,p,q"};
    rm_endpoint_t list[RM_ENDPOINTS_MAX];
    char why[100];
    unsetenv ("CATALOG_PORT");
    unsetenv ("CATALOG_HOST");
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        cr_assert_eq (rm_catalog_list (list, texts[i], NULL), RM_EINVAL, "'%s'", texts[i]);
        cr_assert_eq (rm_catalog_check (texts[i], why, sizeof why), RM_EINVAL);
        cr_assert (*why);
    }
    cr_assert_eq (rm_catalog_check ("a", why, sizeof why), 0);
}

static int read_answer (rm_endpoint_t *list, const char *json)
{
    return rm_catalog_read (list, json, strlen (json), "t", "p");
}

Test (catalog_list, what_fits_is_read_the_newest_first)
{
    rm_endpoint_t list[RM_ENDPOINTS_MAX];
    const char *answer =
        "[{\"type\":\"t\",\"project\":\"p\",\"address\":\"10.0.0.1\",\"port\":1,\"lastheardfrom\":100},"
        "{\"type\":\"t\",\"project\":\"p\",\"address\":\"::1\",\"port\":2,\"lastheardfrom\":300},"
        "{\"type\":\"t\",\"project\":\"other\",\"address\":\"10.0.0.3\",\"port\":3,\"lastheardfrom\":400},"
        "{\"type\":\"u\",\"project\":\"p\",\"address\":\"10.0.0.4\",\"port\":4,\"lastheardfrom\":400},"
        "{\"type\":\"t\",\"project\":\"p\",\"address\":\"10.0.0.5\",\"port\":5,\"lastheardfrom\":200},"
        "{\"type\":\"t\",\"project\":\"p\",\"address\":\"10.0.0.6\",\"port\":6,\"lastheardfrom\":300}]";
    cr_assert_eq (read_answer (list, answer), 4);
    cr_assert_str_eq (list[0].text, "tcp://10.0.0.6:6", "the later one of the same second");
    cr_assert_str_eq (list[1].text, "tcp://[::1]:2");
    cr_assert_str_eq (list[2].text, "tcp://10.0.0.5:5");
    cr_assert_str_eq (list[3].text, "tcp://10.0.0.1:1");
}

Test (catalog_list, what_has_no_address_to_go_to_is_left_out)
{
    rm_endpoint_t list[RM_ENDPOINTS_MAX];
    const char *answer = "[{\"type\":\"t\",\"project\":\"p\",\"address\":\"10.0.0.1\",\"port\":0},"
                         "{\"type\":\"t\",\"project\":\"p\",\"address\":\"10.0.0.1\",\"port\":65536},"
                         "{\"type\":\"t\",\"project\":\"p\",\"address\":\"10.0.0.1\",\"port\":\"80\"},"
                         "{\"type\":\"t\",\"project\":\"p\",\"address\":\"a b,tcp://evil:1\",\"port\":80},"
                         "{\"type\":\"t\",\"project\":\"p\",\"address\":7,\"port\":80},"
                         "{\"type\":\"t\",\"project\":\"p\",\"port\":80},7,null,[]]";
    cr_assert_eq (read_answer (list, answer), 0);
    cr_assert_eq (read_answer (list, "{}"), RM_EPROTO);
    cr_assert_eq (read_answer (list, "<html>"), RM_EPROTO);
    cr_assert_eq (read_answer (list, ""), RM_EPROTO);
    cr_assert_eq (read_answer (list, "[]"), 0);
}

Test (catalog_list, of_many_the_newest_are_kept)
{
    rm_endpoint_t list[RM_ENDPOINTS_MAX];
    static char answer[16384] = "[";
    for (int i = 1; i <= 40; i++)
        sprintf (answer + strlen (answer),
                 "%s{\"type\":\"t\",\"project\":\"p\",\"address\":\"10.0.0.1\",\"port\":%d,\"lastheardfrom\":%d}",
                 i > 1 ? "," : "", i, i * 7 % 41);
    strcat (answer, "]");
    cr_assert_eq (read_answer (list, answer), RM_ENDPOINTS_MAX);
    for (int i = 0; i < RM_ENDPOINTS_MAX; i++)
        cr_assert_eq (list[i].port * 7 % 41, 40 - i);
}

/* ---- over a connection ------------------------------------------------------------------------------------------- */

/* A catalog that answers every connection with the same bytes; NULL: with nothing, for ever. */
typedef struct {
    int fd;
    const char *answer;
} fake_t;

static void *serve (void *arg)
{
    const fake_t *fake = arg;
    for (;;) {
        char request[4096];
        int fd = accept (fake->fd, NULL, NULL);
        if (fd < 0 || !fake->answer)
            continue;
        (void)!read (fd, request, sizeof request);
        (void)!write (fd, fake->answer, strlen (fake->answer));
        close (fd);
    }
    return NULL;
}

/* Its "127.0.0.1:PORT". Lives as long as the process. */
static const char *start_fake (const char *answer)
{
    static char names[8][32];
    static int count;
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl (INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    fake_t *fake = malloc (sizeof *fake);
    pthread_t thread;
    cr_assert (fake);
    *fake = (fake_t){socket (AF_INET, SOCK_STREAM, 0), answer};
    cr_assert (!bind (fake->fd, (struct sockaddr *)&address, size) && !listen (fake->fd, 16));
    getsockname (fake->fd, (struct sockaddr *)&address, &size);
    cr_assert_eq (pthread_create (&thread, NULL, serve, fake), 0);
    snprintf (names[count], sizeof names[count], "127.0.0.1:%d", ntohs (address.sin_port));
    return names[count++];
}

#define GOOD                                                                                                           \
    "HTTP/1.0 200 "                                                                                                    \
    "OK\r\n\r\n[{\"type\":\"t\",\"project\":\"p\",\"address\":\"10.0.0.1\",\"port\":1,\"lastheardfrom\":2},"           \
    "{\"type\":\"t\",\"project\":\"p\",\"address\":\"10.0.0.2\",\"port\":2,\"lastheardfrom\":1}]"

Test (catalog_find, the_first_catalog_that_knows_any_is_believed, .timeout = 120)
{
    char found[RM_CATALOG_BYTES_MAX], all[256], small[24];
    const char *mute = start_fake (NULL), *web = start_fake ("HTTP/1.0 200 OK\r\n\r\n<html>"),
               *gone = start_fake ("HTTP/1.0 404 Not Found\r\n\r\n[]"),
               *empty = start_fake ("HTTP/1.0 200 OK\r\n\r\n[]"), *good = start_fake (GOOD);
    snprintf (all, sizeof all, "127.0.0.1:1,%s,%s,%s,%s,%s", mute, web, gone, empty, good);
    cr_assert_eq (rm_catalog_find (all, "t", "p", 20000, found, sizeof found), 2, "%s", found);
    cr_assert_str_eq (found, "tcp://10.0.0.1:1,tcp://10.0.0.2:2");
    cr_assert_eq (rm_catalog_find (good, "t", "p", 20000, small, sizeof small), 1, "as many as there is room for");
    cr_assert_str_eq (small, "tcp://10.0.0.1:1");
    cr_assert_eq (rm_catalog_find (good, "t", "p", 20000, small, 8), RM_ETOOBIG);
}

Test (catalog_find, who_finds_nothing_is_told_so_in_time, .timeout = 120)
{
    char why[512];
    const char *mute = start_fake (NULL), *empty = start_fake ("HTTP/1.0 200 OK\r\n\r\n[]");
    uint64_t begun_ms = rm_clock_ms ();
    cr_assert_eq (rm_catalog_find (empty, "t", "p", 1000, why, sizeof why), RM_EUNKNOWN);
    cr_assert (strstr (why, "'p'") && strstr (why, empty), "%s", why);
    cr_assert_eq (rm_catalog_find (mute, "t", "p", 1000, why, sizeof why), RM_EUNREACHABLE);
    cr_assert (strstr (why, mute), "%s", why);
    cr_assert_eq (rm_catalog_find ("127.0.0.1:1", "t", "p", 1000, why, sizeof why), RM_EUNREACHABLE);
    cr_assert_eq (rm_catalog_find ("no catalog", "t", "p", 1000, why, sizeof why), RM_EINVAL);
    cr_assert_lt (rm_clock_ms () - begun_ms, 30000);
}

/* ---- saying it --------------------------------------------------------------------------------------------------- */

static int bind_udp (char *name, size_t size)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl (INADDR_LOOPBACK)};
    struct timeval patience = {.tv_sec = 60};
    socklen_t address_size = sizeof address;
    int fd = socket (AF_INET, SOCK_DGRAM, 0);
    cr_assert (!bind (fd, (struct sockaddr *)&address, address_size));
    setsockopt (fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    getsockname (fd, (struct sockaddr *)&address, &address_size);
    snprintf (name, size, "127.0.0.1:%d", ntohs (address.sin_port));
    return fd;
}

Test (catalog_announce, it_is_said_at_every_catalog_twice_soon_and_once_more_at_the_end, .timeout = 120)
{
    char one[32], two[32], all[128], text[2048];
    int fds[2] = {bind_udp (one, sizeof one), bind_udp (two, sizeof two)};
    snprintf (all, sizeof all, "no.such.host.invalid,%s,%s", one, two);
    const rm_announcement_t what = {
        .type = "t", .project = "p", .port = 1234, .name = "n", .version = "1", .from = "127.0.0.1"};
    rm_announcer_t *announcer = rm_announcer_new (all, &what);
    cr_assert (announcer);
    for (int i = 0; i < 4; i++) {
        ssize_t size = recv (fds[i % 2], text, sizeof text - 1, 0);
        cr_assert_gt (size, 0);
        text[size] = 0;
        cr_assert (strstr (text, "{\"type\":\"t\",\"project\":\"p\",\"name\":\"n\",\"owner\":\""), "%s", text);
        cr_assert (strstr (text, ",\"port\":1234,\"version\":\"1\"}"), "%s", text);
    }
    rm_announcer_destroy (&announcer);
    cr_assert_null (announcer);
    for (int i = 0; i < 2; i++) {
        ssize_t size = recv (fds[i], text, sizeof text - 1, 0);
        cr_assert_gt (size, 0);
        text[size] = 0;
        cr_assert (strstr (text, "\"lifetime\":1}"), "%s", text);
    }
}

Test (catalog_announce, what_cannot_be_said_is_refused, .timeout = 60)
{
    unsetenv ("CATALOG_HOST");
    const rm_announcement_t good = {.type = "t", .project = "p"}, no_type = {.project = "p"},
                            no_project = {.type = "t"}, port = {.type = "t", .project = "p", .port = 65536},
                            bytes = {.type = "t", .project = "\xff"};
    cr_assert_null (rm_announcer_new (NULL, &good));
    cr_assert_null (rm_announcer_new ("a b", &good));
    cr_assert_null (rm_announcer_new ("127.0.0.1", &no_type));
    cr_assert_null (rm_announcer_new ("127.0.0.1", &no_project));
    cr_assert_null (rm_announcer_new ("127.0.0.1", &port));
    cr_assert_null (rm_announcer_new ("127.0.0.1", &bytes));
    rm_announcer_t *announcer = rm_announcer_new ("127.0.0.1:1", &good); /* nobody is there: no harm */
    cr_assert (announcer);
    rm_announcer_destroy (&announcer);
    rm_announcer_destroy (&announcer);
}
