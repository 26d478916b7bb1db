/* The C halves of moonline's own modules, each opened by its first require, and what else the state's opening needs of
 * them. */
#pragma once
#include <lua.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"

struct wire_kv_answer;

int luaopen_moonline_json(lua_State *L);  /* lua_json.c: json */
int luaopen_moonline_cjson(lua_State *L); /* lua_json.c: cjson, for existing code */
int lua_json_encode(lua_State *L);        /* json.encode */
void lua_json_free(void);
int luaopen_moonline_crypto(lua_State *L); /* lua_crypto.c: crypto */
int luaopen_http_core(lua_State *L);       /* lua_http.c: the C half of http */
int luaopen_moonline_log(lua_State *L);   /* lua_log.c: log; print becomes ours */
void lua_log_warning(void *user, const char *text, int more); /* lua_WarnFunction */
int luaopen_line_async(lua_State *L);     /* lua_spawn.c: sleep, spawn, all */
int lua_time_sleep(lua_State *L);         /* lua_time.c: line.sleep(seconds) */
int lua_time_now(lua_State *L);           /* lua_time.c: line.now() */
void lua_timer_push(lua_State *L);        /* lua_timer.c: push the functions line.after and line.every */
void lua_timer_open(void);                /* once the loop exists; before that and after close no timer fires */
void lua_timer_start(void);               /* the bot serves: timers fire from now on, those made while it loaded too */
void lua_timer_leave(int64_t patience_ms); /* drop what is not due within so long, with a log line; again: a shorter time */
bool lua_timer_pending(void);             /* some will fire yet */
void lua_timer_close(void);               /* after the tasks have ended, before the state is closed */
void lua_utf16_push(lua_State *L);        /* lua_text.c: push the table line.utf16 */
int lua_event_functions(lua_State *L);    /* lua_event.c: methods, reply, chat, meta → __index, reply, enter */
void lua_time_close(void);                /* the timers kept between sleeps, at the worker's end */
int luaopen_emulator_host(lua_State *L);  /* lua_app.c: emulator.host, for an application of ours */
void lua_app_news(struct str json);       /* the host tells of the bots */
int luaopen_moonline_store(lua_State *L); /* lua_store.c: store */
void lua_store_answer(const struct wire_kv_answer *a); /* the host answers a call of it */
void lua_store_free(void);
int luaopen_moonline_web(lua_State *L);   /* lua_web.c: web.core, the C half of web */
void lua_web_free(void);
