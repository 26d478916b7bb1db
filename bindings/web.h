/* Requests of the bot's own routes in the worker: from a frame to a handler's task, and from what the handler returns to
 * frames again. Choosing a handler, and what handlers see, is Lua: scripts/web.
 *
 *     collecting its body → handler runs → answer sent whole, or by itself piece by piece, or streamed by its task → ended
 *
 * The struct lives until its answer has ended and no task of it is left; Lua holds a box with a pointer that is cleared
 * then. */
#pragma once
#include "base/buf.h"
#include "bindings/task.h"
#include "host/web_wire.h"

struct web_writer;

struct web_request {
    struct web_request *next, *prev; /* all there are */
    uint64_t id;
    struct event *event;          /* its tasks; NULL before the first and after the last */
    struct task *task;            /* the handler's; NULL once it ended */
    char *text;                   /* what the views below look into */
    struct str method, target, base, client, headers;
    bool secure;
    struct buf body;
    uint64_t body_n;
    bool answered, streaming;     /* the head is sent; the body comes from a task */
    bool gone;                    /* the client is, or the generation ends: nobody takes any more of it */
    bool ended;                   /* the last frame of the answer is sent */
    size_t credit;                /* bytes that may be sent */
    int ref;                      /* of the box in the registry; LUA_NOREF */
    struct web_request **box;     /* which holds what bytes looks into as its user value */
    const char *bytes;            /* what is sent by itself: from here, or from fd at the offset */
    int fd;
    int64_t offset;
    uint64_t left;
    struct web_writer *writers, **writers_end; /* tasks in stream:write; the first one's turn it is */
};

/* A task that waits to write; in a userdata on its stack. */
struct web_writer {
    struct wait wait;
    struct web_request *r;        /* NULL: not in its list */
    struct web_writer *next;
    size_t done;                  /* bytes sent */
};

/* ---- web.c ---- */
bool web_take_frame(enum wire_type type, struct str payload); /* false: malformed */
void web_leave(void);             /* the generation ends: streams do */
size_t web_open(void);            /* requests that have not ended */
unsigned web_routes(void);        /* declared */
void web_routes_add(void);
void web_set_handle(int ref);     /* registry reference of the function(request, box) */
void web_tasks_ended(struct web_request *r); /* event.c: no task is left */
/* The head of the answer; headers as in web_wire.h. body, and what follows it by itself, is n bytes in all. The request
 * ends when it is sent. */
void web_answer(struct web_request *r, unsigned status, struct str headers, bool sized, uint64_t n);
void web_stream(struct web_request *r, unsigned status, struct str headers);
void web_stream_end(struct web_request *r);
/* Send what may be sent of s from *done on. True when that is all. */
bool web_stream_put(struct web_request *r, struct str s, size_t *done);
void web_writer_wait(struct web_request *r, struct web_writer *v);
void web_writer_leave(struct web_writer *v);

/* ---- web_file.c ---- */
#define WEB_FILE "web.file"
struct web_file {
    int fd;                       /* -1: closed */
};
LJMP void web_file_open_meta(lua_State *L);
int web_file_open(lua_State *L);     /* core.open */
int web_file_close(lua_State *L);    /* core.close */
int web_file_embedded(lua_State *L); /* core.embedded */
