/* The rows of options.def as data. Between options.c and options_cli.c (and their test) only; the rest of the program
 * uses options.h. */
#pragma once
#include "base/options.h"

enum option_type { OPTION_STRING, OPTION_INT, OPTION_DURATION, OPTION_SIZE, OPTION_BOOL, OPTION_ENUM };

struct option_row {
    const char *name;      /* without dashes */
    enum option_type type;
    size_t offset;         /* of the field in struct options */
    const char *value;     /* default, as it would be written */
    const char *choices;   /* ENUM: "a|b|c" */
    int64_t least, most;   /* INT, DURATION (ms), SIZE (bytes) */
    const char *commands;  /* separated by spaces */
    const char *arg, *help;
};
extern const struct option_row option_rows[];
extern const size_t option_rows_n;

const struct option_row *option_find(const char *name); /* NULL: no such option */
/* options_set() without the mark in options.given. */
int option_set(struct options *o, const struct option_row *row, const char *value, char *error, size_t n);
