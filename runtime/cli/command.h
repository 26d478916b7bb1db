/* A command of `moonline`: one row in main.c, one function in a file of its own. */
#pragma once
#include "base/options.h"

struct command {
    const char *name;
    const char *args;   /* as usage shows them: "PATH…" */
    const char *about;  /* one line for `moonline help` */
    const char *more;   /* the rest of its help page */
    int least, most;    /* arguments that are not options; most -1: any number */
    int (*run)(const struct options *o, const char *const *args, int n); /* returns the exit status */
};

enum { EXIT_DONE = 0, EXIT_FAILED = 1, EXIT_USAGE = 2 };

extern const struct command commands[];
extern const size_t commands_n;

int command_dev(const struct options *o, const char *const *args, int n);
int command_emulate(const struct options *o, const char *const *args, int n);
int command_run(const struct options *o, const char *const *args, int n);
int command_check(const struct options *o, const char *const *args, int n);
int command_event(const struct options *o, const char *const *args, int n);
int command_call(const struct options *o, const char *const *args, int n);
int command_richmenu(const struct options *o, const char *const *args, int n);
int command_token(const struct options *o, const char *const *args, int n);
int command_version(const struct options *o, const char *const *args, int n);
int command_help(const struct options *o, const char *const *args, int n);

/* One line on standard error, "moonline NAME: …", and the status of wrong usage. */
int command_usage(const char *name, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
