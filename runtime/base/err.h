/* The one error convention of the runtime.
 *
 * A function that can fail returns int: 0, or one of these negative codes. Booleans are only for predicates whose name
 * reads as one; NULL only for "not found". Out-parameters come last, are named ret_x and are untouched on failure.
 * Running out of memory outside Lua ends the process (base/mem.h): everything acknowledged is in the store.
 *
 * To add a code: add a row; err_text() and its test follow. */
#pragma once

#define ERR_LIST(X)                                                                                                    \
    X(TOOBIG, 1, "larger than its ceiling")                                                                            \
    X(SYNTAX, 2, "not well-formed")                                                                                    \
    X(IO, 3, "input or output failed")                                                                                 \
    X(FULL, 4, "no room left")                                                                                         \
    X(BUSY, 5, "in use by somebody else")                                                                              \
    X(NOTFOUND, 6, "not found")                                                                                        \
    X(CLOSED, 7, "closed by the other side")                                                                           \
    X(USAGE, 8, "wrong usage")                                                                                         \
    X(VERSION, 9, "a version this program does not know")                                                              \
    X(TIMEOUT, 10, "took too long")                                                                                    \
    X(SOURCE, 11, "what was to be sent could not be read")

enum err {
#define X(name, code, text) ERR_##name = -(code),
    ERR_LIST(X)
#undef X
};

/* The text of a code, for log lines; "unknown error" for anything else. Never NULL. */
const char *err_text(int code);
