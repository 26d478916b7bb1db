/* What the stand-in answers: one row an operation. It knows enough of the Messaging API for a bot's sends to succeed,
 * and to fail where a runtime's mistakes show: a reply token used twice, a retry key used twice or in the wrong place,
 * no bearer token, no messages. Message contents are not judged.
 * https://developers.line.biz/en/reference/messaging-api/ */
#pragma once
#include <stdio.h>
#include "base/buf.h"
#include "base/json.h"
#include "tests/tools/http1.h"
#include "tests/tools/seen.h"

#define ANSWER_BYTES (1u << 20)

/* One call under way; everything in it lives until the answer is written. */
struct call {
    struct str method, path, query, arg[2]; /* arg: what the stars of the row's path stood for */
    struct str body, retry_key;
    struct str reply_token, to, text; /* with their quotes, escapes as sent; text: of the first message */
    bool json;                  /* the body is an object */
    int messages;               /* length of its "messages"; -1 when there is none */
    int status;
    const char *type;           /* content type of the answer */
    struct buf *answer;
    char request_id[37], accepted_id[37]; /* UUIDs; accepted_id "" but for a 409 */
};

struct api {
    const char *token;          /* the one accepted, NULL for any */
    bool forget_tokens;         /* reply tokens may be used again */
    uint64_t quota;             /* pushes that are accepted, 0 for no end */
    struct seen seen;           /* hashes of used reply tokens, retry keys, and a few other facts */
    uint64_t serial, seed;
    uint64_t calls, replies, rejected, pushes, conflicts, others; /* for /_/stats */
};

enum { KIND_TOKEN = 1, KIND_RETRY, KIND_SLOW, KIND_LEFT }; /* what a hash in `seen` stands for */

struct api_row {
    const char *method, *path;  /* a star is one segment */
    enum { RETRY_KEY = 1, NO_BEARER = 2 } flags;
    int status;                 /* of success */
    void (*answer)(struct api *a, struct call *c, const struct api_row *row); /* NULL: text is the answer */
    const char *text;
};

static uint64_t api_number(struct api *a)
{
    return seen_mix(a->seed + ++a->serial * 0x9e3779b97f4a7c15u);
}

static void api_uuid(uint64_t from, char ret[37])
{
    static const char hex[] = "0123456789abcdef";
    uint64_t half[2] = {from, seen_mix(from + 1)};
    for (int i = 0, o = 0; i < 32; i++) {
        if (i == 8 || i == 12 || i == 16 || i == 20)
            ret[o++] = '-';
        ret[o++] = i == 12 ? '4' : hex[half[i / 16] >> (i % 16 * 4) & 15];
    }
    ret[36] = 0;
}

static void api_error(struct call *c, int status, const char *message)
{
    c->status = status;
    buf_clear(c->answer);
    buf_printf(c->answer, "{\"message\":\"%s\"}", message);
}

/* ids and quote tokens of what was sent. They follow from `from`, so a repeated retry key gets the same ones. */
static void api_sent_messages(struct call *c, uint64_t from)
{
    buf_puts(c->answer, "\"sentMessages\":[");
    for (int i = 0; i < c->messages; i++) {
        uint64_t h = seen_mix(from + (uint64_t)i);
        char id[37];
        api_uuid(h, id);
        buf_printf(c->answer, "%s{\"id\":\"%llu\",\"quoteToken\":\"q-%s\"}", i ? "," : "",
                   400000000000000000ull + h % 100000000000000000ull, id);
    }
    buf_putc(c->answer, ']');
}

/* The checks every send shares. True: go on. */
static bool api_messages_ok(struct call *c)
{
    if (!c->json) {
        api_error(c, 400, "The request body could not be parsed as JSON (line: 1, column: 1)");
        return false;
    }
    if (c->messages >= 1 && c->messages <= 5)
        return true;
    c->status = 400;
    buf_printf(c->answer, "{\"message\":\"The request body has 1 error(s)\",\"details\":[{\"message\":\"%s\","
               "\"property\":\"messages\"}]}", c->messages <= 0 ? "May not be empty" : "Size must be between 1 and 5");
    return false;
}

