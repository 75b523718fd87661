/*  What masters say before libraft's messages: greetings and proofs from whoever can reach the port, which must not pass
 *  without the secret; and statements whose MAC is right, from a master of the cluster that has gone wrong. What is read of
 *  those is spelt again to the byte. The first byte of an input says which of them it is.
 */
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "master/raft_bytes.h"
#include "master/raft_hello.h"

enum { GREETING, PROOF, STRANGE, OURS, KINDS };
enum { AT_ADDRESS_SIZE = 88, AT_FOUNDERS_SIZE = 92, BODY_MAX = RM_RAFT_STATEMENT_BYTES_MAX - RM_RAFT_MAC_BYTES };

static const uint8_t key[RM_RAFT_KEY_BYTES] = {1, 2, 3};

/* Both nonces are zeros, and so is the MAC of the statement before: the same input does the same thing. */
static void sign (bool verdict, const uint8_t *body, size_t size, uint8_t mac[RM_RAFT_MAC_BYTES])
{
    static const uint8_t zeros[2 * RM_RAFT_NONCE_BYTES];
    crypto_generichash_state state;
    crypto_generichash_init (&state, key, sizeof key, RM_RAFT_MAC_BYTES);
    crypto_generichash_update (&state, (const uint8_t *)(verdict ? "v" : "s"), 1);
    crypto_generichash_update (&state, zeros, sizeof zeros);
    if (verdict)
        crypto_generichash_update (&state, zeros, RM_RAFT_MAC_BYTES);
    crypto_generichash_update (&state, body, size);
    crypto_generichash_final (&state, mac, RM_RAFT_MAC_BYTES);
}

static void greet (fuzz_input_t *input)
{
    rm_raft_hello_t hello;
    uint8_t greeting[RM_RAFT_GREETING_BYTES] = {0}, proof[RM_RAFT_PROOF_BYTES];
    size_t size = sizeof greeting;
    const uint8_t *bytes = fuzz_bytes (input, &size);
    if (size)
        memcpy (greeting, bytes, size);
    const char *wrong = rm_raft_hello_prove (&hello, key, greeting, proof);
    CLAIM (!wrong || *wrong);
    if (wrong)
        return;
    rm_raft_hello_t dials = {0};
    memcpy (dials.nonces[0], greeting + RM_RAFT_GREETING_BYTES - RM_RAFT_NONCE_BYTES, RM_RAFT_NONCE_BYTES);
    CLAIM (!rm_raft_hello_check (&dials, key, proof));
    proof[fuzz_below (input, sizeof proof)] ^= (uint8_t)(1 << fuzz_below (input, 8));
    CLAIM (rm_raft_hello_check (&dials, key, proof), "a changed bit does not count");
}

static void prove (fuzz_input_t *input)
{
    rm_raft_hello_t hello;
    uint8_t greeting[RM_RAFT_GREETING_BYTES], proof[RM_RAFT_PROOF_BYTES] = {0};
    size_t size = sizeof proof;
    const uint8_t *bytes = fuzz_bytes (input, &size);
    if (size)
        memcpy (proof, bytes, size);
    rm_raft_hello_greet (&hello, greeting);
    CLAIM (rm_raft_hello_check (&hello, key, proof), "nobody knows the secret");
}

/* Address and founders share what comes after the fixed part, so that changing one does not always refuse all. */
static void fit (uint8_t *bytes, size_t rest)
{
    uint32_t founders = rm_raft_get32 (bytes + AT_FOUNDERS_SIZE);
    founders = founders < rest ? founders : 0;
    rm_raft_put32 (bytes + AT_FOUNDERS_SIZE, founders);
    rm_raft_put32 (bytes + AT_ADDRESS_SIZE, (uint32_t)rest - founders);
}

static void state (fuzz_input_t *input, bool ours)
{
    static rm_raft_statement_t read;
    static uint8_t again[RM_RAFT_STATEMENT_BYTES_MAX];
    rm_raft_hello_t hello = {0};
    uint8_t how = fuzz_byte (input);
    bool verdict = how & 1;
    size_t size = BODY_MAX;
    const uint8_t *body = fuzz_bytes (input, &size);
    size_t whole = (size < RM_RAFT_STATEMENT_FIXED_BYTES ? RM_RAFT_STATEMENT_FIXED_BYTES : size) + RM_RAFT_MAC_BYTES;
    uint8_t *bytes = calloc (1, whole);
    CLAIM (bytes);
    if (size)
        memcpy (bytes, body, size);
    if (how & 2)
        fit (bytes, whole - RM_RAFT_MAC_BYTES - RM_RAFT_STATEMENT_FIXED_BYTES);
    if (ours) {
        rm_raft_put32 (bytes, (uint32_t)whole);
        sign (verdict, bytes, whole - RM_RAFT_MAC_BYTES, bytes + whole - RM_RAFT_MAC_BYTES);
    }
    const char *wrong = rm_raft_hello_read (&hello, key, verdict, bytes, whole, &read);
    CLAIM (!wrong || *wrong);
    CLAIM (wrong || ours, "nobody knows the secret");
    if (!wrong) {
        hello = (rm_raft_hello_t){0};
        CLAIM (read.facts.member.id && read.founders.count <= RM_RAFT_MEMBERS_MAX);
        CLAIM (rm_raft_hello_state (&hello, key, verdict, &read, again) == whole);
        CLAIM (!memcmp (bytes, again, whole));
    }
    free (bytes);
}

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
    fuzz_input_t input = {data, data + size};
    switch (fuzz_below (&input, KINDS)) {
    case GREETING:
        greet (&input);
        break;
    case PROOF:
        prove (&input);
        break;
    case STRANGE:
        state (&input, false);
        break;
    default:
        state (&input, true);
    }
    return 0;
}
