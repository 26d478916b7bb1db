/* The other view of a webhook: lua-cjson decodes the body, and Lua compares what it sees with what webhook_split() saw.
 * What the worker sees of it is compared with lua-cjson too (json_twin.h). Shared by the fuzzer and by the unit test that
 * runs the kept corpus.
 *
 * The two may differ only in ways that are listed in the Lua below, each proven from the bytes rather than believed:
 *   we refuse, cjson does not:  invalid UTF-8, control characters in strings, a number that is none in JSON, what
 *                               follows a NUL byte, and what cjson cannot tell apart: an empty object or array
 *   we accept, cjson does not:  \u escapes of half a surrogate pair */
#pragma once
#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "line/webhook.h"

int luaopen_cjson(lua_State *L); /* of lua-cjson, which has no header */

static const char twin_code[] =
    "local cjson, max_depth, max_id, max_events = ...\n"
    "cjson = cjson.new()\n"
    "cjson.decode_invalid_numbers(false)\n"
    "cjson.decode_max_depth(max_depth)\n"
    "local function decode(s)\n"
    "  local ok, v = pcall(cjson.decode, s)\n"
    "  if ok then return true, v end\n"
    "  return false, v\n"
    "end\n"
    "local function same(a, b)\n"
    "  if type(a) ~= 'table' or type(b) ~= 'table' then return a == b end\n"
    "  for k, v in pairs(a) do if not same(v, b[k]) then return false end end\n"
    "  for k in pairs(b) do if a[k] == nil then return false end end\n"
    "  return true\n"
    "end\n"
    "local function object(v) return type(v) == 'table' and v[1] == nil end\n" /* or an empty array: cjson cannot say */
    "local function array(v) if type(v) ~= 'table' then return false end\n"
    "  for k in pairs(v) do if type(k) ~= 'number' then return false end end return true end\n"
    "local function id(v) if type(v) == 'string' and #v > 0 and #v <= max_id then return v end end\n"
    "local refusal = {\n" /* our reason -> is it true of this body, which cjson accepted? */
    "  ['a string is not UTF-8'] = function(s) return not utf8.len(s) end,\n"
    "  ['a control character inside a string'] = function(s) return s:find('[\\0-\\31]') end,\n"
    "  ['a number is not written as JSON has it'] = function(s)\n"
    "    return s:find('%d%.%D') or s:find('%d%.$') or s:find('%-0%d') or s:find('%-%D') end,\n"
    "  ['something follows the end of the value'] = function(s) return s:find('\\0', 1, true) end,\n"
    "  ['an object is expected here'] = function(s, v) return not object(v) or next(v) == nil end,\n"
    "  ['no events array'] = function(s, v) return not array(v.events) or next(v.events) == nil end,\n"
    "  ['an event that is not an object'] = function(s, v)\n"
    "    for _, e in ipairs(v.events) do if not object(e) or next(e) == nil then return true end end end,\n"
    "  ['too many events'] = function(s, v) return #v.events > max_events end,\n"
    "}\n"
    /* One fact: equal; or ours missing although theirs is a good id, which takes an escape in the bytes. */
    "local function agree(ours, theirs, raw)\n"
    "  return ours == id(theirs) or ours == nil and raw:find('\\\\', 1, true)\n"
    "end\n"
    "local function chat(ours, source, raw)\n"
    "  if not object(source) then return ours == nil end\n"
    "  local first = id(source.groupId) or id(source.roomId) or id(source.userId)\n"
    "  if ours == first then return true end\n"
    "  if not raw:find('\\\\', 1, true) then return false end\n"
    "  return ours == nil or ours == id(source.roomId) or ours == id(source.userId)\n"
    "end\n"
    "local function time(ours, theirs, raw)\n"
    "  if type(theirs) ~= 'number' then return ours == 0 end\n"
    "  if ours ~= 0 then return ours + 0.0 == theirs end\n"
    "  return theirs == 0 or theirs >= 2^63 or theirs <= -2^63 or raw:find('[%d][.eE]')\n"
    "end\n"
    "return function(body, ours, why)\n"
    "  local ok, v = decode(body)\n"
    "  if not ours then\n"
    "    if not ok then return end\n"
    "    local test = refusal[why]\n"
    "    if not test then return 'refused for a reason that cjson should share: ' .. why end\n"
    "    if not test(body, v) then return 'refused without cause: ' .. why end\n"
    "    return\n"
    "  end\n"
    "  if not ok then\n"
    "    if body:find('\\\\u[dD][89a-fA-F]') then return end\n"
    "    return 'accepted, but cjson says ' .. v\n"
    "  end\n"
    "  if not object(v) then return 'accepted a root that is no object' end\n"
    "  if not array(v.events) then return 'accepted without events' end\n"
    "  if #v.events ~= #ours then return #ours .. ' events, cjson has ' .. #v.events end\n"
    "  if not agree(ours.destination, v.destination, body) then return 'destination' end\n"
    "  for i, o in ipairs(ours) do\n"
    "    local t = v.events[i]\n"
    "    local one, e = decode(o.raw)\n"
    "    if not one then return 'event ' .. i .. ' by itself: ' .. e end\n"
    "    if not o.raw:find('^{.*}$') then return 'event ' .. i .. ' is not cut at its braces' end\n"
    "    if not same(t, e) then return 'event ' .. i .. ' decodes otherwise by itself' end\n"
    "    if not agree(o.id, t.webhookEventId, o.raw) then return 'webhookEventId of event ' .. i end\n"
    "    if not agree(o.type, t.type, o.raw) then return 'type of event ' .. i end\n"
    "    if not chat(o.chat, t.source, o.raw) then return 'chat of event ' .. i end\n"
    "    if not time(o.timestamp, t.timestamp, o.raw) then return 'timestamp of event ' .. i end\n"
    "    local d = object(t.deliveryContext) and t.deliveryContext.isRedelivery == true\n"
    "    if o.redelivery ~= d then return 'redelivery of event ' .. i end\n"
    "    if o.standby ~= (t.mode == 'standby') then return 'mode of event ' .. i end\n"
    "  end\n"
    "end\n";