static void api_validate(struct api *a, struct call *c, const struct api_row *row)
{
    (void)a, (void)row;
    if (api_messages_ok(c))
        buf_puts(c->answer, "{}");
}

/* A reply token works once. A call that is refused for its messages leaves it unused. */
static void api_reply(struct api *a, struct call *c, const struct api_row *row)
{
    (void)row;
    if (!api_messages_ok(c))
        return;
    uint64_t h = seen_hash(c->reply_token, KIND_TOKEN);
    if (c->reply_token.n <= 2 || (!a->forget_tokens && seen_has(&a->seen, h))) { /* 2: only its quotes */
        a->rejected++;
        api_error(c, 400, "Invalid reply token");
        return;
    }
    if (!a->forget_tokens)
        seen_add(&a->seen, h);
    a->replies++;
    buf_putc(c->answer, '{');
    api_sent_messages(c, api_number(a));
    buf_putc(c->answer, '}');
}

/* push, multicast, narrowcast, broadcast: a retry key is carried out once. Its request id follows from the key, so it
 * need not be remembered. */
static void api_send(struct api *a, struct call *c, const struct api_row *row)
{
    bool push = strcmp(row->path, "/v2/bot/message/push") == 0;
    if (!api_messages_ok(c))
        return;
    uint64_t from = c->retry_key.p ? seen_hash(c->retry_key, KIND_RETRY) : api_number(a);
    if (c->retry_key.p && seen_has(&a->seen, from)) {
        a->conflicts++;
        c->status = 409;
        api_uuid(from, c->accepted_id);
        buf_puts(c->answer, "{\"message\":\"The retry key is already accepted\"");
        if (push) {
            buf_putc(c->answer, ',');
            api_sent_messages(c, from);
        }
        buf_putc(c->answer, '}');
        return;
    }
    if (push && c->to.n <= 2) {
        api_error(c, 400, "The property, 'to', in the request body is invalid (line: 1, column: 1)");
        return;
    }
    if (a->quota && a->pushes >= a->quota) {
        api_error(c, 429, "You have reached your monthly limit.");
        return;
    }
    if (c->retry_key.p) {
        seen_add(&a->seen, from);
        api_uuid(from, c->request_id);
    }
    a->pushes++;
    buf_putc(c->answer, '{');
    if (push)
        api_sent_messages(c, from);
    buf_putc(c->answer, '}');
}

/* An id of 33 characters that starts with the letter. */
static bool api_is_id(struct str id, char letter)
{
    return id.n == 33 && id.p[0] == letter;
}

/* A group or room that the bot has not left. */
static bool api_is_here(struct api *a, struct call *c)
{
    char letter = strncmp(c->path.p, "/v2/bot/group/", 14) == 0 ? 'C' : 'R';
    if (api_is_id(c->arg[0], letter) && !seen_has(&a->seen, seen_hash(c->arg[0], KIND_LEFT)))
        return true;
    api_error(c, 404, "Not found");
    return false;
}

static void api_put_profile(struct call *c, struct str id)
{
    buf_printf(c->answer, "{\"displayName\":\"User %.*s\",\"userId\":\"" STR_FMT "\",\"language\":\"en\","
               "\"pictureUrl\":\"https://profile.example/%.*s\",\"statusMessage\":\"hello\"}",
               4, id.p + id.n - 4, STR_ARG(id), 8, id.p + id.n - 8);
}

static void api_profile(struct api *a, struct call *c, const struct api_row *row)
{
    (void)a, (void)row;
    if (api_is_id(c->arg[0], 'U'))
        api_put_profile(c, c->arg[0]);
    else
        api_error(c, 404, "Not found");
}

