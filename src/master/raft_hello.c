#include "master/raft_hello.h"

#include <sodium.h>
#include <string.h>

#include "master/raft_bytes.h"

_Static_assert((size_t)RM_RAFT_KEY_BYTES == crypto_generichash_KEYBYTES, "a key of the usual size");
_Static_assert((size_t)RM_RAFT_MAC_BYTES == crypto_verify_32_BYTES, "MACs are compared with crypto_verify_32");

static const char magic[8] = "RMLEDGE";
static const char bad_secret[] = "its secret is another one";

/* Where the fields of a statement lie: its size comes first; address, founders and MAC follow. */
enum {
    AT_CODE = 4,
    AT_TO = 8,
    AT_ID = 16,
    AT_DISK = 24,
    AT_CLUSTER = 40,
    AT_GENERATION = 56,
    AT_GROUP = 64,
    AT_PEERS = 72,
    AT_FORMAT = 80,
    AT_ADDRESS_SIZE = 88,
    AT_FOUNDERS_SIZE = 92,
    AT_ADDRESS = 96
};
_Static_assert((int)AT_ADDRESS == (int)RM_RAFT_STATEMENT_FIXED_BYTES, "the address comes after what is fixed");

void rm_raft_hello_key (uint8_t key[RM_RAFT_KEY_BYTES], const void *secret, size_t size)
{
    static const char label[] = "ringmaster, between masters";
    crypto_generichash_state state;
    crypto_generichash_init (&state, NULL, 0, RM_RAFT_KEY_BYTES);
    crypto_generichash_update (&state, (const uint8_t *)label, sizeof label);
    crypto_generichash_update (&state, secret, size);
    crypto_generichash_final (&state, key, RM_RAFT_KEY_BYTES);
}

/* The MAC of the label, the nonces, and up to two pieces. */
static void make_mac (const rm_raft_hello_t *self, const uint8_t *key, char label, const uint8_t *before,
                      size_t before_size, const uint8_t *bytes, size_t size, uint8_t mac[RM_RAFT_MAC_BYTES])
{
    crypto_generichash_state state;
    crypto_generichash_init (&state, key, RM_RAFT_KEY_BYTES, RM_RAFT_MAC_BYTES);
    crypto_generichash_update (&state, (const uint8_t *)&label, 1);
    crypto_generichash_update (&state, self->nonces[0], sizeof self->nonces);
    crypto_generichash_update (&state, before, before_size);
    crypto_generichash_update (&state, bytes, size);
    crypto_generichash_final (&state, mac, RM_RAFT_MAC_BYTES);
}

static void greet (uint8_t *bytes, uint8_t nonce[RM_RAFT_NONCE_BYTES])
{
    randombytes_buf (nonce, RM_RAFT_NONCE_BYTES);
    memcpy (bytes, magic, sizeof magic);
    rm_raft_put32 (bytes + 8, RM_RAFT_HELLO_VERSION);
    memcpy (bytes + 12, nonce, RM_RAFT_NONCE_BYTES);
}

static const char *read_greeting (const uint8_t *bytes, uint8_t nonce[RM_RAFT_NONCE_BYTES])
{
    if (memcmp (bytes, magic, sizeof magic) != 0)
        return "it is no master";
    if (rm_raft_get32 (bytes + 8) != RM_RAFT_HELLO_VERSION)
        return "it speaks another version of the masters' protocol";
    memcpy (nonce, bytes + 12, RM_RAFT_NONCE_BYTES);
    return NULL;
}

void rm_raft_hello_greet (rm_raft_hello_t *self, uint8_t greeting[RM_RAFT_GREETING_BYTES])
{
    *self = (rm_raft_hello_t){0};
    greet (greeting, self->nonces[0]);
}

const char *rm_raft_hello_prove (rm_raft_hello_t *self, const uint8_t *key,
                                 const uint8_t greeting[RM_RAFT_GREETING_BYTES], uint8_t proof[RM_RAFT_PROOF_BYTES])
{
    *self = (rm_raft_hello_t){0};
    const char *wrong = read_greeting (greeting, self->nonces[0]);
    if (wrong)
        return wrong;
    greet (proof, self->nonces[1]);
    make_mac (self, key, 'p', NULL, 0, NULL, 0, proof + RM_RAFT_GREETING_BYTES);
    return NULL;
}

const char *rm_raft_hello_check (rm_raft_hello_t *self, const uint8_t *key, const uint8_t proof[RM_RAFT_PROOF_BYTES])
{
    uint8_t mac[RM_RAFT_MAC_BYTES];
    const char *wrong = read_greeting (proof, self->nonces[1]);
    if (wrong)
        return wrong;
    make_mac (self, key, 'p', NULL, 0, NULL, 0, mac);
    return crypto_verify_32 (mac, proof + RM_RAFT_GREETING_BYTES) == 0 ? NULL : bad_secret;
}

