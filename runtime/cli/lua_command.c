/* See lua_command.h. The host half: a worker process is told what to run, and what it says is printed. */
#include "cli/lua_command.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/dotenv.h"
#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/options_table.h"
#include "cli/command.h"
#include "host/credentials.h"
#include "host/token.h"
#include "host/worker_process.h"

#define VARIABLES_MOST 64 /* LINE_… in one environment */
#define PREFIX "LINE_"

struct run {
    const char *command;
    struct worker_process *worker;
    struct credentials *issuer;      /* with what tokens are issued; NULL: the token is given, or there is none to be had */
    struct token_keeper *tokens;     /* NULL likewise */
    char *variables[VARIABLES_MOST]; /* NAME=value */
    size_t variables_n;
    char *refused;
    uint32_t status;
    bool has_status;
    struct worker_end end;
};

/* ---- the environment ---- */

/* The last one of a name wins: the file is read first, the environment after it. */
static void take(void *user, const char *key, const char *value)
{
    struct run *r = user;
    size_t n = strlen(key), i = 0;
    if (strncmp(key, PREFIX, sizeof PREFIX - 1) != 0 || !*value) return;
    while (i < r->variables_n && !(strncmp(r->variables[i], key, n) == 0 && r->variables[i][n] == '=')) i++;
    if (i == VARIABLES_MOST) return;
    if (i == r->variables_n) r->variables_n++;
    else free(r->variables[i]);
    r->variables[i] = mem_printf("%s=%s", key, value);
    if (strstr(key, "SECRET") || strstr(key, "TOKEN")) log_secret(str_of(value));
}

static const char *variable(const struct run *r, const char *key)
{
    size_t n = strlen(key);
    for (size_t i = 0; i < r->variables_n; i++)
        if (strncmp(r->variables[i], key, n) == 0 && r->variables[i][n] == '=') return r->variables[i] + n + 1;
    return NULL;
}

static int read_environment(struct run *r, const char *folder)
{
    char error[512];
    auto_free char *file = mem_printf("%s/.env", folder);
    int result = dotenv_read(file, take, r, error, sizeof error);
    if (result && result != ERR_NOTFOUND) return command_usage(r->command, "%s", error);
    for (char **e = environ; *e; e++) {
        const char *equals = strchr(*e, '=');
        if (!equals) continue;
        auto_free char *key = mem_strndup(*e, (size_t)(equals - *e));
        take(r, key, equals + 1);
    }
    return 0;
}

/* Without a token of its own, a command gets one by the channel's id and secret. Never by the assertion key: its tokens
 * live for weeks, and only 30 of them may. */
static struct credentials *find_issuer(const struct run *r, const char *folder)
{
    char error[512];
    if (variable(r, "LINE_CHANNEL_ACCESS_TOKEN") || !variable(r, "LINE_CHANNEL_ID")) return NULL;
    struct credentials *c = credentials_read(folder, r->command, error, sizeof error);
    if (c && c->kind == TOKEN_ASSERTED) c->kind = TOKEN_STATELESS;
    return c && c->kind == TOKEN_STATELESS ? c : credentials_unref(c);
}

static void token_cb(void *user, struct str token, struct str why)
{
    struct run *r = user;
    if (r->worker) wire_send_strings(worker_process_wire(r->worker), WIRE_TOKEN, token, why);
}

/* ---- the worker ---- */

static void print(FILE *to, struct str bytes)
{
    if (bytes.n) fwrite(bytes.p, 1, bytes.n, to);
    fflush(to);
}

static void frame_cb(void *user, enum wire_type type, struct str payload)
{
    struct run *r = user;
    struct str a, b;
    bool good = true;
    switch (type) {
    case WIRE_OUTPUT:
        good = wire_read_strings(payload, &a, &b) == 0;
        if (good) print(str_is(a, "err") ? stderr : stdout, b);
        break;
    case WIRE_STATUS:
        good = wire_read_u32(payload, &r->status) == 0;
        r->has_status = good;
        break;
    case WIRE_REFUSED:
        good = wire_read_strings(payload, &a, NULL) == 0;
        if (good && !r->refused) r->refused = mem_strndup(a.p, a.n);
        break;
    case WIRE_RENEW:
        good = wire_read_strings(payload, &a, NULL) == 0;
        if (good && r->tokens) token_keeper_refused(r->tokens, a);
        break;
    default: /* which files were read: nobody reloads here */
        break;
    }
    if (!good) worker_process_kill(r->worker, "malformed frame from the worker");
}

static void gone_cb(void *user, const struct worker_end *end)
{
    struct run *r = user;
    r->end = *end;
    r->worker = NULL;
    if (r->tokens) token_keeper_close(r->tokens);
    r->tokens = NULL;
}

static void send_setting(void *wire, const char *name, const char *value)
{
    wire_send_strings(wire, WIRE_SETTING, str_of(name), str_of(value));
}

