/* The life of an API call, without a network and without the worker: answers come from a list, a task is one coroutine.
 * What is looked at is what goes out (method, URL, headers, body), what is repeated and when, and what Lua gets. */
#include <lauxlib.h>
#include <lualib.h>
#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "bindings/budget.h"
#include "bindings/trace_news.h"
#include "bindings/call.h"
#include "bindings/json.h"
#include "bindings/line_core.h"
#include "bindings/source.h"
#include "bindings/trace.h"
#include "test.h"

/* ---- stand-ins: HTTP client ---- */

struct answer {
    int status, result;
    const char *headers, *body;
    bool maybe_sent;
};

static struct fake {
    const struct answer *answers;  /* in order; the last one is repeated */
    unsigned n, used, cancelled, paused, resumed;
    struct http_call *under_way;
    char seen[8][1024];            /* "METHOD URL\nheader\n…\n\nbody" of each attempt */
    int counted[8];                /* statuses given to the metrics */
    unsigned counted_n, row;
} fake;

void http_client_start(struct http_client *client, struct http_call *c)
{
    (void)client;
    struct buf b = BUF(sizeof fake.seen[0] - 1);
    buf_printf(&b, "%s %s\n", c->method, c->url);
    for (const char *const *h = c->headers; h && *h; h++) buf_printf(&b, "%s\n", *h);
    buf_printf(&b, "\n%.*s", (int)c->body_len, c->body ? (const char *)c->body : "");
    memcpy(fake.seen[fake.used % 8], b.data, b.len + 1);
    buf_free(&b);
    fake.under_way = c;
}

void http_client_cancel(struct http_client *client, struct http_call *c)
{
    (void)client;
    if (fake.under_way == c) fake.under_way = NULL;
    fake.cancelled++;
}

void http_client_pause(struct http_call *c) { (void)c, fake.paused++; }
void http_client_resume(struct http_call *c) { (void)c, fake.resumed++; }

void http_call_free(struct http_call *c) { buf_free(&c->answer), buf_free(&c->header_bytes); }
void http_client_take_back(struct http_client *client, struct http_call *c) { (void)client, http_call_free(c); }

struct str http_call_header(const struct http_call *c, const char *name)
{
    for (const char *p = c->header_bytes.data; p && *p; p = strchr(p, '\n') + 1) {
        size_t n = strlen(name);
        if (strncasecmp(p, name, n) == 0 && p[n] == ':') return (struct str){p + n + 2, strcspn(p + n + 2, "\r\n")};
        if (!strchr(p, '\n')) break;
    }
    return (struct str){NULL, 0};
}

static void complete(struct http_call *c)
{
    const struct answer *a = &fake.answers[fake.used < fake.n ? fake.used : fake.n - 1];
    size_t n = a->body ? strlen(a->body) : 0;
    fake.used++;
    fake.under_way = NULL;
    buf_clear(&c->answer);
    buf_clear(&c->header_bytes);
    c->answer.max = c->max_answer;
    c->header_bytes.max = 4096;
    buf_puts(&c->header_bytes, a->headers ? a->headers : "");
    c->status = a->status;
    c->result = a->result;
    c->error = a->result ? "connection refused" : NULL;
    c->maybe_sent = a->maybe_sent;
    bool stream = c->sink && a->status >= 200 && a->status < 300;
    for (size_t i = 0; stream && i < n; i += 4) /* in pieces of 4 */
        if (!c->sink(c, a->body + i, n - i < 4 ? n - i : 4)) {
            c->result = ERR_CLOSED;
            break;
        }
    if (!stream) buf_append(&c->answer, a->body ? a->body : "", n);
    c->done(c);
}

/* ---- stand-ins: the worker and its tasks ---- */

static struct worker worker;
static lua_State *task_L;
static struct wait *waiting;
static bool woken, is_event, is_rerun, broke; /* broke: the memory budget */
static unsigned calls_made;
static char save_folder[] = "/tmp/moonline-save-XXXXXX";

