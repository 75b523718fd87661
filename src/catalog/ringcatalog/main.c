/*  ringcatalog: the name server. */
#include <signal.h>
#include <stdio.h>

#include "catalog/server/server.h"
#include "net/options.h"
#include "net/streams.h"

enum { PORT = 9097, RECORDS = 20000, LIFETIME_S = 15 * 60, PER_S = 500, MIB = 1 << 20, BYTES_MIB = 32 };

int main (int argc, char **argv)
{
    rm_catalog_config_t config = {.bind = "127.0.0.1"};
    int64_t port = PORT, records = RECORDS, mib = BYTES_MIB, lifetime_s = LIFETIME_S, per_s = PER_S;
    const rm_option_t options[] = {
        RM_SECTION ("Options"),
        RM_TEXT (0, "bind", "HOST", "address to listen on (127.0.0.1; 0.0.0.0: all of this machine's)", &config.bind),
        RM_NUMBER ('p', "port", "N", 0, 65534,
                   "UDP updates and HTTP (9097); TCP updates are on the next one;\n0 takes free ones", &port),
        RM_TEXT ('d', "data", "DIR",
                 "keep the records there, so that a restart knows them; made if\nit is not there (they are not kept)",
                 &config.data),
        RM_NUMBER (0, "lifetime", "S", 1, 86400,
                   "forget a service after so many seconds (900); its own `lifetime`\n"
                   "may only be shorter",
                   &lifetime_s),
        RM_SECTION ("Limits (what is beyond them is refused)"),
        RM_NUMBER (0, "max-records", "N", 2, 1000000, "records (20000); half of them of one address", &records),
        RM_NUMBER (0, "max-mib", "N", 4, 1024, "MiB of memory that they take (32); half of them of one address", &mib),
        RM_NUMBER (0, "max-rate", "N", 1, 1000000, "updates a second of one address (500)", &per_s),
        RM_OPTIONS_END,
    };
    const rm_program_t program = {
        .self = {.name = "ringcatalog",
                 .about =
                     "A name server: services say every minute where they are, and whoever looks for one asks here\n"
                     "(the protocol of the Notre Dame catalog server). Prints \"ready catalog=HOST:PORT ...\".",
                 .options = options,
                 .examples = "  ringcatalog --bind 0.0.0.0 --data /var/lib/ringcatalog\n"
                             "  ringcatalog --port 0                   # free ports; `ready ...` says which\n"
                             "  echo '{\"type\":\"test\",\"project\":\"p\",\"port\":1234}' >/dev/udp/127.0.0.1/9097\n"
                             "  curl http://127.0.0.1:9097/query.json"},
        .version = RM_VERSION,
    };
    rm_parsed_t parsed;
    int code;
    rm_streams_open ();
    if (!rm_options_parse (&parsed, &program, argc, argv, &code))
        return code;
    config.port = (unsigned)port;
    config.per_s = (uint32_t)per_s;
    config.limits = (rm_services_limits_t){(uint32_t)records, (uint64_t)mib * MIB, (uint32_t)lifetime_s};
    signal (SIGPIPE, SIG_IGN);
    rm_catalog_server_t *server = rm_catalog_server_new (&config);
    if (!server) {
        fprintf (stderr, "ringcatalog: memory ran out\n");
        return 1;
    }
    code = rm_catalog_server_run (server);
    rm_catalog_server_destroy (&server);
    return code;
}
