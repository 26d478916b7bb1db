/* The life of one API call: attempts, waits between them, retry keys, records. See call.h. What may be repeated:
 *
 *   no connection, timeout, 5xx   GETs, and sends with a retry key; CALL_TRIES attempts, about 0.2 s and 0.4 s apart
 *   401                           everything, once, with a renewed token (call_token.c): LINE has not carried it out
 *   429 for the rate              everything, 1 s, 2 s, 4 s … apart, and in its turn (call_rate.c)
 *   429, too many under way       likewise
 *   429 for the monthly quota, or too many messages to one user    nothing: waiting does not help
 *   202 to a download             until it is ready, or ready_limit_ms */
#include "bindings/call_private.h"
#include <stdio.h>
#include <stdlib.h>
#include "base/clock.h"
#include "base/err.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/mem.h"
#include "bindings/trace_news.h"
#include "line/digest.h"
#include "line/refusal.h"

#define CALL_BOX "line.call"
#define POOL_MAX 1024          /* boxes kept, as many as line.all takes; beyond, the garbage collector has them */
#define POOL_WARM 256          /* of these, with their larger buffers */
#define BODY_KEPT (pool_n < POOL_WARM ? 16384u : 1024u) /* bytes of buffer that a pooled call keeps */
#define BACKOFF_MS 200
#define RATE_WAIT_MS 1000
#define RATE_WAITS 6           /* 1 + 2 + 4 + 8 + 16 + 32 s; the handler's time ends it first */
#define READY_WAIT_MS 1000
#define PATIENCE_MS 60000      /* of a call that no handler's limit ends */

static int pool_ref = LUA_NOREF; /* table of boxes in the registry */
static int pool_n;
struct call_sends call_sends;

struct box {
    struct api_call *c;
};

/* ---- boxes ---- */

static LJMP int raise_of(lua_State *L, struct exchange *x, int what, int where)
{
    return call_raise(L, (struct api_call *)x, what, where);
}

static void stop_of(struct exchange *x) { call_stop((struct api_call *)x); }
static void free_of(struct exchange *x) { call_free((struct api_call *)x); }

static void cancelled_of(struct exchange *x)
{
    stop_of(x);
    call_spent((struct api_call *)x);
}

static const struct exchange_kind line_kind = {
    .shown = "content", .broken = content_broken, .raise = raise_of, .stop = stop_of, .cancelled = cancelled_of, .free = free_of,
};

static void timer_closed(uv_handle_t *h) { free(h->data); }

void call_free(struct api_call *c)
{
    if (!c) return;
    call_stop(c);
    call_token_drop(c);
    http_call_free(&c->x.http);
    http_upload_free(&c->upload);
    buf_free(&c->url);
    buf_free(&c->body);
    buf_free(&c->extra);
    buf_free(&c->x.stream);
    c->timer.data = c;
    if (c->timer_made)
        uv_close((uv_handle_t *)&c->timer, timer_closed); /* libuv still holds it until its next turn */
    else
        free(c);
}

void call_spent(struct api_call *c)
{
    if (c->x.streaming) return; /* its object may be asked again */
    http_upload_free(&c->upload);
    http_call_free(&c->x.http);
    buf_free(&c->body);
}

static int box_gc(lua_State *L)
{
    struct box *b = lua_touserdata(L, 1);
    call_free(b->c);
    b->c = NULL;
    return 0;
}

/* As new, but for its memory and the timer. */
static void call_reset(struct api_call *c)
{
    struct buf keep[] = {c->url, c->body, c->extra, c->x.stream};
    bool timer_made = c->timer_made;
    call_token_drop(c);
    if (c->uploading) http_upload_free(&c->upload);
    http_client_take_back(worker_get()->client, &c->x.http);
    memset(&c->x, 0, offsetof(struct exchange, http) + offsetof(struct http_call, error_text));
    memset((char *)c + offsetof(struct api_call, row), 0, offsetof(struct api_call, retry_line) - offsetof(struct api_call, row));
    c->x.kind = &line_kind;
    c->timer_made = timer_made;
    c->url = keep[0], c->body = keep[1], c->extra = keep[2], c->x.stream = keep[3];
    buf_clear(&c->url), buf_clear(&c->body), buf_clear(&c->extra), buf_clear(&c->x.stream);
    buf_trim(&c->body, BODY_KEPT);
    buf_trim(&c->x.stream, 0);
}