struct worker *worker_get(void) { return &worker; }
const char *sources_folder(void) { return save_folder; }
bool chunk_is_ours(const char *source) { return source[0] == '@' && source[1] == '@'; }
const char *trace_source(const lua_Debug *ar) { return ar->short_src; }
void worker_count_call(unsigned operation, int status, int64_t ns)
{
    (void)ns;
    fake.row = operation;
    fake.counted[fake.counted_n++ % 8] = status;
}
void trace_call(const struct api_call *c) { (void)c; }
void trace_where_of(lua_State *L, char *ret, size_t n) { (void)L, (void)ret, (void)n; }
int trace_handler(lua_State *L) { (void)L; return 0; }
void budget_out_of_memory(lua_State *L) { (void)L, broke = true; }
void budget_check(lua_State *L) { if (broke) luaL_error(L, "out of memory"); }
struct task *task_current(void) { return (struct task *)&worker; }
struct str task_event_id(const struct task *t) { (void)t; return is_event ? STR("01EVENT") : (struct str){"", 0}; }
struct str task_origin(const struct task *t) { (void)t; return (struct str){"", 0}; }
struct str task_chat(const struct task *t) { (void)t; return (struct str){"", 0}; }
uint32_t task_attempt(const struct task *t) { (void)t; return 1; }
bool task_rerun(const struct task *t) { (void)t; return is_rerun; }
void task_next_call(struct task *t, char ret[TASK_LABEL_SIZE]) { (void)t; str_number(ret, ++calls_made); }
void task_check_can_wait(lua_State *L, const char *what)
{
    if (!lua_isyieldable(L)) luaL_error(L, "%s: cannot wait here", what);
}
int task_wait(lua_State *L, struct wait *w, lua_KFunction k, lua_KContext ctx)
{
    waiting = w;
    return lua_yieldk(L, 0, ctx, k);
}
void task_wake(struct wait *w)
{
    CHECK(w == waiting);
    waiting = NULL;
    woken = true;
}
void task_push_where(lua_State *L)
{
    lua_Debug d;
    for (int i = 0; lua_getstack(L, i, &d); i++) {
        lua_getinfo(L, "Sl", &d);
        if (d.currentline > 0 && strcmp(d.short_src, "bot.lua") == 0) {
            lua_pushfstring(L, "%s:%d", d.short_src, d.currentline);
            return;
        }
    }
    lua_pushliteral(L, "?");
}

/* Run a chunk as a task to its end; what it returns (one string, by tostring) is the result. NULL: it was left waiting
 * with nothing under way. */
static const char *run(const struct answer *answers, unsigned n, const char *code)
{
    int nres = 0, r;
    lua_State *L = worker.L;
    lua_settop(L, 0);
    memset(&fake, 0, sizeof fake);
    fake.answers = answers;
    fake.n = n;
    calls_made = 0;
    task_L = lua_newthread(L);
    if (luaL_loadbuffer(task_L, code, strlen(code), "@bot.lua")) return lua_tostring(task_L, -1);
    r = lua_resume(task_L, L, 0, &nres);
    while (r == LUA_YIELD) {
        if (woken) {
            woken = false;
            lua_pop(task_L, nres);
            r = lua_resume(task_L, L, 0, &nres);
        } else if (fake.under_way) {
            complete(fake.under_way);
        } else if (!uv_run(worker.loop, UV_RUN_ONCE) && !woken && !fake.under_way) {
            return NULL; /* nothing will ever wake it */
        }
    }
    return luaL_tolstring(task_L, -1, NULL);
}

#define RUN(code, ...)                                                                                                 \
    run((const struct answer[]){__VA_ARGS__}, sizeof((const struct answer[]){__VA_ARGS__}) / sizeof(struct answer),    \
        code)
#define ID "x-line-request-id: q-1\n"

static void start(void)
{
    if (worker.L) return;
    worker.loop = uv_default_loop();
    worker.token = mem_strdup("token-of-test");
    worker.channel = mem_strdup("Uchannel");
    worker.api_base = mem_strdup("http://api");
    worker.data_api_base = mem_strdup("http://data/");
    worker.options.handler_limit = 60000;
    worker.options.api_rates = true;
    worker.client = (struct http_client *)&worker;
    log_init(LOG_JSON, LOG_ERROR);
    worker.L = luaL_newstate();
    luaL_openlibs(worker.L);
    json_open(worker.L);
    luaL_requiref(worker.L, "line.core", luaopen_line_core, 0);
    lua_getfield(worker.L, -1, "operations");
    lua_setglobal(worker.L, "op");
    lua_getfield(worker.L, -1, "inner");
    lua_setglobal(worker.L, "inner");
    lua_getfield(worker.L, -1, "request");
    lua_setglobal(worker.L, "request");
    static const char fails[] = "function fails(f, ...) local r = table.pack(pcall(f, ...)) assert(not r[1]) "
                            "local e = r[2] if type(e) ~= 'table' then return e end "
                            "return table.concat({e.where, e.called, e.operation, e.status, e.message, "
                            "e.request_id or '-', e.details and #e.details or '-'}, '|') end";
    CHECK_INT(luaL_loadbuffer(worker.L, fails, sizeof fails - 1, "@helper") || lua_pcall(worker.L, 0, 0, 0), 0);
}

