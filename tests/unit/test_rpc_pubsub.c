/*  Publishers and subscribers over real sockets: late joiners, slow ones, lost connections, restarts. */
#include <criterion/criterion.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net/clock.h"
#include "ringmaster/pubsub.h"

enum { PATIENCE_MS = 30000, A_MOMENT_MS = 300 };

static rm_pub_t *new_pub (unsigned port)
{
    rm_pub_t *pub = rm_pub_new ();
    cr_assert (pub);
    int rc = rm_pub_bind (pub, "127.0.0.1", port);
    for (uint64_t end_ms = rm_clock_ms () + PATIENCE_MS; port && rc == RM_EIO && rm_clock_ms () < end_ms;) {
        usleep (20000); /* its predecessor's connections are on their way out */
        rc = rm_pub_bind (pub, "127.0.0.1", port);
    }
    cr_assert_eq (rc, 0, "%s", rm_pub_error (pub));
    return pub;
}

static unsigned port_of (const char *endpoint)
{
    return (unsigned)atoi (strrchr (endpoint, ':') + 1);
}

static void send_text (rm_pub_t *pub, const char *topic, const char *text)
{
    cr_assert_eq (rm_pub_send (pub, topic, text, strlen (text)), 0);
}

static void expect (rm_sub_t *sub, const char *topic, const char *text, uint64_t seq, bool kept, rm_news_t *news)
{
    cr_assert_eq (rm_sub_recv (sub, PATIENCE_MS, news), 0, "nothing came; wanted %s=%s", topic, text);
    cr_assert_str_eq (news->topic, topic);
    cr_assert_str_eq (news->data, text);
    cr_assert_eq (news->size, strlen (text));
    cr_assert_eq (news->seq, seq, "%s=%s is number %d", topic, text, (int)news->seq);
    cr_assert_eq (news->kept, kept);
}

Test (rpc_pubsub, a_late_joiner_is_given_the_newest_value_of_each_topic_it_wants)
{
    rm_news_t news;
    rm_pub_t *pub = new_pub (0);
    send_text (pub, "a/1", "old");
    send_text (pub, "a/1", "new");
    send_text (pub, "b/1", "other");
    send_text (pub, "a/2", "");
    rm_sub_t *sub = rm_sub_new (rm_pub_endpoint (pub));
    cr_assert_eq (rm_sub_prefix (sub, "a/"), 0);
    expect (sub, "a/1", "new", 2, true, &news);
    cr_assert (!news.missed && !news.restarted && news.publisher);
    expect (sub, "a/2", "", 1, true, &news);
    send_text (pub, "b/1", "not wanted");
    send_text (pub, "a/1", "newest");
    expect (sub, "a/1", "newest", 3, false, &news);
    cr_assert_eq (rm_sub_recv (sub, 0, &news), RM_ETIMEDOUT);
    cr_assert_eq (rm_sub_missed (sub), 0);
    rm_sub_destroy (&sub);
    rm_pub_destroy (&pub);
}

Test (rpc_pubsub, a_topic_is_not_those_that_begin_like_it_and_an_empty_prefix_is_everything)
{
    rm_news_t news;
    rm_pub_t *pub = new_pub (0);
    rm_sub_t *one = rm_sub_new (rm_pub_endpoint (pub)), *all = rm_sub_new (rm_pub_endpoint (pub));
    send_text (pub, "price", "1");
    send_text (pub, "prices", "2");
    cr_assert_eq (rm_sub_topic (one, "price"), 0);
    cr_assert_eq (rm_sub_prefix (all, ""), 0);
    expect (one, "price", "1", 1, true, &news);
    expect (all, "price", "1", 1, true, &news);
    expect (all, "prices", "2", 1, true, &news);
    send_text (pub, "prices", "3");
    send_text (pub, "price", "4");
    expect (one, "price", "4", 2, false, &news);
    expect (all, "prices", "3", 2, false, &news);
    expect (all, "price", "4", 2, false, &news);
    cr_assert_eq (rm_sub_topic (one, "price"), RM_EINVAL);
    rm_sub_destroy (&one);
    rm_sub_destroy (&all);
    rm_pub_destroy (&pub);
}

Test (rpc_pubsub, topics_may_be_as_long_as_is_said)
{
    char topic[202];
    rm_news_t news;
    rm_pub_t *pub = new_pub (0);
    rm_sub_t *sub = rm_sub_new (rm_pub_endpoint (pub));
    memset (topic, 'x', 201);
    topic[201] = 0;
    cr_assert_eq (rm_sub_topic (sub, topic), RM_EINVAL);
    cr_assert_eq (rm_pub_send (pub, topic, "", 0), RM_EINVAL);
    topic[200] = 0;
    cr_assert_eq (rm_sub_topic (sub, topic), 0);
    send_text (pub, topic, "long");
    cr_assert_eq (rm_sub_recv (sub, PATIENCE_MS, &news), 0);
    cr_assert_str_eq (news.topic, topic);
    rm_sub_destroy (&sub);
    rm_pub_destroy (&pub);
}