static struct api_call *call_new(void)
{
    struct api_call *c = mem_zalloc(sizeof *c);
    c->x.kind = &line_kind;
    buf_init(&c->url, LIMIT_HEADER_BYTES);
    buf_init(&c->body, LIMIT_API_REQUEST);
    buf_init(&c->extra, LIMIT_HEADER_BYTES);
    buf_init(&c->x.stream, LIMIT_API_ANSWER);
    return c;
}

LJMP struct api_call *call_object(lua_State *L)
{
    struct box *b = lua_newuserdatauv(L, sizeof *b, 0); /* metatable box */
    b->c = NULL;
    lua_insert(L, -2);
    lua_setmetatable(L, -2); /* box */
    return b->c = call_new();
}

LJMP struct api_call *call_box(lua_State *L)
{
    luaL_checkstack(L, 3, NULL);
    if (pool_n > 0) {
        lua_rawgeti(L, LUA_REGISTRYINDEX, pool_ref);
        lua_rawgeti(L, -1, pool_n); /* pool box */
        lua_pushnil(L);
        lua_rawseti(L, -3, pool_n--); /* replaces a slot that exists: cannot raise */
        lua_remove(L, -2);
        return call_at(L, -1);
    }
    luaL_getmetatable(L, CALL_BOX);
    return call_object(L);
}

struct api_call *call_at(lua_State *L, int idx)
{
    struct box *b = lua_touserdata(L, idx);
    return b->c;
}

LJMP void call_recycle(lua_State *L, int idx)
{
    if (pool_n == POOL_MAX) return;
    call_reset(call_at(L, idx));
    lua_pushvalue(L, idx);
    lua_rawgeti(L, LUA_REGISTRYINDEX, pool_ref);
    lua_insert(L, -2);
    lua_rawseti(L, -2, pool_n + 1); /* may raise for memory: the box is then nobody's, and collected */
    pool_n++;
    lua_pop(L, 1);
}

LJMP void call_open(lua_State *L)
{
    luaL_newmetatable(L, CALL_BOX);
    lua_pushcfunction(L, box_gc);
    lua_setfield(L, -2, "__gc");
    lua_pushboolean(L, 0);
    lua_setfield(L, -2, "__metatable");
    lua_pop(L, 1);
    lua_createtable(L, 16, 0);
    pool_ref = luaL_ref(L, LUA_REGISTRYINDEX);
    pool_n = 0;
}

/* ---- what goes out ---- */

LJMP void call_put_base(lua_State *L, struct api_call *c, enum operation_host host)
{
    const struct worker *w = worker_get();
    const char *base = host == HOST_DATA ? w->data_api_base : host == HOST_MANAGER ? w->manager_api_base : w->api_base;
    size_t n = strlen(base);
    if (n > 0 && base[n - 1] == '/') n--;
    if (buf_append(&c->url, base, n)) call_misuse(L, "the base URL is too long");
}

void call_retry_key(struct api_call *c, const char *own)
{
    struct task *t = task_current();
    struct str id = t ? task_event_id(t) : (struct str){NULL, 0};
    char label[TASK_LABEL_SIZE], *key = stpcpy(c->retry_line, "X-Line-Retry-Key: ");
    if (own) {
        memcpy(key, own, RETRY_KEY_SIZE);
    } else if (id.n > 0) {
        const char *channel = worker_get()->channel;
        task_next_call(t, label);
        retry_key_make(str_of(channel ? channel : ""), id, str_of(label), key);
    } else {
        retry_key_random(key);
    }
    c->keyed = true;
    c->idempotent = true;
}

/* All but the token's line, which is the first and comes with each attempt. */
static void headers_set(struct api_call *c)
{
    unsigned n = c->own_authorization ? 0 : 1;
    if (c->json) c->headers[n++] = "Content-Type: application/json";
    if (c->keyed) c->headers[n++] = c->retry_line;
    for (const char *p = c->extra.data, *end = p + c->extra.len; p && p < end && n < CALL_HEADERS; p += strlen(p) + 1)
        c->headers[n++] = p;
    c->headers[n] = NULL;
}

/* ---- attempts ---- */

static void call_done(struct http_call *h);

