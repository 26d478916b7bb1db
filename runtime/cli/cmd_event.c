/* `moonline event`: through the control socket of the moonline that has the store, or on the store itself when nobody
 * has. Both ways end in the same JSON, which is printed as it is or as a table. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/json.h"
#include "base/limits.h"
#include "base/mem.h"
#include "cli/command.h"
#include "cli/json_member.h"
#include "net/http_client.h"
#include "store/store.h"

#define LIST_MOST 1000
#define ANSWER_MOST (64u << 20)

static const struct verb {
    const char *name;
    enum store_admin_kind kind;
    bool wants_id;
    const char *method, *path; /* %s: the id, or the query */
    const char *done;          /* what is said when it worked */
} verbs[] = {
    {"list", STORE_LIST, false, "GET", "/events?limit=1000%s", NULL},
    {"show", STORE_SHOW, true, "GET", "/events/%s", NULL},
    {"retry", STORE_RETRY, true, "POST", "/events/%s/retry", "waits to be handled again"},
    {"drop", STORE_DROP, true, "POST", "/events/%s/drop", "is gone"},
};

struct asked {
    const struct verb *verb;
    const char *id, *state;
    struct buf out; /* JSON */
    int result;     /* 0, ERR_NOTFOUND, ERR_BUSY, ERR_IO */
    char error[512];
};

/* ---- a live store ---- */
struct exchange {
    struct http_call call;
    struct http_client *client;
};

static void exchanged(struct http_call *call)
{
    struct exchange *x = call->user;
    http_client_close(x->client, NULL, NULL);
}

/* true: somebody answered (a->result tells what). false: nobody has the store. */
static bool ask_live(struct asked *a, const char *dir)
{
    uv_loop_t loop;
    struct exchange x = {0};
    auto_free char *socket = mem_printf("%s/admin.sock", dir);
    auto_free char *state = a->state ? mem_printf("&state=%s", a->state) : mem_strdup("");
    char path[256];
    if (a->verb->wants_id) snprintf(path, sizeof path, "%.*s%s%s", (int)(strchr(a->verb->path, '%') - a->verb->path), a->verb->path,
                                    a->id, strchr(a->verb->path, '%') + 2);
    else snprintf(path, sizeof path, "/events?limit=%d%s", LIST_MOST, state);
    auto_free char *url = mem_printf("http://moonline%s", path);
    uv_loop_init(&loop);
    x.client = http_client_new(&loop, &(struct http_client_options){.user_agent = "moonline"});
    x.call = (struct http_call){.method = a->verb->method, .url = url, .unix_socket = socket, .max_answer = ANSWER_MOST,
                                .timeout_ms = 30000, .done = exchanged, .user = &x};
    http_client_start(x.client, &x.call);
    uv_run(&loop, UV_RUN_DEFAULT);
    uv_loop_close(&loop);
    bool answered = x.call.result == 0;
    if (answered) {
        a->result = x.call.status == 200 ? 0 : x.call.status == 404 ? ERR_NOTFOUND : x.call.status == 409 ? ERR_BUSY : ERR_IO;
        snprintf(a->error, sizeof a->error, "the running moonline answered %d", x.call.status);
        buf_append(&a->out, x.call.answer.data, x.call.answer.len);
    }
    http_call_free(&x.call);
    return answered;
}

/* ---- a stopped store ---- */
static void ask_stopped(struct asked *a, const char *dir)
{
    uv_loop_t loop;
    struct store *store = NULL;
    struct store_options o = {.dir = dir, .durability = DURABILITY_FSYNC, .dedupe_ms = 24 * 3600 * 1000LL, .dedupe_ids = 1000000};
    struct store_admin call = {.kind = a->verb->kind, .id = a->id, .state = a->state, .limit = LIST_MOST};
    uv_loop_init(&loop);
    a->result = store_open(&loop, &o, &store, a->error, sizeof a->error);
    if (a->result == 0) {
        buf_init(&call.out, ANSWER_MOST);
        a->result = store_admin_now(store, &call);
        buf_append(&a->out, call.out.data, call.out.len);
        buf_free(&call.out);
        store_close(store, NULL, NULL);
    } else {
        a->result = ERR_IO;
    }
    uv_run(&loop, UV_RUN_DEFAULT);
    uv_loop_close(&loop);
}