/* ---- too slow ---------------------------------------------------------------------------------------------------- */

enum { BURST = 4000, BURST_BYTES = 16 << 10 };

Test (rpc_pubsub, a_subscriber_that_is_too_slow_is_told_what_it_lost_and_gets_the_last)
{
    static char data[BURST_BYTES];
    rm_news_t news;
    rm_pub_t *pub = new_pub (0);
    rm_sub_t *slow = rm_sub_new (rm_pub_endpoint (pub));
    cr_assert_eq (rm_sub_prefix (slow, ""), 0);
    send_text (pub, "t", "first");
    cr_assert_eq (rm_sub_recv (slow, PATIENCE_MS, &news), 0);
    uint64_t begun_ms = rm_clock_ms ();
    for (int i = 0; i < BURST; i++)
        cr_assert_eq (rm_pub_send (pub, "t", data, sizeof data), 0);
    cr_assert_lt (rm_clock_ms () - begun_ms, PATIENCE_MS); /* nobody waits for it, and it reads nothing */
    uint64_t given = 1, missed = 0, last = 1;
    while (last < BURST + 1) { /* that the last one is lost shows when the topic has fallen silent */
        cr_assert_eq (rm_sub_recv (slow, PATIENCE_MS, &news), 0, "the last one given is number %d", (int)last);
        cr_assert_eq (news.seq, last + news.missed + 1);
        last = news.seq;
        given++;
        missed += news.missed;
    }
    cr_assert_eq (given + missed, BURST + 1);
    cr_assert_gt (missed, 0, "it was not too slow: the test shows nothing");
    cr_assert_eq (rm_sub_missed (slow), missed);
    rm_sub_destroy (&slow);
    rm_pub_destroy (&pub);
}

Test (rpc_pubsub, many_topics_are_more_than_a_slow_one_may_lag_and_still_come_whole)
{
    enum { TOPICS = 5000 };
    char topic[20], text[20];
    rm_news_t news;
    rm_pub_t *pub = rm_pub_new ();
    cr_assert_eq (rm_pub_set (pub, "topics", "5000"), 0);
    cr_assert_eq (rm_pub_bind (pub, "127.0.0.1", 0), 0);
    for (int i = 0; i < TOPICS; i++) {
        snprintf (topic, sizeof topic, "t%d", i);
        snprintf (text, sizeof text, "%d", i);
        send_text (pub, topic, text);
    }
    cr_assert_eq (rm_pub_send (pub, "one more", "", 0), RM_ETOOBIG);
    rm_sub_t *sub = rm_sub_new (rm_pub_endpoint (pub));
    cr_assert_eq (rm_sub_prefix (sub, "t"), 0);
    for (int i = 0; i < TOPICS; i++) {
        snprintf (topic, sizeof topic, "t%d", i);
        snprintf (text, sizeof text, "%d", i);
        expect (sub, topic, text, 1, true, &news);
    }
    cr_assert_eq (rm_sub_missed (sub), 0);
    rm_sub_destroy (&sub);
    rm_pub_destroy (&pub);
}

/* ---- restarts and lost connections ------------------------------------------------------------------------------- */

Test (rpc_pubsub, a_publisher_that_was_restarted_is_another_incarnation)
{
    rm_news_t news;
    char endpoint[64];
    rm_pub_t *pub = new_pub (0);
    snprintf (endpoint, sizeof endpoint, "%s", rm_pub_endpoint (pub));
    rm_sub_t *sub = rm_sub_new (endpoint);
    cr_assert_eq (rm_sub_prefix (sub, ""), 0);
    send_text (pub, "t", "1");
    send_text (pub, "t", "2");
    do
        cr_assert_eq (rm_sub_recv (sub, PATIENCE_MS, &news), 0);
    while (news.seq < 2);
    uint64_t before = news.publisher;
    rm_pub_destroy (&pub);
    pub = new_pub (port_of (endpoint));
    send_text (pub, "t", "anew");
    send_text (pub, "u", "2nd");
    expect (sub, "t", "anew", 1, news.kept, &news);
    cr_assert (news.restarted && news.publisher != before);
    expect (sub, "u", "2nd", 1, news.kept, &news);
    cr_assert_not (news.restarted);
    rm_sub_destroy (&sub);
    rm_pub_destroy (&pub);
}

