#include "bindings/web.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/json.h"
#include "base/log.h"
#include "base/map.h"
#include "base/mem.h"
#include "bindings/memory.h"
#include "bindings/task_private.h"

#define CALL_META "web.call"
#define ERROR_META "web.error"

static struct {
    struct map by_id;
    struct web_request *all;
    size_t n;
    unsigned routes;
    int handle_ref;     /* function(request, box): finds a handler, runs it and answers */
    bool leaving, watching;
    char piece[WEB_PIECE]; /* of a file, on its way into a frame */
} web = {.handle_ref = LUA_NOREF};

size_t web_open(void) { return web.n; }
unsigned web_routes(void) { return web.routes; }
void web_routes_add(void) { web.routes++; }
void web_set_handle(int ref) { web.handle_ref = ref; }

/* ---- frames out ---- */

static bool may_send(void) { return wire_backlog(worker_wire()) < WIRE_BUSY; }

/* The host reads whatever else it does. If it does not, there is nobody to work for. */
static void check(int result)
{
    if (!result) return;
    LOG(ERROR, "worker ends: the host does not read what it is sent");
    _exit(1);
}

static void drop_source(struct web_request *r)
{
    if (r->fd >= 0) close(r->fd);
    r->fd = -1;
    r->bytes = NULL;
    r->left = 0;
}

/* Whoever waits to write learns of the end at its next look. */
static void wake_writers(struct web_request *r)
{
    struct web_writer *v;
    while ((v = r->writers)) {
        web_writer_leave(v);
        task_wake(&v->wait);
    }
}

static void release(struct web_request *r)
{
    if (!r->ended || r->event) return;
    wake_writers(r);
    drop_source(r);
    if (r->box) *r->box = NULL;
    if (r->ref != LUA_NOREF) luaL_unref(worker_get()->L, LUA_REGISTRYINDEX, r->ref);
    if (r->prev) r->prev->next = r->next;
    else web.all = r->next;
    if (r->next) r->next->prev = r->prev;
    web.n--;
    buf_free(&r->body);
    free(r->text);
    free(r);
}

/* The last frame is sent. The struct may be gone afterwards. */
static void ended(struct web_request *r)
{
    r->ended = true;
    map_take(&web.by_id, r->id);
    drop_source(r);
    wake_writers(r);
    release(r);
}

static void cut(struct web_request *r)
{
    check(wire_send_web_note(worker_wire(), WIRE_WEB_CUT, r->id, 0));
    ended(r);
}

static void send_data(struct web_request *r, struct str bytes, bool last)
{
    check(wire_send_web_piece(worker_wire(), WIRE_WEB_DATA, &(struct wire_web_piece){r->id, last, bytes}));
    r->credit -= bytes.n;
}

/* The next n bytes of what is sent by itself; p NULL: the file cannot be read, or became shorter. */
static struct str next_piece(struct web_request *r, size_t n)
{
    struct str s = {r->bytes, n};
    if (r->fd < 0) {
        r->bytes += n;
        return s;
    }
    for (s = (struct str){web.piece, 0}; s.n < n;) {
        ssize_t got = pread(r->fd, web.piece + s.n, n - s.n, r->offset);
        if (got < 0 && errno == EINTR) continue;
        if (got <= 0) return (struct str){NULL, 0};
        s.n += (size_t)got;
        r->offset += got;
    }
    return s;
}

static size_t room(const struct web_request *r)
{
    size_t n = r->credit < WEB_PIECE ? r->credit : WEB_PIECE;
    return r->left < n ? (size_t)r->left : n;
}

static void pump(struct web_request *r)
{
    size_t n;
    while (r->left && (n = room(r)) && may_send()) {
        struct str s = next_piece(r, n);
        if (!s.p) {
            LOG(ERROR, "a file could not be read to its end while it was sent", F_STR("bot", worker_get()->bot),
                F_VIEW("request", r->target));
            return cut(r);
        }
        r->left -= n;
        send_data(r, s, r->left == 0);
        if (!r->left) return ended(r);
    }
}

static void drained(void *user)
{
    (void)user;
    for (struct web_request *r = web.all, *next; r; r = next) {
        next = r->next;
        if (r->writers) task_wake(&r->writers->wait);
        else pump(r);
    }
}

