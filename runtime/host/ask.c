#include "host/ask.h"

#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "net/http_client.h"

#define ANSWER_MAX 65536

static void done(struct http_call *call) { uv_stop(call->user); }
static void nothing(void *user) { (void)user; }

int ask(const struct ask *q, int *ret_status, struct buf *ret_answer, char *error, size_t n)
{
    uv_loop_t loop;
    uv_loop_init(&loop);
    struct http_client *client = http_client_new(&loop, &(struct http_client_options){.user_agent = "moonline"});
    struct http_call call = {.method = q->method, .url = q->url, .headers = q->headers, .body = q->body ? q->body->data : NULL,
                             .body_len = q->body ? q->body->len : 0, .max_answer = ANSWER_MAX, .done = done, .user = &loop};
    http_client_start(client, &call);
    uv_run(&loop, UV_RUN_DEFAULT);
    int r = call.result;
    if (r == 0) {
        *ret_status = call.status;
        buf_append(ret_answer, call.answer.len ? call.answer.data : "", call.answer.len);
    } else {
        /* Without the query, in which a token or an assertion may stand. */
        snprintf(error, n, "%.*s: %s", (int)strcspn(q->url, "?"), q->url, call.error ? call.error : err_text(r));
    }
    http_call_free(&call);
    http_client_close(client, nothing, NULL);
    uv_run(&loop, UV_RUN_DEFAULT);
    uv_loop_close(&loop);
    return r;
}
