/* The wire: what one end says the other hears, and nothing that breaks the protocol is read past or acted on. */
#include "host/wire.h"

#include <sys/socket.h>
#include <uv.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/limits.h"
#include "base/mem.h"
#include "test.h"

static uv_loop_t loop;

struct ear {
    struct wire *wire;
    struct buf heard; /* "type:length " a frame */
    int frames, lost;
    char why[128];
    struct wire_event event;
    struct wire_done done;
    int stop_after;   /* stop the loop after so many frames */
};

static void frame_cb(void *user, enum wire_type type, struct str payload)
{
    struct ear *e = user;
    e->frames++;
    buf_printf(&e->heard, "%d:%zu ", type, payload.n);
    if (type == WIRE_EVENT) CHECK_INT(wire_read_event(payload, &e->event), 0), CHECK_STRN(e->event.id, "01HX");
    if (type == WIRE_DONE) CHECK_INT(wire_read_done(payload, &e->done), 0);
    if (e->stop_after && e->frames >= e->stop_after) uv_stop(&loop);
}

static void lost_cb(void *user, const char *why)
{
    struct ear *e = user;
    e->lost++;
    snprintf(e->why, sizeof e->why, "%s", why ? why : "gone");
    uv_stop(&loop);
}

static struct ear ear_new(void) { return (struct ear){.heard = BUF(1 << 20)}; }

static void pair(struct ear *a, struct ear *b, int ret_raw[2])
{
    int fd[2];
    CHECK_INT(socketpair(AF_UNIX, SOCK_STREAM, 0, fd), 0);
    uv_loop_init(&loop);
    signal(SIGPIPE, SIG_IGN); /* as host and worker do */
    const struct wire_callbacks cb = {frame_cb, lost_cb};
    if (a) a->wire = wire_new(&loop, fd[0], &cb, a);
    if (b) b->wire = wire_new(&loop, fd[1], &cb, b);
    if (ret_raw) ret_raw[0] = fd[0], ret_raw[1] = fd[1];
}

static void end(struct ear *a, struct ear *b)
{
    if (a) wire_close(a->wire);
    if (b) wire_close(b->wire);
    uv_run(&loop, UV_RUN_DEFAULT);
    CHECK_INT(uv_loop_close(&loop), 0);
    if (a) buf_free(&a->heard);
    if (b) buf_free(&b->heard);
}

TEST(carries_every_kind)
{
    struct ear a = ear_new(), b = ear_new();
    pair(&a, &b, NULL);
    b.stop_after = 5;
    wire_send(a.wire, WIRE_START, STR(""));
    wire_send_strings(a.wire, WIRE_SETTING, STR("name"), STR(""));
    wire_send_u32(a.wire, WIRE_READY, 7);
    wire_send_event(a.wire, &(struct wire_event){.seq = 1ull << 40, .attempt = 2, .rerun = true, .id = STR("01HX"), .body = STR("{}")});
    wire_send_done(a.wire, &(struct wire_done){.seq = 9, .outcome = WIRE_DONE_FAILED, .micros = 1ull << 33, .why = STR("bot.lua:1: no")});
    uv_run(&loop, UV_RUN_DEFAULT);
    CHECK_STRN(buf_str(&b.heard), "3:0 1:12 34:4 4:27 37:34 ");
    CHECK_INT(b.event.seq, 1ll << 40);
    CHECK_INT(b.event.attempt, 2);
    CHECK(b.event.rerun);
    CHECK_INT(b.done.seq, 9);
    CHECK_INT(b.done.outcome, WIRE_DONE_FAILED);
    CHECK_INT(b.done.micros, 1ll << 33);
    end(&a, &b);
}

TEST(carries_the_largest_frame_and_refuses_a_larger)
{
    struct ear a = ear_new(), b = ear_new();
    pair(&a, &b, NULL);
    auto_free char *big = mem_zalloc(LIMIT_FRAME + 1);
    CHECK_INT(wire_send(a.wire, WIRE_SOURCE, (struct str){big, LIMIT_FRAME + 1}), ERR_TOOBIG);
    b.stop_after = 2;
    CHECK_INT(wire_send(a.wire, WIRE_SOURCE, (struct str){big, LIMIT_FRAME}), 0);
    CHECK_INT(wire_send(a.wire, WIRE_LEAVE, STR("")), 0);
    uv_run(&loop, UV_RUN_DEFAULT);
    CHECK_STRN(buf_str(&b.heard), "2:4194304 5:0 ");
    end(&a, &b);
}

