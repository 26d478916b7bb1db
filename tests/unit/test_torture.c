/* Lua's allocations made to fail, one after the other, while a bot loads and handles events: nothing may crash, leak or
 * be unusable afterwards. `make torture` runs the same over a larger range (torture_lua.c). */
#include <sys/stat.h>
#include "test.h"
#include "base/clock.h"
#include "base/mem.h"
#include "bindings/lua_modules.h"
#include "bindings/memory.h"
#include "bindings/source.h"
#include "bindings/worker_private.h"
#include "net/address.h"

#ifndef TORTURE_MOST
#define TORTURE_MOST 60 /* allocations failed in each snippet */
#define LOAD_STRIDE 53  /* of the some thousand of a load, every 53rd */

#endif

/* A worker inside this process: its loop, page and state, and no host at the other end. */
static uv_loop_t loop;
static struct worker_page page;
static char dir[] = "/tmp/moonline-torture-XXXXXX";
static bool load_over, load_good;

static void put_file(const char *name, const char *text)
{
    char path[128];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    FILE *f = fopen(path, "w");
    if (!f) exit(2);
    fputs(text, f);
    fclose(f);
}

static void load_ended(const char *why, unsigned handlers, struct str report)
{
    (void)report;
    worker_get()->loading = false;
    load_over = true;
    load_good = !why && handlers == 1;
    if (load_good) lua_timer_start();
    if (!why && !load_good) FAIL("loaded with %u handlers", handlers);
}

/* Another service in the same loop: whatever is asked, the same answer. */
static struct {
    uv_tcp_t listener;
    char url[64];
    unsigned answers;
} service;

struct asked {
    uv_tcp_t tcp;
    uv_write_t write;
    char in[2048];
};

static void asked_gone(uv_handle_t *h) { free(h->data); }

static void asked_room(uv_handle_t *h, size_t n, uv_buf_t *b)
{
    struct asked *a = h->data;
    (void)n;
    *b = uv_buf_init(a->in, sizeof a->in);
}

static void asked_read(uv_stream_t *s, ssize_t n, const uv_buf_t *b)
{
    static char answer[] = "HTTP/1.1 200 OK\r\nX-One: 1\r\nX-One: 2\r\nContent-Length: 9\r\n\r\n[1,2,{}] ";
    struct asked *a = s->data;
    uv_buf_t out = uv_buf_init(answer, sizeof answer - 1);
    if (n < 0) return uv_close((uv_handle_t *)s, asked_gone);
    if (!memmem(b->base, (size_t)n, "\r\n\r\n", 4)) return;
    service.answers++;
    uv_write(&a->write, s, &out, 1, NULL);
}

static void asked_comes(uv_stream_t *listener, int status)
{
    struct asked *a = mem_zalloc(sizeof *a);
    (void)status;
    uv_tcp_init(&loop, &a->tcp);
    a->tcp.data = a;
    if (uv_accept(listener, (uv_stream_t *)&a->tcp) || uv_read_start((uv_stream_t *)&a->tcp, asked_room, asked_read)) exit(2);
}

static void open_service(void)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int n = sizeof at;
    uv_tcp_init(&loop, &service.listener);
    if (uv_tcp_bind(&service.listener, (struct sockaddr *)&at, 0) ||
        uv_listen((uv_stream_t *)&service.listener, 64, asked_comes) ||
        uv_tcp_getsockname(&service.listener, (struct sockaddr *)&at, &n))
        exit(2);
    snprintf(service.url, sizeof service.url, "http://127.0.0.1:%d/", ntohs(at.sin_port));
}

static void open_worker(void)
{
    char error[100];
    struct worker *w = worker_get();
    memset(w, 0, sizeof *w);
    memset(&memory, 0, sizeof memory);
    uv_loop_init(&loop);
    options_defaults(&w->options);
    w->loop = &loop;
    w->page = &page;
    w->bot = mem_strdup("torture");
    w->path = mem_printf("%s/bot.lua", dir);
    w->generation = 1;
    w->allowed = address_list_read("127.0.0.1", error, sizeof error);
    w->web_client = http_client_new(&loop, &(struct http_client_options){.guard = w->allowed});
    open_service();
    if (tasks_open()) exit(2);
    events_open();
    lua_timer_open();
    state_open();
    load_over = load_good = false;
    load_begin(load_ended);
}

static void run_until_loaded(void)
{
    while (!load_over) uv_run(&loop, UV_RUN_ONCE);
}

static void close_worker(void)
{
    struct worker *w = worker_get();
    memory.fail_at = 0;
    tasks_close();
    lua_timer_close();
    state_close();
    lua_time_close();
    events_close_handles();
    load_close_handles();
    tasks_close_handles();
    http_client_close(w->web_client, NULL, NULL);
    uv_close((uv_handle_t *)&service.listener, NULL);
    uv_run(&loop, UV_RUN_DEFAULT);
    CHECK_INT(uv_loop_close(&loop), 0);
    CHECK_INT(memory.used, 0);
    w->allowed = address_list_free(w->allowed);
    sources_free();
    options_free(&w->options);
    free(w->bot);
    free(w->path);
}