void call_attempt(struct api_call *c)
{
    c->x.skip = c->x.came;
    c->x.paused = false;
    struct http_call *h = &c->x.http; /* the buffers of an attempt before serve again; the client clears them */
    h->method = c->verb;
    h->url = c->fixed_url ? c->fixed_url : c->url.data;
    h->headers = c->headers;
    h->body = c->has_body ? (c->body.data ? c->body.data : "") : NULL;
    h->body_len = c->has_body ? c->body.len : 0;
    h->upload = c->uploading ? &c->upload : NULL;
    h->once = !c->idempotent && !c->reply && strcmp(c->verb, "POST") == 0; /* a reply is safe: its token works once */
    h->timeout_ms = c->timeout_ms;
    h->stall_timeout_ms = c->x.streaming || c->uploading ? (c->timeout_ms ? c->timeout_ms : 10000) : 0;
    h->max_answer = LIMIT_API_ANSWER;
    h->sink = c->x.streaming ? content_sink : NULL;
    h->done = call_done;
    h->user = c;
    c->attempt++;
    c->x.running = true;
    http_client_start(worker_get()->client, h);
}

void call_go(struct api_call *c)
{
    if (call_token_take(c) != TOKEN_READY) return;
    c->refused_token = false;
    if (call_rate_turn(c)) call_attempt(c);
}

void call_give_up(struct api_call *c, const char *kind, const char *text)
{
    if (kind) {
        c->gave_up = kind;
        snprintf(c->x.http.error_text, sizeof c->x.http.error_text, "%s", text);
        c->x.http.error = c->x.http.error_text;
    }
    c->x.finished = true;
    exchange_news(&c->x);
}

int64_t call_patience_ms(const struct api_call *c)
{
    int64_t limit = worker_get()->options.handler_limit, spent = (clock_ns() - c->first_ns) / NS_PER_MS;
    if (limit <= 0) limit = PATIENCE_MS;
    limit = limit > spent ? limit - spent : 0;
    return c->timeout_ms && c->timeout_ms < limit ? c->timeout_ms : limit;
}

/* ---- lists of those that wait ---- */

void call_list_add(struct call_list *l, struct api_call *c)
{
    c->list = l;
    c->next = NULL;
    c->prev = l->last;
    *(l->last ? &l->last->next : &l->first) = c;
    l->last = c;
    l->n++;
}

void call_list_remove(struct api_call *c)
{
    struct call_list *l = c->list;
    if (!l) return;
    *(c->prev ? &c->prev->next : &l->first) = c->next;
    *(c->next ? &c->next->prev : &l->last) = c->prev;
    c->list = NULL;
    l->n--;
}

static void timer_fired(uv_timer_t *t)
{
    struct api_call *c = t->data;
    c->fired(c);
}

void call_later(struct api_call *c, int64_t ms, void (*fired)(struct api_call *c))
{
    c->fired = fired;
    if (!c->timer_made) {
        uv_timer_init(worker_get()->loop, &c->timer);
        c->timer_made = true;
    }
    c->timer.data = c;
    uv_timer_start(&c->timer, timer_fired, (uint64_t)ms, 0);
}

/* Half to one and a half times ms, so that many calls that failed together do not come back together. */
static int64_t jitter(int64_t ms)
{
    uint32_t r;
    digest_random(&r, sizeof r);
    return ms / 2 + (int64_t)(r % (uint32_t)(ms + 1));
}

static bool answer_says(const struct api_call *c, const char *words)
{
    const struct buf *a = &c->x.http.answer;
    return a->len && memmem(a->data, a->len, words, strlen(words)) != NULL;
}

/* Milliseconds until the next attempt, or -1: this one was the last. */
static int64_t next_attempt(struct api_call *c)
{
    int status = c->x.http.result == 0 ? c->x.http.status : 0;
    int64_t spent = (clock_ns() - c->first_ns) / NS_PER_MS, wait = -1, limit = worker_get()->options.handler_limit;
    if (status == 429) {
        const char *kind = refusal_kind(429, c->name, buf_str(&c->x.http.answer));
        if (strcmp(kind, "quota") == 0 || strcmp(kind, "user") == 0 || c->limited == RATE_WAITS) return -1;
        if (strcmp(kind, "rate") == 0) call_rate_exceeded(c);
        wait = RATE_WAIT_MS << c->limited++;
        wait += jitter(wait / 4);
        c->retry_after_ms = wait;
    } else if (c->x.streaming && status == 202) {
        wait = READY_WAIT_MS << (c->not_ready < 2 ? c->not_ready : 2);
        c->not_ready++;
        limit = c->ready_limit_ms;
    } else {
        bool trouble = status >= 500 || c->x.http.result == ERR_IO || c->x.http.result == ERR_TIMEOUT;
        unsigned failed = c->attempt - c->limited - c->not_ready;
        if (!trouble || !c->idempotent || failed >= CALL_TRIES) return -1;
        wait = jitter((int64_t)BACKOFF_MS << (failed - 1));
    }
    return limit > 0 && spent + wait >= limit ? -1 : wait;
}

