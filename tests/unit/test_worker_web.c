/* Requests of routes as a worker takes them: frames in, frames out, in whatever order, and none that is crooked. */
#include "worker_kit.h"
#include "host/web_wire.h"

#define WEB "local line, web = require 'line', require 'web'\n"

/* The layout of a payload, as web_wire.c has it. */
struct fixed {
    uint64_t id, n;
    uint32_t sizes[6];
    uint16_t status, flags;
} __attribute__((packed));

static void start(struct kit *k, const char *bot)
{
    kit_open(k);
    kit_file(k, "bot.lua", bot);
    if (!CHECK_INT(kit_start(k), WIRE_WEB_ROUTES)) printf("#   %s\n", k->why);
    CHECK_INT(kit_next(k), WIRE_READY);
}

static size_t make_request(char *to, uint64_t id, const char *method, const char *target, const char *body, size_t body_n)
{
    struct fixed f = {.id = id, .n = body_n, .sizes = {(uint32_t)strlen(method), (uint32_t)strlen(target), 0, 9, 0}};
    memcpy(to, &f, sizeof f);
    char *p = to + sizeof f;
    p = mempcpy(p, method, strlen(method));
    p = mempcpy(p, target, strlen(target));
    p = mempcpy(p, "127.0.0.1", 9);
    p = mempcpy(p, body, strlen(body));
    return (size_t)(p - to);
}

static void ask(struct kit *k, uint64_t id, const char *method, const char *target, const char *body, size_t body_n)
{
    char payload[1024];
    kit_send(k, WIRE_WEB_REQUEST, payload, make_request(payload, id, method, target, body, body_n));
}

static void body(struct kit *k, uint64_t id, const char *text, bool last)
{
    char payload[1024];
    struct fixed f = {.id = id, .flags = last ? 2 : 0};
    memcpy(payload, &f, sizeof f);
    memcpy(payload + sizeof f, text, strlen(text));
    kit_send(k, WIRE_WEB_BODY, payload, sizeof f + strlen(text));
}

static void note(struct kit *k, enum wire_type type, uint64_t id, uint64_t n)
{
    struct fixed f = {.id = id, .n = n};
    kit_send(k, type, &f, sizeof f);
}

static struct wire_web_answer answered(struct kit *k)
{
    struct wire_web_answer a = {0};
    CHECK_INT(kit_next(k), WIRE_WEB_ANSWER);
    CHECK_INT(wire_read_web_answer((struct str){k->web, k->web_n}, &a), 0);
    return a;
}

static struct wire_web_piece piece(struct kit *k)
{
    struct wire_web_piece p = {0};
    CHECK_INT(kit_next(k), WIRE_WEB_DATA);
    CHECK_INT(wire_read_web_piece((struct str){k->web, k->web_n}, &p), 0);
    return p;
}

static bool silent(struct kit *k)
{
    struct pollfd p = {.fd = k->fd, .events = POLLIN};
    return k->in_n < WIRE_HEADER && poll(&p, 1, 50) == 0;
}

TEST(bodies_come_in_pieces_and_answers_side_by_side)
{
    struct kit k;
    start(&k, WEB "web.post('/:a', function(r) if r.params.a == 'slow' then line.sleep(0.05) end return r.body end)");
    ask(&k, 1, "POST", "/x", "ab", 6);
    ask(&k, 2, "POST", "/slow", "", 0);
    body(&k, 1, "cd", false);
    ask(&k, 3, "POST", "/y?z", "whole", 5);
    struct wire_web_answer a = answered(&k);
    CHECK(a.id == 3 && a.status == 200 && a.last && a.sized && a.length == 5);
    CHECK_STRN(a.body, "whole");
    body(&k, 1, "ef", true);
    a = answered(&k);
    CHECK_INT(a.id, 1);
    CHECK_STRN(a.body, "abcdef");
    CHECK_INT(answered(&k).id, 2);
    CHECK_INT(atomic_load(&k.page->seq), PAGE_WEB | 2);
    CHECK(kit_close(&k));
}

