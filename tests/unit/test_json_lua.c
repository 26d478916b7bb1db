/* JSON between bytes and Lua: what is decoded, what is written, what is refused in which words. */
#include <dirent.h>

#include "test.h"
#include "base/limits.h"
#include "bindings/json.h"
#include "bindings/lua_api.h"
#include "bindings/lua_modules.h"
#include "bindings/memory.h"
#include "tests/fuzz/json_twin.h"

static lua_State *open_state(void)
{
    lua_State *L = lua_newstate(memory_alloc, NULL);
    luaL_openlibs(L);
    json_open(L);
    luaL_requiref(L, "json", luaopen_moonline_json, 1);
    luaL_requiref(L, "cjson", luaopen_moonline_cjson, 1);
    lua_settop(L, 0);
    return L;
}

static void close_state(lua_State *L)
{
    CHECK_INT(lua_gettop(L), 0);
    lua_close(L);
    json_free();
    lua_json_free();
    CHECK_INT(memory.used, 0);
}

/* A chunk that must end well. */
static void good(lua_State *L, const char *chunk)
{
    if (luaL_dostring(L, chunk)) FAIL("%s\n# in %s", lua_tostring(L, -1), chunk);
    lua_settop(L, 0);
}

/* An expression that must raise an error containing why. */
static void bad(lua_State *L, const char *expression, const char *why)
{
    char chunk[1024];
    snprintf(chunk, sizeof chunk, "return %s", expression);
    if (!luaL_dostring(L, chunk)) FAIL("no error: %s", expression);
    else if (!strstr(luaL_tolstring(L, -1, NULL), why)) FAIL("%s: got\n#     %s\n# not %s", expression, lua_tostring(L, -1), why);
    lua_settop(L, 0);
}

/* encode(expression) == text */
static void encodes(lua_State *L, const char *expression, const char *text)
{
    char chunk[1024];
    snprintf(chunk, sizeof chunk, "return json.encode(%s)", expression);
    if (luaL_dostring(L, chunk)) FAIL("%s\n# in %s", lua_tostring(L, -1), chunk);
    else CHECK_STR(lua_tostring(L, -1), text);
    lua_settop(L, 0);
}

TEST(decoding)
{
    lua_State *L = open_state();
    good(L, "local v = json.decode('{\"a\":1,\"b\":1.5,\"c\":1e3,\"d\":[1,2.0,null],\"e\":null,\"f\":{\"g\":null,\"h\":true}}')\n"
            "assert(math.type(v.a) == 'integer' and v.b == 1.5 and math.type(v.c) == 'integer' and v.c == 1000)\n"
            "assert(math.type(v.d[2]) == 'integer' and v.d[3] == json.null and v.e == nil and v.f.g == nil and v.f.h == true)\n"
            "assert(next(v.f, 'h') == nil)\n"
            "v = json.decode('{\"a\":null}', true) assert(v.a == json.null and json.null == cjson.null)\n"
            "assert('ts=' .. json.decode('1625665242211') == 'ts=1625665242211')\n"
            "assert(json.decode('-0') == 0 and json.decode('\"x\"') == 'x' and json.decode('true') == true)\n"
            "assert(json.decode('null') == json.null)");
    close_state(L);
}

