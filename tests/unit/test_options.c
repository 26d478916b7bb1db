/* Options: every row of the table, the parser's verdicts and their words, help, and suggestions. */
#include "base/err.h"
#include "base/near.h"
#include "base/options.h"
#include "base/options_table.h"
#include "test.h"

static char error[512];
static const char *args[32];
static int nargs;

static int parse(struct options *o, const char *command, const char *line)
{
    static char copy[512];
    char *argv[32], *rest = copy;
    int argc = 0;
    snprintf(copy, sizeof copy, "%s", line);
    while (rest && argc < 32)
        argv[argc++] = strsep(&rest, " ");
    error[0] = 0;
    nargs = -1;
    return options_parse(o, command, argc, argv, args, &nargs, error, sizeof error);
}

TEST(defaults)
{
    struct options o;
    options_defaults(&o);
    CHECK_STR(o.listen, "");
    CHECK_STR(o.data, "");
    CHECK_INT(o.workers, 1);
    CHECK_INT(o.memory_limit, 256 << 20);
    CHECK_INT(o.cpu_limit, 500);
    CHECK_INT(o.dedupe_time, 86400000);
    CHECK_INT(o.durability, DURABILITY_FSYNC);
    CHECK_INT(o.log_level, 1);
    CHECK(o.reload && !o.json);
    CHECK_INT(o.given, 0);
    options_free(&o);
}

TEST(parses_a_command_line)
{
    struct options o;
    options_defaults(&o);
    CHECK_INT(parse(&o, "run",
                    "bot.lua --workers 4 --listen=127.0.0.1:0 --no-reload --drain 250ms - --durability os -- --json"),
              0);
    CHECK_STR(error, "");
    CHECK_INT(nargs, 3);
    CHECK_STR(args[0], "bot.lua");
    CHECK_STR(args[1], "-");
    CHECK_STR(args[2], "--json");
    CHECK_INT(o.workers, 4);
    CHECK_STR(o.listen, "127.0.0.1:0");
    CHECK(!o.reload);
    CHECK_INT(o.drain, 250);
    CHECK_INT(o.durability, DURABILITY_OS);
    CHECK_INT(__builtin_popcountll(o.given), 5);
    CHECK_INT(parse(&o, "run", "--reload --drain=0 --memory-limit 1G --data="), 0);
    CHECK(o.reload);
    CHECK_INT(o.drain, 0);
    CHECK_INT(o.memory_limit, 1 << 30);
    CHECK_INT(nargs, 0);
    options_free(&o);
}

