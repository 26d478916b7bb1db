#include "cli/emulator.h"

#include <errno.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/json.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/mem.h"
#include "cli/command.h"
#include "line/digest.h"

#define SETTINGS_MOST (LIMIT_FRAME / 4)

/* Its worker plays a platform and serves files, it is no handler of a bot. */
static void worker_options(struct options *w, const struct options *o)
{
    *w = *o;
    w->workers = 1;
    w->memory_limit = INT64_C(4) << 30;
    w->cpu_limit = 60000;
    w->hang_timeout = 30000;
    w->load_timeout = 120000; /* a world of a million messages takes ten seconds, on a busy machine more */
    w->handler_limit = INT64_C(86400000);
    w->web_body = INT64_C(256) << 20;
    w->web_parallel = 4096;
    w->http_allow = (char *)(uintptr_t)"private"; /* never freed: o owns the strings that it has */
    w->reload = *o->scripts_dir != 0;
}

static char *random_text(void)
{
    unsigned char bytes[16];
    char text[2 * sizeof bytes + 1];
    digest_random(bytes, sizeof bytes);
    for (size_t i = 0; i < sizeof bytes; i++) snprintf(text + 2 * i, 3, "%02x", bytes[i]);
    return mem_strdup(text);
}

static void put_text(struct buf *b, const char *key, const char *text)
{
    if (!*text) return;
    buf_puts(b, ",");
    json_put(b, str_of(key));
    buf_putc(b, ':');
    json_put(b, str_of(text));
}

/* "a,b" as a list. */
static void put_list(struct buf *b, const char *key, const char *text)
{
    buf_printf(b, ",\"%s\":[", key);
    for (bool first = true; *text; first = false) {
        size_t n = strcspn(text, ",");
        if (!first) buf_putc(b, ',');
        json_put(b, (struct str){text, n});
        text += n + (text[n] == ',');
    }
    buf_putc(b, ']');
}

static int make_folder(struct emulator *e, const char *command)
{
    const char *parent = getenv("TMPDIR");
    e->folder = mem_printf("%s/moonline-XXXXXX", parent && *parent ? parent : "/tmp");
    if (mkdtemp(e->folder)) return 0;
    command_usage(command, "no throw-away folder %s: %s; set TMPDIR to a folder%s", e->folder, strerror(errno),
                  strcmp(command, "dev") == 0 ? ", or give --data one" : "");
    free(e->folder);
    e->folder = NULL;
    return EXIT_FAILED;
}

int emulator_prepare(struct emulator *e, const char *command, const struct options *o)
{
    static const char *const clocks[] = {"real", "virtual"};
    struct buf *b = &e->settings;
    const char *secret = getenv("LINE_CHANNEL_SECRET"), *token = getenv("LINE_CHANNEL_ACCESS_TOKEN");
    *e = (struct emulator){.settings = BUF(SETTINGS_MOST)};
    bool alone = strcmp(command, "emulate") == 0;
    /* Alone it is for any SDK, which must know the two; beside a bot nobody needs to. */
    e->secret = alone ? mem_strdup(secret && *secret ? secret : EMULATOR_SECRET) : random_text();
    e->token = alone ? mem_strdup(token && *token ? token : EMULATOR_TOKEN) : random_text();
    e->host = *o;
    worker_options(&e->options, &e->host);
    /* The terminal is for what people and bots say: all that the bot's own code logs and prints, of moonline's log only
     * what is wrong. */
    if (!options_given(o, "log-level")) e->options.log_level = LOG_WARN;
    log_init((enum log_format)o->log, (enum log_level)e->options.log_level);
    if (!o->live) put_text(b, "secret", e->secret);
    if (!o->live) put_text(b, "token", e->token);
    put_text(b, "webhook", o->webhook);
    put_text(b, "clock", clocks[o->clock]);
    put_list(b, "faults", o->fault);
    buf_printf(b, ",\"rates\":%s,\"live\":%s", o->rates ? "true" : "false", o->live ? "true" : "false");
    if (!alone) buf_puts(b, ",\"show\":true");
    if (*o->world) {
        auto_free char *path = realpath(o->world, NULL);
        if (!path || access(path, R_OK)) return command_usage(command, "--world %s: %s", o->world, strerror(errno));
        put_text(b, "world", path);
    }
    e->app = (struct app){.module = "emulator", .options = &e->options, .secret = e->secret, .token = e->token,
                          .settings = b->data, .lives = o->live};
    return *o->data || o->live ? 0 : make_folder(e, command);
}

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *at)
{
    (void)st, (void)kind, (void)at;
    return remove(path);
}

void emulator_done(struct emulator *e)
{
    if (e->folder) nftw(e->folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
    free(e->folder);
    free(e->secret);
    free(e->token);
    buf_free(&e->settings);
}