/* ---- printing ---- */
static char *when(const char *ms)
{
    time_t t = (time_t)(strtoll(ms, NULL, 10) / 1000);
    struct tm tm;
    char text[32];
    localtime_r(&t, &tm);
    strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S", &tm);
    return mem_strdup(text);
}

static void print_row(struct str row)
{
    auto_free char *seq = json_member(row, "seq"), *id = json_member(row, "id"), *state = json_member(row, "state"),
                   *bot = json_member(row, "bot"),
                   *type = json_member(row, "type"), *received = json_member(row, "received"), *attempts = json_member(row, "attempts"),
                   *why = json_member(row, "why"), *time = when(received);
    why[strcspn(why, "\n")] = 0;
    printf("%-8s %-26s %-11s %-12s %-16s %s %2s  %s\n", seq, id, state, bot, type, time, attempts, why);
}

static void print_list(struct str list)
{
    struct json j;
    struct str raw;
    unsigned n = 0;
    json_begin(&j, list.p, list.n);
    if (json_enter_array(&j)) return;
    while (json_next_item(&j) > 0 && json_value(&j, &raw) == 0) {
        if (!n++)
            printf("%-8s %-26s %-11s %-12s %-16s %-19s %2s  %s\n", "NUMBER", "EVENT", "STATE", "BOT", "TYPE", "RECEIVED", "TRIES",
                   "WHY");
        print_row(raw);
    }
    if (!n) printf("no events\n");
    if (n == LIST_MOST) printf("… and perhaps more: %d are shown\n", LIST_MOST);
}

static void print_event(struct str object)
{
    static const char *const names[] = {"seq", "id", "bot", "state", "attempts", "why", "event"};
    auto_free char *received = json_member(object, "received"), *time = when(received);
    printf("%-9s %s\n", "received", time);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        auto_free char *value = json_member(object, names[i]);
        if (*value) printf("%-9s %s\n", names[i], value);
    }
}

static int print(const struct asked *a, bool json)
{
    if (json) printf(STR_FMT "\n", STR_ARG(buf_str(&a->out)));
    else if (a->verb->kind == STORE_LIST) print_list(buf_str(&a->out));
    else if (a->verb->kind == STORE_SHOW) print_event(buf_str(&a->out));
    else printf("%s %s\n", a->id, a->verb->done);
    return EXIT_DONE;
}

/* ---- the command ---- */
static const char *const states[] = {NULL, "waiting", "failed", "quarantined"}; /* as --state lists them */

static const char id_bytes[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz-_";

static int understand(struct asked *a, const char *const *args, int n)
{
    for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++)
        if (strcmp(args[0], verbs[i].name) == 0) a->verb = &verbs[i];
    if (!a->verb) return command_usage("event", "%s is none of list, show, retry, drop", args[0]);
    if (a->verb->wants_id) {
        if (n < 2) return command_usage("event", "%s which? usage: moonline event %s ID", args[0], args[0]);
        a->id = args[1];
        if (strlen(a->id) > LIMIT_EVENT_ID || strspn(a->id, id_bytes) != strlen(a->id))
            return command_usage("event", "%s is not an event's id; `moonline event list` shows them", a->id);
        return 0;
    }
    if (n == 2) return command_usage("event", "one too many: %s; usage: moonline event list --state STATE", args[1]);
    return 0;
}

int command_event(const struct options *o, const char *const *args, int n)
{
    struct asked a = {.state = states[o->state], .out = BUF(ANSWER_MOST)};
    const char *dir = *o->data ? o->data : ".moonline";
    struct stat st;
    int status = understand(&a, args, n);
    if (status) return status;
    if (stat(dir, &st) || !S_ISDIR(st.st_mode))
        return command_usage("event", "%s is not there; name the folder of the events with --data", dir);
    if (!ask_live(&a, dir)) ask_stopped(&a, dir);
    status = EXIT_FAILED;
    if (a.result == 0) status = print(&a, o->json);
    else if (a.result == ERR_NOTFOUND)
        fprintf(stderr, "moonline event: there is no event %s in %s; those that are done are not listed\n", a.id, dir);
    else if (a.result == ERR_BUSY) fprintf(stderr, "moonline event: %s is waiting already; it runs when its turn comes\n", a.id);
    else fprintf(stderr, "moonline event: %s\n", a.error);
    buf_free(&a.out);
    return status;
}
