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
 * libcurl must not be entered from its callbacks: they only note and copy. done() is called between its calls. */
#include "net/http_client.h"
#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>
#include "base/clock.h"
#include "base/err.h"
#include "base/limits.h"
#include "base/mem.h"
#include "net/http_queue.h"
#include "net/sockets.h"

#define CONNECT_MS 3000
#define TOTAL_MS 10000
#define HEADERS_MAX 65536u /* bytes of one answer's headers */
#define SLOTS_KEPT 128     /* easy handles kept for use again */

enum method { NOT_SET, GET, HEAD, WITH_BODY };

struct slot { /* an easy handle and what was set on it last */
    CURL *easy;
    struct http_client *client;
    struct http_call *call; /* NULL while in the pool */
    struct origin *origin;     /* whose turn it takes while a call is under way */
    struct slot *next, **link; /* link: what points here while the call is under way */
    char *url, *custom, *unix_socket; /* custom: a method libcurl has no option for */
    CURLU *parsed;                    /* url */
    enum method method;
    long connect_ms, total_ms, stall_s;
    bool status_seen;       /* of the answer whose body is arriving */
    int stopped;            /* why a callback ended the transfer: ERR_TOOBIG, ERR_CLOSED or 0 */
    struct curl_slist *list;
    size_t list_room;
    char error[CURL_ERROR_SIZE];
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
    size_t active;
    struct http_queue queue;
    unsigned side_by_side; /* calls of one origin that libcurl gets at a time */
    struct http_call *failed; /* could not be started: done() in the next turn */
    char *user_agent, *ca_file; /* user_agent: the whole header */
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

static curl_socket_t open_socket(void *user, curlsocktype purpose, struct curl_sockaddr *a)
{
    struct http_client *c = user;
    (void)purpose;
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

/* ---- bytes ---- */

static size_t on_header(char *p, size_t one, size_t n, void *user)
{
    struct slot *slot = user;
    struct http_call *call = slot->call;
    (void)one;
    if (n > 5 && memcmp(p, "HTTP/", 5) == 0) {
        buf_clear(&call->header_bytes); /* only the last answer's: not those of a proxy or of 100 Continue */
        slot->status_seen = false;
    }
    if (buf_append(&call->header_bytes, p, n)) {
        slot->stopped = ERR_TOOBIG;
        return 0;
    }
    return n;
}

static size_t on_body(char *p, size_t one, size_t n, void *user)
{
    struct slot *slot = user;
    struct http_call *call = slot->call;
    (void)one;
    if (!slot->status_seen) {
        long status = 0;
        curl_easy_getinfo(slot->easy, CURLINFO_RESPONSE_CODE, &status);
        call->status = (int)status;
        slot->status_seen = true;
    }
    if (call->sink && call->status >= 200 && call->status <= 299) {
        if (!call->sink(call, p, n))
            slot->stopped = ERR_CLOSED;
    } else if (buf_append(&call->answer, p, n)) {
        slot->stopped = ERR_TOOBIG;
    }
    return slot->stopped ? 0 : n;
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
    CURL *e = curl_easy_init();
    CURLU *parsed = curl_url();
    if (!e || !parsed)
        abort(); /* out of memory, as in base/mem.h */
    slot = mem_zalloc(sizeof *slot);
    slot->easy = e;
    slot->parsed = parsed;
    slot->client = c;
    slot->connect_ms = slot->total_ms = slot->stall_s = -1;
    curl_easy_setopt(e, CURLOPT_PRIVATE, slot);
    curl_easy_setopt(e, CURLOPT_NOSIGNAL, 1L); /* also saves libcurl four system calls around every step */
    curl_easy_setopt(e, CURLOPT_ERRORBUFFER, slot->error);
    curl_easy_setopt(e, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(e, CURLOPT_WRITEDATA, slot);
    curl_easy_setopt(e, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(e, CURLOPT_HEADERDATA, slot);
    curl_easy_setopt(e, CURLOPT_OPENSOCKETFUNCTION, open_socket);
    curl_easy_setopt(e, CURLOPT_OPENSOCKETDATA, c);
    curl_easy_setopt(e, CURLOPT_CLOSESOCKETFUNCTION, close_socket);
    curl_easy_setopt(e, CURLOPT_CLOSESOCKETDATA, c);
    curl_easy_setopt(e, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(e, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_2TLS);
    curl_easy_setopt(e, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
    curl_easy_setopt(e, CURLOPT_TCP_NODELAY, 1L);
    if (c->ca_file)
        curl_easy_setopt(e, CURLOPT_CAINFO, c->ca_file);
    if (c->no_proxy)
        curl_easy_setopt(e, CURLOPT_PROXY, "");
    return slot;
}

static void slot_destroy(struct slot *slot)
{
    curl_easy_cleanup(slot->easy);
    curl_url_cleanup(slot->parsed);
    free(slot->url);
    free(slot->custom);
    free(slot->unix_socket);
    free(slot->list);
    free(slot);
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

/* *have becomes a copy of want. True if they differed. */
static bool changed(char **have, const char *want)
{
    if (*have && want ? strcmp(*have, want) == 0 : !*have && !want)
        return false;
    free(*have);
    *have = want ? mem_strdup(want) : NULL;
    return true;
}

static void set_long(struct slot *slot, CURLoption option, long *have, int64_t want)
{
    if (*have != want)
        curl_easy_setopt(slot->easy, option, *have = (long)want);
}

static void set_method(struct slot *slot, const struct http_call *call)
{
    const char *m = call->method;
    bool post = strcmp(m, "POST") == 0, head = strcmp(m, "HEAD") == 0, get = strcmp(m, "GET") == 0;
    bool body = call->body || post || strcmp(m, "PUT") == 0 || strcmp(m, "PATCH") == 0;
    enum method method = body ? WITH_BODY : head ? HEAD : GET;
    if (method != slot->method)
        curl_easy_setopt(slot->easy, body ? CURLOPT_POST : head ? CURLOPT_NOBODY : CURLOPT_HTTPGET, 1L);
    slot->method = method;
    if (changed(&slot->custom, (body ? post : head || get) ? NULL : m))
        curl_easy_setopt(slot->easy, CURLOPT_CUSTOMREQUEST, slot->custom);
    if (body) { /* not copied */
        curl_easy_setopt(slot->easy, CURLOPT_POSTFIELDS, call->body ? call->body : "");
        curl_easy_setopt(slot->easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)(call->body ? call->body_len : 0));
    }
}

/* The header list is built in memory of the slot: libcurl only reads it. */
static void set_headers(struct slot *slot, const struct http_call *call)
{
    size_t n = 0;
    bool typed = false;
    while (call->headers && call->headers[n])
        typed |= strncasecmp(call->headers[n++], "Content-Type:", 13) == 0;
    if (n + 3 > slot->list_room) {
        slot->list_room = n + 14;
        slot->list = mem_realloc(slot->list, slot->list_room * sizeof *slot->list);
    }
    for (size_t i = 0; i < n; i++)
        slot->list[i].data = (char *)(uintptr_t)call->headers[i];
    if (slot->client->user_agent)
        slot->list[n++].data = slot->client->user_agent;
    slot->list[n++].data = (char *)(uintptr_t)"Expect:"; /* a round trip for nothing: bodies are small */
    if (!typed)
        slot->list[n++].data = (char *)(uintptr_t)"Content-Type:"; /* else libcurl says it is a form */
    for (size_t i = 0; i < n; i++)
        slot->list[i].next = i + 1 < n ? &slot->list[i + 1] : NULL;
    curl_easy_setopt(slot->easy, CURLOPT_HTTPHEADER, slot->list);
}

static void set_call(struct slot *slot, struct http_call *call)
{
    bool stall = call->sink && call->stall_timeout_ms;
    if (changed(&slot->url, call->url)) {
        bool parsed = curl_url_set(slot->parsed, CURLUPART_URL, call->url, 0) == CURLUE_OK;
        curl_easy_setopt(slot->easy, CURLOPT_URL, call->url);
        curl_easy_setopt(slot->easy, CURLOPT_CURLU, parsed ? slot->parsed : NULL); /* NULL: libcurl says what is wrong */
        /* Many calls at once share one HTTP/2 connection instead of opening one each before they know. */
        curl_easy_setopt(slot->easy, CURLOPT_PIPEWAIT, strncasecmp(call->url, "https:", 6) == 0 ? 1L : 0L);
    }
    if (changed(&slot->unix_socket, call->unix_socket))
        curl_easy_setopt(slot->easy, CURLOPT_UNIX_SOCKET_PATH, slot->unix_socket);
    set_method(slot, call);
    set_headers(slot, call);
    set_long(slot, CURLOPT_CONNECTTIMEOUT_MS, &slot->connect_ms,
             call->connect_timeout_ms ? call->connect_timeout_ms : CONNECT_MS);
    set_long(slot, CURLOPT_TIMEOUT_MS, &slot->total_ms, stall ? 0 : call->timeout_ms ? call->timeout_ms : TOTAL_MS);
    int64_t stall_s = stall ? (call->stall_timeout_ms + 999) / 1000 : 0; /* libcurl counts whole seconds */
    if (slot->stall_s != stall_s)
        curl_easy_setopt(slot->easy, CURLOPT_LOW_SPEED_LIMIT, stall ? 1L : 0L);
    set_long(slot, CURLOPT_LOW_SPEED_TIME, &slot->stall_s, stall_s);
    slot->call = call;
    slot->status_seen = false;
    slot->stopped = 0;
    slot->error[0] = 0;
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
        const char *text = slot->stopped == ERR_TOOBIG   ? "the answer is larger than allowed"
                           : slot->stopped == ERR_CLOSED ? "stopped by the receiver"
                           : *slot->error                ? slot->error
                                                         : curl_easy_strerror(code);
        fail(call, slot->stopped ? slot->stopped : code == CURLE_OPERATION_TIMEDOUT ? ERR_TIMEOUT : ERR_IO, text);
        curl_easy_getinfo(slot->easy, CURLINFO_REQUEST_SIZE, &sent);
        call->maybe_sent = sent > 0;
    }
    slot_release(slot, call);
    call->done(call);
}

static void destroy(struct http_client *c);

/* Hand over what is finished. done() may start, cancel or close. */
static void collect(struct http_client *c)
{
    struct http_call *call;
    CURLMsg *m;
    int left;
    if (c->inside)
        return;
    c->inside = true;
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
    call->maybe_sent = false;
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
    set_call(slot, call);
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
