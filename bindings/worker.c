/* The worker process: frames in, tasks, frames out. See wire.h for what is said in which order. */
#include "bindings/worker.h"

#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "bindings/call.h"
#include "bindings/lua_modules.h"
#include "bindings/memory.h"
#include "bindings/source.h"
#include "bindings/web.h"
#include "bindings/worker_private.h"
#include "host/kv_wire.h"
#include "net/address.h"

#define EXIT_UNFIT 70 /* memory is full of what scripts keep; nobody is to blame */

static struct worker worker;
static struct {
    uv_loop_t loop;
    struct wire *wire;
    uv_prepare_t end;     /* looks each turn whether it is time to leave; only while leaving or unfit */
    bool started, ready, leaving, unfit, said_bye;
} process;

struct worker *worker_get(void) { return &worker; }
struct wire *worker_wire(void) { return process.wire; }

void worker_count_call(unsigned operation, int status, int64_t ns)
{
    if (operation >= PAGE_OPERATIONS) return;
    atomic_fetch_add_explicit(&worker.page->calls[operation][page_status(status)], 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&worker.page->call_ns[operation], (uint64_t)ns, memory_order_relaxed);
}

/* ---- leaving ---- */

/* Frames still gather in the wire: say the last ones, and go once they are written. */
static void end_cb(uv_prepare_t *end)
{
    (void)end;
    if (process.unfit) {
        wire_flush(process.wire);
        if (wire_backlog(process.wire) == 0) _exit(EXIT_UNFIT);
        return;
    }
    if (events_running() || lua_timer_pending() || web_open()) return;
    if (!process.said_bye) {
        process.said_bye = true;
        wire_send(process.wire, WIRE_BYE, (struct str){0, 0});
    }
    wire_flush(process.wire);
    if (wire_backlog(process.wire) == 0) uv_stop(&process.loop);
}

/* patience_ms: what timers due later than that are not waited for. */
static void leave_within(int64_t patience_ms)
{
    lua_timer_leave(patience_ms);
    process.leaving = true;
    web_leave();
    uv_prepare_start(&process.end, end_cb);
}

static void leave(void) { leave_within(0); }

void worker_unfit(void)
{
    if (process.unfit || !process.wire) return;
    LOG(WARN, "worker ends: what the bot's variables hold leaves too little memory for events", F_STR("bot", worker.bot),
        F_INT("generation", worker.generation), F_INT("bytes", memory.used), F_INT("limit", memory.limit));
    process.unfit = true;
    lua_timer_leave(0); /* tells what goes with it */
    uv_prepare_start(&process.end, end_cb);
}

/* The host is gone, or talks nonsense: nothing that happens here can be kept any more. */
static void lost_cb(void *user, const char *why)
{
    (void)user;
    if (why) LOG(ERROR, "worker ends: the host sent something it should not", F_STR("why", why));
    _exit(why ? 1 : 0);
}

/* ---- loading ---- */
static void load_ended(const char *why, unsigned handlers, struct str report)
{
    worker.loading = false;
    if (process.said_bye) return; /* told to leave while loading: nothing may follow BYE */
    if (why) {
        wire_send_strings(process.wire, WIRE_REFUSED, str_of(why), (struct str){0, 0});
        return leave();
    }
    if (worker.command) return lua_command_begin(leave);
    if (worker.check) {
        wire_send_strings(process.wire, WIRE_REPORT, report, (struct str){0, 0});
        return leave();
    }
    memory_grace();
    lua_gc(worker.L, LUA_GCCOLLECT);
    memory_ungrace();
    malloc_trim(0); /* what compiling needed */
    process.ready = true;
    if (web_routes()) wire_send_u32(process.wire, WIRE_WEB_ROUTES, web_routes());
    if (!process.leaving) lua_timer_start();
    wire_send_u32(process.wire, WIRE_READY, handlers);
}

