/* Looking in from outside: /healthz everywhere, /metrics on --admin and on the control socket, events on the control
 * socket alone (DATA/admin.sock, mode 0600), where `moonline event` asks. One row a route. */
#pragma once
#include <stdbool.h>
#include "base/buf.h"
#include "net/http_server.h"

enum admin_door { ADMIN_PUBLIC = 1, ADMIN_LISTENER = 2, ADMIN_CONTROL = 4 };

struct host;
int admin_begin(struct host *h, struct http_request *r, enum admin_door door);     /* as http_callbacks.begin */
void admin_complete(struct host *h, struct http_request *r, enum admin_door door);
void admin_end(struct host *h, struct http_request *r);
extern const struct http_callbacks admin_listener_callbacks, admin_control_callbacks;
/* Why the host is not healthy, appended to out; false: it is. */
bool admin_unhealthy(const struct host *h, struct buf *out);
