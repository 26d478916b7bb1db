/* The module crypto: digests, signatures, random bytes, and the texts that bytes travel in.
 *
 *     local crypto = require "crypto"
 *     local good = crypto.equal(crypto.hmac_sha256(secret, body, "base64"), signature)
 *
 *     crypto.sha256(data[, form])             SHA-256 of a string; form is "hex" (unless given), "base64" or "raw" bytes
 *     crypto.sha1(data[, form])               SHA-1 likewise: for what asks for it; it protects nothing any more
 *     crypto.hmac_sha256(key, data[, form])   HMAC-SHA256 likewise, as LINE signs webhooks
 *     crypto.base64(data)                     Base64 of a string
 *     crypto.from_base64(text)                the bytes, or nil when it is none; padding may be missing
 *     crypto.base64url(data)                  the alphabet for addresses and JSON Web Tokens, without padding
 *     crypto.from_base64url(text)             the bytes, or nil when it is none
 *     crypto.hex(data)                        two digits a byte, in small letters
 *     crypto.random(n)                        n bytes that nobody can guess, 65536 at most
 *     crypto.uuid()                           a random UUID (version 4)
 *     crypto.equal(a, b)                      whether two strings are the same, in a time that does not tell where they differ
 *     crypto.verify_rs256(jwk, data, signature)   whether the owner of the RSA key signed data: jwk is a table with n and e,
 *                                             signature the raw bytes
 *
 * None of them waits. What is no string is refused, a number too: which of its texts was meant? */
#include <stdlib.h>
#include <string.h>

#include "base/base64.h"
#include "bindings/call.h"
#include "bindings/lua_api.h"
#include "bindings/lua_modules.h"
#include "line/digest.h"
#include "line/jwt.h"
#include "line/retry_key.h"

#define RANDOM_MOST 65536

/* Each function has its name as the upvalue. */
static LJMP const char *name_of(lua_State *L) { return lua_tostring(L, lua_upvalueindex(1)); }

static LJMP struct str bytes_at(lua_State *L, int idx, const char *what)
{
    struct str s = {NULL, 0};
    if (lua_type(L, idx) != LUA_TSTRING)
        call_misuse(L, "crypto.%s: %s must be a string, not %s", name_of(L), what, luaL_typename(L, idx));
    s.p = lua_tolstring(L, idx, &s.n);
    return s;
}

static LJMP void push_hex(lua_State *L, const unsigned char *p, size_t n)
{
    luaL_Buffer b;
    char *to = luaL_buffinitsize(L, &b, 2 * n);
    for (size_t i = 0; i < n; i++) {
        to[2 * i] = "0123456789abcdef"[p[i] >> 4];
        to[2 * i + 1] = "0123456789abcdef"[p[i] & 15];
    }
    luaL_pushresultsize(&b, 2 * n);
}

static LJMP void push_base64(lua_State *L, const void *p, size_t n, enum base64 kind)
{
    luaL_Buffer b;
    char *to = luaL_buffinitsize(L, &b, BASE64_ROOM(n));
    luaL_pushresultsize(&b, base64_write(to, p, n, kind));
}

enum form { HEX, TEXT, RAW };

/* Read before anything is computed, so that a wrong one costs nothing. */
static LJMP enum form form_at(lua_State *L, int idx)
{
    static const char *const names[] = {[HEX] = "hex", [TEXT] = "base64", [RAW] = "raw"};
    if (lua_isnoneornil(L, idx)) return HEX;
    const char *name = lua_type(L, idx) == LUA_TSTRING ? lua_tostring(L, idx) : "";
    for (int i = HEX; i <= RAW; i++)
        if (strcmp(names[i], name) == 0) return (enum form)i;
    call_misuse(L, "crypto.%s: the form is \"hex\", \"base64\" or \"raw\"", name_of(L));
    return HEX;
}

static LJMP int push_form(lua_State *L, const unsigned char *sum, size_t n, enum form form)
{
    if (form == RAW) lua_pushlstring(L, (const char *)sum, n);
    else if (form == TEXT) push_base64(L, sum, n, BASE64);
    else push_hex(L, sum, n);
    return 1;
}

static int crypto_sha256(lua_State *L)
{
    unsigned char sum[DIGEST_SHA256];
    struct str data = bytes_at(L, 1, "the data");
    enum form form = form_at(L, 2);
    digest_sha256(data.p, data.n, sum);
    return push_form(L, sum, sizeof sum, form);
}

