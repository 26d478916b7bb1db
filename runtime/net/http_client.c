/* An HTTP client on a libuv loop: libcurl multi, driven by socket events.
 *
 * What keeps a call on a kept connection cheap:
 * - Easy handles are pooled with their options; a call sets only what differs from the one before it on that handle.
 * - An address is parsed once for a handle, and the User-Agent is a line of the list of headers: libcurl would parse,
 *   write and copy both again for every call.
 * - A socket stays registered with the loop from its birth to its close (net/sockets.h).
 * - libcurl's wish to be run at once is met once a turn for all calls started in it, by an idle handle; its other
 *   timers by a uv timer that is left running too early rather than set anew.
 *
 * The handles themselves are in http_easy.c. done() is called between libcurl's calls. */
#include "net/http_client.h"
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>
#include "base/clock.h"
#include "base/err.h"
#include "base/limits.h"
#include "base/mem.h"
#include "net/address.h"
#include "net/http_easy.h"
#include "net/http_queue.h"
#include "net/sockets.h"

#define HEADERS_MAX 65536u /* bytes of one answer's headers */
#define SLOTS_KEPT 128     /* easy handles kept for use again */
#define SPARES_KEPT 64     /* pairs of buffers for answers kept for use again, */
#define SPARE_BYTES 16384u /* each of this size at most */

struct spare {
    struct buf answer, header_bytes; /* empty */
};

struct http_client {
    CURLM *multi;
    uv_idle_t turn;  /* active while libcurl wants to be run in the loop's next turn */
    uv_timer_t timer;
    uint64_t due;    /* when libcurl's next timer is, in ms of uv_now; 0: none */
    uint64_t armed;  /* when ours fires; 0: not running */
    struct sockets sockets;
    struct slot *free, *busy;
    unsigned n_free;
    unsigned resuming;         /* of busy */
    size_t active;
    struct spare spares[SPARES_KEPT];
    unsigned n_spares;
    struct http_queue queue;
    unsigned side_by_side; /* calls of one origin that libcurl gets at a time */
    struct http_call *failed; /* could not be started: done() in the next turn */
    char *user_agent, *ca_file; /* user_agent: the whole header */
    const struct address_list *guard;
    bool no_proxy;   /* no proxy in the environment: libcurl need not look each time */
    bool inside;     /* collecting: free nothing under it */
    bool closing;
    unsigned handles; /* of the loop, besides the sockets', to be closed before this goes */
    void (*closed)(void *user);
    void *closed_user;
};

static void collect(struct http_client *c);
static void on_gone(void *user);

/* ---- sockets ---- */

static void on_ready(void *user, int fd, bool readable, bool writable, bool failed)
{
    struct http_client *c = user;
    int running;
    curl_multi_socket_action(c->multi, fd,
                             (readable ? CURL_CSELECT_IN : 0) | (writable ? CURL_CSELECT_OUT : 0) |
                                 (failed ? CURL_CSELECT_ERR : 0),
                             &running);
    collect(c);
}

/* The address that is really connected to: after every look-up, redirect and choice that led to it. */
static bool may_connect(struct slot *slot, const struct sockaddr *address)
{
    const struct address_list *guard = slot->client->guard;
    const char *kind = address_kind(address);
    char text[64], *host = NULL;
    bool may = !kind || address_list_has(guard, address);
    if (!may && slot->url_parsed && curl_url_get(slot->parsed, CURLUPART_HOST, &host, 0) == CURLUE_OK) {
        may = address_list_has_host(guard, str_of(host));
        curl_free(host);
    }
    if (may)
        return true;
    address_text(address, text, sizeof text);
    snprintf(slot->refused, sizeof slot->refused, "%s is %s", text, kind);
    return false;
}

static curl_socket_t open_socket(void *user, curlsocktype purpose, struct curl_sockaddr *a)
{
    struct slot *slot = user;
    struct http_client *c = slot->client;
    (void)purpose;
    if (c->guard && !may_connect(slot, &a->addr))
        return CURL_SOCKET_BAD;
    slot->opened = true;
    int fd = socket(a->family, a->socktype | SOCK_CLOEXEC | SOCK_NONBLOCK, a->protocol);
    if (fd < 0)
        return CURL_SOCKET_BAD;
    sockets_opened(&c->sockets, fd);
    return fd;
}

static int close_socket(void *user, curl_socket_t fd)
{
    struct http_client *c = user;
    sockets_close(&c->sockets, fd);
    return close(fd);
}

