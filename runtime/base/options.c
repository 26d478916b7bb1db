/* Options from their table: values in, values out. Parsing of a command line and help are options_cli.c's. */
#include "base/options.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/options_table.h"

/* What stands in a row's columns 5 and 6 depends on its type. */
#define LIMITS_STRING(low, high) NULL, 0, 0
#define LIMITS_BOOL(low, high) NULL, 0, 0
#define LIMITS_ENUM(low, high) (low), 0, 0
#define LIMITS_INT(low, high) NULL, (low), (high)
#define LIMITS_DURATION(low, high) NULL, (low), (high)
#define LIMITS_SIZE(low, high) NULL, (low), (high)

const struct option_row option_rows[] = {
#define OPTION(name, field, TYPE, value, least, most, commands, arg, help)                                             \
    {#name, OPTION_##TYPE, offsetof(struct options, field), value, LIMITS_##TYPE(least, most), commands, arg, help},
#include "base/options.def"
#undef OPTION
};
const size_t option_rows_n = sizeof option_rows / sizeof *option_rows;
_Static_assert(sizeof option_rows / sizeof *option_rows <= 64, "options.given has one bit for each row");

struct unit {
    const char *name;
    int64_t worth;
};

/* Largest first: a value is written in the largest unit that divides it. */
static const struct unit time_units[] = {{"h", 3600000}, {"m", 60000}, {"s", 1000}, {"ms", 1}};
static const struct unit size_units[] = {{"G", 1 << 30}, {"M", 1 << 20}, {"K", 1 << 10}, {"", 1}};

static void *field_of(const struct options *o, const struct option_row *row)
{
    return (char *)(uintptr_t)o + row->offset;
}

const struct option_row *option_find(const char *name)
{
    for (size_t i = 0; i < option_rows_n; i++)
        if (strcmp(option_rows[i].name, name) == 0)
            return &option_rows[i];
    return NULL;
}

/* Decimal digits at *p, moved behind them. False when there are none or the number does not fit. */
static bool read_digits(const char **p, int64_t *ret)
{
    const char *start = *p;
    int64_t v = 0;
    for (; **p >= '0' && **p <= '9'; ++*p)
        if (__builtin_mul_overflow(v, 10, &v) || __builtin_add_overflow(v, **p - '0', &v))
            return false;
    *ret = v;
    return *p > start;
}

/* A number with a unit of the table. A time needs its unit, for a plain 8 could be either seconds or milliseconds; 0
 * does not. Sizes take small letters too. */
static bool read_amount(const char *text, const struct unit *units, size_t n, int64_t *ret)
{
    int64_t v;
    if (!read_digits(&text, &v))
        return false;
    if (v == 0 && *text == 0) {
        *ret = 0;
        return true;
    }
    for (size_t i = 0; i < n; i++)
        if ((units == size_units ? strcasecmp : strcmp)(text, units[i].name) == 0)
            return !__builtin_mul_overflow(v, units[i].worth, ret);
    return false;
}

static void write_amount(int64_t v, const struct unit *units, size_t n, char *text, size_t size)
{
    size_t i = 0;
    while (i + 1 < n && (v == 0 || v % units[i].worth))
        i++;
    snprintf(text, size, "%lld%s", (long long)(v / units[i].worth), v == 0 ? "" : units[i].name);
}

static void write_number(const struct option_row *row, int64_t v, char *text, size_t size)
{
    if (row->type == OPTION_DURATION)
        write_amount(v, time_units, sizeof time_units / sizeof *time_units, text, size);
    else if (row->type == OPTION_SIZE)
        write_amount(v, size_units, sizeof size_units / sizeof *size_units, text, size);
    else
        snprintf(text, size, "%lld", (long long)v);
}

static bool read_number(const struct option_row *row, const char *text, int64_t *ret)
{
    if (row->type == OPTION_DURATION)
        return read_amount(text, time_units, sizeof time_units / sizeof *time_units, ret);
    if (row->type == OPTION_SIZE)
        return read_amount(text, size_units, sizeof size_units / sizeof *size_units, ret);
    return read_digits(&text, ret) && *text == 0;
}

static int set_number(int64_t *field, const struct option_row *row, const char *value, char *error, size_t n)
{
    static const char *const what[] = {
        [OPTION_INT] = "a number", [OPTION_DURATION] = "a time such as 250ms, 8s, 5m or 24h,",
        [OPTION_SIZE] = "a size such as 64K, 256M or 1G,"};
    int64_t v;
    if (read_number(row, value, &v) && v >= row->least && v <= row->most) {
        *field = v;
        return 0;
    }
    char least[32], most[32];
    write_number(row, row->least, least, sizeof least);
    write_number(row, row->most, most, sizeof most);
    snprintf(error, n, "--%s: \"%.80s\" is not %s from %s to %s", row->name, value, what[row->type], least, most);
    return ERR_USAGE;
}

/* Index of word in the list "a|b|c", or -1. */
static int choice_index(const char *list, const char *word)
{
    size_t n = strlen(word);
    for (int i = 0; n; i++) {
        size_t length = strcspn(list, "|");
        if (length == n && memcmp(list, word, n) == 0)
            return i;
        if (!list[length])
            break;
        list += length + 1;
    }
    return -1;
}

static void choice_text(const char *list, int index, char *text, size_t size)
{
    while (index-- > 0)
        list += strcspn(list, "|") + 1;
    snprintf(text, size, "%.*s", (int)strcspn(list, "|"), list);
}

static int set_enum(int *field, const struct option_row *row, const char *value, char *error, size_t n)
{
    int index = choice_index(row->choices, value);
    if (index < 0) {
        char list[128];
        size_t i = 0;
        for (const char *p = row->choices; *p && i + 3 < sizeof list; p++) { /* "a|b|c" reads "a, b, c" */
            list[i++] = *p == '|' ? ',' : *p;
            if (*p == '|')
                list[i++] = ' ';
        }
        list[i] = 0;
        snprintf(error, n, "--%s: \"%.80s\" is not one of %s", row->name, value, list);
        return ERR_USAGE;
    }
    *field = index;
    return 0;
}

static int set_bool(bool *field, const struct option_row *row, const char *value, char *error, size_t n)
{
    static const char *const words[] = {"no", "yes", "false", "true", "off", "on", "0", "1"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        if (strcmp(value, words[i]) == 0) {
            *field = i % 2;
            return 0;
        }
    }
    snprintf(error, n, "--%s: \"%.80s\" is not yes or no", row->name, value);
    return ERR_USAGE;
}

int option_set(struct options *o, const struct option_row *row, const char *value, char *error, size_t n)
{
    void *field = field_of(o, row);
    switch (row->type) {
    case OPTION_STRING: {
        char **s = field;
        free(*s);
        *s = mem_strdup(value);
        return 0;
    }
    case OPTION_ENUM:
        return set_enum(field, row, value, error, n);
    case OPTION_BOOL:
        return set_bool(field, row, value, error, n);
    default:
        return set_number(field, row, value, error, n);
    }
}

int options_set(struct options *o, const char *name, const char *value, char *error, size_t n)
{
    if (strncmp(name, "--", 2) == 0)
        name += 2;
    const struct option_row *row = option_find(name);
    if (!row) {
        snprintf(error, n, "--%.80s is not an option", name);
        return ERR_NOTFOUND;
    }
    int r = option_set(o, row, value, error, n);
    if (r == 0)
        o->given |= (uint64_t)1 << (row - option_rows);
    return r;
}

bool options_given(const struct options *o, const char *name)
{
    const struct option_row *row = option_find(name);
    return row && (o->given >> (row - option_rows) & 1);
}

void options_defaults(struct options *o)
{
    char error[256];
    memset(o, 0, sizeof *o);
    for (size_t i = 0; i < option_rows_n; i++) {
        if (option_set(o, &option_rows[i], option_rows[i].value, error, sizeof error) < 0) { /* its author's slip */
            fprintf(stderr, "moonline: options.def: default of %s\n",
                    error);
            abort();
        }
    }
}

void options_free(struct options *o)
{
    for (size_t i = 0; i < option_rows_n; i++) {
        if (option_rows[i].type == OPTION_STRING) {
            char **s = field_of(o, &option_rows[i]);
            free(*s);
            *s = NULL;
        }
    }
}

void options_each(const struct options *o, void (*each)(void *user, const char *name, const char *value), void *user)
{
    for (size_t i = 0; i < option_rows_n; i++) {
        const struct option_row *row = &option_rows[i];
        const void *field = field_of(o, row);
        char text[64];
        const char *value = text;
        if (row->type == OPTION_STRING)
            value = *(char *const *)field;
        else if (row->type == OPTION_ENUM)
            choice_text(row->choices, *(const int *)field, text, sizeof text);
        else if (row->type == OPTION_BOOL)
            value = *(const bool *)field ? "yes" : "no";
        else
            write_number(row, *(const int64_t *)field, text, sizeof text);
        each(user, row->name, value ? value : "");
    }
}