/* A relay between a subscriber and a publisher, that can be cut. */
typedef struct {
    pthread_t thread;
    int listener;
    struct sockaddr_in to;
    char endpoint[64];
    atomic_bool cut, stop;
} relay_t;

/* Moves what there is from one end to the other; false if either is gone. */
static bool pump (int from, int to)
{
    char bytes[65536];
    ssize_t size = recv (from, bytes, sizeof bytes, MSG_DONTWAIT);
    if (size < 0)
        return errno == EAGAIN || errno == EINTR;
    for (ssize_t done = 0, rc; done < size; done += rc)
        if ((rc = send (to, bytes + done, (size_t)(size - done), MSG_NOSIGNAL)) < 0)
            return false;
    return size > 0;
}

static void *relay_run (void *arg)
{
    relay_t *self = arg;
    int ends[2] = {-1, -1};
    while (!self->stop) {
        struct pollfd fds[] = {{self->listener, POLLIN, 0}, {ends[0], POLLIN, 0}, {ends[1], POLLIN, 0}};
        poll (fds, 3, 20);
        bool gone = self->cut;
        if (fds[0].revents && ends[0] < 0) {
            ends[0] = accept (self->listener, NULL, NULL);
            ends[1] = socket (AF_INET, SOCK_STREAM, 0);
            gone |= connect (ends[1], (struct sockaddr *)&self->to, sizeof self->to) != 0;
        }
        if (ends[0] >= 0 && (gone || !pump (ends[0], ends[1]) || !pump (ends[1], ends[0]))) {
            close (ends[0]);
            close (ends[1]);
            ends[0] = ends[1] = -1;
        }
    }
    close (ends[0]);
    close (ends[1]);
    return NULL;
}

static void relay_begin (relay_t *self, unsigned port)
{
    struct sockaddr_in any = {.sin_family = AF_INET, .sin_addr.s_addr = htonl (INADDR_LOOPBACK)};
    socklen_t size = sizeof any;
    *self = (relay_t){.listener = socket (AF_INET, SOCK_STREAM, 0), .to = any};
    self->to.sin_port = htons ((uint16_t)port);
    cr_assert_eq (bind (self->listener, (struct sockaddr *)&any, size), 0);
    cr_assert_eq (listen (self->listener, 5), 0);
    cr_assert_eq (getsockname (self->listener, (struct sockaddr *)&any, &size), 0);
    snprintf (self->endpoint, sizeof self->endpoint, "tcp://127.0.0.1:%d", ntohs (any.sin_port));
    cr_assert_eq (pthread_create (&self->thread, NULL, relay_run, self), 0);
}

static void relay_end (relay_t *self)
{
    self->stop = true;
    pthread_join (self->thread, NULL);
    close (self->listener);
}

Test (rpc_pubsub, a_subscriber_whose_connection_was_lost_counts_what_was_sent_meanwhile)
{
    rm_news_t news;
    relay_t relay;
    rm_pub_t *pub = new_pub (0);
    relay_begin (&relay, port_of (rm_pub_endpoint (pub)));
    rm_sub_t *sub = rm_sub_new (relay.endpoint);
    cr_assert_eq (rm_sub_prefix (sub, "t"), 0);
    send_text (pub, "t1", "1");
    cr_assert_eq (rm_sub_recv (sub, PATIENCE_MS, &news), 0);
    send_text (pub, "t1", "2");
    expect (sub, "t1", "2", 2, false, &news);
    cr_assert_eq (rm_sub_recv (sub, A_MOMENT_MS, &news), RM_ETIMEDOUT); /* the answer is whole */
    relay.cut = true;
    for (char text[] = "3";; ++*text) { /* until one does not come: it is cut */
        send_text (pub, "t1", text);
        if (rm_sub_recv (sub, A_MOMENT_MS, &news))
            break;
    }
    uint64_t last = news.seq, sent = last + 1;
    for (; sent < last + 10; sent++)
        send_text (pub, "t1", "lost");
    send_text (pub, "t2", "born meanwhile");
    send_text (pub, "t2", "and changed");
    relay.cut = false;
    expect (sub, "t1", "lost", sent, true, &news);
    cr_assert_eq (news.missed, sent - last - 1);
    cr_assert_not (news.restarted);
    expect (sub, "t2", "and changed", 2, true, &news);
    cr_assert_eq (news.missed, 1);
    send_text (pub, "t1", "live");
    expect (sub, "t1", "live", sent + 1, false, &news);
    cr_assert_eq (rm_sub_missed (sub), sent - last);
    rm_sub_destroy (&sub);
    relay_end (&relay);
    rm_pub_destroy (&pub);
}

