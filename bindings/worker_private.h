/* The pieces of worker.c: the Lua state, and the loading of the bot. */
#pragma once
#include "bindings/task_private.h"

/* state.c: make the state with everything in it, but run nothing. Needs the worker's settings. */
void state_open(void);
void state_close(void);

/* load.c: start the task that loads the bot. ended is called once, with why NULL when the bot is loaded: then handlers is
 * the number of them and, in check mode, report the JSON. */
void load_begin(void (*ended)(const char *why, unsigned handlers, struct str report));
void load_close_handles(void);

/* lua_command.c: the mode "command". Takes a setting of its own and returns true; false for any other's. */
bool lua_command_setting(struct str name, struct str value);
/* What was loaded is loaded: start the task that runs the command. ended is called once its status was sent. */
void lua_command_begin(void (*ended)(void));
void lua_command_free(void);
