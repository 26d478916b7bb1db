/* One request that is waited for, on a loop of its own: for commands, and for what is done before and after serving. */
#pragma once
#include <stddef.h>
#include "base/buf.h"

struct ask {
    const char *method, *url;
    const char *const *headers; /* NULL-terminated "Name: value" */
    const struct buf *body;     /* NULL: none */
};

/* 0 and what was answered, whatever the status; or ERR_… with one line in error, in which no query stands. */
int ask(const struct ask *q, int *ret_status, struct buf *ret_answer, char *error, size_t n);