/* CURL_POLL_REMOVE comes after every use of a connection, too. */
static int on_socket(CURL *easy, curl_socket_t fd, int what, void *user, void *unused)
{
    struct http_client *c = user;
    (void)easy, (void)unused;
    sockets_want(&c->sockets, fd,
                 what == CURL_POLL_REMOVE
                     ? 0
                     : (what & CURL_POLL_IN ? UV_READABLE : 0) | (what & CURL_POLL_OUT ? UV_WRITABLE : 0));
    return 0;
}

/* ---- time ---- */

static void on_timer(uv_timer_t *timer);

static void arm(struct http_client *c)
{
    uint64_t now = uv_now(c->timer.loop);
    if (!c->due || (c->armed && c->armed <= c->due) || c->closing)
        return;
    c->armed = c->due;
    uv_timer_start(&c->timer, on_timer, c->due > now ? c->due - now : 0, 0);
}

static void run_timers(struct http_client *c)
{
    int running;
    c->due = 0;
    curl_multi_socket_action(c->multi, CURL_SOCKET_TIMEOUT, 0, &running);
    collect(c);
}

static void on_timer(uv_timer_t *timer)
{
    struct http_client *c = timer->data;
    c->armed = 0;
    if (c->due && c->due <= uv_now(timer->loop))
        run_timers(c);
    else
        arm(c);
}

static void on_turn(uv_idle_t *turn)
{
    uv_idle_stop(turn);
    run_timers(turn->data);
}

static int on_curl_timer(CURLM *multi, long ms, void *user)
{
    struct http_client *c = user;
    (void)multi;
    c->due = 0;
    if (c->closing || ms < 0)
        return 0;
    if (ms == 0) {
        uv_idle_start(&c->turn, on_turn);
        return 0;
    }
    c->due = uv_now(c->timer.loop) + (uint64_t)ms;
    arm(c);
    return 0;
}

/* ---- easy handles ---- */

static struct slot *slot_new(struct http_client *c)
{
    struct slot *slot = c->free;
    if (slot) {
        c->free = slot->next;
        c->n_free--;
        return slot;
    }
    slot = slot_make(c->ca_file, c->no_proxy);
    slot->client = c;
    slot->user_agent = c->user_agent;
    curl_easy_setopt(slot->easy, CURLOPT_OPENSOCKETFUNCTION, open_socket);
    curl_easy_setopt(slot->easy, CURLOPT_OPENSOCKETDATA, slot);
    curl_easy_setopt(slot->easy, CURLOPT_CLOSESOCKETFUNCTION, close_socket);
    curl_easy_setopt(slot->easy, CURLOPT_CLOSESOCKETDATA, c);
    return slot;
}

/* Take the handle out of its transfer and keep it. */
static void begin(struct http_client *c, struct origin *origin, struct http_call *call);

static void slot_release(struct slot *slot, struct http_call *call)
{
    struct http_client *c = slot->client;
    struct origin *origin = slot->origin;
    curl_multi_remove_handle(c->multi, slot->easy);
    *slot->link = slot->next;
    if (slot->next)
        slot->next->link = slot->link;
    call->handle = NULL;
    slot->call = NULL;
    c->resuming -= slot->resuming;
    c->active--;
    if (c->n_free == SLOTS_KEPT) {
        slot_destroy(slot);
    } else {
        slot->link = NULL;
        slot->next = c->free;
        c->free = slot;
        c->n_free++;
    }
    struct http_call *waited = http_queue_leave(&c->queue, origin);
    if (waited) begin(c, origin, waited);
}

/* ---- memory of answers ---- */

/* The place of b's bytes becomes a's; a has none, and each keeps its own ceiling. */
static void move(struct buf *a, struct buf *b)
{
    a->data = b->data;
    a->cap = b->cap;
    b->data = NULL;
    b->cap = b->len = 0;
}

/* Only calls under way need any: of a thousand that wait for their turn, none. */
static void lend(struct http_client *c, struct http_call *call)
{
    if (!c->n_spares || call->answer.data || call->header_bytes.data)
        return;
    struct spare *spare = &c->spares[--c->n_spares];
    move(&call->answer, &spare->answer);
    move(&call->header_bytes, &spare->header_bytes);
}

void http_client_take_back(struct http_client *c, struct http_call *call)
{
    if (c->n_spares == SPARES_KEPT || !call->answer.data || !call->header_bytes.data || call->answer.cap > SPARE_BYTES ||
        call->header_bytes.cap > SPARE_BYTES)
        return http_call_free(call);
    struct spare *spare = &c->spares[c->n_spares++];
    buf_clear(&call->answer), buf_clear(&call->header_bytes);
    move(&spare->answer, &call->answer);
    move(&spare->header_bytes, &call->header_bytes);
}