static lua_State *twin_state; /* kept to the end of the program; the compared function is its first stack slot */

static inline void twin_open(void)
{
    twin_state = luaL_newstate();
    luaL_openlibs(twin_state);
    if (luaL_loadbuffer(twin_state, twin_code, sizeof twin_code - 1, "=twin") != LUA_OK) {
        fprintf(stderr, "%s\n", lua_tostring(twin_state, -1));
        abort();
    }
    luaopen_cjson(twin_state);
    lua_pushinteger(twin_state, LIMIT_JSON_DEPTH);
    lua_pushinteger(twin_state, LIMIT_EVENT_ID);
    lua_pushinteger(twin_state, LIMIT_EVENTS_PER_WEBHOOK);
    lua_call(twin_state, 4, 1);
}

static inline void twin_close(void)
{
    lua_close(twin_state);
    twin_state = NULL;
}

static inline void twin_put(lua_State *L, const char *name, struct str s) /* a NULL view is no field */
{
    if (!s.p)
        return;
    lua_pushlstring(L, s.p, s.n);
    lua_setfield(L, -2, name);
}

static inline void twin_push(lua_State *L, const struct webhook *w)
{
    lua_createtable(L, (int)w->n, 1);
    twin_put(L, "destination", w->destination);
    for (size_t i = 0; i < w->n; i++) {
        const struct webhook_event *e = &w->events[i];
        lua_createtable(L, 0, 7);
        twin_put(L, "raw", e->raw);
        twin_put(L, "id", e->id);
        twin_put(L, "type", e->type);
        twin_put(L, "chat", e->chat);
        lua_pushinteger(L, e->timestamp);
        lua_setfield(L, -2, "timestamp");
        lua_pushboolean(L, e->redelivery);
        lua_setfield(L, -2, "redelivery");
        lua_pushboolean(L, e->standby);
        lua_setfield(L, -2, "standby");
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
}

/* What the two views disagree about, NULL if nothing. The text is good until the next call. */
static inline const char *twin_compare(const void *p, size_t n)
{
    lua_State *L = twin_state;
    struct webhook w = {{NULL, 0}, NULL, 0};
    const char *why = "";
    int r = webhook_split((struct str){p, n}, &w, &why);
    lua_settop(L, 1);
    lua_pushvalue(L, 1);
    lua_pushlstring(L, p, n);
    if (r == 0)
        twin_push(L, &w);
    else
        lua_pushboolean(L, false);
    webhook_free(&w);
    lua_pushstring(L, why);
    if (lua_pcall(L, 3, 1, 0) != LUA_OK)
        return lua_tostring(L, -1);
    return lua_tostring(L, -1); /* nil: NULL */
}