/* text becomes a number of this kind, written as %.17g or %lld writes it. */
TEST(numbers)
{
    static const char *const rows[][3] = {
        {"0", "integer", "0"}, {"-0", "integer", "0"}, {"-0.0", "integer", "0"}, {"7", "integer", "7"},
        {"1.0", "integer", "1"}, {"1e3", "integer", "1000"}, {"1E+3", "integer", "1000"}, {"-2.50e1", "integer", "-25"},
        {"1.5", "float", "1.5"}, {"1e-1", "float", "0.10000000000000001"}, {"0.12345678901234567", "float", "0.12345678901234566"},
        {"35.65910807942215", "float", "35.659108079422147"}, {"4.9e-324", "float", "4.9406564584124654e-324"},
        {"1e-400", "integer", "0"}, {"1e400", "float", "inf"}, {"1e18", "integer", "1000000000000000000"},
        {"1e19", "float", "1e+19"}, {"1.5E+00000000000000000001", "integer", "15"},
        {"9007199254740993", "integer", "9007199254740993"}, {"9223372036854775807", "integer", "9223372036854775807"},
        {"-9223372036854775808", "integer", "-9223372036854775808"}, {"9223372036854775808", "float", "9.2233720368547758e+18"},
        {"-9223372036854775809", "float", "-9.2233720368547758e+18"}, {"18446744073709551616", "float", "1.8446744073709552e+19"},
        {"12345678901234567.5", "integer", "12345678901234568"},
        /* longer than what is copied to the stack, and the last place that decides */
        {"0.1000000000000000055511151231257827021181583404541015624999999999999999999999999", "float", "0.10000000000000001"},
        {"0.1000000000000000124900090270330610871315002441406250000000000000000000000000000001", "float", "0.10000000000000002"},
        {"100000000000000000000000000000000000000000000000000000000000000000000000", "float", "1e+71"},
    };
    lua_State *L = open_state();
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char got[64];
        json_decode(L, str_of(rows[i][0]));
        if (lua_isinteger(L, -1)) snprintf(got, sizeof got, "%lld", lua_tointeger(L, -1));
        else snprintf(got, sizeof got, "%.17g", lua_tonumber(L, -1));
        CHECK_STR(lua_isinteger(L, -1) ? "integer" : "float", rows[i][1]);
        if (strcmp(got, rows[i][2])) FAIL("%s: %s, not %s", rows[i][0], got, rows[i][2]);
        lua_settop(L, 0);
    }
    good(L, "assert(json.encode(json.decode('[9007199254740993,-9223372036854775808]')) == '[9007199254740993,-9223372036854775808]')\n"
            "assert(json.decode('{\"a\":\"9007199254740993\"}').a == '9007199254740993')");
    close_state(L);
}

TEST(strings)
{
    lua_State *L = open_state();
    good(L, "local function is(text, want) local got = json.decode('\"' .. text .. '\"')\n"
            "  assert(got == want, text .. ' became ' .. tostring(got)) end\n"
            "is('', '') is('a/b', 'a/b') is([[\\\"\\\\\\/\\b\\f\\n\\r\\t]], '\"\\\\/\\b\\f\\n\\r\\t') is([[\\\\]], '\\\\')\n"
            "is([[\\u0041\\u00e9\\u3042\\uFFFF]], 'A\u00e9\u3042\uffff') is([[a\\u0000b]], 'a\\0b')\n"
            "is([[\\ud83c\\udf4e]], '\U0001F34E') is([[x\\uD83C\\uDF4Ey]], 'x\U0001F34Ey') is('\U0001F34E', '\U0001F34E')\n"
            "is([[\\ud83c]], '\ufffd') is([[\\udf4e]], '\ufffd') is([[\\ud83cx]], '\ufffdx') is([[\\ud83c\\n]], '\ufffd\\n')\n"
            "is([[\\ud83c\\u0041]], '\ufffdA') is([[\\ud83c\\ud83c\\udf4e]], '\ufffd\U0001F34E')\n"
            "is([[\\udf4e\\ud83c]], '\ufffd\ufffd')\n"
            "local long = ('0123456789abcdef'):rep(5000) is(long, long) is(long .. [[\\n]] .. long, long .. '\\n' .. long)\n"
            "is(([[\\u3042]]):rep(5000), ('\u3042'):rep(5000)) is(([[\\\"]]):rep(5000), ('\"'):rep(5000))");
    close_state(L);
}

TEST(names)
{
    lua_State *L = open_state();
    good(L, "local v = json.decode('{\"a\":1,\"a\":2,\"b\":1,\"b\":null,\"c\":null,\"c\":3,'\n"
            "  .. '\"\":4,\"1\":5,\"__proto__\":6,\"__index\":7}')\n"
            "assert(v.a == 2 and v.b == nil and v.c == 3 and v[''] == 4 and v['1'] == 5 and v[1] == nil)\n"
            "assert(v.__proto__ == 6 and v.__index == 7 and getmetatable(v) == nil)\n"
            "v = json.decode('{\"\\\\u0061\":1,\"a\":2,\"x\\\\ny\":3,\"\\\\ud83c\":4}')\n"
            "assert(v.a == 2 and v['x\\ny'] == 3 and v['\ufffd'] == 4)\n"
            "v = json.decode('{\"a\":1,\"a\":null}', true) assert(v.a == json.null)\n"
            "local t, n = {}, 0 for i = 1, 1000 do t[i] = '\"k' .. i .. '\":' .. i end\n"
            "v = json.decode('{' .. table.concat(t, ', ') .. '}') for k, i in pairs(v) do n = n + 1 assert(k == 'k' .. i) end\n"
            "assert(n == 1000)");
    close_state(L);
}

