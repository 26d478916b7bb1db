/* `moonline token`: channel access tokens from the command line. A token is never an argument, where every user of the
 * machine could read it: it comes from the credentials or from standard input. */
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/json.h"
#include "base/mem.h"
#include "cli/command.h"
#include "cli/json_member.h"
#include "host/credentials.h"
#include "host/token.h"
#include "line/operations.h"

#define TEXT_MAX 16384

static int fail(const char *what, const char *why)
{
    fprintf(stderr, "moonline token %s: %s\n", what, why);
    return EXIT_FAILED;
}

/* What LINE said in refusing, on one line. */
static int refused(const char *what, int status, struct str body)
{
    struct token_answer a;
    token_answer_read(status == 200 ? 0 : status, body, &a);
    int r = fail(what, a.why ? a.why : "refused");
    token_answer_free(&a);
    return r;
}

static int issue(const struct options *o, const struct credentials *c)
{
    struct token_answer a;
    char error[512];
    if (!*c->channel_id)
        return fail("issue", "LINE_CHANNEL_ID is not set; a long-lived token is issued on the channel's page of the console");
    if (!*c->secrets && !c->assertion_key)
        return fail("issue", "LINE_CHANNEL_SECRET is not set, nor LINE_ASSERTION_KEY; a token is issued with one of them");
    if (token_issue(c, &a, error, sizeof error)) {
        token_answer_free(&a);
        return fail("issue", error);
    }
    if (o->json) {
        struct buf out = BUF(TEXT_MAX);
        buf_puts(&out, "{\"access_token\":");
        json_put(&out, str_of(a.token));
        buf_printf(&out, ",\"expires_in\":%" PRId64, a.expires_in);
        if (a.key_id) buf_puts(&out, ",\"key_id\":"), json_put(&out, str_of(a.key_id));
        buf_putc(&out, '}');
        printf("%s\n", out.data);
        buf_free(&out);
    } else {
        printf("%s\n", a.token); /* alone on standard output, so that it can be handed on */
        fprintf(stderr, "moonline token issue: %s, expires in %" PRId64 " s%s%s\n", a.key_id ? "v2.1" : "stateless", a.expires_in,
                a.key_id ? ", key id " : "", a.key_id ? a.key_id : "");
    }
    token_answer_free(&a);
    return EXIT_DONE;
}

/* The token that is meant: the credentials', else the first line of standard input. NULL: none. */
static char *given(const struct credentials *c)
{
    char line[TEXT_MAX];
    if (*c->token) return mem_strdup(c->token);
    if (!fgets(line, sizeof line, stdin)) return NULL;
    line[strcspn(line, " \r\n\t")] = 0;
    return *line ? mem_strdup(line) : NULL;
}

/* v2.1 first; LINE answers 400 there to a long-lived or short-lived one, which the older door knows. */
static int verify(const struct options *o, const struct credentials *c)
{
    struct buf url = BUF(TEXT_MAX), form = BUF(TEXT_MAX), answer = BUF(TEXT_MAX);
    char error[512];
    int status = 0, r;
    auto_free char *token = given(c);
    if (!token) return fail("verify", "which? set LINE_CHANNEL_ACCESS_TOKEN, or write the token to standard input");
    buf_printf(&url, "%s/oauth2/v2.1/verify?", c->api_base);
    buf_puts(&url, "access_token=");
    operation_escape(&url, str_of(token));
    r = token_ask("GET", url.data, NULL, &status, &answer, error, sizeof error);
    if (!r && status == 400) {
        buf_clear(&url), buf_clear(&answer);
        buf_printf(&url, "%s/v2/oauth/verify", c->api_base);
        token_form_put(&form, "access_token", str_of(token));
        r = token_ask("POST", url.data, &form, &status, &answer, error, sizeof error);
    }
    int result = r ? fail("verify", error) : status != 200 ? refused("verify", status, buf_str(&answer)) : EXIT_DONE;
    if (!result && o->json) {
        printf(STR_FMT "\n", STR_ARG(buf_str(&answer)));
    } else if (!result) {
        auto_free char *id = json_member(buf_str(&answer), "client_id"), *life = json_member(buf_str(&answer), "expires_in");
        printf("valid: channel %s, expires in %s s\n", id, life);
    }
    buf_free(&url), buf_free(&form), buf_free(&answer);
    return result;
}

