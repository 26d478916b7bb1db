/* The other view of a document: lua-cjson decodes it too, and Lua compares what the two made of it. Shared by the fuzzer
 * and by the unit test that runs the kept corpus.
 *
 * The two may differ only in ways that are listed in the Lua below, each proven from the bytes rather than believed:
 *   we refuse, cjson does not:  invalid UTF-8, control characters in strings, a number that is none in JSON, what
 *                               follows a NUL byte
 *   we accept, cjson does not:  \u escapes of half a surrogate pair
 *   other values:               integral numbers are integers here, and keep the digits a double has no room for */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "bindings/json.h"
#include "bindings/lua_api.h"
#include "bindings/memory.h"
#include "lua-cjson.h"

static const char json_twin_code[] =
    "local cjson, max_depth, decode, array_mark = ...\n"
    "cjson = cjson.new()\n"
    "cjson.decode_invalid_numbers(false)\n"
    "cjson.decode_max_depth(max_depth)\n"
    "local null = cjson.null\n"
    "local refusal = {\n" /* our reason -> is it true of this text, which cjson accepted? */
    "  ['a string is not UTF-8'] = function(s) return not utf8.len(s) end,\n"
    "  ['a control character inside a string'] = function(s) return s:find('[\\0-\\31]') end,\n"
    "  ['a number is not written as JSON has it'] = function(s)\n"
    "    return s:find('%d%.%D') or s:find('%d%.$') or s:find('%-0%d') or s:find('%-%D') end,\n"
    "  ['something follows the end of the value'] = function(s) return s:find('\\0', 1, true) end,\n"
    "}\n"
    /* theirs is a float; at 2^63 and -2^63 ours tells apart what a double does not */
    "local function same_number(a, b)\n"
    "  if math.type(a) == 'integer' then return a + 0.0 == b end\n"
    "  return math.type(a) == 'float' and a == b and (not math.tointeger(b) or b == -2.0^63)\n"
    "end\n"
    "local function same(a, b)\n"
    "  if type(a) == 'number' and type(b) == 'number' then return same_number(a, b) end\n"
    "  if type(a) ~= 'table' or type(b) ~= 'table' then return rawequal(a, b) end\n"
    "  if getmetatable(a) ~= nil and (getmetatable(a) ~= array_mark or next(a) ~= nil) then return false end\n"
    "  for k, v in next, a do if not same(v, b[k]) then return false end end\n"
    "  for k in next, b do if a[k] == nil then return false end end\n"
    "  return true\n"
    "end\n"
    /* b without the members that are null is a, to the type and mark of every value */
    "local function stripped(a, b)\n"
    "  if type(a) ~= 'table' or type(b) ~= 'table' then return rawequal(a, b) and math.type(a) == math.type(b) end\n"
    "  if getmetatable(a) ~= getmetatable(b) then return false end\n"
    "  for k, v in next, b do\n"
    "    if v == null and type(k) == 'string' then v = nil end\n"
    "    if not stripped(a[k], v) then return false end\n"
    "  end\n"
    "  for k in next, a do if b[k] == nil then return false end end\n"
    "  return true\n"
    "end\n"
    "local function marks(v, s)\n" /* an empty table is marked if it was [], and only then */
    "  if type(v) ~= 'table' then return true end\n"
    "  local array = getmetatable(v) == array_mark\n"
    "  if next(v) == nil then return s:find(array and '%[%s*%]' or '{%s*}') end\n"
    "  for _, item in next, v do if not marks(item, s) then return false end end\n"
    "  return not array\n"
    "end\n"
    "local function place(s, line, column)\n" /* it lies in the text, or one byte behind */
    "  for _ = 2, line do\n"
    "    local stop = s:find('\\n', 1, true)\n"
    "    if not stop then return false end\n"
    "    s = s:sub(stop + 1)\n"
    "  end\n"
    "  return column >= 1 and column <= #s + 1 and not s:sub(1, column - 1):find('\\n', 1, true)\n"
    "end\n"
    "return function(text, view)\n"
    "  local ok, ours = pcall(decode, view, true)\n"
    "  local also, short = pcall(decode, view, false)\n"
    "  local fine, theirs = pcall(cjson.decode, text)\n"
    "  if ok ~= also then return 'nulls decide whether it is JSON' end\n"
    "  if not ok then\n"
    "    if ours ~= short then return 'two reasons: ' .. ours .. ' and ' .. short end\n"
    "    local why, line, column = ours:match('^not JSON: (.+) at line (%d+), column (%d+)$')\n"
    "    if not why then return 'the error is ' .. ours end\n"
    "    if not place(text, tonumber(line), tonumber(column)) then return 'the error stands outside: ' .. ours end\n"
    "    if not fine then return end\n"
    "    local test = refusal[why]\n"
    "    if not test then return 'refused for a reason that cjson should share: ' .. ours end\n"
    "    if not test(text) then return 'refused without cause: ' .. ours end\n"
    "    return\n"
    "  end\n"
    "  if not stripped(short, ours) then return 'members that are null make another difference' end\n"
    "  if not marks(ours, text) then return 'an empty array is not marked, or something else is' end\n"
    "  if fine then return not same(ours, theirs) and 'the values differ' or nil end\n"
    "  if not text:find('\\\\u[dD][89a-fA-F]') then return 'accepted, but cjson says ' .. theirs end\n"
    "end\n";

