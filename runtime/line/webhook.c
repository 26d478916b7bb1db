/* Splitting a webhook: one walk over the body that checks every byte and keeps views of what the host needs to know.
 *
 * Where a key comes twice the later one counts, also when its value is of the wrong kind and so takes the earlier away:
 * the worker decodes the same bytes with the same scanner, and host and script must not see two different events. */
#include "line/webhook.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/json.h"
#include "base/limits.h"
#include "base/mem.h"

#define EVENTS_FIRST 4 /* room of the first allocation: most webhooks have one event */
#define WORD_MAX 64    /* longest key or word that is compared, in bytes after escapes are resolved */

/* Keys that matter. To know another: a row here, a case in the reader of its object, a line in tests/fuzz. */
#define KEYS(X)                                                                                                        \
    X(destination) X(events) X(type) X(mode) X(timestamp) X(source) X(webhookEventId) X(deliveryContext)               \
    X(isRedelivery) X(userId) X(groupId) X(roomId)

enum key {
    KEY_other,
#define X(name) KEY_##name,
    KEYS(X)
#undef X
};

static const struct str key_names[] = {
    {"", 0},
#define X(name) [KEY_##name] = {#name, sizeof #name - 1},
    KEYS(X)
#undef X
};

static enum key key_find(struct str name)
{
    for (unsigned k = 1; k < sizeof key_names / sizeof *key_names; k++) /* lengths differ mostly: this is cheap */
        if (key_names[k].n == name.n && memcmp(key_names[k].p, name.p, name.n) == 0)
            return (enum key)k;
    return KEY_other;
}

/* Which key the raw bytes between two quotes spell. "\u0065vents" is "events" to every JSON reader. */
static enum key key_of(struct str raw)
{
    if (json_plain(raw))
        return key_find(raw);
    struct buf b = BUF(WORD_MAX);
    enum key k = KEY_other;
    if (json_text((struct str){raw.p - 1, raw.n + 2}, &b) == 0) /* it wants the quotes, which stand around raw */
        k = key_find(buf_str(&b));
    buf_free(&b);
    return k;
}

static bool word_is(struct str raw, const char *word)
{
    if (raw.n < 2 || raw.p[0] != '"')
        return false;
    if (json_plain(raw))
        return str_is((struct str){raw.p + 1, raw.n - 2}, word);
    struct buf b = BUF(WORD_MAX);
    bool same = json_text(raw, &b) == 0 && str_is(buf_str(&b), word);
    buf_free(&b);
    return same;
}

/* The inside of a string that may serve as an id; p NULL for every other value. */
static struct str id_of(struct str raw)
{
    if (raw.n <= 2 || raw.p[0] != '"' || raw.n - 2 > LIMIT_EVENT_ID || !json_plain(raw))
        return (struct str){NULL, 0};
    return (struct str){raw.p + 1, raw.n - 2};
}

static int read_source(struct json *j, struct str *ret_chat)
{
    struct str key, raw, user = {NULL, 0}, group = {NULL, 0}, room = {NULL, 0};
    int r;
    *ret_chat = user;
    if (json_peek(j) != JSON_OBJECT)
        return json_value(j, NULL);
    json_enter_object(j);
    while ((r = json_next_key(j, &key)) > 0) {
        enum key k = key_of(key);
        if ((r = json_value(j, &raw)) < 0)
            return r;
        if (k == KEY_userId)
            user = id_of(raw);
        else if (k == KEY_groupId)
            group = id_of(raw);
        else if (k == KEY_roomId)
            room = id_of(raw);
    }
    *ret_chat = group.p ? group : room.p ? room : user;
    return r;
}

static int read_delivery(struct json *j, bool *ret_redelivery)
{
    struct str key, raw;
    int r;
    *ret_redelivery = false;
    if (json_peek(j) != JSON_OBJECT)
        return json_value(j, NULL);
    json_enter_object(j);
    while ((r = json_next_key(j, &key)) > 0) {
        enum key k = key_of(key);
        if ((r = json_value(j, &raw)) < 0)
            return r;
        if (k == KEY_isRedelivery)
            *ret_redelivery = str_eq(raw, STR("true"));
    }
    return r;
}

