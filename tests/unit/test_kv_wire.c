/* The frames of the module `store`: what goes in comes out, and nothing crooked is taken. */
#include <fcntl.h>
#include <sys/socket.h>
#include "base/err.h"
#include "host/kv_wire.h"
#include "test.h"

/* One frame of w's, read raw from the other end of its pair: the payload. */
static size_t sent(struct wire *w, int fd, enum wire_type type, char *ret, size_t cap)
{
    wire_flush(w);
    ssize_t n = read(fd, ret, cap);
    if (!CHECK(n >= WIRE_HEADER)) return 0;
    CHECK_INT((unsigned char)ret[5], type);
    memmove(ret, ret + WIRE_HEADER, (size_t)n - WIRE_HEADER);
    return (size_t)n - WIRE_HEADER;
}

static void no_frame(void *user, enum wire_type type, struct str payload) { (void)user, (void)type, (void)payload; }
static void no_loss(void *user, const char *why) { (void)user, (void)why; }

static struct wire *wire;
static uv_loop_t loop;
static int far_end;

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

TEST(a_call_comes_through)
{
    char bytes[512];
    struct wire_kv k = {.id = 1ull << 40, .verb = KV_INCR, .ttl_ms = 5000000000, .by = -3, .limit = 7, .key = STR("k\0y"),
                        .value = STR("sv")}, got;
    begin();
    CHECK_INT(wire_send_kv(wire, &k), 0);
    size_t n = sent(wire, far_end, WIRE_KV, bytes, sizeof bytes);
    CHECK_INT(wire_read_kv((struct str){bytes, n}, &got), 0);
    CHECK(got.id == k.id && got.verb == k.verb && got.ttl_ms == k.ttl_ms && got.by == -3 && got.limit == 7);
    CHECK(str_eq(got.key, k.key) && str_eq(got.value, k.value));
    for (size_t i = 0; i + 2 < n; i++) CHECK_INT(wire_read_kv((struct str){bytes, i}, &got), ERR_SYNTAX); /* value may be short */
    end();
}

TEST(a_swap_carries_both_values)
{
    char bytes[512];
    struct wire_kv k = {.id = 1, .verb = KV_SWAP, .key = STR("key"), .old = STR("sold"), .value = STR("snew")}, got;
    begin();
    CHECK_INT(wire_send_kv(wire, &k), 0);
    size_t n = sent(wire, far_end, WIRE_KV, bytes, sizeof bytes);
    CHECK_INT(wire_read_kv((struct str){bytes, n}, &got), 0);
    CHECK(str_eq(got.key, k.key) && str_eq(got.old, k.old) && str_eq(got.value, k.value));
    CHECK(got.old.p == got.key.p + got.key.n && got.value.p == got.old.p + got.old.n); /* kv.c copies them as one */
    for (size_t i = 0; i + 4 < n; i++) CHECK_INT(wire_read_kv((struct str){bytes, i}, &got), ERR_SYNTAX);
    bytes[8] = KV_SET; /* no other call has an old value */
    CHECK_INT(wire_read_kv((struct str){bytes, n}, &got), ERR_SYNTAX);
    end();
}

TEST(an_answer_comes_through)
{
    char bytes[512];
    struct wire_kv_answer a = {.id = 9, .result = ERR_FULL, .outcome = KV_NO_ROOM, .more = true, .out = STR("i")}, got;
    begin();
    CHECK_INT(wire_send_kv_answer(wire, &a), 0);
    size_t n = sent(wire, far_end, WIRE_KV_ANSWER, bytes, sizeof bytes);
    CHECK_INT(wire_read_kv_answer((struct str){bytes, n}, &got), 0);
    CHECK(got.id == 9 && got.result == ERR_FULL && got.outcome == KV_NO_ROOM && got.more && str_eq(got.out, a.out));
    CHECK_INT(wire_read_kv_answer((struct str){bytes, 13}, &got), ERR_SYNTAX);
    bytes[12] = KV_OUTCOMES;
    CHECK_INT(wire_read_kv_answer((struct str){bytes, n}, &got), ERR_SYNTAX);
    end();
}

/* Whether the host takes it: the limits are held where the worker cannot be trusted. */
static int taken(struct wire_kv k)
{
    static char bytes[KV_VALUE_MOST + 1024];
    struct wire_kv got;
    size_t n = 0;
    begin();
    CHECK_INT(wire_send_kv(wire, &k), 0);
    wire_flush(wire);
    fcntl(far_end, F_SETFL, O_NONBLOCK);
    for (ssize_t more; n < sizeof bytes && (more = read(far_end, bytes + n, sizeof bytes - n)) > 0; n += (size_t)more) wire_flush(wire);
    int r = wire_read_kv((struct str){bytes + WIRE_HEADER, n - WIRE_HEADER}, &got);
    end();
    return r;
}

TEST(limits_are_held)
{
    static char long_text[KV_VALUE_MOST + 2];
    memset(long_text, 's', sizeof long_text);
    struct wire_kv set = {.verb = KV_SET, .key = STR("k"), .value = {long_text, KV_VALUE_MOST + 1}};
    CHECK_INT(taken(set), 0);
    set.value.n++;
    CHECK_INT(taken(set), ERR_SYNTAX);
    struct wire_kv swap = {.verb = KV_SWAP, .key = STR("k"), .old = {long_text, KV_VALUE_MOST + 1}};
    CHECK_INT(taken(swap), 0);
    swap.old.n++;
    CHECK_INT(taken(swap), ERR_SYNTAX);
    set.value.n = 5;
    set.key = (struct str){long_text, KV_KEY_MOST};
    CHECK_INT(taken(set), 0);
    set.key.n++;
    CHECK_INT(taken(set), ERR_SYNTAX);
    set.key.n = 0;
    CHECK_INT(taken(set), ERR_SYNTAX);
    set.key.n = 1;
    set.ttl_ms = -1;
    CHECK_INT(taken(set), ERR_SYNTAX);
    struct wire_kv list = {.verb = KV_LIST, .limit = KV_LIST_MOST};
    CHECK_INT(taken(list), 0);
    list.limit++;
    CHECK_INT(taken(list), ERR_SYNTAX);
    list.limit = 0;
    CHECK_INT(taken(list), ERR_SYNTAX);
    CHECK_INT(taken((struct wire_kv){.verb = KV_VERBS, .key = STR("k")}), ERR_SYNTAX);
}

TEST_MAIN()
