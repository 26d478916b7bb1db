/* The channel access token of the calls. The host keeps it (runtime/host/token.h): it comes with the settings, others
 * follow by TOKEN frames, and a token that LINE refused is reported once, however many calls were refused with it. */
#include <stdio.h>
#include <stdlib.h>
#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "bindings/call_private.h"

#define TOKEN_WAIT_MS 10000 /* at most, for a call without a timeout of its own */

/* One token as its header line. Calls under way point into it, so it lives as long as the last of them. */
struct call_auth {
    unsigned refs;
    bool reported;  /* refused by LINE, and the host knows */
    char *line;     /* "Authorization: Bearer …"; never logged */
};
#define TOKEN_AT (sizeof "Authorization: Bearer " - 1)

static struct call_auth *current;
static bool renews;
static char *trouble;              /* why there is none yet; NULL */
static void (*ask)(struct str token);
static struct call_list waiting;

static struct call_auth *unref(struct call_auth *a)
{
    if (a && --a->refs == 0) {
        free(a->line);
        free(a);
    }
    return NULL;
}

static struct call_auth *auth_new(struct str token)
{
    struct call_auth *a = mem_zalloc(sizeof *a);
    a->refs = 1;
    a->line = mem_printf("Authorization: Bearer " STR_FMT, STR_ARG(token));
    return a;
}

void call_token_settings(bool host_renews, void (*ask_host)(struct str token))
{
    renews = host_renews;
    ask = ask_host;
}

/* Everybody who waited tries again: with the new token, or to hear that there is no better one. */
static void wake_all(void)
{
    struct call_list calls = waiting;
    for (struct api_call *c; (c = waiting.first);) {
        call_list_remove(c);
        call_later(c, 0, call_go);
        if (--calls.n == 0) break;
    }
}

void call_token_news(struct str token, struct str why)
{
    free(trouble);
    trouble = why.n ? mem_strndup(why.p, why.n) : NULL;
    if (!token.n) return;
    bool same = current && str_eq(str_of(current->line + TOKEN_AT), token);
    if (!same) {
        log_secret(token);
        unref(current);
        current = auth_new(token);
    } else if (current->reported) {
        /* Refused for good. What waits ends with its 401; a later call may report it again. */
        for (struct api_call *c = waiting.first; c; c = c->next) c->renewed = true;
        current->reported = false;
    }
    wake_all();
}

static void too_late(struct api_call *c)
{
    char text[200];
    call_list_remove(c);
    snprintf(text, sizeof text, "there is no channel access token yet%s%.120s", trouble ? ": " : "", trouble ? trouble : "");
    if (c->auth) call_give_up(c, NULL, NULL); /* the 401 stands: it has LINE's words */
    else call_give_up(c, "token", text);
}

static void await(struct api_call *c)
{
    int64_t ms = call_patience_ms(c), most = c->timeout_ms ? c->timeout_ms : TOKEN_WAIT_MS;
    call_list_add(&waiting, c);
    call_later(c, ms < most ? ms : most, too_late);
}

enum call_token call_token_take(struct api_call *c)
{
    const char *setting = worker_get()->token;
    if (c->own_authorization) return TOKEN_READY;
    if (!current && setting && *setting) current = auth_new(str_of(setting));
    if (!current && !renews) return TOKEN_NONE;
    if (!current) {
        await(c);
        return TOKEN_AWAITED;
    }
    if (c->auth == current && c->refused_token) { /* nothing better has come */
        call_give_up(c, NULL, NULL);
        return TOKEN_AWAITED;
    }
    call_token_drop(c);
    c->auth = current;
    current->refs++;
    c->headers[0] = current->line;
    return TOKEN_READY;
}

bool call_token_refused(struct api_call *c)
{
    if (!renews || !ask || c->own_authorization || c->renewed || !c->auth) return false;
    c->renewed = c->refused_token = true;
    if (c->auth != current) { /* renewed meanwhile */
        c->refused_token = false;
        call_later(c, 0, call_go);
        return true;
    }
    if (!current->reported) ask(str_of(current->line + TOKEN_AT));
    current->reported = true;
    await(c);
    return true;
}

void call_token_drop(struct api_call *c) { c->auth = unref(c->auth); }
