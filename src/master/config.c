#include "master/config.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "master/raft_ledger.h"
#include "net/endpoint.h"
#include "net/options.h"
#include "net/peer_address.h"
#include "ringmaster/catalog.h"

enum {
    RM_PORTS = 5,
    RM_PORT_MAX = 65535 - RM_PORTS + 1,
    RM_TAKEOVER_MS = 2 * RM_LEDGER_ELECTION_MS /* by then a former leader has stopped renewing leases */
};

/* What was said of the group, as text. */
typedef struct {
    const char *peers, *secret, *bind;
    int64_t port;
} said_t;

typedef struct {
    int64_t jobs, bytes, client_jobs, client_bytes, queue_jobs, queue_bytes, payload, result, keep_ms, session_ttl_ms;
} limits_t;

static void limits_from (limits_t *limits, const rm_leader_config_t *config)
{
    *limits = (limits_t){(int64_t)config->jobs_max,
                         (int64_t)config->bytes_max,
                         (int64_t)config->client_jobs_max,
                         (int64_t)config->client_bytes_max,
                         (int64_t)config->queue_jobs_max,
                         (int64_t)config->queue_bytes_max,
                         config->payload_bytes_max,
                         config->result_bytes_max,
                         config->keep_ms,
                         config->session_ttl_ms};
}

static void limits_to (const limits_t *limits, rm_leader_config_t *config)
{
    config->jobs_max = (uint64_t)limits->jobs;
    config->bytes_max = (uint64_t)limits->bytes;
    config->client_jobs_max = (uint64_t)limits->client_jobs;
    config->client_bytes_max = (uint64_t)limits->client_bytes;
    config->queue_jobs_max = (uint64_t)limits->queue_jobs;
    config->queue_bytes_max = (uint64_t)limits->queue_bytes;
    config->payload_bytes_max = (uint32_t)limits->payload;
    config->result_bytes_max = (uint32_t)limits->result;
    config->keep_ms = (uint32_t)limits->keep_ms;
    config->session_ttl_ms = (uint32_t)limits->session_ttl_ms;
}

/* Reads the file with the group's secret: its bytes, without the white space at its end. */
static int read_secret (rm_master_config_t *config, const char *path, rm_fault_t *fault)
{
    FILE *file = fopen (path, "re");
    if (!file)
        return rm_fault (fault, RM_EINVAL, "--secret %.100s cannot be read: %s", path, strerror (errno));
    config->secret_bytes = fread (config->secret, 1, sizeof config->secret, file);
    bool whole = !ferror (file) && fgetc (file) == EOF;
    fclose (file);
    while (config->secret_bytes && isspace (config->secret[config->secret_bytes - 1]))
        config->secret_bytes--;
    if (!whole)
        return rm_fault (fault, RM_EINVAL, "--secret %.100s is longer than %zu bytes", path, sizeof config->secret);
    if (config->secret_bytes < RM_LEDGER_SECRET_BYTES_MIN)
        return rm_fault (
            fault, RM_EINVAL,
            "--secret %.100s has %zu bytes, and needs %d: head -c 32 /dev/urandom | base64 makes good ones", path,
            config->secret_bytes, RM_LEDGER_SECRET_BYTES_MIN);
    return 0;
}

/* --port is not what follows from --peers; `own` is this master there. */
static int refuse_port (const rm_program_t *program, const rm_master_config_t *config, const rm_endpoint_t *own,
                        int64_t port)
{
    char is[RM_LEDGER_ADDRESS_BYTES] = "", has_to_be[sizeof is] = "";
    rm_endpoint_t here;
    long long id = config->id;
    rm_peer_address_write (own, is, sizeof is);
    if (!port)
        return rm_options_refuse (program, NULL,
                                  "--port 0 takes free ports, and %lld=%s in --peers is where others look for this "
                                  "master: leave --port out",
                                  id, is);
    if (!rm_endpoint_set (&here, own->host, (unsigned)port, NULL))
        rm_peer_address_write (&here, has_to_be, sizeof has_to_be);
    return rm_options_refuse (program, NULL,
                              "--port %lld needs %lld=%s in --peers, not %lld=%s: --peers has the raft port of each "
                              "master, that is its base plus %d",
                              (long long)port, id, has_to_be, id, is, RM_PEER_RAFT_PORT);
}