TEST(refuses_when_too_much_waits)
{
    struct ear a = ear_new();
    int fd[2];
    pair(&a, NULL, fd); /* nobody reads the other end */
    auto_free char *big = mem_zalloc(LIMIT_FRAME);
    int sent = 0;
    while (sent < 100 && wire_send(a.wire, WIRE_SOURCE, (struct str){big, LIMIT_FRAME}) == 0) sent++;
    CHECK(sent >= 16 && sent <= 18);
    CHECK(wire_backlog(a.wire) > LIMIT_WIRE_BACKLOG);
    close(fd[1]);
    end(&a, NULL);
}

/* Bytes as a broken or hostile peer would send them; each must be refused with these words and no frame heard. */
static const struct {
    const char *name;
    unsigned char bytes[12];
    size_t n;
    const char *why;
} broken[] = {
    {"version", {0, 0, 0, 0, 9, 3, 0, 0}, 8, "a frame of a version this program does not speak"},
    {"type", {0, 0, 0, 0, 1, 99, 0, 0}, 8, "a frame of unknown type"},
    {"type zero", {0, 0, 0, 0, 1, 0, 0, 0}, 8, "a frame of unknown type"},
    {"reserved", {0, 0, 0, 0, 1, 3, 1, 0}, 8, "a frame of unknown type"},
    {"length", {1, 0, 64, 0, 1, 3, 0, 0}, 8, "a frame over the size limit"},
    {"length, all ones", {255, 255, 255, 255, 1, 3, 0, 0}, 8, "a frame over the size limit"},
};

TEST(refuses_broken_frames_with_a_reason)
{
    for (size_t i = 0; i < sizeof broken / sizeof *broken; i++) {
        struct ear a = ear_new();
        int fd[2];
        pair(&a, NULL, fd);
        CHECK_INT(write(fd[1], broken[i].bytes, broken[i].n), (intmax_t)broken[i].n);
        uv_run(&loop, UV_RUN_DEFAULT);
        CHECK_INT(a.lost, 1);
        CHECK_INT(a.frames, 0);
        CHECK_STR(a.why, broken[i].why);
        CHECK_INT(wire_send(a.wire, WIRE_LEAVE, STR("")), ERR_TOOBIG); /* dead: nothing more is sent */
        close(fd[1]);
        end(&a, NULL);
    }
}

TEST(takes_frames_byte_by_byte_and_hears_the_last_ones_of_a_peer_that_left)
{
    static const unsigned char frames[] = {4, 0, 0, 0, 1, 34, 0, 0, 7, 0, 0, 0, 0, 0, 0, 0, 1, 38, 0, 0, 1, 0};
    struct ear a = ear_new();
    int fd[2];
    pair(&a, NULL, fd);
    for (size_t i = 0; i < sizeof frames; i++) {
        CHECK_INT(write(fd[1], frames + i, 1), 1);
        if (i + 1 < sizeof frames) uv_run(&loop, UV_RUN_NOWAIT);
    }
    close(fd[1]);
    uv_run(&loop, UV_RUN_DEFAULT);
    CHECK_STRN(buf_str(&a.heard), "34:4 38:0 "); /* the unfinished third is not heard */
    CHECK_STR(a.why, "gone");
    end(&a, NULL);
}

/* Every payload cut short or with a byte too many is refused by its reader. */
TEST(payload_readers_take_exactly_their_size)
{
    struct wire_event e;
    struct wire_done d;
    struct str a, b;
    uint32_t v;
    char event[] = "\1\0\0\0\0\0\0\0" "\1\0\0\0" "\0" "\2\0\0\0ab" "\3\0\0\0{ }";
    char done[] = "\1\0\0\0\0\0\0\0" "\2" "\5\0\0\0\0\0\0\0" "\2\0\0\0no";
    char strings[] = "\1\0\0\0a\0\0\0\0";
    for (size_t n = 0; n <= sizeof event; n++)
        CHECK_INT(wire_read_event((struct str){event, n}, &e), n == sizeof event - 1 ? 0 : ERR_SYNTAX);
    for (size_t n = 0; n <= sizeof done; n++)
        CHECK_INT(wire_read_done((struct str){done, n}, &d), n == sizeof done - 1 ? 0 : ERR_SYNTAX);
    for (size_t n = 0; n <= sizeof strings; n++)
        CHECK_INT(wire_read_strings((struct str){strings, n}, &a, &b), n == sizeof strings - 1 ? 0 : ERR_SYNTAX);
    for (size_t n = 0; n < 8; n++) CHECK_INT(wire_read_u32((struct str){event, n}, &v), n == 4 ? 0 : ERR_SYNTAX);
    done[8] = 9; /* an outcome that does not exist */
    CHECK_INT(wire_read_done((struct str){done, sizeof done - 1}, &d), ERR_SYNTAX);
    memcpy(event + 13, "\377\377\377\377", 4); /* a length that wraps */
    CHECK_INT(wire_read_event((struct str){event, sizeof event - 1}, &e), ERR_SYNTAX);
}
TEST_MAIN()
