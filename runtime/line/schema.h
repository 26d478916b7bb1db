/* What LINE's JSON objects look like: kinds (a text message, a Flex box, a rich menu) with their fields, types and
 * documented limits, as tables from schema.def. Pure data and text; walking a script's values is bindings/check.c's.
 *
 * An object kind has fields. A union kind ("message", "action", "component") has variants: the object's own `type` says
 * which object kind it is. What depends on the place rather than on the kind (a label is required on a Flex button, and
 * not on a Flex image) goes by the place bits of the field that holds the object. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include "base/str.h"

enum schema_type {
    SCHEMA_STRING,
    SCHEMA_INTEGER,
    SCHEMA_NUMBER,
    SCHEMA_BOOLEAN,
    SCHEMA_OBJECT, /* of `kind` */
    SCHEMA_ARRAY,  /* of objects of `kind`; without one of strings, for which rule and words hold */
    SCHEMA_MAP,    /* values of `kind` under names of the script's own */
};

/* The grammar of a string, beyond its length. */
enum schema_rule {
    RULE_NONE,
    RULE_WORDS, /* one of `words` */
    RULE_SIZE,  /* one of `words`, or a number with a unit of `units` */
    RULE_HTTPS, /* an https URL */
    RULE_LINK,  /* a URL that a tap opens: http, https, line or tel */
    RULE_COLOR, /* #RRGGBB or #RRGGBBAA */
    RULE_CHARS, /* letters, digits and the characters of `words` */
    RULE_RATIO, /* width:height, 1 to 100000 each, at most three times as high as wide */
    RULE_ANGLE, /* 0deg up to but not 360deg */
    RULE_SHARE, /* 0% to 100% */
    RULE_LABEL, /* of an action: need and length by the place */
};

/* UNIT_SIGNED: the number may be negative. */
enum schema_unit { UNIT_PX = 1, UNIT_PERCENT = 2, UNIT_SIGNED = 4 };
/* How LINE counts a string's characters: nearly everywhere UTF-16 code units, in some places what people see as one. */
enum schema_count { COUNT_UTF16, COUNT_GRAPHEMES };

/* Where an action or a component stands. */
enum schema_place {
    PLACE_TEMPLATE = 1,
    PLACE_DEFAULT = 2, /* a template's defaultAction */
    PLACE_IMAGE_CAROUSEL = 4,
    PLACE_QUICK_REPLY = 8,
    PLACE_FLEX_BUTTON = 16,
    PLACE_FLEX = 32,
    PLACE_FLEX_VIDEO = 64,
    PLACE_RICH_MENU = 128,
    PLACE_TAPS = 255 & ~64,
    PLACE_BOX = 256,          /* in a horizontal or vertical box */
    PLACE_BASELINE = 512,     /* in a baseline box */
    PLACE_HERO = 1024,        /* a bubble's hero */
    PLACE_BLOCK = 2048,       /* another block of a bubble */
    PLACE_ALTERNATIVE = 4096, /* what stands in for a video */
    PLACE_BOXES = 256 | 1024 | 2048 | 4096,
    PLACE_INSIDE = 256 | 512,
    PLACE_IMAGES = 256 | 1024 | 4096,
    PLACE_ANY = 8191,
    PLACE_TEXT = 8192, /* in a text, which takes nothing else */
};

/* What no single field can say; bindings/check_rules.c has a function for each. */
enum schema_check {
    CHECK_none,
    CHECK_box,
    CHECK_text,
    CHECK_text_v2,
    CHECK_buttons,
    CHECK_column,
    CHECK_carousel,
    CHECK_bubble,
    CHECK_flex_carousel,
    CHECK_flex,
    CHECK_flex_text,
    CHECK_flex_image,
    CHECK_postback,
    CHECK_datetimepicker,
    CHECK_sender,
    CHECK_rich_menu,
    CHECK_batch,
    CHECK_operator,
    CHECK_range,
    CHECK_one_filter,
    CHECK_filter,
    CHECK_one_recipient,
    CHECK_recipients,
    CHECK_limit,
    CHECK_coupon,
    CHECK_lottery,
    CHECK_COUNT
};

struct schema_kind;

#define SCHEMA_WORDS 16u /* slots of a field's index of words */

struct schema_field {
    const char *name;
    enum schema_type type;
    enum schema_rule rule;
    enum schema_count count;
    bool required;
    bool limited;      /* min and max hold: characters of a string, entries of an array, or the number itself */
    double min, max;
    unsigned units;    /* of a RULE_SIZE: enum schema_unit */
    unsigned place;    /* enum schema_place of the object here; 0: the place does not matter */
    const char *words; /* space-separated; of a RULE_CHARS a set of characters */
    const char *kind;
    const char *about; /* for references and editors */
    const struct schema_kind *of; /* kind, looked up */
    uint8_t n;                    /* length of name */
    size_t least, most;           /* characters of a string; 0 and SIZE_MAX: any */
    uint8_t word_at[SCHEMA_WORDS]; /* schema_word_slot of a word → its position in words + 1; most words have theirs */
};