/* ---- what goes out ---- */

TEST(a_get_builds_its_path_and_returns_the_answer)
{
    start();
    CHECK_STR(RUN("local p, id = op.get_profile('U/1') return p.displayName .. ' ' .. id",
                  {200, 0, ID, "{\"displayName\":\"Ann\"}", false}), "Ann q-1");
    CHECK_STR(fake.seen[0], "GET http://api/v2/bot/profile/U%2F1\nAuthorization: Bearer token-of-test\n\n");
    CHECK_INT(fake.counted[0], 200);
}

TEST(queries_are_built_from_what_is_given)
{
    start();
    RUN("op.get_followers{limit = 20.0, start = 'a b'}", {200, 0, NULL, "{}", false});
    CHECK(strstr(fake.seen[0], "GET http://api/v2/bot/followers/ids?start=a%20b&limit=20\n") == fake.seen[0]);
    RUN("op.get_followers()", {200, 0, NULL, "{}", false});
    CHECK(strstr(fake.seen[0], "GET http://api/v2/bot/followers/ids\n") == fake.seen[0]);
    RUN("op.get_message_content_transcoding_by_message_id('7')", {200, 0, NULL, "{}", false});
    CHECK(strstr(fake.seen[0], "GET http://data/v2/bot/message/7/content/transcoding\n") == fake.seen[0]);
}

TEST(a_reply_has_a_body_and_no_retry_key)
{
    start();
    is_event = true;
    CHECK_STR(RUN("return (op.reply_message{replyToken = 't', messages = {{type='text', text='x'}}})", {200, 0, NULL, "5", false}), "5");
    CHECK(strstr(fake.seen[0], "POST http://api/v2/bot/message/reply\n") == fake.seen[0]);
    CHECK(strstr(fake.seen[0], "\nContent-Type: application/json\n"));
    CHECK(!strstr(fake.seen[0], "Retry-Key"));
    CHECK(strstr(fake.seen[0], "\"messages\":[{"));
    is_event = false;
}

static void key_of(const char *seen, char ret[64])
{
    const char *p = strstr(seen, "X-Line-Retry-Key: ");
    snprintf(ret, 64, "%.*s", p ? 36 : 0, p ? p + 18 : "");
}

TEST(sends_carry_a_key_that_a_rerun_repeats)
{
    char a[64], b[64], c[64];
    const char *push = "op.push_message{to = 'U', messages = {{type='text', text='x'}}}";
    start();
    is_event = true;
    RUN(push, {200, 0, NULL, "{}", false});
    key_of(fake.seen[0], a);
    RUN(push, {200, 0, NULL, "{}", false});
    key_of(fake.seen[0], b);
    RUN("for _ = 1, 2 do op.push_message{to = 'U', messages = {{type='text', text='x'}}} end", {200, 0, NULL, "{}", false});
    key_of(fake.seen[1], c);
    CHECK_INT(strlen(a), 36);
    CHECK_STR(a, b);
    CHECK(strcmp(a, c) != 0);
    is_event = false;
    RUN(push, {200, 0, NULL, "{}", false});
    key_of(fake.seen[0], b);
    RUN(push, {200, 0, NULL, "{}", false});
    key_of(fake.seen[0], c);
    CHECK(strlen(b) == 36 && strcmp(b, c) != 0);
    RUN("op.push_message({to = 'U', messages = {{type='text', text='x'}}}, {retry_key = '123e4567-e89b-12d3-a456-426614174000'})",
        {200, 0, NULL, "{}", false});
    key_of(fake.seen[0], a);
    CHECK_STR(a, "123e4567-e89b-12d3-a456-426614174000");
    RUN("op.push_message({to = 'U', messages = {{type='text', text='x'}}}, {retry_key = false})", {200, 0, NULL, "{}", false});
    CHECK(!strstr(fake.seen[0], "Retry-Key"));
}