/* ---- answers ---- */

void web_answer(struct web_request *r, unsigned status, struct str headers, bool sized, uint64_t n)
{
    r->answered = true;
    if (r->gone) return cut(r);
    struct wire_web_answer a = {.id = r->id, .status = (uint16_t)status, .sized = sized, .length = n, .headers = headers};
    if (str_is(r->method, "HEAD") || !sized) n = 0;
    r->left = n;
    size_t first = may_send() ? room(r) : 0;
    if (first) {
        a.body = next_piece(r, first);
        if (!a.body.p) return cut(r);
        r->left -= first;
        r->credit -= first;
    }
    a.last = r->left == 0;
    check(wire_send_web_answer(worker_wire(), &a));
    if (a.last) ended(r);
    else pump(r);
}

/* One of our own: {"message": …}. */
static void answer_message(struct web_request *r, unsigned status, struct str message)
{
    struct buf body = BUF(LIMIT_ERROR_TEXT * 6 + 64);
    static const char type[] = "content-type\0application/json";
    drop_source(r);
    buf_puts(&body, "{\"message\":");
    json_put(&body, (struct str){message.p, message.n < LIMIT_ERROR_TEXT ? message.n : LIMIT_ERROR_TEXT});
    buf_putc(&body, '}');
    struct wire_web_answer a = {.id = r->id, .status = (uint16_t)status, .last = true, .sized = true, .length = body.len,
                                .headers = {type, sizeof type}};
    if (!str_is(r->method, "HEAD")) a.body = buf_str(&body);
    r->answered = true;
    if (r->gone) {
        cut(r);
    } else {
        check(wire_send_web_answer(worker_wire(), &a));
        ended(r);
    }
    buf_free(&body);
}

/* ---- streams ---- */

/* Nobody takes any more of it. cleanly: the client is told that this was all. Whoever waits to write is told; the
 * function that waits elsewhere has nothing left to wait for. */
static void stop_stream(struct web_request *r, bool cleanly)
{
    struct task *t = r->task;
    r->gone = true;
    if (r->event) event_limited(r->event);
    if (cleanly) {
        send_data(r, (struct str){"", 0}, true);
        ended(r);
    } else {
        cut(r);
    }
    if (t && t->state == TASK_WAITING) task_kill(t, "ended with its stream");
}

void web_stream(struct web_request *r, unsigned status, struct str headers)
{
    r->answered = r->streaming = true;
    if (r->gone) return cut(r);
    check(wire_send_web_answer(worker_wire(), &(struct wire_web_answer){.id = r->id, .status = (uint16_t)status, .headers = headers}));
    if (web.leaving) r->gone = true; /* ended with the function, which is told at once */
    else event_unlimited(r->event);
}

void web_stream_end(struct web_request *r)
{
    if (r->gone && !web.leaving) return cut(r);
    send_data(r, (struct str){"", 0}, true);
    ended(r);
}

bool web_stream_put(struct web_request *r, struct str s, size_t *done)
{
    while (*done < s.n && r->credit && may_send()) {
        size_t n = s.n - *done < WEB_PIECE ? s.n - *done : WEB_PIECE;
        if (n > r->credit) n = r->credit;
        send_data(r, (struct str){s.p + *done, n}, false);
        *done += n;
    }
    return *done == s.n;
}

void web_writer_wait(struct web_request *r, struct web_writer *v)
{
    v->r = r;
    v->next = NULL;
    *r->writers_end = v;
    r->writers_end = &v->next;
}

void web_writer_leave(struct web_writer *v)
{
    struct web_request *r = v->r;
    if (!r) return;
    struct web_writer **p = &r->writers;
    while (*p != v) p = &(*p)->next;
    *p = v->next;
    if (!*p) r->writers_end = p;
    v->r = NULL;
}

/* ---- the handler's task ---- */