static void api_member(struct api *a, struct call *c, const struct api_row *row)
{
    (void)row;
    if (!api_is_here(a, c))
        return;
    if (api_is_id(c->arg[1], 'U'))
        api_put_profile(c, c->arg[1]);
    else
        api_error(c, 404, "Not found");
}

static void api_group(struct api *a, struct call *c, const struct api_row *row)
{
    (void)row;
    if (api_is_here(a, c))
        buf_printf(c->answer, "{\"groupId\":\"" STR_FMT "\",\"groupName\":\"Group %.*s\","
                   "\"pictureUrl\":\"https://profile.example/group\"}", STR_ARG(c->arg[0]), 4, c->arg[0].p + 29);
}

static void api_here_text(struct api *a, struct call *c, const struct api_row *row)
{
    if (api_is_here(a, c))
        buf_puts(c->answer, row->text);
}

static void api_leave(struct api *a, struct call *c, const struct api_row *row)
{
    (void)row;
    if (!api_is_here(a, c))
        return;
    seen_add(&a->seen, seen_hash(c->arg[0], KIND_LEFT));
    buf_puts(c->answer, "{}");
}

/* Bytes that a test can foresee: the id again and again, 1000 times. An id that starts with "slow" is still being
 * prepared the first two times, one that starts with "gone" was unsent. */
static void api_content(struct api *a, struct call *c, const struct api_row *row)
{
    (void)row;
    if (c->arg[0].n >= 4 && memcmp(c->arg[0].p, "gone", 4) == 0) {
        api_error(c, 410, "The content is gone");
        return;
    }
    if (c->arg[0].n >= 4 && memcmp(c->arg[0].p, "slow", 4) == 0) {
        for (uint64_t time = 0; time < 2; time++) {
            uint64_t h = seen_hash(c->arg[0], KIND_SLOW + time * 100);
            if (seen_has(&a->seen, h))
                continue;
            seen_add(&a->seen, h);
            c->status = 202;
            return;
        }
    }
    c->type = "image/jpeg";
    for (int i = 0; i < 1000; i++)
        buf_append(c->answer, c->arg[0].p, c->arg[0].n);
}

static void api_quota(struct api *a, struct call *c, const struct api_row *row)
{
    if (strstr(row->path, "consumption"))
        buf_printf(c->answer, "{\"totalUsage\":%llu}", (unsigned long long)a->pushes);
    else if (a->quota)
        buf_printf(c->answer, "{\"type\":\"limited\",\"value\":%llu}", (unsigned long long)a->quota);
    else
        buf_puts(c->answer, "{\"type\":\"none\"}");
}

/* Tokens are told apart by their number, so that a test sees a renewal. */
static void api_issue_token(struct api *a, struct call *c, const struct api_row *row)
{
    buf_printf(c->answer, "{\"token_type\":\"Bearer\",\"access_token\":\"issued-token-%llu\",\"expires_in\":%s}",
               (unsigned long long)++a->serial, row->text);
}

