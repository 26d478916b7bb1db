/* `moonline check`: a worker loads the bot as it would to serve it, reports what it found and leaves. Nothing listens
 * and the store is not touched; a .env is not needed. */
#include <errno.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/json.h"
#include "base/limits.h"
#include "base/mem.h"
#include "cli/command.h"
#include "cli/json_member.h"
#include "host/worker_process.h"

#define GRACE_MS 2000 /* beyond the worker's own --load-timeout */

struct check {
    uv_loop_t loop;
    uv_timer_t limit;
    struct worker_process *worker;
    struct buf report; /* JSON */
    char *refused;
    struct worker_end end;
};

static void frame_cb(void *user, enum wire_type type, struct str payload)
{
    struct check *c = user;
    struct str text;
    if (type != WIRE_REPORT && type != WIRE_REFUSED) return;
    if (wire_read_strings(payload, &text, NULL)) return worker_process_kill(c->worker, "malformed frame from the worker");
    if (type == WIRE_REPORT) buf_append(&c->report, text.p, text.n);
    else if (!c->refused) c->refused = mem_strndup(text.p, text.n);
}

static void gone_cb(void *user, const struct worker_end *end)
{
    struct check *c = user;
    c->end = *end;
    uv_close((uv_handle_t *)&c->limit, NULL);
}

static void late_cb(uv_timer_t *t)
{
    struct check *c = t->data;
    worker_process_kill(c->worker, "took too long to load (--load-timeout)");
}

static void send_setting(void *wire, const char *name, const char *value)
{
    wire_send_strings(wire, WIRE_SETTING, str_of(name), str_of(value));
}

static void start(struct check *c, const struct options *o, const char *file, const char *name)
{
    struct wire *w = worker_process_wire(c->worker);
    options_each(o, send_setting, w);
    const char *const settings[][2] = {
        {SETTING_BOT, name},     {SETTING_PATH, file}, {SETTING_GENERATION, "1"}, {SETTING_SLOT, "0"},
        {SETTING_MODE, "check"}, {SETTING_TOKEN, ""},  {SETTING_CHANNEL, name},
        /* A bot that calls LINE while it loads must not do so from here. */
        {SETTING_API_BASE, "http://127.0.0.1:9"}, {SETTING_DATA_API_BASE, "http://127.0.0.1:9"},
        {SETTING_MANAGER_API_BASE, "http://127.0.0.1:9"},
    };
    for (size_t i = 0; i < sizeof settings / sizeof *settings; i++) send_setting(w, settings[i][0], settings[i][1]);
    wire_send(w, WIRE_START, (struct str){"", 0});
}

/* ---- printing {"handlers":[{selector,kind,where}…],"routes":[{method,path,where}…],"problems":[{where,text}…]} ---- */
static unsigned each_of(struct str report, const char *list, void (*print)(struct str item))
{
    struct json j;
    struct str key, raw;
    unsigned n = 0;
    json_begin(&j, report.p, report.n);
    if (json_enter_object(&j)) return 0;
    while (json_next_key(&j, &key) > 0) {
        if (!str_is(key, list) || json_peek(&j) != JSON_ARRAY) {
            if (json_value(&j, NULL)) return n;
            continue;
        }
        json_enter_array(&j);
        while (json_next_item(&j) > 0 && json_value(&j, &raw) == 0) {
            n++;
            if (print) print(raw);
        }
    }
    return n;
}

static void print_handler(struct str item)
{
    auto_free char *kind = json_member(item, "kind"), *selector = json_member(item, "selector"), *where = json_member(item, "where");
    printf("  %-9s %-28s %s\n", kind, selector, where);
}

static void print_route(struct str item)
{
    auto_free char *method = json_member(item, "method"), *path = json_member(item, "path"), *where = json_member(item, "where");
    printf("  %-9s %-28s %s\n", method, path, where);
}

static void print_problem(struct str item)
{
    auto_free char *where = json_member(item, "where"), *text = json_member(item, "text");
    printf("  %s: %s\n", where, text);
}

static int print_report(const struct check *c, const struct options *o, const char *name)
{
    struct str report = buf_str(&c->report);
    unsigned problems = each_of(report, "problems", NULL), handlers = each_of(report, "handlers", NULL);
    if (o->json) {
        printf(STR_FMT "\n", STR_ARG(report));
        return problems ? EXIT_FAILED : EXIT_DONE;
    }
    printf("%s: %u handler%s, tried in this order\n", name, handlers, handlers == 1 ? "" : "s");
    each_of(report, "handlers", print_handler);
    unsigned routes = each_of(report, "routes", NULL);
    if (routes) printf("%u route%s\n", routes, routes == 1 ? "" : "s");
    each_of(report, "routes", print_route);
    printf(problems ? "%u problem%s\n" : "no problems found\n", problems, problems == 1 ? "" : "s");
    each_of(report, "problems", print_problem);
    return problems ? EXIT_FAILED : EXIT_DONE;
}

static int run(struct check *c, const struct options *o, const char *file, const char *name)
{
    char error[256];
    const struct worker_process_callbacks cb = {.frame = frame_cb, .gone = gone_cb};
    uv_loop_init(&c->loop);
    uv_timer_init(&c->loop, &c->limit);
    c->limit.data = c;
    buf_init(&c->report, LIMIT_FRAME);
    if (worker_process_start(&c->loop, "check", &cb, c, &c->worker, error, sizeof error)) {
        fprintf(stderr, "moonline check: %s\n", error);
        return EXIT_FAILED;
    }
    start(c, o, file, name);
    uv_timer_start(&c->limit, late_cb, (uint64_t)(o->load_timeout * 2 + GRACE_MS), 0);
    uv_run(&c->loop, UV_RUN_DEFAULT);
    if (c->report.len && !c->refused) return print_report(c, o, name);
    if (o->json) {
        struct buf out = BUF(LIMIT_FRAME);
        buf_puts(&out, "{\"handlers\":[],\"problems\":[{\"text\":");
        json_put(&out, str_of(c->refused ? c->refused : c->end.why));
        printf("%s}]}\n", out.data);
        buf_free(&out);
    } else {
        fprintf(stderr, "moonline check: %s does not load: %s\n", name, c->refused ? c->refused : c->end.why);
    }
    return EXIT_FAILED;
}

int command_check(const struct options *o, const char *const *args, int n)
{
    (void)n;
    struct stat st;
    auto_free char *real = realpath(args[0], NULL);
    if (!real) return command_usage("check", "%s: %s", args[0], strerror(errno));
    auto_free char *file = stat(real, &st) == 0 && S_ISDIR(st.st_mode) ? mem_printf("%s/bot.lua", real) : mem_strdup(real);
    if (access(file, R_OK)) return command_usage("check", "%s: %s; a bot is a Lua file, or a folder with bot.lua", file, strerror(errno));
    auto_free char *copy = mem_strdup(real);
    struct check c = {0};
    int status = run(&c, o, file, basename(copy));
    buf_free(&c.report);
    free(c.refused);
    uv_loop_close(&c.loop);
    return status;
}
