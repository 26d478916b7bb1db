/* See schema_text.h. */
#include "line/schema_text.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include "base/utf8.h"

/* ---- counting ---- */

size_t schema_utf16(struct str s)
{
    size_t units = 0;
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        units += ((c & 0xC0) != 0x80) + (c >= 0xF0 && c < 0xF8); /* continuation bytes add nothing, four-byte forms a pair */
    }
    return units;
}

/* The code point at p; its length in *ret_n. A byte that is no UTF-8 stands for itself. */
static uint32_t code_point(const unsigned char *p, size_t n, unsigned *ret_n)
{
    static const unsigned char masks[] = {0, 0x7F, 0x1F, 0x0F, 0x07};
    unsigned length = utf8_length(p, n);
    *ret_n = length ? length : 1;
    if (length <= 1) return p[0];
    uint32_t c = p[0] & masks[length];
    for (unsigned i = 1; i < length; i++) c = c << 6 | (p[i] & 0x3F);
    return c;
}

struct range {
    uint32_t first, last;
};

static int range_cmp(const void *key, const void *entry)
{
    uint32_t c = *(const uint32_t *)key;
    const struct range *r = entry;
    return c < r->first ? -1 : c > r->last;
}

static bool is_mark(uint32_t c)
{
    static const struct range marks[] = {
#define R(a, b) {a, b},
#include "line/schema_marks.def"
#undef R
    };
    return c >= 0x300 && bsearch(&c, marks, sizeof marks / sizeof *marks, sizeof *marks, range_cmp);
}

static bool is_flag(uint32_t c) { return c >= 0x1F1E6 && c <= 0x1F1FF; }
static bool is_hangul(uint32_t c) { return (c >= 0x1100 && c <= 0x11FF) || (c >= 0xA960 && c <= 0xA97C) || (c >= 0xAC00 && c <= 0xD7FB); }
static bool is_lead(uint32_t c) { return (c >= 0x1100 && c <= 0x115F) || (c >= 0xA960 && c <= 0xA97C); }

/* Whether c goes on with the cluster that ends in before. flags: how many regional indicators stand before c. */
static bool joins(uint32_t before, uint32_t c, unsigned flags)
{
    if (before == '\r' && c == '\n') return true;
    if (before < 0x20 || before == 0x7F) return false;
    if (is_mark(c)) return true;
    if (before == 0x200D) return c >= 0x2000; /* emoji joined by ZWJ */
    if (is_flag(c)) return is_flag(before) && flags % 2 == 1;
    if (!is_hangul(before)) return false;
    /* Vowels and finals always go on; leads and syllables only behind a lead. */
    return (c >= 0x1160 && c <= 0x11FF) || (c >= 0xD7B0 && c <= 0xD7FB) ||
           (is_lead(before) && (is_lead(c) || (c >= 0xAC00 && c <= 0xD7A3)));
}

size_t schema_graphemes(struct str s)
{
    const unsigned char *p = (const unsigned char *)s.p, *end = p + s.n;
    size_t count = 0;
    uint32_t before = 0;
    unsigned flags = 0, length;
    for (; p < end; p += length) {
        uint32_t c = code_point(p, (size_t)(end - p), &length);
        if (!count || !joins(before, c, flags)) count++;
        flags = is_flag(c) ? flags + 1 : 0;
        before = c;
    }
    return count;
}

size_t schema_length(const struct schema_field *f, struct str s)
{
    return f->count == COUNT_GRAPHEMES ? schema_graphemes(s) : schema_utf16(s);
}

/* ---- grammars ---- */

int schema_word(const char *words, struct str s)
{
    int number = 0;
    for (const char *p = words; *p; number++) {
        size_t i = 0;
        while (i < s.n && p[i] && p[i] != ' ' && p[i] == s.p[i]) i++;
        if (i == s.n && i > 0 && (p[i] == ' ' || !p[i])) return number;
        for (p += i; *p && *p != ' '; p++) {}
        p += *p == ' ';
    }
    return -1;
}