/* Both doors answer 200 to a token they do not know, so both are knocked at as far as the credentials allow. */
static int make_worthless(const struct options *o, const struct credentials *c)
{
    struct buf form = BUF(TEXT_MAX), answer = BUF(TEXT_MAX);
    char error[512];
    int status = 0, result = EXIT_DONE;
    const char *secrets = c->secrets;
    auto_free char *token = given(c);
    if (!token) return fail("revoke", "which? set LINE_CHANNEL_ACCESS_TOKEN, or write the token to standard input");
    for (int v21 = *c->channel_id && *secrets ? 1 : 0; v21 >= 0 && result == EXIT_DONE; v21--) {
        auto_free char *url = mem_printf("%s%s", c->api_base, v21 ? "/oauth2/v2.1/revoke" : "/v2/oauth/revoke");
        buf_clear(&form), buf_clear(&answer);
        if (v21) {
            token_form_put(&form, "client_id", str_of(c->channel_id));
            token_form_put(&form, "client_secret", credentials_next_secret(&secrets));
        }
        token_form_put(&form, "access_token", str_of(token));
        if (token_ask("POST", url, &form, &status, &answer, error, sizeof error)) result = fail("revoke", error);
        else if (status != 200) result = refused("revoke", status, buf_str(&answer));
    }
    if (result == EXIT_DONE) puts(o->json ? "{\"revoked\":true}" : "revoked");
    buf_free(&form), buf_free(&answer);
    return result;
}

static int list(const struct options *o, const struct credentials *c)
{
    struct buf jwt = BUF(TEXT_MAX), url = BUF(TEXT_MAX), answer = BUF(TEXT_MAX);
    char error[512];
    int status = 0;
    if (!c->assertion_key) return fail("list", "LINE_ASSERTION_KEY is not set; only v2.1 tokens have key ids");
    if (jwt_assertion(c->assertion_key, str_of(c->channel_id), clock_wall_ms() / 1000, 0, &jwt))
        return fail("list", "the assertion could not be signed with LINE_ASSERTION_KEY");
    buf_printf(&url, "%s/oauth2/v2.1/tokens/kid?client_assertion_type=", c->api_base);
    operation_escape(&url, STR(TOKEN_ASSERTION_TYPE));
    buf_puts(&url, "&client_assertion=");
    operation_escape(&url, buf_str(&jwt));
    int result = token_ask("GET", url.data, NULL, &status, &answer, error, sizeof error) ? fail("list", error)
                 : status != 200 ? refused("list", status, buf_str(&answer)) : EXIT_DONE;
    if (!result && o->json) printf(STR_FMT "\n", STR_ARG(buf_str(&answer)));
    if (!result && !o->json) {
        auto_free char *kids = json_member(buf_str(&answer), "kids");
        struct json j;
        struct str raw;
        json_begin(&j, kids, strlen(kids));
        if (json_enter_array(&j) == 0)
            while (json_next_item(&j) > 0 && json_value(&j, &raw) == 0)
                if (raw.n > 2 && raw.p[0] == '"') printf(STR_FMT "\n", (int)raw.n - 2, raw.p + 1);
    }
    buf_free(&jwt), buf_free(&url), buf_free(&answer);
    return result;
}

int command_token(const struct options *o, const char *const *args, int n)
{
    static const struct {
        const char *name;
        int (*run)(const struct options *o, const struct credentials *c);
    } rows[] = {{"issue", issue}, {"verify", verify}, {"revoke", make_worthless}, {"list", list}};
    char error[512];
    auto_free char *dir = realpath(n > 1 ? args[1] : ".", NULL);
    if (!dir) return command_usage("token", "%s: %s", args[1], strerror(errno));
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        if (strcmp(args[0], rows[i].name) != 0) continue;
        struct credentials *c = credentials_read(dir, NULL, error, sizeof error);
        if (!c) return fail(args[0], error);
        int status = rows[i].run(o, c);
        credentials_unref(c);
        return status;
    }
    return command_usage("token", "%s is not one of issue, verify, revoke, list", args[0]);
}
