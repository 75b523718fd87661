/*  What a name server knows: forgotten in time, bounded in all and for each sender, in the order that is asked for. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "core/rates.h"
#include "core/services.h"
#include "core/splitmix.h"
#include "counting_alloc.h"
#include "ringmaster/error.h"

static const rm_services_limits_t limits = {.count_max = 100, .bytes_max = 1 << 20, .lifetime_s = 900};
static rm_services_t services;

static void start (void)
{
    rm_services_init (&services, &limits);
}

static void stop (void)
{
    rm_services_close (&services);
    cr_assert_eq (services.sum.count, 0);
    cr_assert_eq (services.sum.bytes, 0);
    cr_assert_null (services.senders);
}

TestSuite (services, .init = start, .fini = stop);

static rm_service_said_t said (const char *address, uint16_t port, const char *name, uint64_t heard_ms)
{
    return (rm_service_said_t){.texts = {[RM_SERVICE_ADDRESS] = address, [RM_SERVICE_NAME] = name},
                               .port = port,
                               .heard_ms = heard_ms,
                               .json = "{}",
                               .json_bytes = 2};
}

static int put (const char *address, uint16_t port, const char *name, uint64_t heard_ms)
{
    rm_service_said_t what = said (address, port, name, heard_ms);
    return rm_services_put (&services, &what, NULL);
}

Test (services, one_is_known_by_address_port_and_name)
{
    cr_assert_eq (put ("10.0.0.1", 1, "a", 1000), 0);
    cr_assert_eq (put ("10.0.0.1", 1, "a", 5000), 0);
    cr_assert_eq (services.sum.count, 1, "heard of again, it is the same");
    cr_assert_eq (rm_services_find (&services, "10.0.0.1:1:a")->heard_ms, 5000);
    cr_assert_eq (put ("10.0.0.2", 1, "a", 0), 0);
    cr_assert_eq (put ("10.0.0.1", 2, "a", 0), 0);
    cr_assert_eq (put ("10.0.0.1", 1, "b", 0), 0);
    cr_assert_eq (services.sum.count, 4);
    cr_assert_null (rm_services_find (&services, "10.0.0.1:1:c"));
}

Test (services, what_it_says_now_is_in_the_place_of_what_it_said)
{
    rm_service_said_t what = said ("10.0.0.1", 1, "a", 0);
    what.texts[RM_SERVICE_PROJECT] = "old";
    cr_assert_eq (rm_services_put (&services, &what, NULL), 0);
    uint64_t changes = services.changes;
    what.texts[RM_SERVICE_PROJECT] = "new";
    what.json = "{\"x\":1}";
    what.json_bytes = 7;
    cr_assert_eq (rm_services_put (&services, &what, NULL), 0);
    const rm_service_t *service = rm_services_find (&services, "10.0.0.1:1:a");
    cr_assert_str_eq (service->texts[RM_SERVICE_PROJECT], "new");
    cr_assert_str_eq (service->texts[RM_SERVICE_OWNER], "");
    cr_assert_str_eq (service->json, "{\"x\":1}");
    cr_assert_eq (services.sum.bytes, service->bytes);
    cr_assert_gt (services.changes, changes);
}

Test (services, one_is_forgotten_when_it_was_not_heard_of_for_its_lifetime)
{
    rm_service_said_t brief = said ("10.0.0.1", 1, "brief", 1000), greedy = said ("10.0.0.1", 1, "greedy", 1000);
    brief.lifetime_s = 5;
    greedy.lifetime_s = 100000;
    cr_assert_eq (rm_services_put (&services, &brief, NULL), 0);
    cr_assert_eq (rm_services_put (&services, &greedy, NULL), 0);
    cr_assert_eq (put ("10.0.0.1", 1, "plain", 1000), 0);
    cr_assert_eq (rm_services_expire (&services, 5999), 0);
    cr_assert_eq (rm_services_expire (&services, 6000), 1);
    cr_assert_null (rm_services_find (&services, "10.0.0.1:1:brief"));
    cr_assert_eq (rm_services_expire (&services, 900999), 0);
    cr_assert_eq (put ("10.0.0.1", 1, "plain", 900999), 0);
    cr_assert_eq (rm_services_expire (&services, 901000), 1, "nobody lives for longer than others");
    cr_assert_not_null (rm_services_find (&services, "10.0.0.1:1:plain"));
}

Test (services, an_address_has_half_of_the_room_and_no_more)
{
    char name[16];
    for (int i = 0; i < 50; i++) {
        snprintf (name, sizeof name, "%d", i);
        cr_assert_eq (put ("10.0.0.1", 1, name, 0), 0);
    }
    const char *why = NULL;
    rm_service_said_t more = said ("10.0.0.1", 1, "more", 0);
    cr_assert_eq (rm_services_put (&services, &more, &why), RM_EBUSY);
    cr_assert (strstr (why, "half"));
    cr_assert_eq (put ("10.0.0.1", 1, "7", 10), 0, "what is known may go on");
    cr_assert_eq (put ("10.0.0.2", 1, "0", 0), 0, "and there is room for others");
}

Test (services, what_is_full_refuses_and_forgets_nothing)
{
    char address[32];
    for (int i = 0; i < 100; i++) {
        snprintf (address, sizeof address, "10.0.1.%d", i);
        cr_assert_eq (put (address, 1, "a", 1000), 0);
    }
    cr_assert_eq (put ("10.0.2.1", 1, "a", 1000), RM_EBUSY);
    cr_assert_eq (services.sum.count, 100);
    cr_assert_eq (rm_services_expire (&services, 901000), 100);
    cr_assert_eq (put ("10.0.2.1", 1, "a", 901000), 0);
}

Test (services, bytes_are_bounded_as_well)
{
    static char large[300 << 10];
    rm_service_said_t what = said ("10.0.0.1", 1, "a", 0);
    what.json = large;
    what.json_bytes = sizeof large;
    cr_assert_eq (rm_services_put (&services, &what, NULL), 0);
    what.texts[RM_SERVICE_NAME] = "b";
    cr_assert_eq (rm_services_put (&services, &what, NULL), RM_EBUSY, "its address has half of 1 MiB at most");
    what.texts[RM_SERVICE_ADDRESS] = "10.0.0.2";
    cr_assert_eq (rm_services_put (&services, &what, NULL), 0);
    what.texts[RM_SERVICE_ADDRESS] = "10.0.0.3";
    cr_assert_eq (rm_services_put (&services, &what, NULL), 0);
    what.texts[RM_SERVICE_ADDRESS] = "10.0.0.4";
    cr_assert_eq (rm_services_put (&services, &what, NULL), RM_EBUSY, "all have 1 MiB");
    cr_assert_leq (services.sum.bytes, limits.bytes_max);
}

Test (services, names_and_addresses_that_cannot_be_are_refused)
{
    char name[RM_SERVICE_NAME_BYTES_MAX + 2], address[RM_SERVICE_ADDRESS_BYTES_MAX + 2];
    memset (name, 'n', sizeof name);
    memset (address, '1', sizeof address);
    name[sizeof name - 1] = address[sizeof address - 1] = 0;
    cr_assert_eq (put ("10.0.0.1", 1, name, 0), RM_EINVAL);
    cr_assert_eq (put (address, 1, "a", 0), RM_EINVAL);
    cr_assert_eq (put ("10.0.0.1", 1, "", 0), RM_EINVAL);
    cr_assert_eq (put (NULL, 1, "a", 0), RM_EINVAL);
    cr_assert_eq (put (address + 1, 65535, name + 1, 0), 0, "the longest there may be");
    cr_assert_eq (strlen (services.all->key), RM_SERVICE_ADDRESS_BYTES_MAX + RM_SERVICE_NAME_BYTES_MAX + 7);
}

static void assert_order (rm_service_column_t column, bool down, const char *expected)
{
    char names[64] = "";
    const rm_service_t **sorted = rm_services_sorted (&services, column, down);
    for (uint32_t i = 0; i < services.sum.count; i++)
        strcat (names, sorted[i]->texts[RM_SERVICE_NAME]);
    rm_free (sorted);
    cr_assert_str_eq (names, expected);
}

Test (services, they_are_sorted_by_any_column)
{
    cr_assert_null (rm_services_sorted (&services, RM_SERVICE_NAME, false));
    cr_assert_eq (put ("10.0.0.3", 9, "b", 3000), 0);
    cr_assert_eq (put ("10.0.0.2", 10, "A", 1000), 0);
    cr_assert_eq (put ("10.0.0.1", 10, "c", 2000), 0);
    assert_order (RM_SERVICE_NAME, false, "Abc");
    assert_order (RM_SERVICE_NAME, true, "cbA");
    assert_order (RM_SERVICE_PORT, false, "bAc");
    assert_order (RM_SERVICE_ADDRESS, false, "cAb");
    assert_order (RM_SERVICE_HEARD, false, "bcA");
    assert_order (RM_SERVICE_TYPE, false, "Abc");
}

Test (services, memory_that_runs_out_leaves_what_was_known)
{
    static const rm_allocator_t counting = {counted_resize, counted_release};
    rm_alloc_set (&counting);
    counted.left = -1;
    cr_assert_eq (put ("10.0.0.1", 1, "first", 0), 0);
    int rc = RM_ENOMEM;
    for (long n = 0; rc && n < 20; n++) {
        counted.left = n;
        rc = put ("10.0.0.2", 1, "second", 0);
        cr_assert (rc == RM_ENOMEM || rc == 0);
        cr_assert_eq (services.sum.count, rc ? 1 : 2);
        cr_assert_not_null (rm_services_find (&services, "10.0.0.1:1:first"));
    }
    cr_assert_eq (rc, 0);
    counted.left = -1;
    rm_services_close (&services);
    cr_assert_eq (counted.blocks, 0);
    rm_alloc_set (NULL);
}

Test (services, whatever_comes_the_sums_are_those_of_what_is_there)
{
    uint64_t random = 1;
    for (uint64_t now_ms = 0; now_ms < 300000; now_ms += 100) {
        char address[32], name[16];
        snprintf (address, sizeof address, "10.0.0.%u", (unsigned)(rm_splitmix (&random) % 5));
        snprintf (name, sizeof name, "%u", (unsigned)(rm_splitmix (&random) % 60));
        rm_service_said_t what = said (address, 1, name, now_ms);
        what.lifetime_s = rm_splitmix (&random) % 20;
        what.json_bytes = rm_splitmix (&random) % 3;
        rm_services_put (&services, &what, NULL);
        if (rm_splitmix (&random) % 8 == 0)
            rm_services_expire (&services, now_ms);
        rm_service_sum_t sum = {0};
        rm_service_t *service, *next;
        HASH_ITER (hh, services.all, service, next) {
            sum.count++;
            sum.bytes += service->bytes;
        }
        cr_assert_eq (sum.count, services.sum.count);
        cr_assert_eq (sum.bytes, services.sum.bytes);
        cr_assert_leq (sum.count, limits.count_max);
    }
}

/* ---- rates ------------------------------------------------------------------------------------------------------- */

static rm_rates_t rates;

static unsigned take (uint64_t now_ms, const char *address, unsigned times)
{
    unsigned taken = 0;
    for (unsigned i = 0; i < times; i++)
        taken += rm_rates_take (&rates, now_ms, address, strlen (address));
    return taken;
}

Test (rates, a_sender_has_its_burst_and_then_its_rate)
{
    rm_rates_init (&rates, 1, 10, 20);
    cr_assert_eq (take (1000000, "10.0.0.1", 100), 20);
    cr_assert_eq (take (1000099, "10.0.0.1", 100), 0);
    cr_assert_eq (take (1000100, "10.0.0.1", 100), 1);
    cr_assert_eq (take (1001100, "10.0.0.1", 100), 10);
    cr_assert_eq (take (1000000, "10.0.0.2", 100), 20, "another has its own");
    cr_assert_eq (take (9000000, "10.0.0.1", 100), 20, "and no more than the burst is saved up");
}