static void start(struct run *r, uv_loop_t *loop, const struct options *o, const char *path, const char *const *args, int n)
{
    struct wire *w = worker_process_wire(r->worker);
    const char *api = variable(r, "LINE_API_BASE"), *token = variable(r, "LINE_CHANNEL_ACCESS_TOKEN"),
               *channel = variable(r, "LINE_CHANNEL_ID");
    auto_free char *base = credentials_base(api, NULL, "https://api.line.me");
    auto_free char *data = credentials_base(variable(r, "LINE_DATA_API_BASE"), api, "https://api-data.line.me");
    auto_free char *manager = credentials_base(variable(r, "LINE_MANAGER_API_BASE"), api, "https://manager.line.biz");
    const char *const settings[][2] = {
        {SETTING_BOT, r->command},      {SETTING_PATH, path},
        {SETTING_GENERATION, "1"},      {SETTING_SLOT, "0"},
        {SETTING_MODE, "command"},      {SETTING_COMMAND, r->command},
        {SETTING_TOKEN, token ? token : ""}, {SETTING_CHANNEL, channel ? channel : ""},
        {SETTING_API_BASE, base},       {SETTING_DATA_API_BASE, data},
        {SETTING_MANAGER_API_BASE, manager},
        {SETTING_RENEWS, r->issuer ? "yes" : "no"},
        {SETTING_TERMINAL, isatty(STDOUT_FILENO) ? "yes" : "no"},
    };
    options_each(o, send_setting, w);
    for (size_t i = 0; i < sizeof settings / sizeof *settings; i++) send_setting(w, settings[i][0], settings[i][1]);
    for (size_t i = 0; i < r->variables_n; i++) send_setting(w, SETTING_ENVIRONMENT, r->variables[i]);
    for (int i = 0; i < n; i++) send_setting(w, SETTING_ARGUMENT, args[i]);
    wire_send(w, WIRE_START, (struct str){"", 0});
    if (!r->issuer) return;
    r->tokens = token_keeper_new(loop, r->command, token_cb, r);
    token_keeper_use(r->tokens, r->issuer);
}

/* No limit of time: a command may wait for LINE as long as its calls may, and Ctrl-C ends both processes. */
static int run(struct run *r, const struct options *o, const char *path, const char *const *args, int n)
{
    char error[256];
    uv_loop_t loop;
    const struct worker_process_callbacks cb = {.frame = frame_cb, .gone = gone_cb};
    int status = EXIT_FAILED;
    uv_loop_init(&loop);
    if (worker_process_start(&loop, r->command, &cb, r, &r->worker, error, sizeof error)) {
        fprintf(stderr, "moonline %s: %s\n", r->command, error);
    } else {
        start(r, &loop, o, path, args, n);
        uv_run(&loop, UV_RUN_DEFAULT);
        if (r->has_status) status = (int)r->status;
        else fprintf(stderr, "moonline %s: %s\n", r->command, r->refused ? r->refused : r->end.why);
    }
    uv_loop_close(&loop);
    return status;
}

/* The bot's first file as an absolute path, or the folder to work in with a slash at its end. NULL when it is not there,
 * and that was said. */
static char *find_path(const char *command, const char *bot)
{
    struct stat st;
    auto_free char *real = realpath(bot ? bot : ".", NULL);
    if (!real) {
        command_usage(command, "%s: %s", bot ? bot : ".", strerror(errno));
        return NULL;
    }
    if (!bot) return mem_printf("%s/", real);
    char *file = stat(real, &st) == 0 && S_ISDIR(st.st_mode) ? mem_printf("%s/bot.lua", real) : mem_strdup(real);
    if (access(file, R_OK) == 0) return file;
    command_usage(command, "%s: %s; a bot is a Lua file, or a folder with bot.lua", file, strerror(errno));
    free(file);
    return NULL;
}

int lua_command(const struct options *o, const char *command, const char *bot, const char *const *args, int n)
{
    struct run r = {.command = command};
    auto_free char *path = find_path(command, bot);
    if (!path) return EXIT_USAGE;
    auto_free char *folder = mem_strndup(path, (size_t)(strrchr(path, '/') - path));
    /* Of its calls a person sees the result; what is repeated and renewed underneath only when asked for. */
    struct options quiet = *o;
    if (!(o->given & UINT64_C(1) << (option_find("log-level") - option_rows))) quiet.log_level = LOG_WARN;
    log_init((enum log_format)quiet.log, (enum log_level)quiet.log_level);
    int status = read_environment(&r, folder);
    if (status == 0 && n > 0 && strcmp(args[n - 1], "--help") != 0) r.issuer = find_issuer(&r, folder);
    if (status == 0) status = run(&r, &quiet, path, args, n);
    credentials_unref(r.issuer);
    for (size_t i = 0; i < r.variables_n; i++) free(r.variables[i]);
    free(r.refused);
    return status;
}
