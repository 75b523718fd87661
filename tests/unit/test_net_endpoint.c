#include "net/endpoint.h"

#include <criterion/criterion.h>
#include <string.h>

#include "ringmaster/error.h"

static void assert_reads (const char *text, const char *canonical, const char *host, unsigned port)
{
    rm_endpoint_t endpoint;
    rm_fault_t fault = {0};
    cr_assert_eq (rm_endpoint_parse (&endpoint, text, &fault), 0, "%s: %s", text, fault.text);
    cr_assert_str_eq (endpoint.text, canonical);
    cr_assert_str_eq (endpoint.host, host);
    cr_assert_eq (endpoint.port, port);
}

Test (net_endpoint, it_is_read_with_or_without_its_scheme)
{
    assert_reads ("tcp://127.0.0.1:5550", "tcp://127.0.0.1:5550", "127.0.0.1", 5550);
    assert_reads ("127.0.0.1:1", "tcp://127.0.0.1:1", "127.0.0.1", 1);
    assert_reads ("my-host.example_1:65535", "tcp://my-host.example_1:65535", "my-host.example_1", 65535);
    assert_reads ("[::1]:5550", "tcp://[::1]:5550", "::1", 5550);
    assert_reads ("tcp://[2001:db8::7]:80", "tcp://[2001:db8::7]:80", "2001:db8::7", 80);
}

Test (net_endpoint, a_bad_one_is_a_sentence_that_shows_it)
{
    static const char *const bad[] = {
        "",         "x",        ":5550",     "host:",     "host:0",          "host:65536", "host:5550x",
        "host: 80", "ho st:80", "tcp://",    "udp://a:1", "tcp://tcp://a:1", "host:-1",    "host:+1",
        "::1:5550", "[::1]",    "[host]:80", "[::1:80",   "::1]:80",         "-host:80",   "host:000080",
        "*:80",     "a/b:80",   "a;b:80",    "[]:80",     "[:::1]:80",       "tcp://:80",  "ipc:///tmp/x"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        rm_endpoint_t endpoint;
        rm_fault_t fault = {0};
        cr_assert_eq (rm_endpoint_parse (&endpoint, bad[i], &fault), RM_EINVAL, "'%s' was read", bad[i]);
        cr_assert_eq (fault.error, RM_EINVAL);
        cr_assert (strstr (fault.text, bad[i]), "%s", fault.text);
        cr_assert (strstr (fault.text, "is not an endpoint: write host:port"), "%s", fault.text);
    }
}

Test (net_endpoint, a_host_that_is_too_long_is_refused)
{
    char text[1000];
    for (size_t size = 200; size < 900; size++) {
        memset (text, 'a', size);
        strcpy (text + size, ":80");
        rm_endpoint_t endpoint;
        rm_fault_t fault = {0};
        int rc = rm_endpoint_parse (&endpoint, text, &fault);
        cr_assert_eq (rc, size + strlen ("tcp://:80") <= RM_ENDPOINT_BYTES_MAX ? 0 : RM_EINVAL, "%zu: %d", size, rc);
    }
}

Test (net_endpoint, a_list_is_separated_by_commas)
{
    rm_endpoint_t list[RM_ENDPOINTS_MAX];
    rm_fault_t fault = {0};
    cr_assert_eq (rm_endpoint_parse_list (list, "a:1,tcp://b:2,[::1]:3", &fault), 3);
    cr_assert_str_eq (list[0].text, "tcp://a:1");
    cr_assert_str_eq (list[1].text, "tcp://b:2");
    cr_assert_str_eq (list[2].text, "tcp://[::1]:3");
    cr_assert_eq (rm_endpoint_parse_list (list, "a:1,", &fault), RM_EINVAL);
    cr_assert_eq (rm_endpoint_parse_list (list, ",a:1", &fault), RM_EINVAL);
    cr_assert_eq (rm_endpoint_parse_list (list, "a:1,,b:2", &fault), RM_EINVAL);
    cr_assert_eq (rm_endpoint_parse_list (list, "a:1, b:2", &fault), RM_EINVAL);
    cr_assert_eq (rm_endpoint_parse_list (list, "", &fault), RM_EINVAL);
    cr_assert_eq (
        rm_endpoint_parse_list (list, "a:1,a:1,a:1,a:1,a:1,a:1,a:1,a:1,a:1,a:1,a:1,a:1,a:1,a:1,a:1,a:1", NULL), 16);
    cr_assert_eq (
        rm_endpoint_parse_list (list, "a:1,a:1,a:1,a:1,a:1,a:1,a:1,a:1,a:1,a:1,a:1,a:1,a:1,a:1,a:1,a:1,a:1", &fault),
        RM_EINVAL);
    cr_assert_str_eq (fault.text, "more than 16 endpoints in a list");
}

Test (net_endpoint, a_list_that_has_to_be_there_has_its_texts_beside_it)
{
    static rm_endpoints_t list;
    cr_assert (rm_endpoints_parse (&list, "a:1,b:2"));
    cr_assert_eq (list.count, 2);
    cr_assert_str_eq (list.texts[0], "tcp://a:1");
    cr_assert_str_eq (list.texts[1], "tcp://b:2");
    cr_assert_not (rm_endpoints_parse (&list, "a:1,"));
    cr_assert_eq (list.count, 0);
    cr_assert_not (rm_endpoints_parse (&list, NULL));
}

static bool is_loopback (const char *host)
{
    rm_endpoint_t endpoint;
    cr_assert_eq (rm_endpoint_set (&endpoint, host, 0, NULL), 0);
    return rm_endpoint_is_loopback (&endpoint);
}

Test (net_endpoint, only_loopback_is_loopback)
{
    cr_assert (is_loopback ("127.0.0.1") && is_loopback ("127.9.9.9") && is_loopback ("::1") &&
               is_loopback ("localhost"));
    cr_assert_not (is_loopback ("0.0.0.0") || is_loopback ("::") || is_loopback ("128.0.0.1") ||
                   is_loopback ("localhost.example") || is_loopback ("0") || is_loopback ("2001:db8::1"));
}

Test (net_endpoint, a_name_is_resolved_and_an_address_stays)
{
    rm_endpoint_t endpoint;
    rm_fault_t fault = {0};
    rm_endpoint_set (&endpoint, "localhost", 7, NULL);
    cr_assert_eq (rm_endpoint_resolve (&endpoint, &fault), 0, "%s", fault.text);
    cr_assert_str_eq (endpoint.text, "tcp://127.0.0.1:7");
    rm_endpoint_set (&endpoint, "::1", 7, NULL);
    cr_assert_eq (rm_endpoint_resolve (&endpoint, &fault), 0, "%s", fault.text);
    cr_assert_str_eq (endpoint.text, "tcp://[::1]:7");
    cr_assert (rm_endpoint_is_ipv6 (&endpoint));
}

Test (net_endpoint, only_a_wildcard_is_replaced)
{
    rm_endpoint_t endpoint;
    rm_endpoint_set (&endpoint, "127.0.0.5", 7, NULL);
    rm_endpoint_advertise (&endpoint);
    cr_assert_str_eq (endpoint.text, "tcp://127.0.0.5:7");
    static const char *const wildcards[] = {"0.0.0.0", "::"};
    for (int i = 0; i < 2; i++) {
        rm_endpoint_set (&endpoint, wildcards[i], 7, NULL);
        rm_endpoint_advertise (&endpoint);
        cr_assert_str_neq (endpoint.host, wildcards[i]);
        cr_assert_eq (rm_endpoint_is_ipv6 (&endpoint), i == 1);
        cr_assert_eq (endpoint.port, 7);
    }
}