static const struct api_row api_rows[] = {
    {"POST", "/v2/bot/message/reply", 0, 200, api_reply, 0},
    {"POST", "/v2/bot/message/push", RETRY_KEY, 200, api_send, 0},
    {"POST", "/v2/bot/message/multicast", RETRY_KEY, 200, api_send, 0},
    {"POST", "/v2/bot/message/narrowcast", RETRY_KEY, 202, api_send, 0},
    {"POST", "/v2/bot/message/broadcast", RETRY_KEY, 200, api_send, 0},
    {"POST", "/v2/bot/message/validate/*", 0, 200, api_validate, 0},
    {"GET", "/v2/bot/message/progress/narrowcast", 0, 200, 0, "{\"phase\":\"succeeded\",\"successCount\":50,"
     "\"failureCount\":0,\"targetCount\":50,\"acceptedTime\":\"2024-01-01T00:00:00.000Z\","
     "\"completedTime\":\"2024-01-01T00:00:01.000Z\"}"},
    {"POST", "/v2/bot/audienceGroup/upload", 0, 202, 0, "{\"audienceGroupId\":4389303728991}"},
    {"GET", "/v2/bot/audienceGroup/*", 0, 200, 0, "{\"audienceGroup\":{\"audienceGroupId\":4389303728991,"
     "\"type\":\"UPLOAD\",\"status\":\"READY\",\"audienceCount\":50},\"jobs\":[]}"},
    {"GET", "/v2/bot/message/delivery/*", 0, 200, 0, "{\"status\":\"ready\",\"success\":0}"},
    {"GET", "/v2/bot/message/quota", 0, 200, api_quota, 0},
    {"GET", "/v2/bot/message/quota/consumption", 0, 200, api_quota, 0},
    {"GET", "/v2/bot/message/*/content", 0, 200, api_content, 0},
    {"GET", "/v2/bot/message/*/content/preview", 0, 200, api_content, 0},
    {"GET", "/v2/bot/message/*/content/transcoding", 0, 200, 0, "{\"status\":\"succeeded\"}"},
    {"GET", "/v2/bot/info", 0, 200, 0, "{\"userId\":\"Ub0700000000000000000000000000000\",\"basicId\":\"@standin\","
     "\"displayName\":\"Stand-in\",\"chatMode\":\"bot\",\"markAsReadMode\":\"auto\"}"},
    {"GET", "/v2/bot/profile/*", 0, 200, api_profile, 0},
    {"GET", "/v2/bot/followers/ids", 0, 200, 0, "{\"userIds\":[\"U00000000000000000000000000000001\"]}"},
    {"GET", "/v2/bot/group/*/summary", 0, 200, api_group, 0},
    {"GET", "/v2/bot/group/*/members/count", 0, 200, api_here_text, "{\"count\":3}"},
    {"GET", "/v2/bot/group/*/members/ids", 0, 200, api_here_text,
     "{\"memberIds\":[\"U00000000000000000000000000000001\",\"U00000000000000000000000000000002\"]}"},
    {"GET", "/v2/bot/group/*/member/*", 0, 200, api_member, 0},
    {"POST", "/v2/bot/group/*/leave", 0, 200, api_leave, 0},
    {"GET", "/v2/bot/room/*/members/count", 0, 200, api_here_text, "{\"count\":3}"},
    {"GET", "/v2/bot/room/*/members/ids", 0, 200, api_here_text,
     "{\"memberIds\":[\"U00000000000000000000000000000001\",\"U00000000000000000000000000000002\"]}"},
    {"GET", "/v2/bot/room/*/member/*", 0, 200, api_member, 0},
    {"POST", "/v2/bot/room/*/leave", 0, 200, api_leave, 0},
    {"POST", "/v2/bot/chat/loading/start", 0, 202, 0, "{}"},
    {"POST", "/v2/bot/chat/markAsRead", 0, 200, 0, "{}"},
    {"POST", "/v2/bot/user/*/linkToken", 0, 200, 0, "{\"linkToken\":\"NMZTNuVrPTqlr2IF8Bnymkb7rXfYv5EY\"}"},
    {"GET", "/v2/bot/richmenu/list", 0, 200, 0, "{\"richmenus\":[]}"}, /* so that plan can be tried; apply wants LINE */
    {"GET", "/v2/bot/richmenu/alias/list", 0, 200, 0, "{\"aliases\":[]}"},
    {"POST", "/v2/oauth/accessToken", NO_BEARER, 200, api_issue_token, "2592000"},
    {"POST", "/oauth2/v2.1/token", NO_BEARER, 200, api_issue_token, "2592000"},
    {"POST", "/oauth2/v3/token", NO_BEARER, 200, api_issue_token, "900"},
};