static void start(void)
{
    static const char *const need[] = {SETTING_BOT, SETTING_PATH};
    char *const have[] = {worker.bot, worker.path};
    for (size_t i = 0; i < 2; i++)
        if (!have[i]) return lost_cb(NULL, need[i]);
    log_init((enum log_format)worker.options.log, (enum log_level)worker.options.log_level);
    struct http_client_options o = {.user_agent = "moonline", .max_connections_per_host = (int)worker.options.api_connections};
    worker.client = http_client_new(&process.loop, &o);
    char why[200];
    worker.allowed = address_list_read(worker.options.http_allow, why, sizeof why);
    if (!worker.allowed) { /* the host has looked at it, too */
        LOG(ERROR, "worker cannot start: --http-allow is wrong", F_STR("why", why));
        _exit(1);
    }
    struct http_client_options web = {.max_connections_per_host = (int)worker.options.http_connections, .guard = worker.allowed};
    worker.web_client = http_client_new(&process.loop, &web);
    if (tasks_open()) {
        LOG(ERROR, "worker cannot start: no timer of processor time");
        _exit(1);
    }
    events_open();
    lua_timer_open();
    state_open();
    load_begin(load_ended);
    process.started = true;
}

/* ---- frames ---- */

/* Settings that are not options; row by row. */
static int set(struct str name, struct str value)
{
    const struct {
        const char *name;
        char **text;
        uint32_t *number;
    } rows[] = {
        {SETTING_BOT, &worker.bot, NULL},
        {SETTING_PATH, &worker.path, NULL},
        {SETTING_GENERATION, NULL, &worker.generation},
        {SETTING_SLOT, NULL, &worker.slot},
        {SETTING_TOKEN, &worker.token, NULL},
        {SETTING_CHANNEL, &worker.channel, NULL},
        {SETTING_API_BASE, &worker.api_base, NULL},
        {SETTING_DATA_API_BASE, &worker.data_api_base, NULL},
        {SETTING_MANAGER_API_BASE, &worker.manager_api_base, NULL},
        {SETTING_COMMAND, &worker.command, NULL},
        {SETTING_APP, &worker.app, NULL},
        {SETTING_APP_SETTINGS, &worker.app_settings, NULL},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        if (!str_is(name, rows[i].name)) continue;
        char *text = mem_strndup(value.p, value.n);
        if (rows[i].number) *rows[i].number = (uint32_t)strtoul(text, NULL, 10);
        if (!rows[i].text) {
            free(text);
            return 0;
        }
        free(*rows[i].text);
        *rows[i].text = text;
        return 0;
    }
    return ERR_NOTFOUND;
}

static void renew(struct str token) { wire_send_strings(process.wire, WIRE_RENEW, token, (struct str){0, 0}); }

static const char *setting(struct str name, struct str value)
{
    static char error[256];
    if (str_is(name, SETTING_MODE)) {
        worker.check = str_is(value, "check");
        return NULL;
    }
    if (str_is(name, SETTING_TRACE)) {
        worker.trace_bodies = str_is(value, "bodies");
        worker.trace = worker.trace_bodies || str_is(value, "yes");
        return NULL;
    }
    if (str_is(name, SETTING_RENEWS)) {
        call_token_settings(str_is(value, "yes"), renew);
        return NULL;
    }
    if (str_is(name, SETTING_TOKEN) || str_is(name, SETTING_SECRET)) log_secret(value);
    if (str_is(name, SETTING_SECRET) || lua_command_setting(name, value)) return NULL;
    if (set(name, value) == 0) return NULL;
    char *n = mem_strndup(name.p, name.n), *v = mem_strndup(value.p, value.n);
    int result = options_set(&worker.options, n, v, error, sizeof error);
    free(n);
    free(v);
    return result ? error : NULL;
}