TEST(depth)
{
    lua_State *L = open_state();
    good(L, "local v = json.decode(('['):rep(128) .. (']'):rep(128)) for _ = 1, 127 do v = v[1] end assert(next(v) == nil)\n"
            "v = json.decode(('{\"a\":[null,'):rep(64) .. 'true' .. (']}'):rep(64)) for _ = 1, 64 do v = v.a[2] end assert(v == true)\n"
            "v = json.decode('[' .. ('[],'):rep(500) .. '1]') assert(#v == 501)");
    bad(L, "json.decode(('['):rep(129) .. (']'):rep(129))", "not JSON: nested deeper than 128 at line 1, column 129");
    bad(L, "json.decode(('{\"a\":\\n'):rep(200))", "not JSON: nested deeper than 128 at line 129, column 1");
    bad(L, "json.decode(('['):rep(1000000))", "nested deeper than 128");
    /* Where Lua's stack is nearly used up it is an error, not the end. */
    while (lua_checkstack(L, 100)) lua_pushnil(L);
    lua_getglobal(L, "json");
    lua_getfield(L, -1, "decode");
    lua_pushfstring(L, "[[[[[[[[[[1]]]]]]]]]]");
    CHECK_INT(lua_pcall(L, 1, 0, 0), LUA_OK);
    lua_getfield(L, -1, "decode");
    for (int i = 0; i < 7; i++) lua_pushliteral(L, "[[[[[[[[[[[[[[[[[[");
    lua_concat(L, 7);
    CHECK_INT(lua_pcall(L, 1, 0, 0), LUA_ERRRUN);
    CHECK_STR(lua_tostring(L, -1), "stack overflow (JSON)");
    lua_settop(L, 0);
    close_state(L);
}

TEST(empty_arrays_stay_arrays)
{
    lua_State *L = open_state();
    good(L, "local v = json.decode('{\"a\":[],\"b\":{},\"c\":[[ ],{}],\"d\":\"[]\"}')\n"
            "assert(json.encode(v.a) == '[]' and json.encode(v.b) == '{}' and json.encode(v.c) == '[[],{}]' and v.d == '[]')\n"
            "assert(#v.a == 0 and next(v.a) == nil) v.a[1] = 5 assert(json.encode(v.a) == '[5]')");
    close_state(L);
}

