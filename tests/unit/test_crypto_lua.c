/* The module crypto against the worked examples of the standards, and what it refuses. */
#include "test.h"
#include "bindings/lua_api.h"
#include "bindings/lua_modules.h"
#include "bindings/memory.h"

static lua_State *open_state(void)
{
    lua_State *L = lua_newstate(memory_alloc, NULL);
    luaL_openlibs(L);
    luaL_requiref(L, "crypto", luaopen_moonline_crypto, 1);
    lua_settop(L, 0);
    return L;
}

static void close_state(lua_State *L)
{
    CHECK_INT(lua_gettop(L), 0);
    lua_close(L);
    CHECK_INT(memory.used, 0);
}

/* What an expression gives, as text; what it raises, behind "raised ". */
static void gives(lua_State *L, const char *expression, const char *want)
{
    char chunk[4096];
    snprintf(chunk, sizeof chunk, "return %s", expression);
    if (luaL_loadbuffer(L, chunk, strlen(chunk), "@bot.lua")) FAIL("%s\n# in %s", lua_tostring(L, -1), chunk);
    else if (lua_pcall(L, 0, 1, 0)) lua_pushfstring(L, "raised %s", lua_tostring(L, -1));
    if (strcmp(luaL_tolstring(L, -1, NULL), want)) FAIL("%s: got\n#     %s\n# not %s", expression, lua_tostring(L, -1), want);
    lua_settop(L, 0);
}

/* FIPS 180-4 by NIST's examples: the empty string, one block, two blocks, a million times "a". */
TEST(digests)
{
    static const char *const rows[][2] = {
        {"crypto.sha256('')", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
        {"crypto.sha256('abc')", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
        {"crypto.sha256('abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq')",
         "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"},
        {"crypto.sha256(('a'):rep(1000000))", "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0"},
        {"crypto.sha1('')", "da39a3ee5e6b4b0d3255bfef95601890afd80709"},
        {"crypto.sha1('abc')", "a9993e364706816aba3e25717850c26c9cd0d89d"},
        {"crypto.sha1('abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq')", "84983e441c3bd26ebaae4aa1f95129e5e54670f1"},
        {"crypto.sha1(('a'):rep(1000000))", "34aa973cd4c4daa4f61eeb2bdbad27316534016f"},
        {"crypto.sha256('abc', 'base64')", "ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0="},
        {"#crypto.sha256('abc', 'raw')", "32"},
        {"crypto.hex(crypto.sha1('abc', 'raw'))", "a9993e364706816aba3e25717850c26c9cd0d89d"},
    };
    lua_State *L = open_state();
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) gives(L, rows[i][0], rows[i][1]);
    close_state(L);
}

/* RFC 4231 section 4, cases 1 to 4, 6 and 7; and no key at all. */
TEST(hmac)
{
    static const char *const rows[][2] = {
        {"crypto.hmac_sha256(('\\x0b'):rep(20), 'Hi There')", "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"},
        {"crypto.hmac_sha256('Jefe', 'what do ya want for nothing?')",
         "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"},
        {"crypto.hmac_sha256(('\\xaa'):rep(20), ('\\xdd'):rep(50))",
         "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe"},
        {"crypto.hmac_sha256('\\1\\2\\3\\4\\5\\6\\7\\8\\9\\10\\11\\12\\13\\14\\15\\16\\17\\18\\19\\20\\21\\22\\23\\24\\25',"
         " ('\\xcd'):rep(50))",
         "82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b"},
        {"crypto.hmac_sha256(('\\xaa'):rep(131), 'Test Using Larger Than Block-Size Key - Hash Key First')",
         "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"},
        {"crypto.hmac_sha256(('\\xaa'):rep(131), 'This is a test using a larger than block-size key and a larger than block-size "
         "data. The key needs to be hashed before being used by the HMAC algorithm.')",
         "9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2"},
        {"crypto.hmac_sha256('', '')", "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad"},
        {"crypto.hmac_sha256('key', 'The quick brown fox jumps over the lazy dog', 'base64')",
         "97yD9DBThCSxMpjmqm+xQ+9NWaFJRhdZl0edvC0aPNg="},
    };
    lua_State *L = open_state();
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) gives(L, rows[i][0], rows[i][1]);
    close_state(L);
}

/* RFC 4648 section 10, and what is no Base64. */
TEST(texts_of_bytes)
{
    static const char *const rows[][2] = {
        {"crypto.base64('')", ""}, {"crypto.base64('f')", "Zg=="}, {"crypto.base64('fo')", "Zm8="},
        {"crypto.base64('foo')", "Zm9v"}, {"crypto.base64('foob')", "Zm9vYg=="}, {"crypto.base64('fooba')", "Zm9vYmE="},
        {"crypto.base64('foobar')", "Zm9vYmFy"}, {"crypto.base64('\\xfb\\xff\\xfe')", "+//+"},
        {"crypto.base64url('\\xfb\\xff\\xfe')", "-__-"}, {"crypto.base64url('f')", "Zg"}, {"crypto.base64url('fo')", "Zm8"},
        {"crypto.from_base64('Zm9vYmE=')", "fooba"}, {"crypto.from_base64('Zm9vYmE')", "fooba"}, {"crypto.from_base64('')", ""},
        {"crypto.from_base64('+//+') == '\\xfb\\xff\\xfe'", "true"}, {"crypto.from_base64url('-__-') == '\\xfb\\xff\\xfe'", "true"},
        {"crypto.from_base64url('Zg==')", "f"},
        {"crypto.from_base64('-__-')", "nil"}, {"crypto.from_base64url('+//+')", "nil"}, {"crypto.from_base64('Z')", "nil"},
        {"crypto.from_base64('Zm9vY')", "nil"}, {"crypto.from_base64('Zg=')", "nil"}, {"crypto.from_base64('Zg===')", "nil"},
        {"crypto.from_base64('Zh==')", "nil"}, {"crypto.from_base64('Zm9=')", "nil"}, {"crypto.from_base64('Zm 9v')", "nil"},
        {"crypto.from_base64('Zm9v\\n')", "nil"}, {"crypto.from_base64('Zg==Zg==')", "nil"}, {"crypto.from_base64('=')", "nil"},
        {"crypto.from_base64('Zm9\\0')", "nil"}, {"crypto.from_base64('\\xc3\\xa9aa')", "nil"},
        {"crypto.hex('\\0\\x7f\\xffA')", "007fff41"}, {"crypto.hex('')", ""},
        {"(function() local s = '' for i = 0, 255 do s = s .. string.char(i)\n"
         "assert(crypto.from_base64(crypto.base64(s)) == s and crypto.from_base64url(crypto.base64url(s)) == s) end return #s end)()",
         "256"},
    };
    lua_State *L = open_state();
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) gives(L, rows[i][0], rows[i][1]);
    close_state(L);
}