/* Is s one of the field's words? */
static bool is_word(const struct schema_field *f, struct str s)
{
    unsigned at = s.n ? f->word_at[schema_word_slot(s.p, s.n)] : 0;
    if (at) {
        const char *word = f->words + at - 1;
        size_t i = 0;
        while (i < s.n && word[i] == s.p[i] && word[i] != ' ' && word[i]) i++;
        if (i == s.n && (word[i] == ' ' || !word[i])) return true;
    }
    return schema_word(f->words, s) >= 0;
}

/* Read digits with an optional decimal part; what follows them is left in *rest. */
static bool number_of(struct str s, bool sign, double *ret, struct str *rest)
{
    size_t i = sign && s.n && (s.p[0] == '-' || s.p[0] == '+'), digits = 0;
    double value = 0, unit = 1;
    for (; i < s.n && s.p[i] >= '0' && s.p[i] <= '9'; i++, digits++) value = value * 10 + (s.p[i] - '0');
    if (i < s.n && s.p[i] == '.')
        for (i++; i < s.n && s.p[i] >= '0' && s.p[i] <= '9'; i++, digits++) value += (s.p[i] - '0') * (unit /= 10);
    *ret = value;
    *rest = (struct str){s.p + i, s.n - i};
    return digits > 0;
}

static bool is_size(const struct schema_field *f, struct str s)
{
    struct str rest;
    double value;
    if (!number_of(s, f->units & UNIT_SIGNED, &value, &rest)) return false;
    return ((f->units & UNIT_PX) && str_is(rest, "px")) || ((f->units & UNIT_PERCENT) && str_is(rest, "%"));
}

static bool is_ratio(struct str s)
{
    struct str rest, end;
    double w, h;
    if (!number_of(s, false, &w, &rest) || rest.n < 2 || rest.p[0] != ':') return false;
    if (!number_of((struct str){rest.p + 1, rest.n - 1}, false, &h, &end) || end.n) return false;
    return w >= 1 && w <= 100000 && h >= 1 && h <= 100000 && h <= 3 * w;
}

static bool is_color(struct str s)
{
    if ((s.n != 7 && s.n != 9) || s.p[0] != '#') return false;
    for (size_t i = 1; i < s.n; i++) {
        char c = s.p[i];
        if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'))) return false;
    }
    return true;
}

static bool has_chars(const char *more, struct str s)
{
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        if (!plain && !(c && strchr(more, c))) return false;
    }
    return true;
}

/* Characters that a URL holds only as %XX. Beyond ASCII the platform is not known to refuse any. */
static const unsigned char not_in_url[256] = {
    [0 ... 0x20] = 1, ['"'] = 1, ['<'] = 1, ['>'] = 1, ['\\'] = 1, ['^'] = 1, ['`'] = 1, ['{'] = 1, ['|'] = 1, ['}'] = 1, [0x7F] = 1,
};

static size_t url_flaw(struct str s)
{
    size_t i = 0;
    while (i < s.n && !not_in_url[(unsigned char)s.p[i]]) i++;
    return i;
}

static bool scheme_is(struct str s, const char *scheme)
{
    size_t n = strlen(scheme);
    return s.n > n && strncasecmp(s.p, scheme, n) == 0;
}

static bool is_link(const struct schema_field *f, struct str s)
{
    return scheme_is(s, "https://") || (f->rule == RULE_LINK && (scheme_is(s, "http://") || scheme_is(s, "line:") || scheme_is(s, "tel:")));
}

static bool in_range(struct str s, const char *unit, double least, double below)
{
    struct str rest;
    double value;
    return number_of(s, false, &value, &rest) && str_is(rest, unit) && value >= least && value < below;
}

bool schema_follows(const struct schema_field *f, struct str s)
{
    switch (f->rule) {
    case RULE_NONE:
    case RULE_LABEL: return true;
    case RULE_WORDS: return is_word(f, s);
    case RULE_SIZE: return is_word(f, s) || is_size(f, s);
    case RULE_HTTPS:
    case RULE_LINK: return is_link(f, s) && url_flaw(s) == s.n;
    case RULE_COLOR: return is_color(s);
    case RULE_CHARS: return has_chars(f->words, s);
    case RULE_RATIO: return is_ratio(s);
    case RULE_ANGLE: return in_range(s, "deg", 0, 360);
    case RULE_SHARE: return in_range(s, "%", 0, 100.0000001);
    }
    return true;
}