/* ---- what is repeated ---- */

TEST(gets_and_keyed_sends_are_repeated_with_the_same_key)
{
    char a[64], b[64];
    start();
    CHECK_STR(RUN("return (op.broadcast{messages = {{type='text', text='x'}}})", {0, ERR_IO, NULL, NULL, true}, {503, 0, NULL, "-", false},
                  {200, 0, NULL, "{}", false}), "true");
    CHECK_INT(fake.used, 3);
    key_of(fake.seen[0], a);
    key_of(fake.seen[2], b);
    CHECK(a[0] && strcmp(a, b) == 0);
    CHECK_INT(fake.counted_n, 3);
    RUN("return (fails(op.get_profile, 'U1'))", {0, ERR_TIMEOUT, NULL, NULL, true});
    CHECK_INT(fake.used, CALL_TRIES);
}

TEST(replies_and_other_posts_are_not_repeated)
{
    start();
    CHECK_STR(RUN("return (fails(op.reply_message, {replyToken = 't', messages = {{type='text', text='x'}}}))", {500, 0, ID, "{}", false}),
              "bot.lua:1|line.reply_message|reply_message|500|an answer without a message: {}|q-1|-");
    CHECK_INT(fake.used, 1);
    CHECK_STR(RUN("return (fails(op.leave_group, 'C1'))", {0, ERR_IO, NULL, NULL, true}),
              "bot.lua:1|line.leave_group|leave_group|0|no answer from LINE: connection refused (the request may have "
              "been carried out)|-|-");
    CHECK_INT(fake.used, 1);
}

TEST(an_accepted_key_is_success_and_names_the_first_request)
{
    start();
    CHECK_STR(RUN("local _, id = op.push_message{to = 'U', messages = {{type='text', text='x'}}} return id",
                  {409, 0, ID "x-line-accepted-request-id: first\n", "{\"message\":\"already accepted\"}",
                   false}), "first");
    CHECK_STR(RUN("return (fails(op.leave_group, 'C1'))", {409, 0, ID, "{\"message\":\"no\"}", false}),
              "bot.lua:1|line.leave_group|leave_group|409|no|q-1|-");
}

TEST(too_many_requests_wait_but_not_for_the_quota)
{
    start();
    CHECK_STR(RUN("return (op.leave_group('C1'))", {429, 0, NULL, "{\"message\":\"The API rate limit\"}",
                  false}, {200, 0, NULL, "{}", false}), "true");
    CHECK_INT(fake.used, 2);
    CHECK_STR(RUN("return (fails(op.push_message, {to = 'U', messages = {{type='text', text='x'}}}))",
                  {429, 0, ID, "{\"message\":\"You have reached your monthly limit.\"}", false}),
              "bot.lua:1|line.push_message|push_message|429|You have reached your monthly limit.|q-1|-");
    CHECK_INT(fake.used, 1);
    worker.options.handler_limit = 900; /* no second for waiting */
    RUN("return (fails(op.leave_group, 'C1'))", {429, 0, NULL, "{\"message\":\"rate\"}", false});
    CHECK_INT(fake.used, 1);
    worker.options.handler_limit = 60000;
}

TEST(a_spent_reply_token_counts_as_sent_on_a_rerun_only)
{
    const char *reply = "local _, r = pcall(op.reply_message, {replyToken = 't', messages = {{type='text', text='x'}}}) return r == true";
    start();
    CHECK_STR(RUN(reply, {400, 0, ID, "{\"message\":\"Invalid reply token\"}", false}), "false");
    is_rerun = true;
    CHECK_STR(RUN(reply, {400, 0, ID, "{\"message\":\"Invalid reply token\"}", false}), "true");
    CHECK_STR(RUN(reply, {400, 0, ID, "{\"message\":\"something else\"}", false}), "false");
    is_rerun = false;
}

/* ---- what Lua gets ---- */