/* ---- calls ---- */

static void fail(struct http_call *call, int result, const char *text)
{
    call->result = result;
    snprintf(call->error_text, sizeof call->error_text, "%s", text);
    call->error = call->error_text;
}

static void finish(struct slot *slot, CURLcode code)
{
    struct http_call *call = slot->call;
    long status = 0, sent = 0;
    curl_easy_getinfo(slot->easy, CURLINFO_RESPONSE_CODE, &status);
    call->status = (int)status;
    call->ended_ns = clock_ns();
    if (code != CURLE_OK) {
        int why = slot->stopped ? slot->stopped : code == CURLE_OPERATION_TIMEDOUT ? ERR_TIMEOUT : ERR_IO;
        call->trouble = slot_trouble(slot, code);
        fail(call, why, slot_error(slot, code));
        curl_easy_getinfo(slot->easy, CURLINFO_REQUEST_SIZE, &sent);
        call->maybe_sent = why != ERR_SOURCE && (sent > 0 || slot->sends > 1); /* half a body is no request */
    }
    slot_release(slot, call);
    call->done(call);
}

static void destroy(struct http_client *c);

/* The pieces that were kept go to their sinks, from within libcurl as always. */
static void resume_waiting(struct http_client *c)
{
    for (struct slot *slot = c->resuming ? c->busy : NULL, *next; slot; slot = next) {
        next = slot->next; /* done() below may end or start others: then the list is gone through again */
        if (!slot->resuming)
            continue;
        slot->resuming = slot->parked = false;
        c->resuming--;
        CURLcode code = curl_easy_pause(slot->easy, CURLPAUSE_CONT);
        if (code != CURLE_OK) {
            finish(slot, code);
            next = c->resuming && !c->closing ? c->busy : NULL;
        }
    }
}

/* Hand over what is finished. done() may start, cancel or close. */
static void collect(struct http_client *c)
{
    struct http_call *call;
    CURLMsg *m;
    int left;
    if (c->inside)
        return;
    c->inside = true;
    resume_waiting(c);
    while (!c->closing && (m = curl_multi_info_read(c->multi, &left))) {
        struct slot *slot = NULL;
        if (m->msg == CURLMSG_DONE && !curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, (char **)&slot) && slot)
            finish(slot, m->data.result);
    }
    while (!c->closing && (call = c->failed)) {
        c->failed = call->next;
        c->active--;
        call->ended_ns = clock_ns();
        call->done(call);
    }
    c->inside = false;
    if (c->closing)
        destroy(c);
}

void http_client_start(struct http_client *c, struct http_call *call)
{
    call->status = call->result = 0;
    call->trouble = HTTP_FINE;
    call->maybe_sent = call->resent = false;
    call->error = NULL;
    call->handle = NULL;
    call->next = NULL;
    call->started_ns = clock_ns();
    call->ended_ns = 0;
    buf_clear(&call->answer);
    buf_clear(&call->header_bytes);
    call->answer.max = call->max_answer ? call->max_answer : LIMIT_API_ANSWER;
    call->header_bytes.max = HEADERS_MAX;
    c->active++;
    struct origin *origin = http_queue_origin(&c->queue, call);
    if (origin->running < c->side_by_side) begin(c, origin, call);
    else http_queue_wait(origin, call);
}

/* Hand a call to libcurl. */
static void begin(struct http_client *c, struct origin *origin, struct http_call *call)
{
    struct slot *slot = slot_new(c);
    call->next = NULL;
    origin->running++;
    slot->origin = origin;
    lend(c, call);
    slot_set_call(slot, call);
    call->handle = slot;
    slot->link = &c->busy;
    slot->next = c->busy;
    if (c->busy)
        c->busy->link = &slot->next;
    c->busy = slot;
    CURLMcode rc = c->closing ? CURLM_INTERNAL_ERROR : curl_multi_add_handle(c->multi, slot->easy);
    if (rc == CURLM_OK)
        return;
    slot_release(slot, call);
    c->active++; /* until done() */
    fail(call, ERR_IO, curl_multi_strerror(rc));
    call->trouble = HTTP_PROTOCOL;
    call->next = c->failed;
    c->failed = call;
    uv_idle_start(&c->turn, on_turn);
}