/* The limits of a string: of its own, or of a label by its place. False: there are none. */
static bool limits(const struct schema_field *f, unsigned label_most, size_t *least, size_t *most)
{
    bool label = f->rule == RULE_LABEL;
    *least = label ? 0 : f->least;
    *most = label ? label_most : f->most;
    return *most != SIZE_MAX;
}

/* ---- messages ---- */

struct out {
    char *p;
    size_t n, used;
};

static size_t room_in(const struct out *o) { return o->used < o->n ? o->n - o->used : 0; }

static void said(struct out *o, int m)
{
    if (m > 0) o->used += (size_t)m;
}

/* Append, as far as there is room. */
#define say(o, ...) said((o), snprintf((o)->p + ((o)->n - room_in(o)), room_in(o), __VA_ARGS__))

#define QUOTED 60 /* bytes of a value that a message repeats */

void schema_quote(struct str s, char *ret, size_t n)
{
    struct out o = {ret, n, 0};
    const unsigned char *p = (const unsigned char *)s.p;
    size_t i = 0;
    say(&o, "\"");
    while (i < s.n && i < QUOTED) {
        unsigned length = utf8_length(p + i, s.n - i);
        if (!length || p[i] < 0x20 || p[i] == 0x7F) say(&o, "%s", length ? " " : UTF8_REPLACEMENT);
        else say(&o, "%.*s", (int)length, s.p + i);
        i += length ? length : 1;
    }
    say(&o, i < s.n ? "…\"" : "\"");
}

/* Few words one by one, many as "none, xs … xxl". */
static void say_words(struct out *o, const char *words)
{
    unsigned n = *words ? 1 : 0, i = 0;
    for (const char *p = words; *p; p++) n += *p == ' ';
    for (const char *p = words; *p; i++) {
        size_t m = strcspn(p, " ");
        bool shown = n <= 6 || i < 2 || i == n - 1;
        if (shown) say(o, "%s%.*s", i == 0 ? "" : n > 6 && i == n - 1 ? " … " : ", ", (int)m, p);
        p += m;
        p += *p == ' ';
    }
}

static const char *unit_text(const struct schema_field *f)
{
    bool percent = f->units & UNIT_PERCENT;
    return *f->words ? (percent ? ", or a size in px or %" : ", or a px size") : (percent ? "a size in px or %" : "a px size");
}

/* What the grammar allows, in a form that follows both "must be" and "is not". */
static void say_rule(struct out *o, const struct schema_field *f)
{
    switch (f->rule) {
    case RULE_NONE:
    case RULE_LABEL: say(o, "a string"); break;
    case RULE_WORDS:
    case RULE_SIZE:
        if (*f->words) say(o, strchr(f->words, ' ') ? "one of " : "");
        say_words(o, f->words);
        if (f->rule == RULE_SIZE) say(o, "%s", unit_text(f));
        break;
    case RULE_HTTPS: say(o, "an https URL"); break;
    case RULE_LINK: say(o, "an http, https, line or tel URL"); break;
    case RULE_COLOR: say(o, "a color such as #RRGGBB or #RRGGBBAA"); break;
    case RULE_CHARS: say(o, "made of letters, digits and %s", f->words); break;
    case RULE_RATIO: say(o, "a ratio width:height, each 1 to 100000 and at most three times as high as wide"); break;
    case RULE_ANGLE: say(o, "an angle from 0deg to below 360deg"); break;
    case RULE_SHARE: say(o, "a share from 0%% to 100%%"); break;
    }
}

static void say_most(struct out *o, const struct schema_field *f, size_t most)
{
    say(o, "%zu%s", most, f->count == COUNT_GRAPHEMES ? "" : " (counted in UTF-16 code units)");
}