TEST(errors_hold_what_line_said)
{
    start();
    CHECK_STR(RUN("\n\nreturn (fails(inner.push_message, {to = 'U', messages = {{type='text', text='x'}}}, nil, 'line.push', 'x.lua:9'))",
                  {400, 0, ID, "{\"message\":\"bad\",\"details\":[{\"property\":\"to\"}]}", false}),
              "x.lua:9|line.push|push_message|400|bad|q-1|1");
    CHECK_STR(RUN("return (fails(op.get_bot_info))", {401, 0, ID, "<html>", false}),
              "bot.lua:1|line.get_bot_info|get_bot_info|401|an answer without a message: <html>|q-1|-");
    const char *text = RUN("return (fails(op.get_bot_info))", {200, 0, ID, "<html>", false});
    CHECK(text && strstr(text, "the answer is not JSON: "));
}

TEST(misuse_is_told_at_the_callers_line_and_sends_nothing)
{
    start();
    static const char *const cases[][2] = {
        {"op.get_profile{userid = 'x'}",
         "bot.lua:2: line.get_profile: unknown field 'userid' (did you mean 'userId'?)"},
        {"op.get_profile()", "bot.lua:2: line.get_profile: missing field 'userId'"},
        {"op.get_profile(5)", "bot.lua:2: line.get_profile: field 'userId' must be a string, not number"},
        {"op.get_profile('')", "bot.lua:2: line.get_profile: field 'userId' is \"\", which cannot be one"},
        {"op.get_profile('..')", "bot.lua:2: line.get_profile: field 'userId' is \"..\", which cannot be one"},
        {"op.get_bot_info('x')", "bot.lua:2: line.get_bot_info: takes a table of fields, not a string"},
        {"op.get_group_member_profile('C1')", "bot.lua:2: line.get_group_member_profile: takes a table of fields such as "
                                              "{groupId = …, userId = …}, not a string"},
        {"op.get_followers{'x'}",
         "bot.lua:2: line.get_followers: takes fields by name, such as {start = …}, not a list"},
        {"op.get_followers{limit = 1.5}",
         "bot.lua:2: line.get_followers: field 'limit' must be an integer, not number"},
        {"op.get_profile('U', {timeut = 1})",
         "bot.lua:2: line.get_profile: unknown option 'timeut' (did you mean 'timeout'?)"},
        {"op.get_profile('U', {timeout = 0})",
         "bot.lua:2: line.get_profile: timeout must be a number of seconds above 0"},
        {"op.get_profile('U', 5)", "bot.lua:2: line.get_profile: options must be a table, not number"},
        {"op.push_message({to = 'U', messages = {{type='text', text='x'}}}, {retry_key = 'x'})",
         "bot.lua:2: line.push_message: retry_key must be a UUID (123e4567-e89b-12d3-a456-426614174000) or false"},
        {"op.push_message{to = 'U', messages = {{type = 'text', text = 'x', extra = print}}}",
         "bot.lua:2: line.push_message: messages[1].extra: a function cannot be sent as JSON"},
        {"request('GETT', '/')", "bot.lua:2: line.request: the first argument is a method such as \"GET\""},
        {"request('GET', 'v2')", "bot.lua:2: line.request: the second argument is a path such as \"/v2/bot/info\""},
        {"request('GET', '/', {qurey = {}})",
         "bot.lua:2: line.request: unknown option 'qurey' (did you mean 'query'?)"},
        {"request('GET', '/', {headers = {a = 'x\\r\\ny'}})",
         "bot.lua:2: line.request: header 'a' holds what a header cannot hold"},
    };
    for (unsigned i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char code[512];
        snprintf(code, sizeof code, "local ok, e = pcall(function()\n%s end) return e", cases[i][0]);
        CHECK_STR(RUN(code, {200, 0, NULL, "{}", false}), cases[i][1]);
        CHECK_INT(fake.used, 0);
    }
}

TEST(a_tail_call_keeps_the_scripts_line)
{
    start();
    (void)!luaL_dostring(worker.L, "core = package.loaded['line.core'] function inside() return core.where() end");
    CHECK_STR(RUN("\nlocal g = core.entry(inside) local function f()\nreturn g() end return (f())",
                  {200, 0, NULL, "{}", false}), "bot.lua:3");
    CHECK_STR(RUN("local g = core.entry(function(...) return ..., op.leave_group('C1') end) return (g('waited'))",
                  {200, 0, NULL, "{}", false}), "waited");
}