/* Finds this master among its peers: where it listens, if that was not said otherwise. */
static int find_self (const rm_program_t *program, rm_master_config_t *config, const said_t *said)
{
    const rm_endpoint_t *own = rm_peers_find (&config->peers, (uint64_t)config->id);
    if (!config->id)
        return rm_options_refuse (program, NULL, "--peers needs --id N: which of them this master is");
    if (!own)
        return rm_options_refuse (program, NULL, "--peers does not name master %lld, which --id says this one is",
                                  (long long)config->id);
    if (said->port >= 0 && said->port != own->port)
        return refuse_port (program, config, own, said->port);
    config->port = own->port;
    if (!said->bind)
        config->bind = own->host;
    for (uint32_t i = 0; i < config->peers.count; i++)
        if (!config->secret_bytes && !rm_endpoint_is_loopback (&config->peers.endpoints[i]))
            return rm_options_refuse (program, NULL,
                                      "%s is not on this machine: masters of several machines need one --secret FILE",
                                      config->peers.endpoints[i].host);
    config->leader.takeover_ms = RM_TAKEOVER_MS;
    return 0;
}

/* Which group this master belongs to. */
static int read_group (const rm_program_t *program, rm_master_config_t *config, const said_t *said)
{
    rm_fault_t fault = {0};
    if (said->bind)
        config->bind = said->bind;
    if (said->port >= 0)
        config->port = said->port;
    if ((said->peers && rm_peers_parse (&config->peers, said->peers, &fault)) ||
        (said->secret && read_secret (config, said->secret, &fault)))
        return rm_options_refuse (program, NULL, "%s", fault.text);
    if (said->peers)
        return find_self (program, config, said);
    if (said->secret)
        return rm_options_refuse (program, NULL, "--secret needs --peers, which has the addresses of all masters");
    if (config->id)
        return rm_options_refuse (program, NULL, "--id needs --peers, which has the addresses of all masters");
    config->id = 1;
    return 0;
}

static int check (const rm_program_t *program, const rm_master_config_t *config)
{
    rm_endpoint_t endpoint;
    rm_fault_t fault = {0};
    char why[sizeof fault.text];
    if (config->project && rm_catalog_check (config->catalog, why, sizeof why))
        return rm_options_refuse (program, NULL, "%s", why);
    if (config->catalog && !config->project)
        return rm_options_refuse (program, NULL, "--catalog needs --project NAME: what to be found by there");
    if ((!config->data || !*config->data) && !config->list_failpoints)
        return rm_options_refuse (program, NULL, "--data DIR is needed: where the ledger is kept");
    if (config->restore && config->repair)
        return rm_options_refuse (program, NULL,
                                  "--restore makes a new ledger, and --repair mends an old one: say one");
    if (rm_endpoint_set (&endpoint, config->bind, (unsigned)config->port, &fault))
        return rm_options_refuse (program, NULL, "%s", fault.text);
    if (!rm_endpoint_is_loopback (&endpoint) && !config->insecure)
        return rm_options_refuse (program, NULL,
                                  "--bind %s would let anyone on the network in, without a key: "
                                  "bind to 127.0.0.1, or say --insecure",
                                  config->bind);
    return 0;
}

void rm_master_config_address (const rm_master_config_t *config, char *address, size_t size)
{
    const rm_endpoint_t *own = rm_peers_find (&config->peers, (uint64_t)config->id);
    rm_endpoint_t here = {0};
    if (!own && !rm_endpoint_set (&here, config->bind, (unsigned)config->port, NULL))
        own = &here;
    if (!own || !rm_peer_address_write (own, address, size))
        *address = 0;
}

/* Tests cannot wait for as long as clients rely on, nor write as much as lies between two comparisons. */
static void shorten (rm_master_config_t *config)
{
    const char *ttl = getenv ("RM_TEST_SESSION_TTL_MS"), *digest = getenv ("RM_TEST_DIGEST_BYTES"),
               *format = getenv ("RM_TEST_FORMAT_MAX");
    if (ttl)
        config->leader.session_ttl_ms = (uint32_t)strtoul (ttl, NULL, 10);
    if (digest)
        config->digest_bytes = strtoul (digest, NULL, 10);
    if (format)
        config->format_max = strtoul (format, NULL, 10);
}

