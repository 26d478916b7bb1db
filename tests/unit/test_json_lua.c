/* JSON between bytes and Lua: what is decoded, what is written, what is refused in which words. */
#include "test.h"
#include "base/limits.h"
#include "bindings/json.h"
#include "bindings/lua_api.h"
#include "bindings/lua_modules.h"
#include "bindings/memory.h"

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

TEST(long_integers)
{
    lua_State *L = open_state();
    good(L, "local text = '{\"a\":9007199254740993,\"b\":[-9223372036854775808,9223372036854775807],\"c\":\"9007199254740993\",'\n"
            "  .. '\"d\":12345678901234567.5,\"e\":18446744073709551616,\"f\":\"\\\\\\\\\",\"g\":\"\\\\\"1234567890123456789\"}'\n"
            "local v = json.decode(text)\n"
            "assert(v.a == 9007199254740993 and v.b[1] == math.mininteger and v.b[2] == math.maxinteger)\n"
            "assert(v.c == '9007199254740993' and math.type(v.d) ~= nil and math.type(v.e) == 'float' and v.e == 2.0^64)\n"
            "assert(json.decode('[0.12345678901234567,1e5,1.5E+00000000000000000001]')[1] == 0.12345678901234567)\n"
            "assert(v.f == '\\\\' and v.g == '\"1234567890123456789')\n"
            "assert(json.decode('[9007199254740993]')[1] == 9007199254740993 and json.decode('9007199254740993') == 9007199254740993)\n"
            "assert(json.encode(json.decode('[9007199254740993,-9223372036854775808]')) == '[9007199254740993,-9223372036854775808]')");
    bad(L, "json.decode('{1234567890123456789:1}')", "not JSON: a number where a name must be");
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
        {"json.decode('')", "not JSON: "},
        {"json.decode('{\"a\":1,\\n  \"b\":}')", "at line 2, column 7"},
        {"json.decode('[1,]')", "at line 1, column 4"},
        {"json.decode('{\"a\":NaN}')", "not JSON: "},
        {"json.decode('[0x10]')", "not JSON: "},
        {"json.decode('[1] x')", "not JSON: "},
        {"json.decode('\"a')", "not JSON: "},
        {"json.decode('[9007199254740993')", "not JSON: "},
        {"json.decode(('['):rep(200) .. (']'):rep(200))", "not JSON: "},
        {"json.decode((' '):rep(9000000))", "larger than"},
        {"cjson.decode('{')", "Expected"},
        {"cjson.decode((' '):rep(9000000))", "larger than"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) bad(L, rows[i][0], rows[i][1]);
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

TEST(scripts_cannot_change_our_instance)
{
    lua_State *L = open_state();
    good(L, "cjson.decode_max_depth(1) cjson.encode_number_precision(3) cjson.decode = nil\n"
            "assert(json.decode('[[[1]]]')[1][1][1] == 1)");
    close_state(L);
}

/* lua-cjson's memory is outside the limit and lost if Lua refuses some in the middle: never, under grace. */
TEST(decoding_near_the_memory_limit)
{
    lua_State *L = open_state();
    good(L, "text = '[' .. ('{\"a\":[1,2,3]},'):rep(3000) .. '1]'");
    memory.limit = memory.used + 100000;
    for (int i = 0; i < 20; i++) {
        if (luaL_dostring(L, "local v = json.decode(text) return #v")) CHECK(strstr(lua_tostring(L, -1), "not enough memory"));
        else CHECK_INT(lua_tointeger(L, -1), 3001);
        lua_settop(L, 0);
    }
    memory.limit = 0;
    good(L, "assert(#json.decode(text) == 3001)");
    close_state(L);
}
TEST_MAIN()