TEST(request_takes_anything)
{
    start();
    CHECK_STR(RUN("local b, s, h = request('POST', '/v9/new', {query = {a = '1 2'}, body = {x = 1}, host = 'data', "
                  "headers = {['X-More'] = 'y'}}) return b.ok .. s .. h['x-line-request-id']",
                  {201, 0, ID "content-type: application/json; charset=UTF-8\n", "{\"ok\":\"yes\"}", false}),
              "yes201q-1");
    CHECK_STR(fake.seen[0], "POST http://data/v9/new?a=1%202\nAuthorization: Bearer token-of-test\n"
                            "Content-Type: application/json\nX-More: y\n\n{\"x\":1}");
    CHECK_INT(fake.row, CALL_REQUEST_ROW);
    CHECK_STR(RUN("return (request('GET', '/text'))", {200, 0, "content-type: text/plain\n", "plain", false}), "plain");
    CHECK_STR(RUN("return (fails(request, 'GET', '/none'))", {404, 0, ID, "{\"message\":\"Not found\"}", false}),
              "bot.lua:1|line.request|request|404|Not found|q-1|-");
}

TEST(content_comes_in_pieces)
{
    start();
    CHECK_STR(RUN("local c <close> = op.get_message_content('9') local a = c:read(3) local t = {a} "
                  "while true do local p = c:read() if not p then break end t[#t + 1] = p end "
                  "return table.concat(t) .. #a .. c:type() .. c:length() .. tostring(c:read())",
                  {200, 0, "content-type: image/png\ncontent-length: 10\n", "0123456789", false}),
              "01234567893image/png10nil");
    CHECK(strstr(fake.seen[0], "GET http://data/v2/bot/message/9/content\n") == fake.seen[0]);
    CHECK_STR(RUN("return (fails(op.get_message_content, '9'))", {410, 0, ID, "{\"message\":\"gone\"}", false}),
              "bot.lua:1|line.get_message_content|get_message_content|410|gone|q-1|-");
}

TEST(content_that_is_not_ready_is_waited_for)
{
    start();
    CHECK_STR(RUN("return op.get_message_content('9'):read(100)", {202, 0, NULL, "{}", false},
                  {200, 0, NULL, "video", false}), "video");
    CHECK_INT(fake.used, 2);
}

TEST(a_task_that_ends_cancels_its_call)
{
    start();
    memset(&fake, 0, sizeof fake);
    lua_State *co = lua_newthread(worker.L);
    int n;
    CHECK_INT(luaL_loadstring(co, "op.get_profile('U1')"), LUA_OK);
    CHECK_INT(lua_resume(co, worker.L, 0, &n), LUA_YIELD);
    CHECK(fake.under_way && waiting);
    if (!waiting) return;
    waiting->cancel(waiting);
    waiting = NULL;
    CHECK(!fake.under_way);
    CHECK_INT(fake.cancelled, 1);
    lua_settop(worker.L, 0);
    lua_gc(worker.L, LUA_GCCOLLECT);
    CHECK_INT(fake.cancelled, 1); /* collecting the box does not cancel again */
}

/* Each allocation of one send fails in turn: an error in Lua each time, and (under ASan) nothing left behind. */
static struct { long left; void *(*real)(void *, void *, size_t, size_t); void *ud; } scarce;
static void *scarce_alloc(void *ud, void *p, size_t osize, size_t n)
{
    (void)ud;
    if (n > (p ? osize : 0) && scarce.left >= 0) {
        if (scarce.left == 0) return NULL; /* and so for Lua's second try, after collecting garbage */
        scarce.left--;
    }
    return scarce.real(scarce.ud, p, osize, n);
}

TEST(lua_running_out_of_memory_leaves_nothing_behind)
{
    start();
    scarce.left = -1;
    scarce.real = lua_getallocf(worker.L, &scarce.ud);
    lua_setallocf(worker.L, scarce_alloc, NULL);
    int failed = 0;
    for (long i = 0; i < 40; i++) {
        lua_settop(worker.L, 0);
        memset(&fake, 0, sizeof fake);
        lua_State *co = lua_newthread(worker.L);
        luaL_loadstring(co, "op.push_message{to = 'U', messages = {{type='text', text='x'}}}");
        int n;
        scarce.left = i;
        int r = lua_resume(co, worker.L, 0, &n);
        scarce.left = -1;
        failed += r == LUA_ERRMEM;
        CHECK(r == LUA_YIELD || r == LUA_ERRMEM || broke); /* what C caught must not pass for an error like any other */
        broke = false;
        if (waiting) waiting->cancel(waiting);
        waiting = NULL;
        lua_settop(worker.L, 0);
        lua_gc(worker.L, LUA_GCCOLLECT);
        CHECK(!fake.under_way);
    }
    CHECK(failed > 3);
    lua_setallocf(worker.L, scarce.real, scarce.ud);
    CHECK_STR(RUN("return (op.leave_group('C1'))", {200, 0, NULL, "{}", false}), "true");
}