struct schema_variant {
    const char *type, *kind;
    unsigned places; /* where it may stand */
    const struct schema_kind *of;
    uint8_t n; /* length of type */
};

#define SCHEMA_SLOTS 128u /* of a kind's index: a power of two, well above the number of its fields */
#define SCHEMA_FIELDS 63  /* of a kind at most: which of them a table has fits one word */

struct schema_kind {
    const char *name, *about;
    struct schema_field *fields;
    unsigned fields_n;
    struct schema_variant *variants; /* of a union; NULL for an object */
    unsigned variants_n;
    const char *elsewhere;         /* of a union: types of other unions that are surely a mistake here, space-separated */
    enum schema_check check;
    unsigned least, most;          /* entries of a list of this kind, where that is a body's own ("message[]"); 0: any */
    uint64_t required;             /* bit i: field i */
    uint8_t label;                 /* number + 1 of the field that is a RULE_LABEL; 0: none */
    uint8_t index[SCHEMA_SLOTS];   /* hash of a field's name, or of a variant's type → its number + 1 */
};

/* By name; NULL when there is none. The first call makes the indexes. */
const struct schema_kind *schema_find(struct str name);
/* All kinds, for references and editor types. */
const struct schema_kind *schema_kinds(unsigned *ret_n);

/* Every field of every message is looked up, so this is here, for the compiler to see whole. Length, first, middle and last
 * byte tell nearly all names of one kind apart; the rest takes the next free slot. n > 0. */
static inline unsigned schema_slot(const char *name, size_t n)
{
    const unsigned char *p = (const unsigned char *)name;
    return ((unsigned)n * 5u + p[0] + p[n - 1] * 3u + p[n / 2] * 7u) & (SCHEMA_SLOTS - 1);
}

static inline unsigned schema_word_slot(const char *word, size_t n)
{
    return ((unsigned)n + (unsigned char)word[0] * 3u + (unsigned char)word[n - 1] * 5u) & (SCHEMA_WORDS - 1);
}

/* As memcmp(a, b, n) == 0, of two short texts: a call costs more than they do. */
static inline bool schema_same(const char *a, const char *b, size_t n)
{
    uint64_t x, y;
    uint32_t s, t;
    if (n >= sizeof x) {
        for (size_t i = 0; i + sizeof x <= n; i += sizeof x) {
            memcpy(&x, a + i, sizeof x);
            memcpy(&y, b + i, sizeof y);
            if (x != y) return false;
        }
        memcpy(&x, a + n - sizeof x, sizeof x);
        memcpy(&y, b + n - sizeof y, sizeof y);
        return x == y;
    }
    if (n >= sizeof s) {
        memcpy(&s, a, sizeof s);
        memcpy(&t, b, sizeof t);
        if (s != t) return false;
        memcpy(&s, a + n - sizeof s, sizeof s);
        memcpy(&t, b + n - sizeof t, sizeof t);
        return s == t;
    }
    for (size_t i = 0; i < n; i++)
        if (a[i] != b[i]) return false;
    return true;
}

/* Number of the field with this name, -1 when the kind has none. */
static inline int schema_field(const struct schema_kind *k, const char *name, size_t n)
{
    if (n == 0) return -1;
    for (unsigned slot = schema_slot(name, n); k->index[slot]; slot = (slot + 1) & (SCHEMA_SLOTS - 1)) {
        const struct schema_field *f = &k->fields[k->index[slot] - 1];
        if (f->n == n && schema_same(f->name, name, n)) return k->index[slot] - 1;
    }
    return -1;
}

/* The variant of a union for a type; NULL when LINE has none that we know. */
static inline const struct schema_variant *schema_variant(const struct schema_kind *k, const char *type, size_t n)
{
    if (n == 0) return NULL;
    for (unsigned slot = schema_slot(type, n); k->index[slot]; slot = (slot + 1) & (SCHEMA_SLOTS - 1)) {
        const struct schema_variant *v = &k->variants[k->index[slot] - 1];
        if (v->n == n && schema_same(v->type, type, n)) return v;
    }
    return NULL;
}

/* The documented need and length of an action's label at a place (one bit of enum schema_place). */
struct schema_label {
    bool required;
    unsigned most;
};
struct schema_label schema_label(unsigned place);
