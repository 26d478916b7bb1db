/* Retry keys: UUIDs as text, by name (version 5) or by chance (version 4). */
#include "line/retry_key.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "line/digest.h"

/* moonline's own namespace, drawn once: c5e2990a-f1c0-4359-981f-7c76f9cd6339. Never to change: a message sent before an
 * update and repeated after it would be a new message to LINE. */
static const unsigned char namespace[16] = {0xc5, 0xe2, 0x99, 0x0a, 0xf1, 0xc0, 0x43, 0x59,
                                            0x98, 0x1f, 0x7c, 0x76, 0xf9, 0xcd, 0x63, 0x39};

/* Stamp version and variant into the 16 bytes and write them as 8-4-4-4-12. */
static void write_uuid(unsigned char bytes[16], unsigned version, char ret[RETRY_KEY_SIZE])
{
    static const char hex[] = "0123456789abcdef";
    char *out = ret;
    bytes[6] = (unsigned char)((bytes[6] & 0x0F) | version << 4);
    bytes[8] = (unsigned char)((bytes[8] & 0x3F) | 0x80);
    for (int i = 0; i < 16; i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10)
            *out++ = '-';
        *out++ = hex[bytes[i] >> 4];
        *out++ = hex[bytes[i] & 15];
    }
    *out = 0;
}

static char *add(char *to, struct str s)
{
    if (s.n)
        memcpy(to, s.p, s.n);
    return to + s.n;
}

void retry_key_make(struct str channel, struct str event_id, struct str call, char ret[RETRY_KEY_SIZE])
{
    unsigned char sum[DIGEST_SHA1];
    char small[256], *big = NULL, *name = small; /* real names have about 100 bytes */
    size_t n = sizeof namespace + channel.n + 1 + event_id.n + 1 + call.n;
    if (n > sizeof small)
        name = big = mem_alloc(n);
    char *p = add(name, (struct str){(const char *)namespace, sizeof namespace});
    p = add(p, channel);
    *p++ = '/';
    p = add(p, event_id);
    *p++ = '/';
    add(p, call);
    digest_sha1(name, n, sum);
    free(big);
    write_uuid(sum, 5, ret); /* the first 16 of the 20 bytes */
}

void retry_key_random(char ret[RETRY_KEY_SIZE])
{
    unsigned char bytes[16];
    digest_random(bytes, sizeof bytes);
    write_uuid(bytes, 4, ret);
}
