/* Keeps one bot's channel access token: issues it, renews it at 80 % of its life, and once more when LINE refuses it
 * early. One request is under way at a time, however many workers ask; who uses the token is told by news(). A token
 * endpoint that cannot be reached delays nothing: the bot serves, and it is asked again with backoff. */
#pragma once
#include <stdbool.h>
#include <uv.h>
#include "base/str.h"
#include "host/credentials.h"

struct token_keeper;

/* token: the one to use from now on; the same again: the one refused stays, there will be no better one. n 0: there is
 * none yet, and why says it in one line. */
typedef void token_news(void *user, struct str token, struct str why);

/* bot: the name for log lines, which must outlive the keeper. */
struct token_keeper *token_keeper_new(uv_loop_t *loop, const char *bot, token_news *news, void *user);
/* Use these credentials from now on: at the start, and after a change of .env. A token of the same origin stays. */
void token_keeper_use(struct token_keeper *k, struct credentials *c);
/* "" while there is none. */
const char *token_keeper_token(const struct token_keeper *k);
/* Whether a refused token can be replaced at all. */
bool token_keeper_renews(const struct token_keeper *k);
/* LINE answered 401 to this token. news() follows: at once, or when a request has ended. */
void token_keeper_refused(struct token_keeper *k, struct str token);
void token_keeper_close(struct token_keeper *k); /* no news afterwards; frees k once the loop has turned */

/* ---- token_ask.c: the requests themselves ---- */

/* The request for a token: the form, and its URL (the caller's to free). secret: which of several to use, counted round.
 * 0, or why it cannot be made: ERR_SYNTAX (the key cannot sign), ERR_TOOBIG. */
int token_request(const struct credentials *c, size_t secret, struct buf *form, char **ret_url);
/* For commands, which wait on a loop of their own. One request; form NULL: none. 0, or ERR_… with one line in error. */
int token_ask(const char *method, const char *url, const struct buf *form, int *ret_status, struct buf *ret_answer,
              char *error, size_t n);
/* Issue a token and wait for it. 0, or ERR_IO with one line in error. Free ret with token_answer_free. */
int token_issue(const struct credentials *c, struct token_answer *ret, char *error, size_t n);