size_t rm_raft_hello_state (rm_raft_hello_t *self, const uint8_t *key, bool verdict,
                            const rm_raft_statement_t *statement, uint8_t *bytes)
{
    const rm_raft_facts_t *facts = &statement->facts;
    size_t address = strlen (facts->member.address);
    size_t founders =
        statement->founders.count ? rm_raft_roster_put (&statement->founders, bytes + AT_ADDRESS + address) : 0;
    size_t size = AT_ADDRESS + address + founders;
    rm_raft_put32 (bytes, size + RM_RAFT_MAC_BYTES);
    rm_raft_put32 (bytes + AT_CODE, statement->code);
    rm_raft_put64 (bytes + AT_TO, statement->to);
    rm_raft_put64 (bytes + AT_ID, facts->member.id);
    memcpy (bytes + AT_DISK, facts->member.disk, RM_RAFT_DISK_BYTES);
    memcpy (bytes + AT_CLUSTER, facts->cluster, RM_RAFT_DISK_BYTES);
    rm_raft_put64 (bytes + AT_GENERATION, facts->generation);
    rm_raft_put64 (bytes + AT_GROUP, facts->group_index);
    rm_raft_put64 (bytes + AT_PEERS, facts->peers_hash);
    rm_raft_put64 (bytes + AT_FORMAT, facts->format);
    rm_raft_put32 (bytes + AT_ADDRESS_SIZE, address);
    rm_raft_put32 (bytes + AT_FOUNDERS_SIZE, founders);
    memcpy (bytes + AT_ADDRESS, facts->member.address, address);
    uint8_t *mac = bytes + size;
    if (verdict)
        make_mac (self, key, 'v', self->mac, sizeof self->mac, bytes, size, mac);
    else {
        make_mac (self, key, 's', NULL, 0, bytes, size, mac);
        memcpy (self->mac, mac, sizeof self->mac);
    }
    return size + RM_RAFT_MAC_BYTES;
}

size_t rm_raft_hello_size (const uint8_t bytes[4])
{
    uint32_t size = rm_raft_get32 (bytes);
    return size >= RM_RAFT_STATEMENT_FIXED_BYTES + RM_RAFT_MAC_BYTES && size <= RM_RAFT_STATEMENT_BYTES_MAX ? size : 0;
}

/* What is in a statement whose MAC is right: from a master of the cluster, be it a broken one. */
static bool decode (const uint8_t *bytes, size_t size, rm_raft_statement_t *statement)
{
    rm_raft_facts_t *facts = &statement->facts;
    char host[RM_RAFT_ADDRESS_BYTES_MAX + 1], port[6];
    uint32_t address = rm_raft_get32 (bytes + AT_ADDRESS_SIZE), founders = rm_raft_get32 (bytes + AT_FOUNDERS_SIZE);
    if (address > RM_RAFT_ADDRESS_BYTES_MAX || founders > RM_RAFT_ROSTER_BYTES_MAX ||
        size != AT_ADDRESS + address + founders)
        return false;
    *statement = (rm_raft_statement_t){.code = rm_raft_get32 (bytes + AT_CODE), .to = rm_raft_get64 (bytes + AT_TO)};
    facts->member.id = rm_raft_get64 (bytes + AT_ID);
    memcpy (facts->member.disk, bytes + AT_DISK, RM_RAFT_DISK_BYTES);
    memcpy (facts->member.address, bytes + AT_ADDRESS, address);
    memcpy (facts->cluster, bytes + AT_CLUSTER, RM_RAFT_DISK_BYTES);
    facts->generation = rm_raft_get64 (bytes + AT_GENERATION);
    facts->group_index = rm_raft_get64 (bytes + AT_GROUP);
    facts->peers_hash = rm_raft_get64 (bytes + AT_PEERS);
    facts->format = rm_raft_get64 (bytes + AT_FORMAT);
    return facts->member.id != 0 && strlen (facts->member.address) == address &&
           rm_raft_address_split (facts->member.address, host, port) &&
           (!founders || rm_raft_roster_get (&statement->founders, bytes + AT_ADDRESS + address, founders));
}

const char *rm_raft_hello_read (rm_raft_hello_t *self, const uint8_t *key, bool verdict, const uint8_t *bytes,
                                size_t size, rm_raft_statement_t *statement)
{
    uint8_t mac[RM_RAFT_MAC_BYTES];
    if (size < 4 || rm_raft_hello_size (bytes) != size)
        return "it does not say how long its statement is";
    size -= RM_RAFT_MAC_BYTES;
    make_mac (self, key, verdict ? 'v' : 's', self->mac, verdict ? sizeof self->mac : 0, bytes, size, mac);
    if (crypto_verify_32 (mac, bytes + size) != 0)
        return bad_secret;
    if (!verdict)
        memcpy (self->mac, mac, sizeof self->mac);
    return decode (bytes, size, statement) ? NULL : "its statement cannot be read";
}