/* Does path fit the pattern? Stars go to arg. */
static bool api_path_fits(const char *pattern, struct str path, struct str arg[2])
{
    const char *p = path.p, *end = path.p + path.n;
    int args = 0;
    for (; *pattern; pattern++) {
        if (*pattern != '*') {
            if (p == end || *p++ != *pattern)
                return false;
            continue;
        }
        const char *from = p;
        while (p < end && *p != '/')
            p++;
        if (p == from || args == 2)
            return false;
        arg[args++] = (struct str){from, (size_t)(p - from)};
    }
    return p == end;
}

/* messages: how many, and the first one's text. */
static int api_read_messages(struct json *j, struct call *c)
{
    int r, n = 0;
    if (json_enter_array(j) != 0)
        return -1;
    while ((r = json_next_item(j)) > 0) {
        if (n++ || json_peek(j) != JSON_OBJECT) {
            if (json_value(j, NULL) != 0)
                return -1;
            continue;
        }
        struct str key, raw;
        int more;
        if (json_enter_object(j) != 0)
            return -1;
        while ((more = json_next_key(j, &key)) > 0) {
            if (json_value(j, &raw) != 0)
                return -1;
            if (str_is(key, "text") && raw.p[0] == '"')
                c->text = raw;
        }
        if (more < 0)
            return -1;
    }
    c->messages = n;
    return r;
}

static void api_read_body(struct call *c)
{
    struct json j;
    struct str key, raw;
    int r;
    c->messages = -1;
    json_begin(&j, c->body.p, c->body.n);
    if (c->body.n == 0 || json_peek(&j) != JSON_OBJECT || json_enter_object(&j) != 0)
        return;
    while ((r = json_next_key(&j, &key)) > 0) {
        if (str_is(key, "messages") && json_peek(&j) == JSON_ARRAY) {
            if (api_read_messages(&j, c) < 0)
                return;
            continue;
        }
        if (json_value(&j, &raw) != 0)
            return;
        if (str_is(key, "replyToken"))
            c->reply_token = raw;
        else if (str_is(key, "to"))
            c->to = raw;
    }
    c->json = r == 0 && json_end(&j) == 0;
}

static bool api_bearer_ok(const struct api *a, struct str authorization)
{
    if (authorization.n <= 7 || strncasecmp(authorization.p, "Bearer ", 7) != 0)
        return false;
    return !a->token || str_is((struct str){authorization.p + 7, authorization.n - 7}, a->token);
}

/* Answer one call of a bot. c has method, path, query and body; the rest is filled here. fail: a status to answer
 * instead of doing anything, or 0. */
static void api_call(struct api *a, struct call *c, const struct http1 *m, int fail)
{
    const struct api_row *row = NULL;
    a->calls++;
    c->type = "application/json";
    c->retry_key = http1_field(m->head, "x-line-retry-key");
    api_uuid(api_number(a), c->request_id);
    api_read_body(c);
    for (size_t i = 0; i < sizeof api_rows / sizeof *api_rows && !row; i++)
        if (str_is(c->method, api_rows[i].method) && api_path_fits(api_rows[i].path, c->path, c->arg))
            row = &api_rows[i];
    if (fail) {
        api_error(c, fail, "Failed on purpose");
        return;
    }
    if (!(row && row->flags & NO_BEARER) && !api_bearer_ok(a, http1_field(m->head, "authorization"))) {
        api_error(c, 401, "Authentication failed: no or wrong bearer token");
        return;
    }
    if (!row) {
        api_error(c, 404, "Not found");
        return;
    }
    if (c->retry_key.p && !(row->flags & RETRY_KEY)) {
        api_error(c, 400, "A retry key is not supported here");
        return;
    }
    c->status = row->status;
    if (row->answer)
        row->answer(a, c, row);
    else
        buf_puts(c->answer, row->text);
    if (row->answer != api_reply && row->answer != api_send)
        a->others++;
}
