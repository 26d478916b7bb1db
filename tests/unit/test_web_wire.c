/* The frames of routes: what goes in comes out, and nothing crooked is taken. */
#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include "base/err.h"
#include "base/mem.h"
#include "host/web_wire.h"
#include "test.h"

static struct wire *wire;
static uv_loop_t loop;
static int far_end;

static void no_frame(void *user, enum wire_type type, struct str payload) { (void)user, (void)type, (void)payload; }
static void no_loss(void *user, const char *why) { (void)user, (void)why; }

static void begin(void)
{
    int pair[2];
    uv_loop_init(&loop);
    CHECK_INT(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    wire = wire_new(&loop, pair[0], &(struct wire_callbacks){no_frame, no_loss}, NULL);
    far_end = pair[1];
}

static void end(void)
{
    wire_close(wire);
    uv_run(&loop, UV_RUN_DEFAULT);
    uv_loop_close(&loop);
    close(far_end);
}

/* The payload of one frame of the wire's, read raw from the other end. */
static struct str sent(enum wire_type type, char *to, size_t cap)
{
    size_t have = 0;
    wire_flush(wire);
    while (have < WIRE_HEADER || have < WIRE_HEADER + *(uint32_t *)(void *)to) {
        ssize_t n = read(far_end, to + have, cap - have);
        if (!CHECK(n > 0)) return (struct str){to, 0};
        have += (size_t)n;
        wire_flush(wire);
    }
    CHECK_INT((unsigned char)to[5], type);
    return (struct str){to + WIRE_HEADER, have - WIRE_HEADER};
}

static _Alignas(8) char bytes[1u << 20];
static char piece[WEB_PIECE + 1];

TEST(a_request_comes_through)
{
    struct wire_web_request r = {.id = 1ull << 40, .body_n = 5, .secure = true, .method = STR("POST"), .target = STR("/a?b=c"),
                                 .base = STR(""), .client = STR("127.0.0.1"), .headers = STR("host\0h\0x\0\0"),
                                 .body = STR("b\0d")}, got;
    begin();
    CHECK_INT(wire_send_web_request(wire, &r), 0);
    struct str payload = sent(WIRE_WEB_REQUEST, bytes, sizeof bytes);
    CHECK_INT(wire_read_web_request(payload, &got), 0);
    CHECK(got.id == r.id && got.body_n == 5 && got.secure && str_eq(got.method, r.method) && str_eq(got.target, r.target));
    CHECK(!got.base.n && str_eq(got.client, r.client) && str_eq(got.headers, r.headers) && str_eq(got.body, r.body));
    for (size_t n = 0; n + r.body.n < payload.n; n++) /* the body alone may be shorter */
        CHECK_INT(wire_read_web_request((struct str){payload.p, n}, &got), ERR_SYNTAX);
    end();
}

TEST(an_answer_comes_through)
{
    struct wire_web_answer a = {.id = 9, .status = 404, .last = true, .sized = true, .length = 3,
                                .headers = STR("a\0b\0"), .body = STR("abc")}, got;
    begin();
    CHECK_INT(wire_send_web_answer(wire, &a), 0);
    struct str payload = sent(WIRE_WEB_ANSWER, bytes, sizeof bytes);
    CHECK_INT(wire_read_web_answer(payload, &got), 0);
    CHECK(got.id == 9 && got.status == 404 && got.last && got.sized && got.length == 3);
    CHECK(str_eq(got.headers, a.headers) && str_eq(got.body, a.body));
    const char *name, *value;
    struct str list = got.headers;
    CHECK(web_next_header(&list, &name, &value));
    CHECK_STR(name, "a");
    CHECK_STR(value, "b");
    CHECK(!web_next_header(&list, &name, &value));
    for (size_t n = 0; n + a.body.n < payload.n; n++)
        CHECK_INT(wire_read_web_answer((struct str){payload.p, n}, &got), ERR_SYNTAX);
    end();
}

TEST(pieces_and_notes_come_through)
{
    struct wire_web_piece p = {7, true, {piece, WEB_PIECE}}, got;
    uint64_t id, n;
    begin();
    CHECK_INT(wire_send_web_piece(wire, WIRE_WEB_DATA, &p), 0);
    CHECK_INT(wire_read_web_piece(sent(WIRE_WEB_DATA, bytes, sizeof bytes), &got), 0);
    CHECK(got.id == 7 && got.last && got.bytes.n == WEB_PIECE);
    CHECK_INT(wire_send_web_note(wire, WIRE_WEB_TAKEN, 8, 1ull << 33), 0);
    struct str payload = sent(WIRE_WEB_TAKEN, bytes, sizeof bytes);
    CHECK_INT(wire_read_web_note(payload, &id, &n), 0);
    CHECK(id == 8 && n == 1ull << 33);
    for (size_t i = 0; i < payload.n; i++) CHECK_INT(wire_read_web_note((struct str){payload.p, i}, &id, &n), ERR_SYNTAX);
    CHECK_INT(wire_read_web_note((struct str){payload.p, payload.n + 1}, &id, &n), ERR_SYNTAX);
    end();
}

/* The host does not trust the worker, nor the worker a host of another make. */
TEST(what_is_over_a_limit_is_not_taken)
{
    struct wire_web_answer a = {.status = 200}, got;
    struct wire_web_request r = {.method = STR("GET"), .target = STR("/")}, heard;
    struct wire_web_piece p = {0}, part;
    const struct {
        uint16_t status;
        struct str headers, body;
        bool sized;
        uint64_t length;
        int result;
    } answers[] = {
        {200, {"", 0}, {"", 0}, false, 0, 0}, {199, {"", 0}, {"", 0}, false, 0, ERR_SYNTAX}, {600, {"", 0}, {"", 0}, false, 0, ERR_SYNTAX},
        {200, {"a\0b", 3}, {"", 0}, false, 0, ERR_SYNTAX}, {200, {"a\0b\0c\0", 6}, {"", 0}, false, 0, ERR_SYNTAX},
        {200, {"a", 1}, {"", 0}, false, 0, ERR_SYNTAX}, {200, {"", 0}, {piece, WEB_PIECE}, false, 0, 0},
        {200, {"", 0}, {piece, WEB_PIECE + 1}, false, 0, ERR_SYNTAX}, {200, {"", 0}, {"abc", 3}, true, 2, ERR_SYNTAX},
        {200, {piece, WEB_HEAD_MOST + 2}, {"", 0}, false, 0, ERR_SYNTAX}, {200, {piece, WEB_HEAD_MOST}, {"", 0}, false, 0, 0},
    };
    begin();
    for (size_t i = 0; i < sizeof answers / sizeof *answers; i++) {
        a.status = answers[i].status, a.headers = answers[i].headers, a.body = answers[i].body;
        a.sized = answers[i].sized, a.length = answers[i].length;
        CHECK_INT(wire_send_web_answer(wire, &a), 0);
        CHECK_INT(wire_read_web_answer(sent(WIRE_WEB_ANSWER, bytes, sizeof bytes), &got), answers[i].result);
    }
    p.bytes = (struct str){piece, WEB_PIECE + 1};
    CHECK_INT(wire_send_web_piece(wire, WIRE_WEB_BODY, &p), 0);
    CHECK_INT(wire_read_web_piece(sent(WIRE_WEB_BODY, bytes, sizeof bytes), &part), ERR_SYNTAX);
    r.body = STR("more than was said");
    CHECK_INT(wire_send_web_request(wire, &r), 0);
    CHECK_INT(wire_read_web_request(sent(WIRE_WEB_REQUEST, bytes, sizeof bytes), &heard), ERR_SYNTAX);
    r = (struct wire_web_request){.method = STR(""), .target = STR("/")};
    CHECK_INT(wire_send_web_request(wire, &r), 0);
    CHECK_INT(wire_read_web_request(sent(WIRE_WEB_REQUEST, bytes, sizeof bytes), &heard), ERR_SYNTAX);
    end();
}

/* Whatever a reader accepts lies within the payload; sanitizers watch. */
static void read_as_anything(struct str payload)
{
    struct wire_web_request r;
    struct wire_web_answer a;
    struct wire_web_piece p;
    uint64_t id, n;
    volatile unsigned sum = 0;
    const char *name, *value;
    if (wire_read_web_request(payload, &r) == 0) {
        const struct str all[] = {r.method, r.target, r.base, r.client, r.headers, r.body};
        for (size_t i = 0; i < 6; i++)
            for (size_t at = 0; at < all[i].n; at++) sum += (unsigned char)all[i].p[at];
        while (web_next_header(&r.headers, &name, &value)) sum += (unsigned)(strlen(name) + strlen(value));
    }
    if (wire_read_web_answer(payload, &a) == 0) {
        CHECK(a.status >= 200 && a.status <= 599);
        for (size_t at = 0; at < a.body.n; at++) sum += (unsigned char)a.body.p[at];
        while (web_next_header(&a.headers, &name, &value)) sum += (unsigned)(strlen(name) + strlen(value));
    }
    if (wire_read_web_piece(payload, &p) == 0)
        for (size_t at = 0; at < p.bytes.n; at++) sum += (unsigned char)p.bytes.p[at];
    (void)wire_read_web_note(payload, &id, &n);
}

TEST(mutated_payloads_are_read_within_their_bounds)
{
    struct wire_web_request r = {.id = 3, .body_n = 4, .method = STR("PUT"), .target = STR("/x"), .base = STR("/b"),
                                 .client = STR("c"), .headers = STR("a\0b\0"), .body = STR("body")};
    struct wire_web_answer a = {.id = 3, .status = 200, .sized = true, .length = 9, .headers = STR("a\0b\0"), .body = STR("body")};
    unsigned seed = 1;
    begin();
    for (int which = 0; which < 2; which++) {
        CHECK_INT(which ? wire_send_web_answer(wire, &a) : wire_send_web_request(wire, &r), 0);
        struct str payload = sent(which ? WIRE_WEB_ANSWER : WIRE_WEB_REQUEST, bytes, sizeof bytes);
        for (int round = 0; round < 20000; round++) {
            size_t n = payload.n;
            char *copy = mem_strndup(payload.p, n);
            for (int times = rand_r(&seed) % 4 + 1; times--;)
                copy[(unsigned)rand_r(&seed) % n] = (char)(rand_r(&seed) % 3 ? rand_r(&seed) : "\0\xff\1"[rand_r(&seed) % 3]);
            size_t cut = rand_r(&seed) % 4 ? n : (unsigned)rand_r(&seed) % (n + 1);
            char *exact = malloc(cut ? cut : 1); /* so that a byte too many is seen */
            memcpy(exact, copy, cut);
            read_as_anything((struct str){exact, cut});
            free(exact);
            free(copy);
        }
    }
    end();
}

static int drained_n;
static void drained(void *user)
{
    drained_n++;
    CHECK_INT(wire_send(user, WIRE_LEAVE, STR("")), 0); /* may send */
}

TEST(a_backlog_that_drains_is_told)
{
    begin();
    wire_watch_backlog(wire, drained, wire);
    CHECK_INT(wire_send(wire, WIRE_LEAVE, STR("")), 0);
    wire_flush(wire);
    CHECK_INT(drained_n, 0); /* it was never busy */
    const struct wire_web_piece p = {1, false, {piece, WEB_PIECE}};
    for (int i = 0; i < 20; i++) CHECK_INT(wire_send_web_piece(wire, WIRE_WEB_DATA, &p), 0);
    CHECK(wire_backlog(wire) > WIRE_BUSY);
    wire_flush(wire);
    CHECK_INT(drained_n, 0);
    fcntl(far_end, F_SETFL, O_NONBLOCK);
    for (int i = 0; i < 100; i++) {
        while (read(far_end, bytes, sizeof bytes) > 0) continue;
        uv_run(&loop, UV_RUN_NOWAIT);
    }
    CHECK_INT(drained_n, 1);
    CHECK_INT(wire_backlog(wire), 0); /* also what it sent from within has gone */
    end();
}

TEST_MAIN()
