/* Options: one struct, filled from defaults, the environment and the command line, in that order. Rows in options.def. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { DURABILITY_FSYNC, DURABILITY_OS, DURABILITY_OFF };

struct options {
    /* filled from options.def */
    char *listen, *page, *webhook, *public_url, *world, *fault, *admin, *data, *tls_cert, *tls_key, *scripts_dir, *http_allow;
    int64_t workers, parallel, queue, attempts, max_connections, max_per_client, dedupe_ids, api_connections, http_connections;
    int64_t web_parallel;
    int64_t cpu_limit, handler_limit, hang_timeout, load_timeout, drain, read_timeout, idle_timeout, dedupe_time; /* ms */
    int64_t memory_limit, web_body;                                                                              /* bytes */
    int durability, log, log_level, state, clock;
    bool reload, api_rates, json, rates, open, live;
    uint64_t given; /* bit i: row i was set by environment or command line */
};

void options_defaults(struct options *o);
void options_free(struct options *o);

/* Set one option by its name as on the command line. error (of size n) gets one line that says what to do.
 * Returns 0, ERR_NOTFOUND (no such option) or ERR_USAGE (bad value). */
int options_set(struct options *o, const char *name, const char *value, char *error, size_t n);

/* Whether it was set, by the command line or the environment. */
bool options_given(const struct options *o, const char *name);

/* Read MOONLINE_* from the environment. 0 or ERR_USAGE. */
int options_environment(struct options *o, char *error, size_t n);

/* Parse argv for a command: `--name value`, `--name=value`, `--flag`, `--no-flag`, `--`. What is not an option is
 * collected, in order, into args (room for argc). 0 or ERR_USAGE with one line, near names suggested. */
int options_parse(struct options *o, const char *command, int argc, char **argv, const char **args, int *ret_nargs,
                  char *error, size_t n);

/* The options a command takes, as help text lines on out; and the value of every option as text, for a worker's START
 * frame: calls each(user, name, value). */
#include <stdio.h>
void options_help(const char *command, FILE *out);
void options_each(const struct options *o, void (*each)(void *user, const char *name, const char *value), void *user);
