/* Channel access tokens as requests and answers; nothing here talks to anybody.
 * https://developers.line.biz/en/docs/basics/channel-access-token/ */
#pragma once
#include <stdint.h>
#include "base/buf.h"
#include "base/str.h"
#include "line/jwt.h"

enum token_kind {
    TOKEN_STATIC,    /* given, long-lived; nothing to renew */
    TOKEN_STATELESS, /* by channel id and secret; about 15 minutes, any number of them, cannot be revoked */
    TOKEN_ASSERTED,  /* v2.1, by an assertion signed with the channel's key; 30 may live at a time */
};

/* Life asked for a v2.1 token. A running bot renews it at 80 %. Short, because what a crash leaves behind counts
 * towards the 30 until it expires. */
#define TOKEN_LIFE_S 3600

#define TOKEN_ISSUE_STATELESS "/oauth2/v3/token"
#define TOKEN_ISSUE_ASSERTED "/oauth2/v2.1/token"
#define TOKEN_FORM "Content-Type: application/x-www-form-urlencoded"
#define TOKEN_ASSERTION_TYPE "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"

/* Append name=value, percent-encoded, with an & in front unless out is empty. 0 or ERR_TOOBIG. */
int token_form_put(struct buf *out, const char *name, struct str value);
/* The forms that ask for a token. 0, ERR_TOOBIG or ERR_SYNTAX (the key cannot sign). */
int token_form_stateless(struct buf *out, struct str channel_id, struct str secret);
int token_form_asserted(struct buf *out, const struct jwt_key *key, struct str channel_id, int64_t now_s);

struct token_answer {
    char *token;         /* NULL: refused */
    char *key_id;        /* of a v2.1 token, else NULL */
    int64_t expires_in;  /* seconds */
    char *why;           /* refused: one line, what LINE said */
};
/* Read the answer to one of the forms. Free with token_answer_free. */
void token_answer_read(int status, struct str body, struct token_answer *ret);
void token_answer_free(struct token_answer *a);