bool rm_master_config_parse (rm_master_config_t *config, int argc, char **argv, int *exit_code)
{
    *config = (rm_master_config_t){.bind = "127.0.0.1", .port = 5550, .leader = rm_leader_defaults ()};
    config->snapshot_bytes = 64 << 20;
    limits_t limits;
    said_t said = {.port = -1};
    limits_from (&limits, &config->leader);
    const rm_option_t options[] = {
        RM_SECTION ("Options"),
        RM_TEXT ('d', "data", "DIR", "where the ledger is kept; made if it is not there", &config->data),
        RM_TEXT (0, "bind", "HOST", "address to listen on (127.0.0.1; in a group, the one\nin --peers)", &said.bind),
        RM_NUMBER (
            'p', "port", "BASE", 0, RM_PORT_MAX,
            "jobs socket (5550); the four ports behind it are those of\nwork, sync, http and, in a group, raft; 0 "
            "takes free ones",
            &said.port),
        RM_FLAG (0, "insecure", "let --bind be more than loopback although there are no keys", &config->insecure),
        RM_FLAG (0, "repair", "take what can be read of a damaged ledger for the truth,\nsay what was lost, and leave",
                 &config->repair),
        RM_TEXT (0, "restore", "FILE",
                 "begin anew with a backup, in an empty --data: the jobs and\noutcomes in it, without its workers and "
                 "clients",
                 &config->restore),
        RM_SECTION ("A group of masters (docs/operations.md)"),
        RM_NUMBER (0, "id", "N", 1, UINT32_MAX, "which of the masters this one is", &config->id),
        RM_TEXT (
            0, "peers", "1=HOST:PORT,...",
            "the raft ports (BASE + 4) of all of them, the same list for\neach; what it has for this one says BASE",
            &said.peers),
        RM_TEXT (0, "secret", "FILE", "what all of them know, and nobody else; needed unless\nall are on this machine",
                 &said.secret),
        RM_SECTION ("A name to be found by (docs/catalog.md)"),
        RM_TEXT (0, "project", "NAME", "say every minute at a catalog that it is a master of this\nproject",
                 &config->project),
        RM_TEXT (0, "catalog", "HOST[:PORT],...", "where ($CATALOG_HOST; port 9097)", &config->catalog),
        RM_SECTION ("Limits (a full master answers `busy`)"),
        RM_NUMBER (0, "max-jobs", "N", 1, INT64_MAX, "jobs that have not ended (1000000)", &limits.jobs),
        RM_NUMBER (0, "max-bytes", "N", 1, INT64_MAX, "bytes of their payloads (1 GiB)", &limits.bytes),
        RM_NUMBER (0, "max-client-jobs", "N", 1, INT64_MAX, "jobs of one client (500000)", &limits.client_jobs),
        RM_NUMBER (0, "max-client-bytes", "N", 1, INT64_MAX, "bytes of one client (512 MiB)", &limits.client_bytes),
        RM_NUMBER (0, "max-queue-jobs", "N", 1, INT64_MAX, "jobs of one queue (1000000)", &limits.queue_jobs),
        RM_NUMBER (0, "max-queue-bytes", "N", 1, INT64_MAX, "bytes of one queue (1 GiB)", &limits.queue_bytes),
        RM_NUMBER (0, "max-payload", "BYTES", 1, RM_PAYLOAD_BYTES_CEILING, "of one job (1 MiB)", &limits.payload),
        RM_NUMBER (0, "max-result", "BYTES", 1, RM_PAYLOAD_BYTES_CEILING, "of one job (1 MiB)", &limits.result),
        RM_NUMBER (0, "keep", "MS", 1000, RM_KEEP_MS, "no outcome is kept for longer (900000)", &limits.keep_ms),
        RM_NUMBER (0, "session-ttl", "MS", RM_SESSION_TTL_MS, RM_SESSION_TTL_MS_MAX,
                   "a client unheard of for so long is forgotten (900000)", &limits.session_ttl_ms),
        RM_NUMBER (0, "snapshot-bytes", "N", 1 << 16, INT64_MAX, "of log between two snapshots (64 MiB)",
                   &config->snapshot_bytes),
        RM_SECTION ("Testing"),
        RM_FLAG (0, "list-failpoints", "print the places RM_FAILPOINTS knows, one a line", &config->list_failpoints),
        RM_OPTIONS_END,
    };
    const rm_program_t program = {
        .self = {.name = "ringmaster",
                 .about = "Keeps every job in a ledger on the disk and deals keyed jobs to workers by a ring.",
                 .options = options,
                 .examples =
                     "  ringmaster --data /var/lib/ringmaster\n"
                     "  ringmaster --data ./data --port 0      # free ports; `ready …` says which\n"
                     "  ringmaster --data ./data --port 0 --project thumbs --catalog names.example\n"
                     "  ringmaster --restore ring.backup --data ./new\n"
                     "  ringmaster --data m1 --id 1 --peers 1=localhost:5554,2=localhost:6554,3=localhost:7554\n"
                     "  RM_FAILPOINTS=master.send.sync2.after=kill ringmaster --data ./data"},
        .version = RM_VERSION,
    };
    rm_parsed_t parsed;
    if (!rm_options_parse (&parsed, &program, argc, argv, exit_code))
        return false;
    limits_to (&limits, &config->leader);
    shorten (config);
    *exit_code = read_group (&program, config, &said);
    if (!*exit_code)
        *exit_code = check (&program, config);
    return *exit_code == 0;
}