TEST(refuses_in_one_line_that_helps)
{
    static const char *const rows[][3] = {
        {"run", "--worker 2", "moonline run: --worker is not an option (did you mean --workers?)"},
        {"run", "--wrokers=2", "moonline run: --wrokers is not an option (did you mean --workers?)"},
        {"run", "--no-relaod", "moonline run: --no-relaod is not an option (moonline help run lists them)"},
        {"run", "--colour", "moonline run: --colour is not an option (moonline help run lists them)"},
        {"run", "-v", "moonline run: -v is not an option (moonline help run lists them)"},
        {"check", "--workers 2", "moonline check: --workers is an option of run dev, not of check"},
        {"run", "--no-json", "moonline run: --json is an option of check event call token richmenu, not of run"},
        {"run", "--workers many", "moonline run: --workers: \"many\" is not a number from 1 to 64"},
        {"run", "--workers 0", "moonline run: --workers: \"0\" is not a number from 1 to 64"},
        {"run", "--workers 65", "moonline run: --workers: \"65\" is not a number from 1 to 64"},
        {"run", "--workers -1", "moonline run: --workers: \"-1\" is not a number from 1 to 64"},
        {"run", "--workers 4x", "moonline run: --workers: \"4x\" is not a number from 1 to 64"},
        {"run", "--workers=", "moonline run: --workers: \"\" is not a number from 1 to 64"},
        {"run", "--workers 99999999999999999999",
         "moonline run: --workers: \"99999999999999999999\" is not a number from 1 to 64"},
        {"run", "--workers", "moonline run: --workers needs a value: --workers N"},
        {"run", "--data --no-reload", "moonline run: --data needs a value: --data DIR"},
        {"run", "--drain 8", "moonline run: --drain: \"8\" is not a time such as 250ms, 8s, 5m or 24h, from 0 to 10m"},
        {"run", "--drain 11m",
         "moonline run: --drain: \"11m\" is not a time such as 250ms, 8s, 5m or 24h, from 0 to 10m"},
        {"run", "--drain 9223372036854775807h",
         "moonline run: --drain: \"9223372036854775807h\" is not a time such as 250ms, 8s, 5m or 24h, from 0 to 10m"},
        {"run", "--memory-limit 1K",
         "moonline run: --memory-limit: \"1K\" is not a size such as 64K, 256M or 1G, from 1M to 16G"},
        {"run", "--durability none", "moonline run: --durability: \"none\" is not one of fsync, os, off"},
        {"run", "--durability fsync|os", "moonline run: --durability: \"fsync|os\" is not one of fsync, os, off"},
        {"run", "--reload=maybe", "moonline run: --reload: \"maybe\" is not yes or no"},
        {"run", "--no-reload=yes", "moonline run: --no-reload takes no value"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct options o;
        options_defaults(&o);
        CHECK_INT(parse(&o, rows[i][0], rows[i][1]), ERR_USAGE);
        CHECK_STR(error, rows[i][2]);
        CHECK_INT(o.given, 0);
        options_free(&o);
    }
}

TEST(units)
{
    static const struct { const char *name, *value; int64_t want;
    } rows[] = {
        {"drain", "0", 0},
        {"drain", "1ms", 1},
        {"drain", "8s", 8000},
        {"drain", "5m", 300000},
        {"dedupe-time", "24h", 86400000},
        {"memory-limit", "1048576", 1 << 20},
        {"memory-limit", "2048K", 2 << 20},
        {"memory-limit", "64m", 64 << 20},
        {"memory-limit", "16G", 17179869184},
    };
    struct options o;
    options_defaults(&o);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        CHECK_INT(options_set(&o, rows[i].name, rows[i].value, error, sizeof error), 0);
        CHECK_INT(*(int64_t *)((char *)&o + option_find(rows[i].name)->offset), rows[i].want);
    }
    CHECK_INT(options_set(&o, "drain", "1.5s", error, sizeof error), ERR_USAGE);
    CHECK_INT(options_set(&o, "drain", "8 s", error, sizeof error), ERR_USAGE);
    CHECK_INT(options_set(&o, "drain", "8S", error, sizeof error), ERR_USAGE);
    CHECK_INT(options_set(&o, "--drain", "8s", error, sizeof error), 0);
    CHECK_INT(options_set(&o, "drains", "8s", error, sizeof error), ERR_NOTFOUND);
    CHECK_STR(error, "--drains is not an option");
    options_free(&o);
}

static void copy_into(void *to, const char *name, const char *value)
{
    char why[256];
    if (options_set(to, name, value, why, sizeof why) < 0)
        FAIL("%s=%s did not go back in: %s", name, value, why);
}

/* What options_each() gives, options_set() takes: this is how a worker gets its options. */
TEST(values_travel_as_text)
{
    struct options a, b;
    options_defaults(&a);
    options_defaults(&b);
    CHECK_INT(parse(&a, "run", "--workers 3 --cpu-limit 1500ms --memory-limit 1000000000 --drain 90s --durability off "
                               "--no-reload --data /tmp/x --log-level error --dedupe-time 25h"), 0);
    options_each(&a, copy_into, &b);
    CHECK_INT(b.workers, 3);
    CHECK_INT(b.cpu_limit, 1500);
    CHECK_INT(b.memory_limit, 1000000000);
    CHECK_INT(b.drain, 90000);
    CHECK_INT(b.durability, DURABILITY_OFF);
    CHECK_INT(b.log_level, 3);
    CHECK_INT(b.dedupe_time, 90000000);
    CHECK(!b.reload);
    CHECK_STR(b.data, "/tmp/x");
    options_free(&a);
    options_free(&b);
}