void schema_complaint(const struct schema_field *f, struct str s, unsigned label_most, char *ret, size_t n)
{
    struct out o = {ret, n, 0};
    size_t least, most;
    char quoted[QUOTED + 16];
    if (limits(f, label_most, &least, &most)) {
        if (s.n < least) return say(&o, "is empty; it must be "), schema_expected(f, label_most, ret + o.used, n - o.used);
        if (s.n > most && schema_length(f, s) > most) {
            say(&o, "is %zu characters long, the most is ", schema_length(f, s));
            return say_most(&o, f, most);
        }
    }
    schema_quote(s, quoted, sizeof quoted);
    if ((f->rule == RULE_HTTPS || f->rule == RULE_LINK) && is_link(f, s)) {
        size_t at = url_flaw(s);
        return say(&o, "%s holds a %s at position %zu, which a URL holds only percent-encoded (%%%02X)", quoted,
                   s.p[at] == ' ' ? "blank" : "character", at + 1, (unsigned char)s.p[at]);
    }
    say(&o, "%s is not ", quoted);
    say_rule(&o, f);
}

void schema_expected(const struct schema_field *f, unsigned label_most, char *ret, size_t n)
{
    struct out o = {ret, n, 0};
    size_t least, most;
    switch (f->type) {
    case SCHEMA_STRING: break;
    case SCHEMA_INTEGER:
    case SCHEMA_NUMBER: {
        const char *what = f->type == SCHEMA_INTEGER ? "an integer" : "a number";
        if (!f->limited) say(&o, "%s", what);
        else if (f->min == f->max) say(&o, "%.0f", f->min);
        else if (f->max >= 2147483647) say(&o, "%s of at least %.0f", what, f->min);
        else say(&o, "%s from %.0f to %.0f", what, f->min, f->max);
        return;
    }
    case SCHEMA_BOOLEAN: return say(&o, "true or false");
    case SCHEMA_OBJECT:
    case SCHEMA_MAP: return say(&o, "a table: %s", f->about);
    case SCHEMA_ARRAY:
        if (f->limited && f->min == f->max) return say(&o, "a list of %.0f", f->max);
        if (f->limited) return say(&o, "a list of %.0f to %.0f", f->min, f->max);
        return say(&o, "a list");
    }
    if (f->rule != RULE_NONE && f->rule != RULE_LABEL) return say_rule(&o, f);
    if (!limits(f, label_most, &least, &most)) return say(&o, "a string");
    say(&o, "a string of ");
    if (least) say(&o, "%zu to ", least);
    else say(&o, "at most ");
    say(&o, "%zu characters", most);
}

/* ---- dates ---- */

/* Two digits at s[i], within least and most; -1 when they are not. */
static int two(struct str s, size_t i, int least, int most)
{
    if (i + 2 > s.n || s.p[i] < '0' || s.p[i] > '9' || s.p[i + 1] < '0' || s.p[i + 1] > '9') return -1;
    int value = (s.p[i] - '0') * 10 + (s.p[i + 1] - '0');
    return value < least || value > most ? -1 : value;
}

static int64_t date_of(struct str s)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    int century = two(s, 0, 19, 21), years = two(s, 2, 0, 99), month = two(s, 5, 1, 12), day = two(s, 8, 1, 31);
    if (s.n != 10 || s.p[4] != '-' || s.p[7] != '-' || century < 0 || years < 0 || month < 0 || day < 0) return -1;
    int year = century * 100 + years;
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    if (year > 2100 || day > days[month - 1] + (month == 2 && leap)) return -1;
    return (int64_t)year * 10000 + month * 100 + day;
}

static int64_t time_of(struct str s)
{
    int hour = two(s, 0, 0, 23), minute = two(s, 3, 0, 59);
    return s.n != 5 || s.p[2] != ':' || hour < 0 || minute < 0 ? -1 : hour * 100 + minute;
}

int64_t schema_moment(struct str mode, struct str s)
{
    if (str_is(mode, "date")) return date_of(s);
    if (str_is(mode, "time")) return time_of(s);
    if (s.n != 16 || (s.p[10] != 'T' && s.p[10] != 't')) return -1;
    int64_t date = date_of((struct str){s.p, 10}), time = time_of((struct str){s.p + 11, 5});
    return date < 0 || time < 0 ? -1 : date * 10000 + time;
}