TEST(no_more_than_the_window_is_under_way)
{
    struct kit k;
    start(&k, WEB "web.get('/', function() return ('x'):rep(1000000) end)\n"
                  "web.get('/s', function() return function(s) assert(s:write(('y'):rep(300000))) s:write('end') end end)");
    const char *const targets[] = {"/", "/s"};
    for (uint64_t id = 1; id <= 2; id++) {
        size_t sum = 0, taken = 0, whole = id == 1 ? 1000000 : 300003;
        ask(&k, id, "GET", targets[id - 1], "", 0);
        struct wire_web_answer a = answered(&k);
        CHECK(!a.last && a.sized == (id == 1) && (id == 2 || a.length == whole));
        sum = a.body.n;
        for (bool last = false; !last;) {
            while (sum - taken < WEB_WINDOW && !last) {
                struct wire_web_piece p = piece(&k);
                sum += p.bytes.n;
                last = p.last;
            }
            CHECK(sum - taken <= WEB_WINDOW);
            if (!last) CHECK(silent(&k));
            note(&k, WIRE_WEB_TAKEN, id, 100000);
            taken += 100000;
        }
        CHECK_INT(sum, whole);
        note(&k, WIRE_WEB_TAKEN, id, 1); /* about nothing any more */
        note(&k, WIRE_WEB_GONE, id, 0);
    }
    CHECK(kit_close(&k));
}

TEST(a_client_that_is_gone_still_gets_an_end)
{
    struct kit k;
    start(&k, WEB "web.post('/', function() line.sleep(0.05) return 'late' end)\n"
                  "web.get('/big', function() return ('x'):rep(1000000) end)\n"
                  "web.get('/s', function() return function(s) while s:write(('x'):rep(99999)) do end log.info('told') end end)\n"
                  "web.get('/sleep', function() return function(s) s:write('x') line.sleep(3600) end end)");
    ask(&k, 1, "POST", "/", "half", 10); /* its body never comes whole */
    note(&k, WIRE_WEB_GONE, 1, 0);
    CHECK_INT(kit_next(&k), WIRE_WEB_CUT);
    ask(&k, 2, "POST", "/", "", 0);
    note(&k, WIRE_WEB_GONE, 2, 0);
    CHECK(silent(&k)); /* the handler runs on */
    CHECK_INT(kit_next(&k), WIRE_WEB_CUT);
    const char *const targets[] = {"/big", "/s", "/sleep"};
    for (uint64_t id = 3; id <= 5; id++) {
        ask(&k, id, "GET", targets[id - 3], "", 0);
        CHECK(!answered(&k).last);
        note(&k, WIRE_WEB_GONE, id, 0);
        int type;
        while ((type = kit_next(&k)) == WIRE_WEB_DATA) continue;
        CHECK_INT(type, WIRE_WEB_CUT);
    }
    CHECK(kit_close(&k));
}

TEST(leaving_ends_streams_and_waits_for_the_rest)
{
    struct kit k;
    start(&k, WEB "web.post('/slow', function(r) line.sleep(0.1) return r.body end)\n"
                  "web.get('/late', function() line.sleep(0.05) return function(s) s:write(tostring(s:write('x'))) end end)\n"
                  "web.get('/s', function() return function(s) s:write('x') line.sleep(3600) end end)");
    ask(&k, 1, "GET", "/s", "", 0);
    CHECK_INT(answered(&k).id, 1);
    CHECK_STRN(piece(&k).bytes, "x");
    ask(&k, 2, "POST", "/slow", "bo", 4);
    ask(&k, 3, "GET", "/late", "", 0);
    kit_leave(&k);
    struct wire_web_piece p = piece(&k);
    CHECK(p.id == 1 && p.last && !p.bytes.n);
    body(&k, 2, "dy", true); /* what was under way still comes */
    CHECK_INT(answered(&k).id, 3);
    p = piece(&k);
    CHECK(p.id == 3 && p.last && !p.bytes.n);
    CHECK_STRN(answered(&k).body, "body");
    CHECK_INT(kit_next(&k), WIRE_BYE);
    CHECK_INT(kit_next(&k), 0);
    int status;
    waitpid(k.pid, &status, 0);
    CHECK_INT(status, 0);
    kit_free(&k);
}

