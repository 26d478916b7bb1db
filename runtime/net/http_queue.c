#include "net/http_queue.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

#define IDLE_KEPT 16 /* origins remembered though nothing is under way: a bot that crawls must not make this grow */

/* "https://api.line.me" of "https://api.line.me/v2/…". */
static struct str origin_name(const struct http_call *call)
{
    if (call->unix_socket) return str_of(call->unix_socket);
    const char *host = strstr(call->url, "://");
    host = host ? host + 3 : call->url;
    return (struct str){call->url, (size_t)(host - call->url) + strcspn(host, "/?#")};
}

static struct origin *find(struct http_queue *q, struct str name)
{
    for (struct origin *o = q->origins; o; o = o->next)
        if (str_is(name, o->name)) return o;
    return NULL;
}

struct origin *http_queue_origin(struct http_queue *q, const struct http_call *call)
{
    struct str name = origin_name(call);
    struct origin *o = find(q, name);
    if (o) return o;
    o = mem_zalloc(sizeof *o);
    o->name = mem_strndup(name.p, name.n);
    o->last = &o->first;
    o->next = q->origins;
    q->origins = o;
    q->n++;
    return o;
}

void http_queue_wait(struct origin *o, struct http_call *call)
{
    call->next = NULL;
    *o->last = call;
    o->last = &call->next;
}

static void forget(struct http_queue *q, struct origin *o)
{
    struct origin **at = &q->origins;
    while (*at != o) at = &(*at)->next;
    *at = o->next;
    q->n--;
    free(o->name);
    free(o);
}

struct http_call *http_queue_leave(struct http_queue *q, struct origin *o)
{
    struct http_call *call = o->first;
    o->running--;
    if (call) {
        o->first = call->next;
        if (!o->first) o->last = &o->first;
    } else if (!o->running && q->n > IDLE_KEPT) {
        forget(q, o);
    }
    return call;
}

bool http_queue_cancel(struct http_queue *q, struct http_call *call)
{
    struct origin *o = find(q, origin_name(call));
    for (struct http_call **at = o ? &o->first : NULL; at && *at; at = &(*at)->next) {
        if (*at != call) continue;
        *at = call->next;
        if (o->last == &call->next) o->last = at;
        return true;
    }
    return false;
}

void http_queue_free(struct http_queue *q)
{
    for (struct origin *o = q->origins, *next; o; o = next) {
        next = o->next;
        free(o->name);
        free(o);
    }
    *q = (struct http_queue){0};
}
