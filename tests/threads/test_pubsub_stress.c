/* Publisher and subscribers under load: several threads publish, subscribers come and go in others, and nobody is given
 * a number twice, or one that does not fit to what it is told it has missed. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "ringmaster/pubsub.h"

enum { SENDERS = 3, READERS = 3, SENDS = 6000, ROUNDS = 15, TOPICS = 4, PATIENCE_MS = 30000 };

#define CHECK(claim)                                                                                                   \
    do {                                                                                                               \
        if (!(claim)) {                                                                                                \
            fprintf (stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #claim);                                       \
            exit (1);                                                                                                  \
        }                                                                                                              \
    } while (0)

static rm_pub_t *pub;

static void *send_all (void *arg)
{
    (void)arg;
    for (int i = 0; i < SENDS; i++) {
        char topic[] = {'t', (char)('0' + i % TOPICS), 0};
        CHECK (rm_pub_send (pub, topic, &i, sizeof i) == 0);
        if (i % 16 == 0)
            usleep (1000);
    }
    return NULL;
}

/* Joins, reads a while, leaves; again. */
static void *read_some (void *arg)
{
    (void)arg;
    for (int round = 0; round < ROUNDS; round++) {
        uint64_t last[TOPICS] = {0};
        rm_news_t news;
        rm_sub_t *sub = rm_sub_new (rm_pub_endpoint (pub));
        CHECK (sub && rm_sub_prefix (sub, "t") == 0);
        for (int i = 0; i < 100; i++) {
            int rc = rm_sub_recv (sub, i < TOPICS ? PATIENCE_MS : 50, &news);
            if (rc == RM_ETIMEDOUT && i >= TOPICS)
                break;
            CHECK (rc == 0);
            uint64_t *before = &last[news.topic[1] - '0'];
            CHECK (!*before || news.seq == *before + news.missed + 1);
            *before = news.seq;
        }
        rm_sub_destroy (&sub);
    }
    return NULL;
}

int main (void)
{
    pthread_t threads[SENDERS + READERS];
    pub = rm_pub_new ();
    CHECK (pub && rm_pub_bind (pub, "127.0.0.1", 0) == 0);
    for (int i = 0; i < SENDERS + READERS; i++)
        CHECK (pthread_create (&threads[i], NULL, i < SENDERS ? send_all : read_some, NULL) == 0);
    for (int i = 0; i < SENDERS + READERS; i++)
        pthread_join (threads[i], NULL);
    rm_pub_destroy (&pub);
    puts ("pubsub stress: all is as it should be");
    return 0;
}
