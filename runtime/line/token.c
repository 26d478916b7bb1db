#include "line/token.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/err.h"
#include "base/json.h"
#include "base/mem.h"
#include "line/operations.h"

#define TEXT_MAX 8192 /* a token is a few hundred bytes */
#define SHOWN 160     /* bytes of an answer that is no JSON */

int token_form_put(struct buf *out, const char *name, struct str value)
{
    return (out->len && buf_putc(out, '&')) || buf_puts(out, name) || buf_putc(out, '=') || operation_escape(out, value)
               ? ERR_TOOBIG
               : 0;
}

int token_form_stateless(struct buf *out, struct str channel_id, struct str secret)
{
    return token_form_put(out, "grant_type", STR("client_credentials")) || token_form_put(out, "client_id", channel_id) ||
                   token_form_put(out, "client_secret", secret)
               ? ERR_TOOBIG
               : 0;
}

int token_form_asserted(struct buf *out, const struct jwt_key *key, struct str channel_id, int64_t now_s)
{
    struct buf jwt = BUF(TEXT_MAX);
    int r = jwt_assertion(key, channel_id, now_s, TOKEN_LIFE_S, &jwt);
    if (!r && (token_form_put(out, "grant_type", STR("client_credentials")) ||
               token_form_put(out, "client_assertion_type", STR(TOKEN_ASSERTION_TYPE)) ||
               token_form_put(out, "client_assertion", buf_str(&jwt))))
        r = ERR_TOOBIG;
    buf_free(&jwt);
    return r;
}

static char *text_of(struct str raw)
{
    struct buf b = BUF(TEXT_MAX);
    char *r = NULL;
    if (raw.n && raw.p[0] == '"' && json_text(raw, &b) == 0) r = mem_strndup(b.data ? b.data : "", b.len);
    buf_free(&b);
    return r;
}

/* What of the body is worth repeating: error_description, else message, else error, else its first bytes. */
static char *reason(int status, char *const words[3], struct str body)
{
    for (int i = 0; i < 3; i++)
        if (words[i] && *words[i]) return mem_printf("%d %s", status, words[i]);
    if (status == 200) return mem_strdup("200, but no token that can be used"); /* what stands there may be one in part */
    size_t n = body.n < SHOWN ? body.n : SHOWN;
    return mem_printf("%d with an answer that says nothing: %.*s", status, (int)n, n ? body.p : "");
}

void token_answer_read(int status, struct str body, struct token_answer *ret)
{
    static const char *const said[] = {"error_description", "message", "error"};
    char *words[3] = {0};
    struct json j;
    struct str key, raw;
    *ret = (struct token_answer){0};
    json_begin(&j, body.p ? body.p : "", body.n);
    if (json_enter_object(&j) == 0) {
        while (json_next_key(&j, &key) > 0 && json_value(&j, &raw) == 0) {
            if (str_is(key, "access_token") && !ret->token) ret->token = text_of(raw);
            if (str_is(key, "key_id") && !ret->key_id) ret->key_id = text_of(raw);
            if (str_is(key, "expires_in")) {
                char number[24];
                snprintf(number, sizeof number, STR_FMT, STR_ARG(raw));
                ret->expires_in = strtoll(number, NULL, 10);
            }
            for (int i = 0; i < 3; i++)
                if (str_is(key, said[i]) && !words[i]) words[i] = text_of(raw);
        }
    }
    /* A token becomes a line of a request's header: whatever could end that line is no token. */
    bool usable = ret->token && *ret->token && !strpbrk(ret->token, " \r\n\t");
    if (status != 200 || !usable) {
        free(ret->token);
        ret->token = NULL;
        ret->why = reason(status, words, body);
    }
    for (int i = 0; i < 3; i++) free(words[i]);
}

void token_answer_free(struct token_answer *a)
{
    free(a->token);
    free(a->key_id);
    free(a->why);
    *a = (struct token_answer){0};
}