static int crypto_sha1(lua_State *L)
{
    unsigned char sum[DIGEST_SHA1];
    struct str data = bytes_at(L, 1, "the data");
    enum form form = form_at(L, 2);
    digest_sha1(data.p, data.n, sum);
    return push_form(L, sum, sizeof sum, form);
}

static int crypto_hmac_sha256(lua_State *L)
{
    unsigned char sum[DIGEST_SHA256];
    struct str secret = bytes_at(L, 1, "the key"), data = bytes_at(L, 2, "the data");
    enum form form = form_at(L, 3);
    struct digest_key *key = digest_key_new(secret);
    struct digest_stream *stream = digest_begin(key);
    digest_update(stream, data.p, data.n);
    digest_end(stream, sum);
    digest_key_free(key);
    return push_form(L, sum, sizeof sum, form);
}

static int crypto_hex(lua_State *L)
{
    struct str data = bytes_at(L, 1, "the data");
    push_hex(L, (const unsigned char *)data.p, data.n);
    return 1;
}

static int to_base64(lua_State *L, enum base64 kind)
{
    struct str data = bytes_at(L, 1, "the data");
    push_base64(L, data.p, data.n, kind);
    return 1;
}

static int from_base64(lua_State *L, enum base64 kind)
{
    luaL_Buffer b;
    struct str text = bytes_at(L, 1, "the text");
    unsigned char *to = (unsigned char *)luaL_buffinitsize(L, &b, text.n / 4 * 3 + 3);
    long n = base64_read(text, kind, to);
    luaL_pushresultsize(&b, n < 0 ? 0 : (size_t)n);
    if (n < 0) lua_pushnil(L);
    return 1;
}

static int crypto_base64(lua_State *L) { return to_base64(L, BASE64); }
static int crypto_base64url(lua_State *L) { return to_base64(L, BASE64_URL); }
static int crypto_from_base64(lua_State *L) { return from_base64(L, BASE64); }
static int crypto_from_base64url(lua_State *L) { return from_base64(L, BASE64_URL); }

static int crypto_random(lua_State *L)
{
    int whole;
    lua_Integer n = lua_type(L, 1) == LUA_TNUMBER ? lua_tointegerx(L, 1, &whole) : (whole = 0);
    if (!whole || n < 0 || n > RANDOM_MOST)
        return call_misuse(L, "crypto.random: takes a number of bytes from 0 to %d", RANDOM_MOST);
    luaL_Buffer b;
    char *to = luaL_buffinitsize(L, &b, (size_t)n);
    digest_random(to, (size_t)n);
    luaL_pushresultsize(&b, (size_t)n);
    return 1;
}

static int crypto_uuid(lua_State *L)
{
    char uuid[RETRY_KEY_SIZE];
    retry_key_random(uuid);
    lua_pushstring(L, uuid);
    return 1;
}

static int crypto_equal(lua_State *L)
{
    struct str a = bytes_at(L, 1, "the first"), b = bytes_at(L, 2, "the second");
    lua_pushboolean(L, a.n == b.n && digest_equal((const unsigned char *)a.p, (const unsigned char *)b.p, a.n));
    return 1;
}

static int crypto_verify_rs256(lua_State *L)
{
    lua_settop(L, 3);
    if (!lua_istable(L, 1))
        return call_misuse(L, "crypto.verify_rs256: the key must be a table, as json.decode makes it of a JWK, not %s",
                           luaL_typename(L, 1));
    struct str data = bytes_at(L, 2, "the data"), signature = bytes_at(L, 3, "the signature");
    lua_getfield(L, 1, "n");
    lua_getfield(L, 1, "e");
    struct str n = bytes_at(L, 4, "n of the key"), e = bytes_at(L, 5, "e of the key");
    lua_pushboolean(L, jwt_verify(n, e, data, signature));
    return 1;
}

static const luaL_Reg crypto_functions[] = {
    {"sha256", crypto_sha256}, {"sha1", crypto_sha1}, {"hmac_sha256", crypto_hmac_sha256}, {"hex", crypto_hex},
    {"base64", crypto_base64}, {"from_base64", crypto_from_base64}, {"base64url", crypto_base64url},
    {"from_base64url", crypto_from_base64url}, {"random", crypto_random}, {"uuid", crypto_uuid}, {"equal", crypto_equal},
    {"verify_rs256", crypto_verify_rs256}, {NULL, NULL},
};

int luaopen_moonline_crypto(lua_State *L)
{
    luaL_newlibtable(L, crypto_functions);
    for (const luaL_Reg *f = crypto_functions; f->name; f++) {
        lua_pushstring(L, f->name);
        lua_pushcclosure(L, f->func, 1);
        lua_setfield(L, -2, f->name);
    }
    return 1;
}