LJMP static void push_headers(lua_State *L, struct str list)
{
    const char *name, *value;
    lua_newtable(L);
    int t = lua_gettop(L);
    while (web_next_header(&list, &name, &value)) {
        luaL_Buffer lower;
        luaL_buffinit(L, &lower);
        for (const char *p = name; *p; p++) luaL_addchar(&lower, *p >= 'A' && *p <= 'Z' ? (char)(*p + 32) : *p);
        luaL_pushresult(&lower);
        lua_pushvalue(L, -1);
        if (lua_rawget(L, t) == LUA_TSTRING) {
            lua_pushfstring(L, "%s, %s", lua_tostring(L, -1), value);
            lua_remove(L, -2);
        } else {
            lua_pop(L, 1);
            lua_pushstring(L, value);
        }
        lua_rawset(L, t);
    }
}

LJMP static void set_text(lua_State *L, const char *name, struct str s)
{
    lua_pushlstring(L, s.p, s.n);
    lua_setfield(L, -2, name);
}

LJMP static void push_request(lua_State *L, struct web_request *r)
{
    const char *mark = memchr(r->target.p, '?', r->target.n);
    size_t path_n = mark ? (size_t)(mark - r->target.p) : r->target.n;
    lua_createtable(L, 0, 14);
    set_text(L, "method", r->method);
    set_text(L, "raw_path", (struct str){r->target.p, path_n});
    set_text(L, "query_string", mark ? (struct str){mark + 1, r->target.n - path_n - 1} : (struct str){"", 0});
    set_text(L, "base", r->base);
    set_text(L, "client", r->client);
    set_text(L, "scheme", r->secure ? STR("https") : STR("http"));
    set_text(L, "body", r->body.len ? buf_str(&r->body) : (struct str){"", 0});
    buf_free(&r->body);
    push_headers(L, r->headers);
    lua_setfield(L, -2, "headers");
}

static int handled(lua_State *L, int status, lua_KContext ctx)
{
    (void)L, (void)status, (void)ctx;
    return 0;
}

static int web_main(lua_State *L)
{
    struct web_request *r = lua_touserdata(L, 1);
    lua_rawgeti(L, LUA_REGISTRYINDEX, web.handle_ref);
    push_request(L, r);
    struct web_request **box = lua_newuserdatauv(L, sizeof *box, 1);
    *box = NULL;
    luaL_setmetatable(L, CALL_META);
    lua_pushvalue(L, -1);
    r->ref = luaL_ref(L, LUA_REGISTRYINDEX);
    *box = r;
    r->box = box;
    lua_callk(L, 2, 0, 0, handled);
    return 0;
}

/* What web.error raises: {status, message} with its metatable. On top of co; runs outside Lua and may not raise. */
static bool answer_error(struct web_request *r, lua_State *co)
{
    bool is = false;
    memory_grace();
    if (lua_checkstack(co, 4) && lua_istable(co, -1) && lua_getmetatable(co, -1)) {
        luaL_getmetatable(co, ERROR_META);
        is = lua_rawequal(co, -1, -2);
        lua_pop(co, 2);
    }
    if (is) {
        struct str message = {"", 0};
        lua_pushliteral(co, "status");
        lua_rawget(co, -2);
        lua_pushliteral(co, "message");
        lua_rawget(co, -3);
        if (lua_type(co, -1) == LUA_TSTRING) message.p = lua_tolstring(co, -1, &message.n);
        answer_message(r, (unsigned)lua_tointeger(co, -2), message);
        lua_pop(co, 2);
    }
    memory_ungrace();
    return is;
}

static bool task_ended(struct task *t, enum task_outcome o, int n, struct str why)
{
    struct web_request *r = t->user;
    (void)n;
    r->task = NULL;
    event_limited(t->event); /* what it spawned does not last as long as a stream may */
    if (r->ended) {
        if (o == TASK_RAISED) event_log_failure(t->event, "web handler failed", why);
        return o == TASK_RAISED;
    }
    if (o == TASK_RAISED && !r->answered && answer_error(r, t->co)) return true;
    if (o == TASK_RAISED) event_log_failure(t->event, "web handler failed", why);
    if (r->left) return o == TASK_RAISED; /* the answer is on its way by itself */
    if (r->answered || r->gone) cut(r);
    else if (o == TASK_KILLED) answer_message(r, 503, STR("Service Unavailable"));
    else answer_message(r, 500, STR("Internal Server Error"));
    return o == TASK_RAISED;
}

void web_tasks_ended(struct web_request *r)
{
    r->event = NULL;
    release(r);
}

