/* Log lines on standard error: short coloured lines for a terminal, one JSON object a line elsewhere (--log).
 *
 *     LOG(INFO, "event done", F_STR("event", id), F_INT("ms", 12));
 *
 * Only host/, cli/ and bindings/ log; base, net, line and store return errors. A line is one write(2), cut at
 * LIMIT_LOG_LINE, so lines of several processes never mix. Registered secrets never come out, wherever they stand. */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include "base/str.h"

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR };

struct log_field {
    const char *key;
    enum { LOG_FIELD_STR, LOG_FIELD_INT, LOG_FIELD_NUM } kind;
    struct str s;   /* borrowed for the call; a NULL p leaves the field out */
    int64_t i;
    double d;
};

#define F_STR(k, cstr) {(k), LOG_FIELD_STR, str_of(cstr), 0, 0}
#define F_VIEW(k, view) {(k), LOG_FIELD_STR, (view), 0, 0}
#define F_INT(k, v) {(k), LOG_FIELD_INT, {0, 0}, (int64_t)(v), 0}
#define F_NUM(k, v) {(k), LOG_FIELD_NUM, {0, 0}, 0, (v)}  /* three decimals */

#define LOG(level, message, ...)                                                                                       \
    do {                                                                                                               \
        if (log_enabled(LOG_##level)) {                                                                                \
            const struct log_field log_fields_[] = {{"", LOG_FIELD_STR, {0, 0}, 0, 0}, ##__VA_ARGS__};                 \
            log_write(LOG_##level, (message), log_fields_ + 1, sizeof log_fields_ / sizeof *log_fields_ - 1);          \
        }                                                                                                              \
    } while (0)

enum log_format { LOG_AUTO, LOG_JSON, LOG_TEXT }; /* AUTO: text when standard error is a terminal, else JSON */

void log_init(enum log_format format, enum log_level least);
bool log_enabled(enum log_level level);
void log_write(enum log_level level, const char *message, const struct log_field *fields, size_t n);

/* From now on every occurrence of these bytes in any line comes out as "[secret]". Copies. Shorter than 6 bytes is
 * ignored (it would blot out ordinary words). */
void log_secret(struct str secret);
/* The same masking for text that leaves by another way (standard output, an HTTP answer). In place; returns new length. */
size_t log_mask(char *text, size_t n);
