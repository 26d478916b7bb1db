/* rows: every table that the reference and the editor types are made from, as one JSON object on standard output: operations,
 * kinds (schema.def), events, options, and what LINE sends (answers.def). For build-aux/reference. */
#include <stdio.h>
#include <stdlib.h>
#include "base/json.h"
#include "base/options_table.h"
#include "line/operations.h"
#include "line/schema.h"

static struct buf out = BUF(8u << 20);

static void text(const char *key, const char *value)
{
    if (!value) return;
    json_put_key(&out, key);
    json_put(&out, str_of(value));
}

static void text_of(const char *key, struct str value)
{
    if (!value.p) return;
    json_put_key(&out, key);
    json_put(&out, value);
}

static void flag(const char *key, bool value)
{
    if (!value) return;
    json_put_key(&out, key);
    buf_puts(&out, "true");
}

static void number(const char *key, double value)
{
    json_put_key(&out, key);
    buf_printf(&out, "%.17g", value);
}

/* A word of an enum's list; one that has none ends the program: the list here is to follow the enum. */
#define WORD_OF(list, i) word_of(list, sizeof(list) / sizeof *(list), (unsigned)(i), #list)
static const char *word_of(const char *const *list, size_t n, unsigned i, const char *what)
{
    if (i < n && list[i]) return list[i];
    fprintf(stderr, "rows: number %u has no word among the %s\n", i, what);
    exit(1);
}

/* A new entry of a list. */
static void open_entry(void)
{
    if (out.data[out.len - 1] == '}') buf_putc(&out, ',');
    buf_puts(&out, "\n{");
}

static void open_list(const char *key)
{
    json_put_key(&out, key);
    buf_putc(&out, '[');
}

static void put_operations(void)
{
    static const char *const hosts[] = {"api", "data", "manager"};
    static const char *const bodies[] = {"none", "JSON", "form", "multipart", "bytes"};
    static const char *const answers[] = {"json", "bytes", "empty"};
    static const char *const auths[] = {"token", "none", "basic"};
    static const char *const places[] = {"path", "query", "header", "body"};
    open_list("operations");
    for (unsigned i = 0; i < operations_n; i++) {
        const struct operation *o = &operations[i];
        open_entry();
        text("name", o->name), text("verb", o->verb), text("host", WORD_OF(hosts, o->host)), text("path", o->path);
        text("body", WORD_OF(bodies, o->body)), text("answer", WORD_OF(answers, o->answer)), text("auth", WORD_OF(auths, o->auth));
        text("natural", o->natural), text("about", o->about), text("page", o->page), text("kind", operation_kind(i));
        flag("retry_key", o->retry_key);
        number("calls", o->limit.calls), number("seconds", o->limit.seconds);
        open_list("fields");
        unsigned n;
        const struct operation_field *f = operation_fields(i, &n);
        for (; n > 0; n--, f++) {
            open_entry();
            text("name", f->name), text("place", WORD_OF(places, f->place)), text("type", field_type_word(f->type));
            text("kind", f->kind);
            flag("required", f->required);
            if (f->least != FIELD_NO_BOUND) number("least", (double)f->least);
            if (f->most != FIELD_NO_BOUND) number("most", (double)f->most);
            text_of("words", f->words), text_of("fallback", f->fallback), text_of("header", f->header);
            buf_putc(&out, '}');
        }
        buf_puts(&out, "]}");
    }
    buf_putc(&out, ']');
}

static void put_kinds(void)
{
    static const char *const types[] = {"string", "integer", "number", "boolean", "object", "array", "map"};
    static const char *const rules[] = {
        [RULE_NONE] = "", [RULE_WORDS] = "words", [RULE_SIZE] = "size", [RULE_HTTPS] = "https", [RULE_LINK] = "link",
        [RULE_COLOR] = "color", [RULE_CHARS] = "chars", [RULE_RATIO] = "ratio", [RULE_ANGLE] = "angle",
        [RULE_SHARE] = "share", [RULE_LABEL] = "label",
    };
    unsigned n;
    const struct schema_kind *k = schema_kinds(&n);
    open_list("kinds");
    for (; n > 0; n--, k++) {
        open_entry();
        text("name", k->name), text("about", k->about);
        if (k->most) number("least", k->least), number("most", k->most);
        open_list("variants");
        for (unsigned i = 0; i < k->variants_n; i++) {
            const struct schema_variant *v = &k->variants[i];
            open_entry();
            text("type", v->type), text("kind", v->kind), number("places", v->places);
            buf_putc(&out, '}');
        }
        buf_puts(&out, "]");
        open_list("fields");
        for (unsigned i = 0; i < k->fields_n; i++) {
            const struct schema_field *f = &k->fields[i];
            open_entry();
            text("name", f->name), text("type", WORD_OF(types, f->type)), text("rule", WORD_OF(rules, f->rule));
            flag("graphemes", f->count == COUNT_GRAPHEMES), flag("required", f->required), flag("limited", f->limited);
            number("min", f->min), number("max", f->max), number("units", f->units), number("place", f->place);
            text("words", f->words), text("kind", f->kind), text("about", f->about);
            buf_putc(&out, '}');
        }
        buf_puts(&out, "]}");
    }
    buf_putc(&out, ']');
}

static void put_events(void)
{
    static const struct { const char *type, *field, *subtypes, *sources, *reply, *about; } rows[] = {
#define EVENT(type, field, subtypes, sources, reply, about) {type, field, subtypes, sources, #reply, about},
#include "line/events.def"
#undef EVENT
    };
    open_list("events");
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        open_entry();
        text("type", rows[i].type), text("field", rows[i].field), text("subtypes", rows[i].subtypes);
        text("sources", rows[i].sources), text("reply", rows[i].reply), text("about", rows[i].about);
        buf_putc(&out, '}');
    }
    buf_putc(&out, ']');
}

static void put_answers(void)
{
    static const struct { const char *what, *name, *about, *fields; } rows[] = {
#define OBJECT(name, about, fields) {"object", #name, about, fields},
#define ANSWER(operation, name) {"answer", #operation, #name, ""},
#define EVENT_FIELDS(type, subtype, fields) {"event", #type, #subtype, fields},
#include "line/answers.def"
    };
    open_list("answers");
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        open_entry();
        text("what", rows[i].what), text("name", rows[i].name), text("about", rows[i].about), text("fields", rows[i].fields);
        buf_putc(&out, '}');
    }
    buf_putc(&out, ']');
}

static void put_options(void)
{
    static const char *const types[] = {"string", "integer", "duration", "size", "boolean", "enum"};
    open_list("options");
    for (size_t i = 0; i < option_rows_n; i++) {
        const struct option_row *r = &option_rows[i];
        open_entry();
        text("name", r->name), text("type", WORD_OF(types, r->type)), text("value", r->value), text("choices", r->choices);
        number("least", (double)r->least), number("most", (double)r->most);
        text("commands", r->commands), text("arg", r->arg), text("help", r->help);
        buf_putc(&out, '}');
    }
    buf_putc(&out, ']');
}

int main(void)
{
    buf_putc(&out, '{');
    put_operations();
    put_kinds();
    put_events();
    put_answers();
    put_options();
    buf_puts(&out, "}\n");
    return fwrite(out.data, 1, out.len, stdout) != out.len;
}
