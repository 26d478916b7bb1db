/* Media of a message as a stream: what line.get_message_content returns. The rest of it is every stream's (exchange.h). */
#include "bindings/operation.h"

#define READY_LIMIT_MS 30000 /* a video that LINE still prepares; well inside a handler's default 60 s */

LJMP struct api_call *content_box(lua_State *L)
{
    stream_collect(L);
    luaL_getmetatable(L, STREAM_LINE);
    struct api_call *c = call_object(L);
    stream_made();
    c->x.streaming = true;
    c->x.stream.max = STREAM_ROOM;
    c->ready_limit_ms = READY_LIMIT_MS;
    return c;
}

bool content_sink(struct http_call *h, const char *p, size_t n)
{
    if (h->status == 202) return true; /* not ready: whatever stands there is not the content */
    return stream_sink(h, p, n);
}

bool content_broken(const struct exchange *x)
{
    const struct api_call *c = (const struct api_call *)x;
    return x->finished && (x->overflow || !call_ok(c) || x->http.status == 202 || x->skip);
}

LJMP int content_opened(lua_State *L, int status, lua_KContext ctx)
{
    (void)status;
    (void)ctx;
    struct api_call *c = call_at(L, ARG_BOX);
    if (content_broken(&c->x)) return call_raise(L, c, ARG_WHAT, ARG_WHERE);
    lua_settop(L, ARG_BOX);
    return 1;
}
