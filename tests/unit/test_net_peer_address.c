#include "net/peer_address.h"

#include <criterion/criterion.h>
#include <string.h>

#include "ringmaster/error.h"

/* The raft port is read into the jobs endpoint 4 ports below, and comes back as it was said. */
static void assert_both_ways (const char *address, const char *jobs, unsigned port)
{
    rm_endpoint_t endpoint;
    rm_fault_t fault = {0};
    char again[RM_ENDPOINT_BYTES_MAX + 1];
    cr_assert_eq (rm_peer_address_parse (&endpoint, address, &fault), 0, "%s: %s", address, fault.text);
    cr_assert_str_eq (endpoint.text, jobs);
    cr_assert_eq (endpoint.port, port);
    cr_assert (rm_peer_address_write (&endpoint, again, sizeof again));
    cr_assert_str_eq (again, address);
}

Test (net_peer_address, a_raft_port_says_where_the_jobs_are)
{
    assert_both_ways ("127.0.0.1:5554", "tcp://127.0.0.1:5550", 5550);
    assert_both_ways ("localhost:5", "tcp://localhost:1", 1);
    assert_both_ways ("[::1]:65535", "tcp://[::1]:65531", 65531);
}

static void assert_refused (const char *address, const char *words)
{
    rm_endpoint_t endpoint;
    rm_fault_t fault = {0};
    cr_assert_eq (rm_peer_address_parse (&endpoint, address, &fault), RM_EINVAL, "'%s' was read", address);
    cr_assert (strstr (fault.text, words) && strstr (fault.text, address), "%s", fault.text);
}

Test (net_peer_address, what_is_none_is_refused_in_a_sentence)
{
    static const char *const none[] = {"", "nowhere", "127.0.0.1", "127.0.0.1:", "127.0.0.1:0", "::1:5554", "a:65536"};
    for (size_t i = 0; i < sizeof none / sizeof *none; i++)
        assert_refused (none[i], "is not where a master is: write HOST:PORT with its raft port, as in 127.0.0.1:5554");
    assert_refused ("127.0.0.1:4", "has no raft port: that is a master's base port plus 4, and so 5 or more");
    assert_refused ("[::1]:1", "has no raft port");
}

Test (net_peer_address, a_master_at_any_free_port_has_none_and_one_too_far_up_cannot_be)
{
    rm_endpoint_t jobs;
    char address[RM_ENDPOINT_BYTES_MAX + 1];
    cr_assert_eq (rm_endpoint_set (&jobs, "127.0.0.1", 0, NULL), 0);
    cr_assert (rm_peer_address_write (&jobs, address, sizeof address));
    cr_assert_str_eq (address, "127.0.0.1:0");
    cr_assert_eq (rm_endpoint_set (&jobs, "127.0.0.1", 65532, NULL), 0);
    cr_assert_not (rm_peer_address_write (&jobs, address, sizeof address));
    cr_assert_eq (rm_endpoint_set (&jobs, "127.0.0.1", 5550, NULL), 0);
    cr_assert_not (rm_peer_address_write (&jobs, address, strlen ("127.0.0.1:5554"))); /* without its end */
}