/* Ends with status 1 and a line in its log, at once. */
static void refused(struct kit *k)
{
    int status;
    while (kit_next(k) > 0) continue;
    waitpid(k->pid, &status, 0);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 1);
    kit_read_log(k);
    CHECK(k->log && strstr(k->log, "the host sent something it should not"));
    kit_free(k);
}

TEST(a_stream_nobody_waits_for_any_more_has_no_end_without_a_beginning)
{
    struct kit k;
    start(&k, WEB "web.get('/s', function() line.sleep(0.05) return function(s) s:write('x') end end)");
    ask(&k, 1, "GET", "/s", "", 0);
    note(&k, WIRE_WEB_GONE, 1, 0);
    kit_leave(&k);
    CHECK_INT(kit_next(&k), WIRE_WEB_CUT);
    CHECK_INT(kit_next(&k), WIRE_BYE);
    CHECK_INT(kit_next(&k), 0);
    waitpid(k.pid, NULL, 0);
    kit_free(&k);
}

TEST(frames_that_fit_nowhere_end_the_worker)
{
    for (int how = 0; how < 7; how++) {
        struct kit k;
        start(&k, WEB "web.post('/', function() line.sleep(3600) end)");
        switch (how) {
        case 0: body(&k, 1, "nobody's", true); break;
        case 1: ask(&k, 1, "POST", "/", "", 2), body(&k, 1, "too long", true); break;
        case 2: ask(&k, 1, "POST", "/", "", 2), body(&k, 1, "s", true); break;
        case 3: ask(&k, 1, "POST", "/", "", 2), ask(&k, 1, "POST", "/", "", 2); break;
        case 4: ask(&k, 1, "POST", "/", "x", 1), body(&k, 1, "", true); break;
        case 5: kit_send(&k, WIRE_WEB_GONE, "x", 1); break;
        case 6: ask(&k, 1, "POST", "/", "", 0), kit_leave(&k), ask(&k, 2, "POST", "/", "", 0); break;
        }
        refused(&k);
    }
}

TEST(mutated_requests_are_answered_or_refused)
{
    unsigned seed = 7;
    for (int round = 0; round < 12; round++) {
        struct kit k;
        char payload[1024];
        start(&k, WEB "web.any('/*', function(r) return {r.path, r.query, r.headers, r:cookie('a') or ''} end)");
        for (uint64_t id = 1; id <= 200; id++) {
            size_t n = make_request(payload, id, "GET", "/a%20b/c?d=e&f", "body", 4);
            for (int times = rand_r(&seed) % 3; times--;) {
                unsigned at = 8 + (unsigned)rand_r(&seed) % (unsigned)(n - 8);
                if (round < 8 && at < sizeof(struct fixed)) continue; /* lengths stay */
                payload[at] = (char)rand_r(&seed);
            }
            kit_send(&k, WIRE_WEB_REQUEST, payload, n);
        }
        int type, status;
        kit_leave(&k);
        for (uint64_t id = 1; id <= 200; id++) note(&k, WIRE_WEB_GONE, id, 0); /* some now wait for more of a body */
        while ((type = kit_next(&k)) > 0) continue;
        if (type < 0) kill(k.pid, SIGKILL);
        waitpid(k.pid, &status, 0);
        CHECK(type == 0 && WIFEXITED(status) && (WEXITSTATUS(status) == 0 || WEXITSTATUS(status) == 1));
        kit_free(&k);
    }
}

TEST_MAIN()