TEST(chance)
{
    lua_State *L = open_state();
    gives(L, "#crypto.random(0) .. ' ' .. #crypto.random(1) .. ' ' .. #crypto.random(65536)", "0 1 65536");
    gives(L, "crypto.random(16) ~= crypto.random(16)", "true");
    gives(L, "crypto.uuid():find('^%x%x%x%x%x%x%x%x%-%x%x%x%x%-4%x%x%x%-[89ab]%x%x%x%-%x%x%x%x%x%x%x%x%x%x%x%x$')", "1");
    gives(L, "crypto.uuid() ~= crypto.uuid()", "true");
    close_state(L);
}

TEST(comparing)
{
    lua_State *L = open_state();
    gives(L, "crypto.equal('', '')", "true");
    gives(L, "crypto.equal('a\\0b', 'a\\0b')", "true");
    gives(L, "crypto.equal('a\\0b', 'a\\0c')", "false");
    gives(L, "crypto.equal('abc', 'abcd')", "false");
    close_state(L);
}

/* RFC 7515 appendix A.2. */
#define KEY_N "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pC" \
    "gNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdV" \
    "MTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ"
#define SIGNED "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ"
#define SIGNATURE "cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t" \
    "1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-" \
    "eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw"
#define KEY "{kty = 'RSA', n = '" KEY_N "', e = 'AQAB'}"

TEST(signatures_of_others)
{
    lua_State *L = open_state();
    gives(L, "crypto.verify_rs256(" KEY ", '" SIGNED "', crypto.from_base64url('" SIGNATURE "'))", "true");
    gives(L, "crypto.verify_rs256(" KEY ", '" SIGNED "x', crypto.from_base64url('" SIGNATURE "'))", "false");
    gives(L, "crypto.verify_rs256(" KEY ", '" SIGNED "', crypto.from_base64url('" SIGNATURE "'):sub(1, -2) .. '\\0')", "false");
    gives(L, "crypto.verify_rs256(" KEY ", '" SIGNED "', '')", "false");
    gives(L, "crypto.verify_rs256({n = '" KEY_N "', e = 'AQAD'}, '" SIGNED "', crypto.from_base64url('" SIGNATURE "'))", "false");
    gives(L, "crypto.verify_rs256({n = 'AQAB', e = 'AQAB'}, '', '')", "false"); /* 17 bits */
    gives(L, "crypto.verify_rs256({n = 'no number!', e = ''}, '', '')", "false");
    gives(L, "crypto.verify_rs256({n = ('A'):rep(100000), e = 'AQAB'}, '', '')", "false");
    close_state(L);
}

TEST(what_is_refused_at_the_line_of_the_script)
{
    static const char *const rows[][2] = {
        {"crypto.sha256()", "bot.lua:1: crypto.sha256: the data must be a string, not no value"},
        {"crypto.sha1(7)", "bot.lua:1: crypto.sha1: the data must be a string, not number"},
        {"crypto.sha256('a', 'hexa')", "bot.lua:1: crypto.sha256: the form is \"hex\", \"base64\" or \"raw\""},
        {"crypto.hmac_sha256(nil, 'a')", "bot.lua:1: crypto.hmac_sha256: the key must be a string, not nil"},
        {"crypto.hmac_sha256('a')", "bot.lua:1: crypto.hmac_sha256: the data must be a string, not no value"},
        {"crypto.from_base64({})", "bot.lua:1: crypto.from_base64: the text must be a string, not table"},
        {"crypto.random('8')", "bot.lua:1: crypto.random: takes a number of bytes from 0 to 65536"},
        {"crypto.random(1.5)", "bot.lua:1: crypto.random: takes a number of bytes from 0 to 65536"},
        {"crypto.random(65537)", "bot.lua:1: crypto.random: takes a number of bytes from 0 to 65536"},
        {"crypto.random(-1)", "bot.lua:1: crypto.random: takes a number of bytes from 0 to 65536"},
        {"crypto.equal('a')", "bot.lua:1: crypto.equal: the second must be a string, not no value"},
        {"crypto.verify_rs256('{}', 'a', 'b')",
         "bot.lua:1: crypto.verify_rs256: the key must be a table, as json.decode makes it of a JWK, not string"},
        {"crypto.verify_rs256({}, 'a', 'b')", "bot.lua:1: crypto.verify_rs256: n of the key must be a string, not nil"},
    };
    lua_State *L = open_state();
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char want[300];
        snprintf(want, sizeof want, "raised %s", rows[i][1]);
        gives(L, rows[i][0], want);
    }
    close_state(L);
}
TEST_MAIN()