static struct str request_id(const struct http_call *h) { return http_call_header(h, "x-line-request-id"); }

static void record(const struct api_call *c, int64_t again_ms)
{
    const struct http_call *h = &c->x.http;
    int64_t ns = h->ended_ns - h->started_ns;
    int status = h->result == 0 ? h->status : 0;
    worker_count_call(c->row, status, ns);
    LOG(DEBUG, "line call", F_STR("operation", c->name), F_INT("status", status), F_VIEW("request_id", request_id(h)),
        F_NUM("ms", (double)ns / NS_PER_MS), F_STR("error", h->result ? h->error : NULL));
    if (worker_get()->trace) trace_call(c);
    if (again_ms >= 0)
        LOG(INFO, "line call will be repeated", F_STR("operation", c->name), F_INT("status", status),
            F_VIEW("request_id", request_id(h)), F_INT("attempt", c->attempt), F_INT("in_ms", again_ms),
            F_STR("error", h->result ? h->error : NULL));
    if (c->counted_as_sent)
        LOG(INFO, "reply counts as sent: an earlier attempt has used the token", F_VIEW("request_id", request_id(h)));
}

/* How often each kind of send was accepted, for the cached quota. */
static void count_send(const struct api_call *c)
{
    if (c->row >= operations_n || !operations[c->row].retry_key || c->x.http.status < 200 || c->x.http.status > 299) return;
    if (strcmp(c->name, "push_message") == 0) call_sends.pushes++;
    else call_sends.others++;
}

static void call_done(struct http_call *h)
{
    struct api_call *c = h->user;
    c->x.running = false;
    if (h->result == 0 && h->status == 401 && call_token_refused(c)) {
        c->attempt--;
        record(c, 0);
        return;
    }
    int64_t again = next_attempt(c);
    c->counted_as_sent = c->reply && (c->rerun || h->resent) && h->result == 0 && h->status == 400 &&
                         answer_says(c, "Invalid reply token");
    record(c, again);
    if (again >= 0) {
        call_later(c, again, call_go);
        return;
    }
    if (h->result == 0) count_send(c);
    c->x.finished = true;
    exchange_news(&c->x);
}

/* ---- waiting ---- */

void call_stop(struct api_call *c)
{
    bool first = c->reserved;
    struct call_list *list = c->list;
    call_list_remove(c);
    c->reserved = false;
    if (first && list) call_rate_left(c->row); /* the next one's turn to reserve */
    if (c->x.running && worker_get()->client) http_client_cancel(worker_get()->client, &c->x.http);
    if (c->timer_made && !uv_is_closing((uv_handle_t *)&c->timer)) uv_timer_stop(&c->timer);
    c->x.stopped = c->x.stopped || !c->x.finished;
    c->x.running = false;
    c->x.pending = false;
    c->x.finished = true;
}

LJMP int call_start(lua_State *L, struct api_call *c, const char *what, lua_KFunction k, lua_KContext ctx)
{
    const struct task *t = task_current();
    task_check_can_wait(L, what);
    c->rerun = t && (task_rerun(t) || task_attempt(t) > 1);
    headers_set(c);
    if (worker_get()->trace) trace_where_of(L, c->where, sizeof c->where);
    c->first_ns = clock_ns();
    if (call_token_take(c) == TOKEN_NONE)
        return call_misuse(L, "%s: there is no channel access token: set LINE_CHANNEL_ACCESS_TOKEN, or LINE_CHANNEL_ID", what);
    if (!c->list && !c->x.finished && call_rate_turn(c)) call_attempt(c);
    if (c->x.finished) return k(L, LUA_OK, ctx); /* refused before it began: nobody will wake us */
    return exchange_wait(L, &c->x, k, ctx);
}
