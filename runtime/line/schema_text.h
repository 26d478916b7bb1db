/* The strings of schema.h's fields: how LINE counts them, which grammar they follow, and how a person is told. */
#pragma once
#include "line/schema.h"

/* UTF-16 code units of UTF-8 text: what LINE calls characters. What is not UTF-8 is counted somehow: JSON cannot hold it. */
size_t schema_utf16(struct str s);
/* What people see as one character: grapheme clusters. Where Unicode's versions differ, the smaller number. */
size_t schema_graphemes(struct str s);

/* Characters of s, counted as the field wants. */
size_t schema_length(const struct schema_field *f, struct str s);
/* Whether s follows the field's grammar. */
bool schema_follows(const struct schema_field *f, struct str s);

/* Whether s is within the field's length and grammar. label_most: the limit of a RULE_LABEL by its place; else not used. */
static inline bool schema_fits(const struct schema_field *f, struct str s, unsigned label_most)
{
    size_t most = f->rule == RULE_LABEL ? label_most : f->most;
    /* Every count is at most the bytes: short strings need none. */
    if (s.n < f->least || (s.n > most && schema_length(f, s) > most)) return false;
    return f->rule == RULE_NONE || f->rule == RULE_LABEL || schema_follows(f, s);
}

/* Say in ret what is wrong with an s that does not fit: `"huge" is not one of none, xs … xxl, or a px size`. */
void schema_complaint(const struct schema_field *f, struct str s, unsigned most, char *ret, size_t n);
/* "a string of 1 to 40 characters", "one of a, b, c": what belongs into the field. */
void schema_expected(const struct schema_field *f, unsigned most, char *ret, size_t n);
/* s in quotes for a message: cut to a readable length, control characters as blanks. */
void schema_quote(struct str s, char *ret, size_t n);

/* A date ("date"), time or both by a datetimepicker's mode. Returns a number that grows with it, -1 when s is none. */
int64_t schema_moment(struct str mode, struct str s);
/* The number of s among the words, from 0; -1 when it is none of them. */
int schema_word(const char *words, struct str s);