/* One event, an object. raw begins at its brace, so white space before it has been left out. */
static int read_event(struct json *j, struct webhook_event *e)
{
    struct str key, raw;
    int r = json_enter_object(j);
    if (r < 0)
        return r;
    memset(e, 0, sizeof *e);
    e->raw.p = j->p - 1;
    while ((r = json_next_key(j, &key)) > 0) {
        enum key k = key_of(key);
        if (k == KEY_source) {
            r = read_source(j, &e->chat);
        } else if (k == KEY_deliveryContext) {
            r = read_delivery(j, &e->redelivery);
        } else if ((r = json_value(j, &raw)) == 0) {
            if (k == KEY_type)
                e->type = id_of(raw);
            else if (k == KEY_webhookEventId)
                e->id = id_of(raw);
            else if (k == KEY_mode)
                e->standby = word_is(raw, "standby");
            else if (k == KEY_timestamp && json_integer(raw, &e->timestamp) < 0)
                e->timestamp = 0;
        }
        if (r < 0)
            return r;
    }
    e->raw.n = (size_t)(j->p - e->raw.p);
    return r;
}

int webhook_event_read(struct str raw, struct webhook_event *ret)
{
    struct json j;
    json_begin(&j, raw.p, raw.n);
    if (json_peek(&j) != JSON_OBJECT || read_event(&j, ret) < 0)
        return ERR_SYNTAX;
    return json_end(&j);
}

/* What is found of `events`. A second array replaces the first, its faults included. */
struct events {
    struct webhook_event *list; /* owned */
    size_t n, room;
    bool array, foreign, many; /* there was one; it held something that is no object; it held too much */
};

static int read_events(struct json *j, struct events *es)
{
    int r;
    es->n = 0;
    es->foreign = es->many = false;
    es->array = json_peek(j) == JSON_ARRAY;
    if (!es->array)
        return json_value(j, NULL);
    json_enter_array(j);
    while ((r = json_next_item(j)) > 0) {
        bool object = json_peek(j) == JSON_OBJECT;
        es->foreign |= !object;
        es->many |= es->n == LIMIT_EVENTS_PER_WEBHOOK;
        if (!object || es->many) {
            r = json_value(j, NULL); /* refused in the end, but whether it is JSON is still to be known */
        } else {
            if (es->n == es->room) {
                es->room = es->room ? es->room * 2 : EVENTS_FIRST;
                es->list = mem_realloc(es->list, es->room * sizeof *es->list);
            }
            r = read_event(j, &es->list[es->n]);
            es->n += r == 0;
        }
        if (r < 0)
            return r;
    }
    return r;
}

static int read_root(struct json *j, struct str *destination, struct events *es)
{
    struct str key, raw;
    int r = json_enter_object(j);
    if (r < 0)
        return r;
    while ((r = json_next_key(j, &key)) > 0) {
        enum key k = key_of(key);
        if (k == KEY_events) {
            r = read_events(j, es);
        } else if ((r = json_value(j, &raw)) == 0 && k == KEY_destination) {
            *destination = id_of(raw);
        }
        if (r < 0)
            return r;
    }
    return r < 0 ? r : json_end(j);
}

int webhook_split(struct str body, struct webhook *ret, const char **ret_why)
{
    struct json j;
    struct events es = {NULL, 0, 0, false, false, false};
    struct str destination = {NULL, 0};
    const char *why = NULL;
    json_begin(&j, body.p, body.n);
    int r = read_root(&j, &destination, &es);
    if (r < 0)
        why = j.error;
    else if (!es.array)
        r = ERR_SYNTAX, why = "no events array";
    else if (es.foreign)
        r = ERR_SYNTAX, why = "an event that is not an object";
    else if (es.many)
        r = ERR_TOOBIG, why = "too many events";
    if (r < 0) {
        free(es.list);
        *ret_why = why;
        return r;
    }
    *ret = (struct webhook){destination, es.list, es.n};
    return 0;
}

void webhook_free(struct webhook *w)
{
    free(w->events);
    *w = (struct webhook){{NULL, 0}, NULL, 0};
}

/* FNV-1a with a final mix (the low bits choose a worker). Also kept in the store: never to change. */
uint64_t webhook_order(const struct webhook_event *e, uint32_t bot)
{
    bool unordered = !e->chat.p && e->type.p && str_is(e->type, "delivery");
    struct str by = e->chat.p ? e->chat : unordered ? (e->id.p ? e->id : e->raw) : e->type;
    uint64_t h = 0xCBF29CE484222325u ^ (uint64_t)bot * 0x9E3779B97F4A7C15u;
    for (size_t i = 0; i < by.n; i++)
        h = (h ^ (unsigned char)by.p[i]) * 0x100000001B3u;
    h ^= h >> 33;
    h *= 0xFF51AFD7ED558CCDu;
    return h ^ h >> 33;
}