static lua_State *json_twin; /* kept to the end of the program; the compared function is its first stack slot */

static inline int json_twin_decode(lua_State *L) /* (view, keep_null): from bytes of their own, not a Lua string */
{
    const struct str *text = lua_touserdata(L, 1);
    if (lua_toboolean(L, 2)) json_decode_keep_null(L, *text);
    else json_decode(L, *text);
    return 1;
}

static inline void json_twin_open(void)
{
    lua_State *L = json_twin = lua_newstate(memory_alloc, NULL);
    luaL_openlibs(L);
    json_open(L);
    if (luaL_loadbuffer(L, json_twin_code, sizeof json_twin_code - 1, "=twin") != LUA_OK) {
        fprintf(stderr, "%s\n", lua_tostring(L, -1));
        abort();
    }
    luaopen_cjson(L);
    lua_pushinteger(L, LIMIT_JSON_DEPTH);
    lua_pushcfunction(L, json_twin_decode);
    json_push_array_mark(L);
    lua_call(L, 4, 1);
}

static inline void json_twin_close(void)
{
    lua_close(json_twin);
    json_twin = NULL;
    json_free();
}

/* What the two disagree about, NULL if nothing. The text is good until the next call. */
static inline const char *json_twin_compare(const void *p, size_t n)
{
    lua_State *L = json_twin;
    struct str view = {p, n};
    lua_settop(L, 1);
    lua_pushvalue(L, 1);
    lua_pushlstring(L, p, n);
    lua_pushlightuserdata(L, &view);
    lua_pcall(L, 2, 1, 0); /* an error is text too */
    return lua_tostring(L, -1); /* nil: NULL */
}

/* Decode with one allocation refused, the at-th, and Lua's second try for it too. NULL unless that ends in anything but
 * a value or Lua's error of memory. What is lost then shows in memory.used when all is closed. */
static inline const char *json_twin_starve(const void *p, size_t n, uint64_t at)
{
    lua_State *L = json_twin;
    struct str view = {p, n};
    lua_settop(L, 1);
    lua_pushcfunction(L, json_twin_decode);
    lua_pushlightuserdata(L, &view);
    memory.fail_at = at;
    memory.fail_times = 2;
    int status = lua_pcall(L, 1, 1, 0);
    memory.fail_at = 0;
    if (status == LUA_OK || status == LUA_ERRMEM) return NULL;
    return strncmp(lua_tostring(L, -1), "not JSON: ", 10) == 0 ? NULL : lua_tostring(L, -1);
}