void http_client_cancel(struct http_client *c, struct http_call *call)
{
    if (call->handle) {
        slot_release(call->handle, call);
        return;
    }
    if (http_queue_cancel(&c->queue, call)) {
        c->active--;
        return;
    }
    for (struct http_call **p = &c->failed; *p; p = &(*p)->next)
        if (*p == call) {
            *p = call->next;
            c->active--;
            return;
        }
}

void http_client_pause(struct http_call *call)
{
    struct slot *slot = call->handle;
    if (!slot)
        return;
    slot->paused = true;
    slot->client->resuming -= slot->resuming;
    slot->resuming = false;
}

void http_client_resume(struct http_call *call)
{
    struct slot *slot = call->handle;
    if (!slot)
        return;
    slot->paused = false;
    if (!slot->parked || slot->resuming)
        return;
    slot->resuming = true;
    slot->client->resuming++;
    uv_idle_start(&slot->client->turn, on_turn);
}

size_t http_client_active(const struct http_client *c) { return c->active; }

/* ---- start and end ---- */

struct http_client *http_client_new(uv_loop_t *loop, const struct http_client_options *o)
{
    static const char *const proxies[] = {"http_proxy", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"};
    struct http_client *c = mem_zalloc(sizeof *c);
    curl_global_init(CURL_GLOBAL_DEFAULT);
    c->multi = curl_multi_init();
    if (!c->multi)
        abort();
    c->user_agent = o->user_agent ? mem_printf("User-Agent: %s", o->user_agent) : NULL;
    c->guard = o->guard;
    c->ca_file = o->ca_file ? mem_strdup(o->ca_file) : NULL;
    c->no_proxy = true;
    for (size_t i = 0; i < sizeof proxies / sizeof *proxies; i++)
        c->no_proxy &= getenv(proxies[i]) == NULL;
    curl_multi_setopt(c->multi, CURLMOPT_SOCKETFUNCTION, on_socket);
    curl_multi_setopt(c->multi, CURLMOPT_SOCKETDATA, c);
    curl_multi_setopt(c->multi, CURLMOPT_TIMERFUNCTION, on_curl_timer);
    curl_multi_setopt(c->multi, CURLMOPT_TIMERDATA, c);
    c->side_by_side = o->max_connections_per_host ? (unsigned)o->max_connections_per_host : 64;
    curl_multi_setopt(c->multi, CURLMOPT_MAX_HOST_CONNECTIONS, (long)c->side_by_side);
    curl_multi_setopt(c->multi, CURLMOPT_MAXCONNECTS, (long)(o->max_idle ? o->max_idle : 64));
    uv_idle_init(loop, &c->turn);
    uv_timer_init(loop, &c->timer);
    c->turn.data = c->timer.data = c;
    uv_unref((uv_handle_t *)&c->timer); /* the sockets keep the loop alive while something is under way */
    c->handles = 2;
    c->sockets = (struct sockets){.loop = loop, .ready = on_ready, .gone = on_gone, .user = c};
    return c;
}

/* One handle less; with the last one the client goes. */
static void on_gone(void *user)
{
    struct http_client *c = user;
    if (!c->closing || c->handles || c->sockets.open)
        return;
    void (*closed)(void *) = c->closed;
    void *closed_user = c->closed_user;
    free(c->user_agent);
    free(c->ca_file);
    free(c);
    if (closed)
        closed(closed_user);
}

static void on_closed(uv_handle_t *handle)
{
    struct http_client *c = handle->data;
    c->handles--;
    on_gone(c);
}

static void destroy(struct http_client *c)
{
    struct slot *slot;
    while ((slot = c->busy)) {
        c->busy = slot->next;
        curl_multi_remove_handle(c->multi, slot->easy);
        slot->call->handle = NULL;
        slot_destroy(slot);
    }
    while ((slot = c->free)) {
        c->free = slot->next;
        slot_destroy(slot);
    }
    while (c->n_spares) {
        struct spare *spare = &c->spares[--c->n_spares];
        buf_free(&spare->answer);
        buf_free(&spare->header_bytes);
    }
    http_queue_free(&c->queue);
    curl_multi_cleanup(c->multi); /* closes the connections */
    curl_global_cleanup();
    sockets_free(&c->sockets); /* what libcurl never took back */
    uv_close((uv_handle_t *)&c->turn, on_closed);
    uv_close((uv_handle_t *)&c->timer, on_closed);
}

void http_client_close(struct http_client *c, void (*closed)(void *user), void *user)
{
    if (c->closing)
        return;
    c->closing = true;
    c->closed = closed;
    c->closed_user = user;
    if (!c->inside)
        destroy(c);
}
