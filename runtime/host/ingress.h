/* Webhooks in: signature, split, store, 200. */
#pragma once
#include "net/http_server.h"

struct host;
/* The callbacks of the public listener; user is the host. */
extern const struct http_callbacks ingress_callbacks;