TEST(environment)
{
    struct options o;
    options_defaults(&o);
    setenv("MOONLINE_MAX_PER_CLIENT", "7", 1);
    setenv("MOONLINE_RELOAD", "no", 1);
    setenv("MOONLINE_ADMIN", "", 1);
    CHECK_INT(options_environment(&o, error, sizeof error), 0);
    CHECK_INT(o.max_per_client, 7);
    CHECK(!o.reload);
    CHECK_INT(parse(&o, "run", "--max-per-client 8"), 0);
    CHECK_INT(o.max_per_client, 8); /* the command line comes last and wins */
    setenv("MOONLINE_DRAIN", "long", 1);
    CHECK_INT(options_environment(&o, error, sizeof error), ERR_USAGE);
    CHECK_STR(error, "MOONLINE_DRAIN: \"long\" is not a time such as 250ms, 8s, 5m or 24h, from 0 to 10m");
    unsetenv("MOONLINE_DRAIN"), unsetenv("MOONLINE_MAX_PER_CLIENT"), unsetenv("MOONLINE_RELOAD"),
        unsetenv("MOONLINE_ADMIN");
    options_free(&o);
}

/* Help has exactly the options that the parser of the same command takes, each with its default and variable. */
TEST(help_and_table_agree)
{
    static const char *const commands[] = {"run", "check", "event"};
    for (size_t c = 0; c < 3; c++) {
        char *text = NULL;
        size_t n, shown = 0, taken = 0;
        FILE *f = open_memstream(&text, &n);
        options_help(commands[c], f);
        fclose(f);
        for (char *p = text; (p = strstr(p, "  --")); p++)
            shown += p == text || p[-1] == '\n';
        for (size_t i = 0; i < option_rows_n; i++) {
            const struct option_row *row = &option_rows[i];
            char line[128], want[64];
            struct options o;
            options_defaults(&o);
            if (row->type == OPTION_BOOL)
                snprintf(line, sizeof line, "--%s", row->name);
            else
                snprintf(line, sizeof line, "--%s=%s", row->name, row->value);
            bool takes = parse(&o, commands[c], line) == 0;
            taken += takes;
            options_free(&o);
            snprintf(want, sizeof want, "\n  --%s%s", row->name, row->type == OPTION_BOOL ? "," : " ");
            bool there = strstr(text, want) || strncmp(text, want + 1, strlen(want + 1)) == 0;
            if (there != takes)
                FAIL("--%s of %s: %s", row->name, commands[c], takes ? "not in the help" : "in the help, not taken");
            if (takes && !strstr(text, row->help))
                FAIL("--%s of %s has no description", row->name, commands[c]);
        }
        CHECK_INT(shown, taken);
        CHECK(taken > 0);
        for (char *p = text, *end; (end = strchr(p, '\n')); p = end + 1)
            if (end - p > 120)
                FAIL("help line of %td columns: %.*s", end - p, (int)(end - p), p);
        if (c == 0) {
            CHECK(strstr(text, "run 0.0.0.0:3000, dev 127.0.0.1:3000") != NULL);
            CHECK(strstr(text, "fsync|os|off; default fsync; MOONLINE_DURABILITY\n") != NULL);
        }
        free(text);
    }
}

TEST(near_names)
{
    static const char *const names[] = {"listen", "workers", NULL, "log", "log-level", "tls-key", "message.text"};
    static const char *const rows[][2] = {
        {"worker", "workers"}, {"wokrers", "workers"}, {"listne", "listen"}, {"lgo", "log"}, {"log_level", "log-level"},
        {"mesage.txt", "message.text"}, {"workers", "workers"}, {"x", NULL}, {"", NULL}, {"zebra", NULL}, {"lo", "log"},
        {"a-name-that-is-longer-than-anything-anybody-would-ever-type", NULL},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        CHECK_STR(near_name(rows[i][0], names, sizeof names / sizeof *names), rows[i][1]);
}

TEST_MAIN()
