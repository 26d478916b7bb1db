/* Options from the environment and a command line, and their help. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/near.h"
#include "base/options.h"
#include "base/options_table.h"

#define NAME_MAX_BYTES 64
#define HELP_COLUMN 28 /* where descriptions begin */

/* MOONLINE_ + the name in capitals, - as _. */
static void environment_name(const struct option_row *row, char name[NAME_MAX_BYTES])
{
    snprintf(name, NAME_MAX_BYTES, "MOONLINE_%s", row->name);
    for (char *p = name; *p; p++)
        *p = *p == '-' ? '_' : *p >= 'a' && *p <= 'z' ? (char)(*p - 'a' + 'A') : *p;
}

int options_environment(struct options *o, char *error, size_t n)
{
    for (size_t i = 0; i < option_rows_n; i++) {
        char name[NAME_MAX_BYTES], why[256];
        environment_name(&option_rows[i], name);
        const char *value = getenv(name);
        if (!value || !*value) /* set to nothing is how many tools write "not set" */
            continue;
        if (options_set(o, option_rows[i].name, value, why, sizeof why) < 0) {
            const char *colon = strchr(why, ':'); /* the text begins with "--name:", here the variable is meant */
            snprintf(error, n, "%s%s", name, colon ? colon : why);
            return ERR_USAGE;
        }
    }
    return 0;
}

/* True if a word of the space-separated list is command. */
static bool takes(const struct option_row *row, const char *command)
{
    size_t n = strlen(command);
    for (const char *p = row->commands; *p;) {
        size_t length = strcspn(p, " ");
        if (length == n && memcmp(p, command, n) == 0)
            return true;
        p += length;
        p += strspn(p, " ");
    }
    return false;
}

/* --name is nothing this command takes: say where it belongs, or what was meant. */
static int unknown(const char *command, const char *name, const char *dashes, char *error, size_t n)
{
    const struct option_row *elsewhere = option_find(name);
    const char *names[64];
    size_t count = 0;
    if (elsewhere) {
        snprintf(error, n, "moonline %s: --%s is an option of %s, not of %s", command, name, elsewhere->commands,
                 command);
        return ERR_USAGE;
    }
    for (size_t i = 0; i < option_rows_n; i++)
        if (takes(&option_rows[i], command))
            names[count++] = option_rows[i].name;
    const char *near = near_name(name, names, count);
    if (near)
        snprintf(error, n, "moonline %s: %s%.80s is not an option (did you mean --%s?)", command, dashes, name, near);
    else
        snprintf(error, n, "moonline %s: %s%.80s is not an option (moonline help %s lists them)", command, dashes, name,
                 command);
    return ERR_USAGE;
}

/* The option that begins at argv[i]; *ret_used is 2 when its value is the next argument. */
static int parse_one(struct options *o, const char *command, int argc, char **argv, int i, int *ret_used, char *error,
                     size_t n)
{
    const char *text = argv[i] + 2, *equals = strchr(text, '='), *value = equals ? equals + 1 : NULL;
    char name[NAME_MAX_BYTES], why[256];
    snprintf(name, sizeof name, "%.*s", equals ? (int)(equals - text) : (int)strlen(text), text);
    const struct option_row *row = option_find(name);
    bool no = false;
    if (!row && strncmp(name, "no-", 3) == 0) {
        row = option_find(name + 3);
        no = row && row->type == OPTION_BOOL;
        if (!no)
            row = NULL;
    }
    *ret_used = 1;
    if (!row || !takes(row, command))
        return unknown(command, no ? name + 3 : name, "--", error, n);
    if (no && value) {
        snprintf(error, n, "moonline %s: --%s takes no value", command, name);
        return ERR_USAGE;
    }
    if (row->type == OPTION_BOOL && !value) {
        value = no ? "no" : "yes";
    } else if (!value) {
        bool there = i + 1 < argc;
        if (!there || strncmp(argv[i + 1], "--", 2) == 0) { /* what looks like an option hardly ever is a value */
            snprintf(error, n, "moonline %s: --%s needs a value: --%s %s", command, name, name, row->arg);
            return ERR_USAGE;
        }
        value = argv[i + 1];
        *ret_used = 2;
    }
    if (options_set(o, row->name, value, why, sizeof why) < 0) {
        snprintf(error, n, "moonline %s: %s", command, why);
        return ERR_USAGE;
    }
    return 0;
}

int options_parse(struct options *o, const char *command, int argc, char **argv, const char **args, int *ret_nargs,
                  char *error, size_t n)
{
    int count = 0, used;
    for (int i = 0; i < argc; i += used) {
        used = 1;
        if (strcmp(argv[i], "--") == 0) { /* all that follows are names, whatever they look like */
            while (++i < argc)
                args[count++] = argv[i];
            break;
        }
        if (argv[i][0] != '-' || argv[i][1] == 0) {
            args[count++] = argv[i];
        } else if (argv[i][1] != '-') {
            return unknown(command, argv[i] + 1, "-", error, n);
        } else {
            int r = parse_one(o, command, argc, argv, i, &used, error, n);
            if (r < 0)
                return r;
        }
    }
    *ret_nargs = count;
    return 0;
}

void options_help(const char *command, FILE *out)
{
    for (size_t i = 0; i < option_rows_n; i++) {
        const struct option_row *row = &option_rows[i];
        char name[NAME_MAX_BYTES], left[96];
        if (!takes(row, command))
            continue;
        environment_name(row, name);
        if (row->type == OPTION_BOOL)
            snprintf(left, sizeof left, "--%s, --no-%s", row->name, row->name);
        else
            snprintf(left, sizeof left, "--%s %s", row->name, row->arg);
        if (strlen(left) + 4 > HELP_COLUMN)
            fprintf(out, "  %s\n%*s%s\n", left, HELP_COLUMN, "", row->help);
        else
            fprintf(out, "  %-*s%s\n", HELP_COLUMN - 2, left, row->help);
        fprintf(out, "%*s", HELP_COLUMN, "");
        if (row->choices)
            fprintf(out, "%s; ", row->choices);
        if (*row->value)
            fprintf(out, "default %s; ", row->value);
        fprintf(out, "%s\n", name);
    }
}
