/* line.utf16: UTF-16 units and bytes, against what a slow model in Lua says. */
#include "test.h"
#include "bindings/lua_api.h"
#include "bindings/lua_modules.h"

static lua_State *open_state(void)
{
    lua_State *L = luaL_newstate();
    luaL_openlibs(L);
    lua_utf16_push(L);
    lua_setglobal(L, "utf16");
    return L;
}

/* A chunk that must end well. */
static void good(lua_State *L, const char *chunk)
{
    if (luaL_dostring(L, chunk)) FAIL("%s\n# in %s", lua_tostring(L, -1), chunk);
    lua_settop(L, 0);
}

TEST(lengths)
{
    lua_State *L = open_state();
    good(L, "local n = utf16.len\n"
            "assert(n '' == 0 and n 'abc' == 3 and n 'é' == 1 and n '寿司' == 2 and n '🍎' == 2 and n 'a🍎b' == 4)\n"
            "assert(n '👨‍👩‍👧' == 8)\n"               /* a family: three pairs and two joiners */
            "assert(n '\\0\\0' == 2)\n"
            "assert(n '\\xFF' == 1 and n '\\xC3' == 1 and n '\\x80\\x80' == 2)\n"
            "assert(n '\\xE5\\xAF' == 1 and n '\\xE5\\xAFx' == 2 and n '\\xF0\\x9F\\x8D' == 1)\n" /* cut characters */
            "assert(n '\\xED\\xA0\\xBD' == 3 and n '\\xC0\\xAF' == 2 and n '\\xF4\\x90\\x80\\x80' == 4)\n");
    lua_close(L);
}

TEST(parts)
{
    lua_State *L = open_state();
    good(L, "local sub = utf16.sub\n"
            "assert(sub('hello', 2, 4) == 'ell' and sub('hello', -3) == 'llo' and sub('hello', 0) == 'hello')\n"
            "assert(sub('hello', 2, -2) == 'ell' and sub('hello', 4, 2) == '' and sub('hello', -99, -99) == '')\n"
            "assert(sub('hello', 9) == '' and sub('hello', 1, 1 << 62) == 'hello')\n"
            "assert(sub('hello', math.mininteger, math.maxinteger) == 'hello')\n"
            "assert(sub('hello', math.maxinteger, math.mininteger) == '')\n"
            "assert(sub('a🍎b', 1, 2) == 'a' and sub('a🍎b', 1, 3) == 'a🍎' and sub('a🍎b', 2, 3) == '🍎')\n"
            "assert(sub('a🍎b', 3, 4) == 'b' and sub('a🍎b', 3, 3) == '' and sub('a🍎b', -2, -1) == 'b')\n");
    lua_close(L);
}

TEST(places)
{
    lua_State *L = open_state();
    good(L, "local to, from, range = utf16.to_byte, utf16.from_byte, utf16.range\n"
            "local s = 'a🍎é' -- units a 0, apple 1 and 2, é 3, end 4; bytes 1, 2-5, 6-7, end 8\n"
            "local want = {[0] = 1, 2, 2, 6, 8}\n"
            "for index = 0, 4 do assert(to(s, index) == want[index], index) end\n"
            "assert(to(s, 5) == nil and to(s, -1) == nil and to('', 0) == 1 and to('', 1) == nil)\n"
            "want = {0, 1, 1, 1, 1, 3, 3, 4}\n"
            "for byte = 1, 8 do assert(from(s, byte) == want[byte], byte) end\n"
            "assert(from(s, 0) == nil and from(s, 9) == nil and from('', 1) == 0)\n"
            "local function is(i, n, a, b) local x, y = range(s, i, n); assert(x == a and y == b, i .. ' ' .. n) end\n"
            "is(0, 1, 1, 1) is(1, 2, 2, 5) is(1, 1, 2, 5) is(2, 1, 2, 5) is(3, 1, 6, 7) is(0, 4, 1, 7) is(0, 99, 1, 7)\n"
            "is(4, 0, 8, 7) is(4, 1) is(9, 1) is(-1, 1) is(0, -1) is(0, math.maxinteger, 1, 7) is(1, 0, 2, 1)\n"
            "is(3, math.maxinteger, 6, 7)\n");
    lua_close(L);
}

/* Random texts of whole, cut and impossible characters; the model splits them into atoms by hand. */
TEST(agrees_with_the_model)
{
    lua_State *L = open_state();
    good(L,
         "local atoms = {{'a', 1}, {'é', 1}, {'寿', 1}, {'🍎', 2}, {'\\u{10FFFF}', 2}, {'\\u{FFFF}', 1}, {'\\0', 1},\n"
         "               {'\\xFF', 1}, {'\\xC3', 1}, {'\\xE5\\xAF', 1}, {'\\xF0\\x9F\\x8D', 1}, {'\\xC0', 1}}\n"
         "math.randomseed(7)\n"
         "for round = 1, 3000 do\n"
         "  local list, s, units = {}, '', 0\n"
         "  for i = 1, math.random(0, 8) do\n"
         "    local a = atoms[math.random(#atoms)]\n"
         "    list[i] = {text = a[1], from = #s + 1, to = #s + #a[1], u = units, v = units + a[2]}\n"
         "    s, units = s .. a[1], units + a[2]\n"
         "  end\n"
         "  assert(utf16.len(s) == units)\n"
         "  for i = 1, units + 1 do for j = i - 1, units + 1 do\n"
         "    local want = ''\n"
         "    for _, a in ipairs(list) do if a.u >= i - 1 and a.v <= j then want = want .. a.text end end\n"
         "    assert(utf16.sub(s, i, j) == want, ('%q %d %d'):format(s, i, j))\n"
         "    assert(utf16.sub(s, i - units - 1, j) == utf16.sub(s, i, j) or i > units)\n"
         "  end end\n"
         "  for _, a in ipairs(list) do\n"
         "    for index = a.u, a.v - 1 do assert(utf16.to_byte(s, index) == a.from) end\n"
         "    for byte = a.from, a.to do assert(utf16.from_byte(s, byte) == a.u) end\n"
         "    local x, y = utf16.range(s, a.u, a.v - a.u)\n"
         "    assert(s:sub(x, y) == a.text)\n"
         "  end\n"
         "end\n");
    lua_close(L);
}

TEST(arguments)
{
    lua_State *L = open_state();
    good(L, "local ok, why = pcall(function() return utf16.len(nil), 1 end)\n"
            "assert(not ok and why:find('string expected', 1, true), why)\n"
            "ok, why = pcall(function() return utf16.to_byte('x', 1.5), 1 end)\n"
            "assert(not ok and why:find('no integer representation', 1, true), why)\n");
    lua_close(L);
}

TEST_MAIN()