TEST(what_is_no_json)
{
    lua_State *L = open_state();
    static const char *const rows[][2] = {
        {"json.decode('')", "not JSON: the text ends too early at line 1, column 1"},
        {"json.decode(' \\n ')", "not JSON: the text ends too early at line 2, column 2"},
        {"json.decode('{\"a\":1,\\n  \"b\":}')", "not JSON: a value is expected here at line 2, column 7"},
        {"json.decode('[1,]')", "not JSON: a value is expected here at line 1, column 4"},
        {"json.decode('{\"a\":1,}')", "not JSON: a key in quotes is expected here at line 1, column 8"},
        {"json.decode('{\"a\" 1}')", "not JSON: a colon is expected after a key at line 1, column 6"},
        {"json.decode('[1 2]')", "not JSON: a comma or a closing bracket is expected here at line 1, column 4"},
        {"json.decode('[1}')", "not JSON: a comma or a closing bracket is expected here at line 1, column 3"},
        {"json.decode('{1234567890123456789:1}')", "not JSON: a key in quotes is expected here at line 1, column 2"},
        {"json.decode('{\"a\":NaN}')", "not JSON: a value is expected here at line 1, column 6"},
        {"json.decode('[Infinity]')", "not JSON: a value is expected here at line 1, column 2"},
        {"json.decode('[0x10]')", "not JSON: a comma or a closing bracket is expected here at line 1, column 3"},
        {"json.decode('[01]')", "not JSON: a number is not written as JSON has it at line 1, column 4"},
        {"json.decode('[1.]')", "not JSON: a number is not written as JSON has it at line 1, column 4"},
        {"json.decode('[-]')", "not JSON: a number is not written as JSON has it at line 1, column 3"},
        {"json.decode('[1]\\n\\nx')", "not JSON: something follows the end of the value at line 3, column 1"},
        {"json.decode('1\\0')", "not JSON: something follows the end of the value at line 1, column 2"},
        {"json.decode('\"a')", "not JSON: the text ends too early at line 1, column 3"},
        {"json.decode('\"a\\nb\"')", "not JSON: a control character inside a string at line 1, column 3"},
        {"json.decode('\"a\\xff\"')", "not JSON: a string is not UTF-8 at line 1, column 3"},
        {"json.decode('[\"\\\\x\"]')", "not JSON: an escape is not one of JSON's at line 1, column 3"},
        {"json.decode('\"\\\\ud8\"')", "not JSON: an escape is not one of JSON's at line 1, column 2"},
        {"json.decode('[9007199254740993')", "not JSON: the text ends too early at line 1, column 18"},
        {"json.decode('{\"a\":[{\"b\":nul}]}')", "not JSON: a value is expected here at line 1, column 12"},
        {"json.decode((' '):rep(9000000))", "JSON of 9000000 bytes is larger than the 8388608 that are read"},
        {"json.decode({})", "string expected"},
        {"cjson.decode('{')", "Expected"},
        {"cjson.decode((' '):rep(9000000))", "larger than"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) bad(L, rows[i][0], rows[i][1]);
    good(L, "assert(#json.decode('[1' .. (' '):rep(8388608 - 3) .. ']') == 1)"); /* the largest */
    close_state(L);
}

TEST(encoding)
{
    lua_State *L = open_state();
    static const char *const rows[][2] = {
        {"nil", "null"}, {"json.null", "null"}, {"true", "true"}, {"false", "false"}, {"12", "12"}, {"12.0", "12"},
        {"0.1", "0.1"}, {"1/3", "0.3333333333333333"}, {"1e300", "1e+300"}, {"math.maxinteger", "9223372036854775807"},
        {"math.mininteger", "-9223372036854775808"}, {"'a/b\"\\\\\\n\\1\\127ä'", "\"a/b\\\"\\\\\\n\\u0001\x7f\xc3\xa4\""},
        {"{}", "{}"}, {"json.array{}", "[]"}, {"json.array()", "[]"}, {"json.object()", "{}"}, {"{1,{2},'x'}", "[1,[2],\"x\"]"},
        {"{messages = {}}", "{\"messages\":[]}"}, {"{{contents = {}}}", "[{\"contents\":[]}]"}, {"{body = {}}", "{\"body\":{}}"},
        {"json.object{[5] = 1}", "{\"5\":1}"}, {"{[1] = 'a', [2] = 'b'}", "[\"a\",\"b\"]"}, {"{1, json.null, 3}", "[1,null,3]"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) encodes(L, rows[i][0], rows[i][1]);
    /* Keys come in no particular order. */
    good(L, "local v = json.decode(json.encode{a = 1, b = {c = 'x', d = {1, 2}}}) assert(v.a == 1 and v.b.c == 'x' and v.b.d[2] == 2)");
    good(L, "for i = 1, 2000 do local d = math.random() * 10.0 ^ math.random(-300, 300)\n"
            "local back = json.decode(json.encode(d)) assert(back == d or math.abs(back) == math.abs(d), d) end");
    close_state(L);
}

TEST(encoding_in_ascii)
{
    lua_State *L = open_state();
    encodes(L, "'A\u00e9\u3042\U0001F34Ez', {ascii = true}", "\"A\\u00e9\\u3042\\ud83c\\udf4ez\"");
    encodes(L, "'A\u00e9\u3042\U0001F34Ez', {ascii = false}", "\"A\u00e9\u3042\U0001F34Ez\"");
    encodes(L, "'\\u{80}\\u{7ff}\\u{800}\\u{d7ff}\\u{e000}\\u{ffff}\\u{10000}\\u{10ffff}\\n\\u{7f}', {ascii = true}",
            "\"\\u0080\\u07ff\\u0800\\ud7ff\\ue000\\uffff\\ud800\\udc00\\udbff\\udfff\\n\x7f\"");
    encodes(L, "{['\u30ad'] = '\u00e9\u00e9'}, {ascii = true}", "{\"\\u30ad\":\"\\u00e9\\u00e9\"}");
    good(L, "local function same(v, how) assert(json.encode(json.decode(json.encode(v, how))) == json.encode(v)) end\n"
            "for c = 0x80, 0x10ffff, 61 do if c < 0xd800 or c > 0xdfff then same(utf8.char(c, 65, c), {ascii = true}) end end\n"
            "assert(json.encode('\u00e9') == '\"\u00e9\"')"); /* the next one is as before */
    bad(L, "json.encode('a\\xff', {ascii = true})", "the string is not UTF-8 (byte 0xFF at position 2)");
    bad(L, "json.encode(1, {asci = true})", "json.encode: unknown option 'asci'; there are pretty and ascii");
    bad(L, "json.encode(1, {ascii = 1})", "json.encode: ascii is true or false");
    bad(L, "json.encode(1, 'ascii')", "bad argument #2");
    close_state(L);
}

TEST(encoding_for_people)
{
    lua_State *L = open_state();
    encodes(L, "{1, {a = {}, }, 'x', json.array{}, {{}}}, {pretty = true}",
            "[\n  1,\n  {\n    \"a\": {}\n  },\n  \"x\",\n  [],\n  [\n    {}\n  ]\n]");
    encodes(L, "{['\u00e9'] = {true, json.null}}, {pretty = true, ascii = true}",
            "{\n  \"\\u00e9\": [\n    true,\n    null\n  ]\n}");
    encodes(L, "7, {pretty = true}", "7");
    encodes(L, "{}, {pretty = true}", "{}");
    good(L, "local v = {a = 1, b = {2, 3, {c = 'd'}}, messages = {}}\n"
            "local back = json.decode(json.encode(v, {pretty = true}))\n"
            "assert(back.a == 1 and back.b[3].c == 'd' and json.encode(back.messages) == '[]')\n"
            "local deep = {} for _ = 1, 127 do deep = {deep} end assert(#json.encode(deep, {pretty = true}) > 127 * 127)");
    close_state(L);
}

TEST(what_cannot_be_sent_and_where)
{
    lua_State *L = open_state();
    static const char *const rows[][2] = {
        {"json.encode(print)", "a function cannot be sent as JSON"},
        {"json.encode{messages = {1, {sender = print}}}", "messages[2].sender: a function cannot be sent as JSON"},
        {"json.encode{1, coroutine.create(print)}", "[2]: a thread cannot be sent"},
        {"json.encode{a = io.stdout}", "a: a userdata cannot be sent"},
        {"json.encode{a = 0/0}", "a: not-a-number"},
        {"json.encode{a = 1/0}", "a: infinity"},
        {"json.encode{text = 'ab\\xff'}", "text: the string is not UTF-8 (byte 0xFF at position 3)"},
        {"json.encode{text = '\\xed\\xa0\\x80'}", "not UTF-8"},
        {"json.encode{1, nil, 3}", "the array has holes"},
        {"json.encode{[100] = 1}", "the array has holes: 99 of its positions 1 to 100 are nil"},
        {"json.encode{1, a = 2}", "both positions (1, 2, …) and names"},
        {"json.encode(json.array{a = 1})", "both positions"},
        {"json.encode{a = 1, [5] = 2}", "names"},
        {"json.encode{[1.5] = 1}", "JSON has only names"},
        {"json.encode{[true] = 1}", "JSON has only names"},
        {"(function() local t = {} t.t = t return json.encode(t) end)()", "nested deeper than 128, or one contains itself"},
        {"json.encode(('x'):rep(3000000))", "larger than the 2097152 bytes"},
        {"json.array(5)", "table expected"},
        {"json.encode()", "value expected"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) bad(L, rows[i][0], rows[i][1]);
    close_state(L);
}

TEST(scripts_cannot_change_it_by_cjson)
{
    lua_State *L = open_state();
    good(L, "cjson.decode_max_depth(1) cjson.encode_number_precision(3) cjson.decode = nil\n"
            "assert(json.decode('[[[1]]]')[1][1][1] == 1)");
    close_state(L);
}

/* ---- memory ---- */

TEST(decoding_near_the_memory_limit)
{
    lua_State *L = open_state();
    good(L, "text = '[' .. ('{\"a\":[1,2,3]},'):rep(3000) .. '1]'");
    memory.limit = memory.used + 100000;
    for (int i = 0; i < 20; i++) {
        if (!luaL_dostring(L, "local v = json.decode(text) return #v")) FAIL("3000 tables fit into 100 kB");
        else CHECK_STR(lua_tostring(L, -1), "not enough memory");
        lua_settop(L, 0);
    }
    memory.limit = 0;
    good(L, "assert(#json.decode(text) == 3001)");
    /* One string with escapes counts as much as any other: what is built of it is Lua's memory too. */
    good(L, "text = '\"' .. ('\\\\n'):rep(200000) .. '\"' collectgarbage()");
    memory.limit = memory.used + 300000;
    CHECK(luaL_dostring(L, "return json.decode(text)"));
    CHECK_STR(lua_tostring(L, -1), "not enough memory");
    memory.limit = 0;
    lua_settop(L, 0);
    good(L, "assert(#json.decode(text) == 200000)");
    close_state(L);
}

static int decode_view(lua_State *L)
{
    json_decode(L, *(const struct str *)lua_touserdata(L, 1));
    return 1;
}

/* Each allocation of a decode in turn is refused, once and from there on: Lua's error, and all is given back. */
TEST(every_allocation_may_fail)
{
    char text[8192];
    size_t n = (size_t)snprintf(text, sizeof text, "{\"a\":[1,2,3,4,5,6,{\"b\":[]}],\"c\":\"%0100d\\n%02000d\",\"d\":0.%0100d1,"
                                "\"k1\":1,\"k2\":2,\"k3\":3,\"k4\":4,\"k5\":5,\"k6\":6,\"k7\":"
                                "[[[[[[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]]]]]]",
                                0, 0, 0);
    for (int good_end = 0; good_end < 2; good_end++) { /* the text breaks off at first */
        if (good_end) n += (size_t)snprintf(text + n, sizeof text - n, "}");
        struct str view = {text, n};
        char why[80];
        snprintf(why, sizeof why, "not JSON: the text ends too early at line 1, column %zu", n + 1);
        for (uint64_t times = 2; times; times = times == 2 ? UINT64_MAX : 0) {
            lua_State *L = open_state();
            unsigned refused = 0;
            for (uint64_t at = 1;; at++) {
                lua_gc(L, LUA_GCCOLLECT);
                size_t before = memory.used;
                lua_State *co = lua_newthread(L); /* a small stack, which has to grow */
                lua_pushcfunction(co, decode_view);
                lua_pushlightuserdata(co, &view);
                memory.fail_times = times;
                memory.fail_at = at;
                int status = lua_pcall(co, 1, 1, 0);
                bool reached = memory.fail_times < times;
                memory.fail_at = 0;
                if (status == LUA_ERRMEM) refused++;
                else if (status == LUA_OK) CHECK(good_end);
                else if (strcmp(lua_tostring(co, -1), "stack overflow (JSON)")) CHECK_STR(lua_tostring(co, -1), why);
                lua_settop(L, 0);
                lua_gc(L, LUA_GCCOLLECT);
                if (memory.used > before + 1024) FAIL("%zu bytes are lost at allocation %d", memory.used - before, (int)at);
                if (!reached) break;
            }
            CHECK(refused > 50);
            close_state(L);
        }
    }
}

/* ---- the corpus, compared with lua-cjson: also whole files cut and changed, without clang ---- */

static void compare(const char *name, const char *p, size_t n)
{
    char *exact = malloc(n ? n : 1); /* of its own size: reading past it is seen under AddressSanitizer */
    memcpy(exact, p, n);
    const char *wrong = json_twin_compare(exact, n);
    if (wrong) FAIL("%s: %s: %.*s", name, wrong, n < 300 ? (int)n : 300, exact);
    free(exact);
}

static void compare_with_changes(const char *name, char *p, size_t n, uint64_t seed)
{
    static const char odd[] = "\"\\{}[]:,0e-.\xff\n u\xe3";
    compare(name, p, n);
    for (int i = 0; i < 300 && n; i++) {
        seed ^= seed << 13, seed ^= seed >> 7, seed ^= seed << 17;
        size_t at = seed % n;
        char was = p[at];
        p[at] = odd[(seed >> 32) % (sizeof odd - 1)];
        compare(name, p, n);
        p[at] = was;
        compare(name, p, at); /* cut there */
    }
}

TEST(sees_what_cjson_sees)
{
    static const char *const dirs[] = {"tests/fuzz/corpus/json", "tests/fuzz/corpus/webhook"};
    static char bytes[1 << 16];
    unsigned seeds = 0;
    json_twin_open();
    for (size_t i = 0; i < sizeof dirs / sizeof *dirs; i++) {
        DIR *d = opendir(dirs[i]);
        if (!CHECK(d != NULL)) continue; /* tests run from the top of the tree */
        for (const struct dirent *entry; (entry = readdir(d));) {
            char path[512];
            snprintf(path, sizeof path, "%s/%s", dirs[i], entry->d_name);
            FILE *f = entry->d_name[0] == '.' ? NULL : fopen(path, "rb");
            if (!f) continue;
            compare_with_changes(entry->d_name, bytes, fread(bytes, 1, sizeof bytes, f), 88172645463325252u + seeds++);
            fclose(f);
        }
        closedir(d);
    }
    CHECK(seeds >= 55);
    json_twin_close();
    CHECK_INT(memory.used, 0);
}

/* The comparison itself can fail: another decoder in the place of ours is noticed. */
static int wrong_decoder(lua_State *L)
{
    lua_pushstring(L, "return function(_, keep)\n"
                      "  if mode == 'refuse' then error('not JSON: a value is expected here at line 1, column 1', 0) end\n"
                      "  if mode == 'outside' then error('not JSON: the text ends too early at line 9, column 1', 0) end\n"
                      "  if mode == 'null' then return {a = 1, b = null} end\n"
                      "  if mode == 'lost' then return {a = 1} end\n"
                      "  if mode == 'float' then return {a = 1.0, b = keep and null or nil} end\n"
                      "  if mode == 'mark' then return setmetatable({a = 1, b = keep and null or nil}, mark) end\n"
                      "  if mode == 'value' then return {a = 2, b = keep and null or nil} end\n"
                      "  return {a = 1, b = keep and null or nil}\n"
                      "end\n");
    if (luaL_dostring(L, lua_tostring(L, -1))) return lua_error(L);
    return 1;
}

TEST(the_comparison_notices)
{
    static const char *const rows[][2] = {
        {"none", NULL}, {"refuse", "refused for a reason"}, {"outside", "stands outside"}, {"null", "null make another"},
        {"lost", "values differ"}, {"float", "values differ"}, {"mark", "not marked"}, {"value", "values differ"},
    };
    lua_State *L = open_state();
    lua_pushlightuserdata(L, NULL);
    lua_setglobal(L, "null");
    json_push_array_mark(L);
    lua_setglobal(L, "mark");
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        lua_pushstring(L, rows[i][0]);
        lua_setglobal(L, "mode");
        CHECK_INT(luaL_loadbuffer(L, json_twin_code, sizeof json_twin_code - 1, "=twin"), LUA_OK);
        luaopen_cjson(L);
        lua_pushinteger(L, LIMIT_JSON_DEPTH);
        wrong_decoder(L);
        lua_remove(L, -2);
        json_push_array_mark(L);
        lua_call(L, 4, 1);
        lua_pushstring(L, "{\"a\":1,\"b\":null}");
        lua_pushnil(L);
        lua_call(L, 2, 1);
        const char *said = lua_tostring(L, -1);
        CHECK(rows[i][1] ? said && strstr(said, rows[i][1]) : !said);
        lua_settop(L, 0);
    }
    close_state(L);
}
TEST_MAIN()
