/* The requests for tokens, and how a command waits for one. See token.h. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/mem.h"
#include "host/ask.h"
#include "host/token.h"

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

int token_ask(const char *method, const char *url, const struct buf *form, int *ret_status, struct buf *ret_answer,
              char *error, size_t n)
{
    const char *const headers[] = {form ? TOKEN_FORM : NULL, NULL};
    return ask(&(struct ask){method, url, headers, form}, ret_status, ret_answer, error, n);
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
