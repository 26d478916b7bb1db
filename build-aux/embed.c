/* Writes build/gen/embedded.c: the Lua files of scripts/ and the pages and pictures there, each as an array of bytes, see
 * bindings/embedded.h. A program of
 * the build, not of the product; C so that building needs no Lua interpreter.
 * Usage: embed scripts scripts/line/init.lua … >embedded.c */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int is_lua(const char *path)
{
    size_t n = strlen(path);
    return n > 4 && strcmp(path + n - 4, ".lua") == 0;
}

/* "line/init.lua" → "line", "line/router.lua" → "line.router" */
static void print_module(const char *file)
{
    size_t n = strlen(file) - strlen(".lua");
    if (n >= 5 && memcmp(file + n - 5, "/init", 5) == 0)
        n -= 5;
    for (size_t i = 0; i < n; i++)
        putchar(file[i] == '/' ? '.' : file[i]);
}

/* A string literal a line of the script. Everything doubtful goes out as three octal digits: unlike \x they cannot
 * swallow the digit that follows. Returns the number of bytes. */
static size_t print_bytes(FILE *in)
{
    size_t n = 0;
    int c, open = 0;
    while ((c = getc(in)) != EOF) {
        if (!open)
            fputs("    \"", stdout);
        open = 1;
        n++;
        if (c == '\n') {
            fputs("\\n\"\n", stdout);
            open = 0;
        } else if (c < 0x20 || c > 0x7e || c == '"' || c == '\\' || c == '?') {
            printf("\\%03o", (unsigned)c);
        } else {
            putchar(c);
        }
    }
    fputs(open ? "\"\n" : n ? "" : "    \"\"\n", stdout);
    return n;
}

int main(int argc, char **argv)
{
    size_t *sizes = calloc((size_t)argc, sizeof *sizes);
    if (argc < 2 || !sizes) {
        fputs("usage: embed FOLDER FILE…\n", stderr);
        return 2;
    }
    size_t skip = strlen(argv[1]) + 1;
    puts("/* Generated from scripts/ by build-aux/embed.c. */\n#include \"bindings/embedded.h\"\n");
    for (int i = 2; i < argc; i++) {
        FILE *in = fopen(argv[i], "rb");
        size_t len = strlen(argv[i]);
        if (!in || len <= skip) {
            fprintf(stderr, "embed: %s: cannot be read, or is not below %s\n", argv[i], argv[1]);
            return 1;
        }
        printf("static const char script_%d[] =\n", i - 1);
        sizes[i] = print_bytes(in);
        puts("    ;");
        if (ferror(in))
            return 1;
        fclose(in);
    }
    int scripts = 0;
    puts("\nconst struct embedded embedded_scripts[] = {");
    for (int i = 2; i < argc; i++) {
        if (!is_lua(argv[i]))
            continue;
        fputs("    {\"", stdout);
        print_module(argv[i] + skip);
        printf("\", \"%s\", script_%d, %zu},\n", argv[i] + skip, i - 1, sizes[i]);
        scripts++;
    }
    /* C wants at least one element; the count does not include it. */
    printf("    {0, 0, 0, 0},\n};\nconst size_t embedded_scripts_n = %d;\n", scripts);
    puts("\nconst struct embedded embedded_files[] = {");
    for (int i = 2; i < argc; i++)
        if (!is_lua(argv[i]))
            printf("    {0, \"%s\", script_%d, %zu},\n", argv[i] + skip, i - 1, sizes[i]);
    printf("    {0, 0, 0, 0},\n};\nconst size_t embedded_files_n = %d;\n", argc - 2 - scripts);
    free(sizes);
    return fflush(stdout) == 0 ? 0 : 1;
}