static void run_event(const char *text)
{
    char body[600];
    snprintf(body, sizeof body, "{\"type\":\"message\",\"timestamp\":1625665242211,\"source\":{\"type\":\"user\",\"userId\":\"U1\"},"
                                "\"replyToken\":\"t\",\"message\":{\"type\":\"text\",\"id\":\"9007199254740993\",\"n\":9007199254740993,"
                                "\"none\":[],\"text\":\"%s %s\"}}", text, service.url);
    struct wire_event e = {.seq = 1, .attempt = 1, .id = STR("01H"), .body = str_of(body)};
    event_begin(&e);
    while (events_running()) uv_run(&loop, UV_RUN_ONCE);
    /* Its timers too; one that repeats may need memory to end itself. */
    for (int64_t first = clock_ns(); lua_timer_pending() || events_running();) {
        if (clock_ns() - first > 5 * NS_PER_MS) memory.fail_at = 0;
        uv_run(&loop, UV_RUN_ONCE);
    }
}

static long long counter(void)
{
    lua_State *L = worker_get()->L;
    lua_getfield(L, LUA_REGISTRYINDEX, LUA_LOADED_TABLE);
    lua_getfield(L, -1, "counter");
    lua_getfield(L, -1, "n");
    long long n = lua_tointeger(L, -1);
    lua_settop(L, 0);
    return n;
}

static const char counter_module[] = "return {n = 0}\n";
static const char bot[] =
    "local line = require 'line'\n"
    "local counter = require 'counter'\n"
    "local run = {}\n"
    "function run.good() counter.n = counter.n + 1 end\n"
    "function run.decode() return json.decode('{\"a\":[1,2,{\"b\":\"c\"}],\"d\":12345678901234567890123,\"e\":[]}') end\n"
    "function run.long() return json.decode('[9007199254740993,\"x\",[]]') end\n"
    "function run.broken() return pcall(json.decode, '{\"a\":[1,2,{\"b\":') end\n"
    "function run.encode() return json.encode{a = {1, 2, 3}, b = 'text', c = {d = json.null}} .. 'x' end\n"
    "function run.misencode() return pcall(json.encode, {a = {b = print}}) end\n"
    "function run.cjson() local c = require 'cjson' return c.encode(c.decode('{\"a\":[1,2,3]}')) end\n"
    "function run.sleep() line.sleep(0) line.sleep(0) end\n"
    "function run.spawn() local h = line.spawn(function(a) line.sleep(0) return a .. 'b' end, 'a') assert(h:wait() == 'ab') end\n"
    "function run.loose() line.spawn(function() line.sleep(0) return {} end) line.spawn(error, 'x') end\n"
    "function run.all() line.all{function() line.sleep(0) return 'a' end, function() return {} end} end\n"
    "function run.allbad() pcall(line.all, {function() line.sleep(9) end, function() line.sleep(0) error({}) end}) end\n"
    "function run.error() error('text ' .. #run) end\n"
    "function run.errortable() error(setmetatable({}, {__tostring = function() return 'x' .. 'y' end})) end\n"
    "function run.pcall() for i = 1, 5 do pcall(function() local t = {i} error(t) end) end end\n"
    "function run.xpcall() xpcall(function() error('a' .. 1) end, function(m) return m .. 'b' end) end\n"
    "function run.coroutine() local co = coroutine.wrap(function(a) line.sleep(0) local b = coroutine.yield(a .. 'x') "
    "line.sleep(0) return {b} end) co('1') co('2') end\n"
    "function run.close() local x <close> = setmetatable({}, {__close = function() local t = {} line.sleep(0) end}) line.sleep(0) end\n"
    "function run.require() package.loaded.counter2 = nil require 'counter2' end\n"
    "function run.notthere() pcall(require, 'not.there') end\n"
    "function run.log() log.debug('x') log.info('x', {a = 1, b = {1, 2}, c = 'd'}) print('a', {}) end\n"
    "function run.global() pcall(function() return undeclared end) pcall(function() undeclared = 1 end) end\n"
    "function run.gc() setmetatable({}, {__gc = function() error('gc ' .. 1) end}) end\n"
    "function run.sort() pcall(table.sort, {3, 2, 1}, function(a, b) line.sleep(0) return a < b end) end\n"
    "function run.load() load('return {1, 2, 3}')() end\n"
    "function run.text() return line.text('hello') end\n"
    "function run.build() return load('local line = ... return line.flex([[a]], line.flex.box([[vertical]], {line.text_v2("
    "[[{n}]], {n = 1})}, {spacing = [[md]], quickReply = line.quick_reply(line.action.message([[a]]))}))')(line) end\n"
    "function run.after() line.after(0.001, function(a, b) line.sleep(0) return {a, b} end, 1, {}) end\n"
    "function run.every() local n, t = 0 t = line.every(0.001, function() n = n + 1 if n > 1 then t:cancel() end local x = {n} "
    "line.sleep(0) end) end\n"
    "function run.timers() local list = {} for i = 1, 5 do list[i] = line.after(0.003, run.load, {i}) end "
    "for i = 1, 5 do list[i]:cancel() end pcall(line.after, 0, run.load) end\n"
    "function run.timererror() line.after(0.001, function() local t = {} line.spawn(error, 'x') error({t .. 1}) end) end\n"
    "function run.crypto() local c = require 'crypto' local s = c.sha256('a') .. c.hmac_sha256('k', 'v', 'base64') .. c.uuid()\n"
    "return c.from_base64(c.base64(s)) == s and c.from_base64url('!') == nil and c.random(3000) end\n"
    "function run.http() local http = require 'http'\n"
    "local r = http.post(run.url .. 'x?y', {query = {a = {1, 2}}, parts = {{name = 'a', body = 'b', filename = 'c'}},\n"
    "  basic = {'a', 'b'}})\n"
    "return r:json()[1] .. r.headers['x-one'] end\n"
    "function run.stream() local http = require 'http' local r <close> = http.get(run.url, {stream = true})\n"
    "return r:read(2) .. r:all() end\n"
    "function run.forbidden() local http = require 'http' pcall(http.get, 'http://127.0.0.2:1/') pcall(http.get, 'x', {y = 1})\n"
    "return tostring(select(2, pcall(http.get, 'http://127.0.0.2:1/', {stream = true, json = {}}))) end\n"
    "line.on('message.text', function(event)\n"
    "  local name, url = event.message.text:match('^(%w+) ?(.*)$') run.url = url run[name]() end)\n";