/* ---- threads ----------------------------------------------------------------------------------------------------- */

typedef struct {
    rm_sub_t *sub;
    atomic_int state; /* 1: waits; 2: was told to stop */
} reader_t;

static void *read_until_stopped (void *arg)
{
    reader_t *self = arg;
    rm_news_t news;
    self->state = 1;
    while (rm_sub_recv (self->sub, -1, &news) != RM_EINTERRUPTED)
        continue;
    self->state = 2;
    return NULL;
}

Test (rpc_pubsub, a_thread_that_waits_for_ever_is_woken_by_stop)
{
    pthread_t thread;
    rm_news_t news;
    reader_t reader = {.sub = rm_sub_new ("tcp://127.0.0.1:1")};
    cr_assert_eq (rm_sub_prefix (reader.sub, ""), 0);
    cr_assert_eq (pthread_create (&thread, NULL, read_until_stopped, &reader), 0);
    while (!reader.state)
        usleep (1000);
    rm_sub_stop (reader.sub);
    pthread_join (thread, NULL);
    cr_assert_eq (reader.state, 2);
    rm_sub_stop (reader.sub); /* once: also if it is called before */
    cr_assert_eq (rm_sub_recv (reader.sub, -1, &news), RM_EINTERRUPTED);
    cr_assert_eq (rm_sub_recv (reader.sub, 0, &news), RM_ETIMEDOUT);
    rm_sub_destroy (&reader.sub);
}

enum { SENDERS = 3, SENDS = 200 };

static void *send_many (void *arg)
{
    rm_pub_t *pub = arg;
    for (int i = 0; i < SENDS; i++) {
        send_text (pub, "shared", "x");
        usleep (500);
    }
    return NULL;
}

Test (rpc_pubsub, several_threads_may_send_and_the_numbers_have_no_gap)
{
    pthread_t threads[SENDERS];
    rm_news_t news;
    rm_pub_t *pub = new_pub (0);
    rm_sub_t *sub = rm_sub_new (rm_pub_endpoint (pub));
    cr_assert_eq (rm_sub_topic (sub, "shared"), 0);
    send_text (pub, "shared", "first");
    cr_assert_eq (rm_sub_recv (sub, PATIENCE_MS, &news), 0);
    for (int i = 0; i < SENDERS; i++)
        cr_assert_eq (pthread_create (&threads[i], NULL, send_many, pub), 0);
    for (int i = 0; i < SENDERS * SENDS; i++)
        expect (sub, "shared", "x", (uint64_t)i + 2, false, &news);
    for (int i = 0; i < SENDERS; i++)
        pthread_join (threads[i], NULL);
    rm_sub_destroy (&sub);
    rm_pub_destroy (&pub);
}

/* ---- what is not allowed ----------------------------------------------------------------------------------------- */

Test (rpc_pubsub, what_is_not_allowed_is_refused_with_a_sentence)
{
    static const char *const bad[][2] = {{"topics", "0"}, {"topics", "65537"}, {"kept", "x"}, {"mark", "1"}};
    rm_pub_t *pub = rm_pub_new ();
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        cr_assert_eq (rm_pub_set (pub, bad[i][0], bad[i][1]), RM_EINVAL);
    cr_assert_eq (rm_pub_send (pub, "t", "", 0), RM_ESTATE);
    cr_assert_str_eq (rm_pub_endpoint (pub), "");
    cr_assert_eq (rm_pub_bind (pub, "0.0.0.0", 0), RM_EDENIED);
    cr_assert (strstr (rm_pub_error (pub), "insecure=1"), "%s", rm_pub_error (pub));
    cr_assert_eq (rm_pub_set (pub, "kept", "3"), 0);
    cr_assert_eq (rm_pub_bind (pub, "127.0.0.1", 0), 0);
    cr_assert_eq (rm_pub_bind (pub, "127.0.0.1", 0), RM_ESTATE);
    cr_assert_eq (rm_pub_set (pub, "kept", "3"), RM_ESTATE);
    cr_assert_eq (rm_pub_send (pub, "t", "1234", 4), RM_ETOOBIG);
    cr_assert_eq (rm_pub_send (pub, "t\n", "1", 1), RM_EINVAL);
    cr_assert_eq (rm_pub_send (pub, NULL, "1", 1), RM_EINVAL);
    rm_pub_destroy (&pub);
    rm_pub_destroy (&pub);
    cr_assert_null (rm_sub_new ("nowhere"));
}
