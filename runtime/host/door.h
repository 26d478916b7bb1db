/* Opening a listener by an option. */
#pragma once
#include <stdbool.h>
#include "net/http_server.h"

struct door {
    const char *option; /* where its address comes from: named when it cannot be had */
    bool next_ports;    /* a port that is taken: take the next free one, and say so on standard output */
};

/* http_server_start, with an error that names the option; what is wrong with a certificate names its own. */
int door_open(const struct door *d, uv_loop_t *loop, const struct http_server_options *how, const struct http_callbacks *cb,
              void *user, struct http_server **ret, char *error, size_t n);