static const char *const snippets[] = {
    "good", "decode", "long", "broken", "encode", "misencode", "cjson", "sleep", "spawn", "loose", "all", "allbad", "error",
    "errortable", "pcall", "xpcall", "coroutine", "close", "require", "notthere", "log", "global", "gc", "sort", "load", "text",
    "build", "after", "every", "timers", "timererror", "crypto", "http", "stream", "forbidden",
};

static void prepare(void)
{
    static bool done;
    if (done) return;
    done = true;
    if (!mkdtemp(dir)) exit(2);
    put_file("bot.lua", bot);
    put_file("counter.lua", counter_module);
    put_file("counter2.lua", counter_module);
    if (!freopen("/dev/null", "w", stderr)) exit(2); /* some thousand failures, each with its log line */
}

static size_t settled(void)
{
    lua_gc(worker_get()->L, LUA_GCCOLLECT);
    lua_gc(worker_get()->L, LUA_GCCOLLECT);
    return memory.used;
}

/* Fail allocation n of the snippet, then one good event: it must be handled. Returns false when there was no n-th. */
static bool fail_one(const char *snippet, uint64_t n, uint64_t times)
{
    long long before = counter();
    memory.fail_times = times;
    memory.fail_at = n;
    run_event(snippet);
    bool reached = memory.fail_times < times;
    memory.fail_at = 0;
    if (strcmp(snippet, "good") == 0) before = counter();
    run_event("good");
    if (counter() != before + 1) FAIL("unusable after allocation %llu of %s", (unsigned long long)n, snippet);
    if (lua_gettop(worker_get()->L)) FAIL("the main stack is not empty after allocation %llu of %s", (unsigned long long)n, snippet);
    return reached;
}

static void torture(uint64_t times)
{
    prepare();
    open_worker();
    run_until_loaded();
    if (!CHECK(load_good)) return close_worker();
    for (size_t i = 0; i < sizeof snippets / sizeof *snippets; i++) {
        run_event(snippets[i]); /* what is made once is made now */
        size_t before = settled();
        uint64_t n = 1;
        while (n <= TORTURE_MOST && fail_one(snippets[i], n, times)) n++;
        size_t after = settled();
        if (after > before + 8192) FAIL("%s leaves %zu bytes after %llu failures", snippets[i], after - before, (unsigned long long)n);
        CHECK_INT(task_count(), 0);
    }
    CHECK(service.answers > 10); /* the snippets that ask did get that far */
    service.answers = 0;
    close_worker();
}

TEST(one_allocation_fails) { torture(2); }
TEST(all_allocations_fail_from_there_on) { torture(UINT64_MAX); }

TEST(loading_fails_and_the_next_succeeds)
{
    prepare();
    bool reached = true;
    for (uint64_t n = 1; reached; n += LOAD_STRIDE) {
        open_worker();
        memory.fail_times = 2;
        memory.fail_at = n;
        run_until_loaded();
        reached = memory.fail_times < 2;
        /* Lua does without some: a larger table of its strings, for one. */
        if (!load_good && !reached) FAIL("loading fails at step %llu, where no allocation does", (unsigned long long)n);
        close_worker();
    }
}

TEST(cleaning_up)
{
    static const char *const names[] = {"bot.lua", "counter.lua", "counter2.lua", ""};
    char path[128];
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        snprintf(path, sizeof path, "%s/%s", dir, names[i]);
        CHECK_INT(remove(path), 0);
    }
}
TEST_MAIN()