static void frame_cb(void *user, enum wire_type type, struct str payload)
{
    struct str a, b;
    struct wire_event e;
    struct wire_kv_answer kv;
    const char *error;
    uint32_t ms;
    switch (type) {
    case WIRE_SETTING:
        if (process.started || wire_read_strings(payload, &a, &b)) break;
        if ((error = setting(a, b))) return lost_cb(user, error);
        return;
    case WIRE_SOURCE:
        if (process.started || wire_read_strings(payload, &a, &b)) break;
        return source_add(a, b);
    case WIRE_START:
        if (process.started || payload.n) break;
        return start();
    case WIRE_EVENT:
        if (!process.ready || process.leaving || wire_read_event(payload, &e)) break;
        return event_begin(&e);
    case WIRE_KV_ANSWER:
        if (!process.started || wire_read_kv_answer(payload, &kv)) break;
        return lua_store_answer(&kv);
    case WIRE_WEB_REQUEST:
        if (!process.ready || process.leaving || !web_take_frame(type, payload)) break;
        return;
    case WIRE_WEB_BODY:
    case WIRE_WEB_TAKEN:
    case WIRE_WEB_GONE:
        if (!process.ready || !web_take_frame(type, payload)) break;
        return;
    case WIRE_NEWS:
        if (!process.started || !worker.app || wire_read_strings(payload, &a, NULL)) break;
        return lua_app_news(a);
    case WIRE_TOKEN:
        if (!process.started || wire_read_strings(payload, &a, &b)) break;
        return call_token_news(a, b);
    case WIRE_LEAVE:
        if (wire_read_u32(payload, &ms)) break;
        return leave_within(ms);
    default:
        break;
    }
    lost_cb(user, "a frame that does not fit its type or its time");
}

/* ---- the process ---- */
static void client_closed(void *user) { (void)user; }

static void settle_process(void)
{
    pid_t parent = getppid();
    /* Without the host a worker is no use, however the host ended. If it ended just before this call, the socket says so. */
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) _exit(0);
    /* Signals of a terminal reach the whole group: when to leave is the host's decision. */
    static const int ignored[] = {SIGINT, SIGTERM, SIGHUP, SIGPIPE};
    for (size_t i = 0; i < sizeof ignored / sizeof *ignored; i++) signal(ignored[i], SIG_IGN);
    /* One thread allocates; curl's resolver threads need no arenas of their own. */
    mallopt(M_ARENA_MAX, 1);
    mallopt(M_TRIM_THRESHOLD, 1 << 20);
}

static void open_page(void)
{
    worker.page = mmap(NULL, sizeof *worker.page, PROT_READ | PROT_WRITE, MAP_SHARED, PAGE_FD, 0);
    if (worker.page == MAP_FAILED || worker.page->version != PAGE_VERSION) {
        LOG(ERROR, "worker cannot start: it was not started by this program's host");
        _exit(1);
    }
    close(PAGE_FD);
}

static void close_all(void)
{
    if (process.started) {
        tasks_close();
        lua_timer_close();
        state_close();
        lua_time_close();
        events_close_handles();
        load_close_handles();
        tasks_close_handles();
        http_client_close(worker.client, client_closed, NULL);
        http_client_close(worker.web_client, client_closed, NULL);
    }
    wire_close(process.wire);
    uv_close((uv_handle_t *)&process.end, NULL);
    uv_run(&process.loop, UV_RUN_DEFAULT); /* handles finish closing */
    uv_loop_close(&process.loop);
    worker.allowed = address_list_free(worker.allowed);
    sources_free();
    lua_command_free();
    options_free(&worker.options);
    char *const texts[] = {worker.bot, worker.path, worker.token, worker.channel, worker.api_base, worker.data_api_base,
                           worker.manager_api_base, worker.command, worker.app, worker.app_settings};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) free(texts[i]);
    munmap(worker.page, sizeof *worker.page);
}

int worker_main(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    static const struct wire_callbacks callbacks = {frame_cb, lost_cb};
    settle_process();
    options_defaults(&worker.options);
    open_page();
    call_rates_open(RATES_FD);
    uv_loop_init(&process.loop);
    worker.loop = &process.loop;
    uv_prepare_init(&process.loop, &process.end);
    process.wire = wire_new(&process.loop, WIRE_FD, &callbacks, NULL);
    uv_run(&process.loop, UV_RUN_DEFAULT);
    close_all();
    return 0;
}