static void begin(struct web_request *r)
{
    char line[LIMIT_EVENT_ID + 1];
    const char *mark = memchr(r->target.p, '?', r->target.n);
    /* Without the query, where some put their keys. */
    int n = snprintf(line, sizeof line, STR_FMT " %.*s", STR_ARG(r->method),
                     (int)(mark ? (size_t)(mark - r->target.p) : r->target.n), r->target.p);
    struct str shown = {line, (size_t)n < sizeof line ? (size_t)n : sizeof line - 1};
    r->event = event_of_request(r, PAGE_WEB | r->id, shown);
    struct task *t = r->task = task_new(r->event);
    lua_pushcfunction(t->co, web_main);
    lua_pushlightuserdata(t->co, r);
    t->arguments = 1;
    t->ended = task_ended;
    t->user = r;
    task_ready(t);
}

/* ---- frames in ---- */

static struct str keep(char **to, struct str s)
{
    char *p = *to;
    if (s.n) memcpy(p, s.p, s.n);
    *to += s.n;
    return (struct str){p, s.n};
}

static bool take_request(const struct wire_web_request *w)
{
    if (map_get(&web.by_id, w->id) || w->body.n > w->body_n) return false;
    struct web_request *r = mem_zalloc(sizeof *r);
    *r = (struct web_request){.id = w->id, .secure = w->secure, .body_n = w->body_n, .credit = WEB_WINDOW, .ref = LUA_NOREF,
                              .fd = -1, .next = web.all};
    char *to = r->text = mem_alloc(w->method.n + w->target.n + w->base.n + w->client.n + w->headers.n + 1);
    r->method = keep(&to, w->method);
    r->target = keep(&to, w->target);
    r->base = keep(&to, w->base);
    r->client = keep(&to, w->client);
    r->headers = keep(&to, w->headers);
    r->writers_end = &r->writers;
    buf_init(&r->body, w->body_n);
    buf_append(&r->body, w->body.p, w->body.n);
    if (web.all) web.all->prev = r;
    web.all = r;
    web.n++;
    map_put(&web.by_id, r->id, r);
    if (!web.watching) wire_watch_backlog(worker_wire(), drained, NULL);
    web.watching = true;
    if (r->body.len == r->body_n) begin(r);
    return true;
}

static bool take_body(const struct wire_web_piece *p)
{
    struct web_request *r = map_get(&web.by_id, p->id);
    if (!r || r->event || r->body.len + p->bytes.n > r->body_n) return false;
    buf_append(&r->body, p->bytes.p, p->bytes.n);
    if (p->last != (r->body.len == r->body_n)) return false;
    if (p->last) begin(r);
    return true;
}

/* Notes may cross the end of the answer on their way: then they are about nothing. */
static void taken(uint64_t id, uint64_t n)
{
    struct web_request *r = map_get(&web.by_id, id);
    if (!r) return;
    r->credit += (size_t)n;
    if (r->credit > WEB_WINDOW) r->credit = WEB_WINDOW;
    if (r->writers) task_wake(&r->writers->wait);
    else pump(r);
}

static void client_left(uint64_t id)
{
    struct web_request *r = map_get(&web.by_id, id);
    if (!r) return;
    r->gone = true;
    if (r->streaming) {
        stop_stream(r, false);
    } else if (!r->event || r->left) {
        cut(r); /* its body never came whole, or its answer goes nowhere */
    }
}

bool web_take_frame(enum wire_type type, struct str payload)
{
    struct wire_web_request w;
    struct wire_web_piece p;
    uint64_t id, n;
    if (type == WIRE_WEB_REQUEST) return !wire_read_web_request(payload, &w) && take_request(&w);
    if (type == WIRE_WEB_BODY) return !wire_read_web_piece(payload, &p) && take_body(&p);
    if (wire_read_web_note(payload, &id, &n)) return false;
    if (type == WIRE_WEB_TAKEN) taken(id, n);
    else client_left(id);
    return true;
}

void web_leave(void)
{
    web.leaving = true;
    for (struct web_request *r = web.all; r;) {
        if (!r->streaming || r->ended) {
            r = r->next;
            continue;
        }
        stop_stream(r, true);
        r = web.all; /* the list may have changed anywhere */
    }
}
