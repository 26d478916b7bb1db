/* The requests for tokens, and how a command waits for one. See token.h. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/mem.h"
#include "host/token.h"
#include "net/http_client.h"

#define ANSWER_MAX 65536
#define FORM_MAX 16384

/* The n-th secret of the list, counted round. */
static struct str secret_of(const struct credentials *c, size_t n)
{
    struct str all[LIMIT_SECRETS];
    size_t found = 0;
    const char *at = c->secrets;
    while (found < LIMIT_SECRETS && (all[found] = credentials_next_secret(&at)).p) found++;
    return found ? all[n % found] : (struct str){"", 0};
}

int token_request(const struct credentials *c, size_t secret, struct buf *form, char **ret_url)
{
    struct str id = str_of(c->channel_id);
    bool asserted = c->assertion_key != NULL;
    int r = asserted ? token_form_asserted(form, c->assertion_key, id, clock_wall_ms() / 1000)
                     : token_form_stateless(form, id, secret_of(c, secret));
    if (!r) *ret_url = mem_printf("%s%s", c->api_base, asserted ? TOKEN_ISSUE_ASSERTED : TOKEN_ISSUE_STATELESS);
    return r;
}

static void done(struct http_call *call) { uv_stop(call->user); }
static void nothing(void *user) { (void)user; }

int token_ask(const char *method, const char *url, const struct buf *form, int *ret_status, struct buf *ret_answer,
              char *error, size_t n)
{
    uv_loop_t loop;
    const char *const headers[] = {form ? TOKEN_FORM : NULL, NULL};
    uv_loop_init(&loop);
    struct http_client *client = http_client_new(&loop, &(struct http_client_options){.user_agent = "moonline"});
    struct http_call call = {.method = method, .url = url, .headers = headers, .body = form ? form->data : NULL,
                             .body_len = form ? form->len : 0, .max_answer = ANSWER_MAX, .done = done, .user = &loop};
    http_client_start(client, &call);
    uv_run(&loop, UV_RUN_DEFAULT);
    int r = call.result;
    if (r == 0) {
        *ret_status = call.status;
        buf_append(ret_answer, call.answer.len ? call.answer.data : "", call.answer.len);
    } else {
        /* Without the query, in which a token or an assertion may stand. */
        snprintf(error, n, "%.*s: %s", (int)strcspn(url, "?"), url, call.error ? call.error : err_text(r));
    }
    http_call_free(&call);
    http_client_close(client, nothing, NULL);
    uv_run(&loop, UV_RUN_DEFAULT);
    uv_loop_close(&loop);
    return r;
}

int token_issue(const struct credentials *c, struct token_answer *ret, char *error, size_t n)
{
    struct buf form = BUF(FORM_MAX), answer = BUF(ANSWER_MAX);
    size_t secrets = 0;
    *ret = (struct token_answer){0};
    if (!c->assertion_key)
        for (const char *at = c->secrets; credentials_next_secret(&at).p;) secrets++;
    /* Of several secrets one is the current one; the others are refused. */
    for (size_t i = 0; i < (secrets ? secrets : 1) && !ret->token; i++) {
        char *url = NULL;
        int status, r;
        buf_clear(&form);
        buf_clear(&answer);
        if (token_request(c, i, &form, &url)) {
            snprintf(error, n, "the assertion could not be signed with LINE_ASSERTION_KEY");
            break;
        }
        r = token_ask("POST", url, &form, &status, &answer, error, n);
        free(url);
        if (r) break;
        token_answer_free(ret);
        token_answer_read(status, buf_str(&answer), ret);
        if (!ret->token) snprintf(error, n, "%s", ret->why);
    }
    if (ret->token) log_secret(str_of(ret->token));
    buf_free(&form);
    buf_free(&answer);
    return ret->token ? 0 : ERR_IO;
}