/* ---- tokens and rates ---- */

static char asked[64];
static void ask(struct str token) { snprintf(asked, sizeof asked, STR_FMT, STR_ARG(token)); }

static void news_soon(uv_timer_t *t)
{
    call_token_news(str_of(t->data), STR(""));
    uv_close((uv_handle_t *)t, NULL);
}

/* A TOKEN frame that comes while a call waits. */
static void tell_later(const char *token)
{
    static uv_timer_t timers[4];
    static unsigned n;
    uv_timer_t *t = &timers[n++ % 4];
    uv_timer_init(worker.loop, t);
    t->data = (void *)token;
    uv_timer_start(t, news_soon, 20, 0);
}

TEST(a_401_renews_once_and_repeats_also_what_is_never_repeated_else)
{
    const char *reply = "return tostring(op.reply_message{replyToken = 't', messages = {{type='text', text='x'}}})";
    start();
    call_token_settings(true, ask);
    tell_later("second");
    RUN(reply, {401, 0, NULL, "{}", false}, {200, 0, NULL, "{}", false});
    CHECK_STR(asked, "token-of-test");
    CHECK_INT(fake.used, 2);
    CHECK(strstr(fake.seen[1], "\nAuthorization: Bearer second\n"));
    tell_later("second"); /* the same again: no better one will come */
    CHECK_STR(RUN("return (fails(op.get_bot_info))", {401, 0, ID, "{\"message\":\"no\"}", false}),
              "bot.lua:1|line.get_bot_info|get_bot_info|401|no|q-1|-");
    CHECK_INT(fake.used, 1);
    call_token_settings(false, NULL);
    RUN("return (fails(op.get_bot_info))", {401, 0, ID, "{\"message\":\"no\"}", false});
    CHECK_INT(fake.used, 1);
}

TEST(each_kind_of_failure_says_what_it_is)
{
    static const struct {
        struct answer answer;
        const char *kind;
        unsigned attempts;
    } rows[] = {
        {{429, 0, NULL, "{\"message\":\"You have reached your monthly limit.\"}", false}, "quota", 1},
        {{429, 0, NULL, "{\"message\":\"too many messages to the same user\"}", false}, "user", 1},
        {{400, 0, NULL, "{}", false}, "invalid", 1},
        {{404, 0, NULL, "{}", false}, "missing", 1},
        {{500, 0, NULL, "{}", false}, "server", CALL_TRIES},
        {{0, ERR_TIMEOUT, NULL, NULL, true}, "timeout", CALL_TRIES},
        {{0, ERR_IO, NULL, NULL, true}, "network", CALL_TRIES},
    };
    start();
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        CHECK_STR(run(&rows[i].answer, 1, "local _, e = pcall(op.push_message, {to = 'U', messages = {{type = 'text', "
                                          "text = 'x'}}}) return e.kind"), rows[i].kind);
        CHECK_INT(fake.used, rows[i].attempts);
    }
}

TEST(a_used_up_rate_is_told_at_once_when_waiting_would_take_too_long)
{
    start();
    worker.options.handler_limit = 5000;
    CHECK_STR(RUN("local e for i = 1, 61 do local ok ok, e = pcall(op.test_webhook_endpoint, {}) end "
                  "return e.kind .. ' ' .. e.status .. ' ' .. tostring(e.retry_after > 50 and e.retry_after < 61)",
                  {200, 0, NULL, "{}", false}),
              "rate 0 true");
    CHECK_INT(fake.used, 60);
    worker.options.handler_limit = 60000;
}

/* The last one: the others share the state. */
TEST(closing_the_state_frees_everything)
{
    start();
    lua_close(worker.L);
    worker.L = NULL;
    json_free();
    uv_run(worker.loop, UV_RUN_DEFAULT); /* timers of calls close in the loop */
    CHECK(!uv_loop_alive(worker.loop));
}

TEST_MAIN()
