/* What no single field can say: one function a rule of schema.h's enum schema_check. Each gets an object whose fields have
 * been walked, and complains. */
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "bindings/check_private.h"
#include "line/schema_text.h"

/* LINE gives its sizes as KB, without saying which: the larger kind refuses nothing that it takes. */
#define BUBBLE_BYTES (30u * 1024)
#define CAROUSEL_BYTES (50u * 1024)
#define ANIMATED 10u
#define SUBSTITUTED 20u /* mentions, and emoji, in a text */
#define KEY_LENGTH 20u

/* ---- small helpers ---- */

/* The string of a field; p NULL when it is none. The object keeps it. */
LJMP static struct str string_of(struct check *c, int idx, const char *name)
{
    struct str s = {NULL, 0};
    if (check_get(c, idx, name) == LUA_TSTRING) s.p = lua_tolstring(c->L, -1, &s.n);
    lua_pop(c->L, 1);
    return s;
}

LJMP static bool is_true(struct check *c, int idx, const char *name)
{
    check_get(c, idx, name);
    bool yes = lua_isboolean(c->L, -1) && lua_toboolean(c->L, -1);
    lua_pop(c->L, 1);
    return yes;
}

/* The number of a field; false when it is none. */
LJMP static bool number_of(struct check *c, int idx, const char *name, double *ret)
{
    bool is = check_get(c, idx, name) == LUA_TNUMBER;
    if (is) *ret = lua_tonumber(c->L, -1);
    lua_pop(c->L, 1);
    return is;
}

static struct at at_field(const struct check_object *o, const char *name)
{
    return (struct at){.outer = o->at, .idx = o->idx, .name = name};
}

/* ---- texts ---- */

/* The byte at a position in UTF-16 code units; 0 where no character begins. */
static char unit_at(struct str s, lua_Integer unit)
{
    lua_Integer units = 0;
    for (size_t i = 0; i < s.n; i++) {
        unsigned char b = (unsigned char)s.p[i];
        if ((b & 0xC0) == 0x80) continue;
        if (units == unit) return s.p[i];
        units += 1 + (b >= 0xF0);
    }
    return 0;
}

LJMP static void rule_text(struct check *c, const struct check_object *o)
{
    struct at emojis = at_field(o, "emojis");
    struct str text;
    if (!check_has(o, "emojis")) return;
    text = string_of(c, o->idx, "text");
    if (check_get(c, o->idx, "emojis") == LUA_TTABLE && text.p) {
        struct at entry = {.outer = &emojis, .idx = lua_gettop(c->L)};
        lua_Integer n = (lua_Integer)lua_rawlen(c->L, entry.idx);
        for (entry.index = 1; entry.index <= n && entry.index <= 20; entry.index++) {
            double position = 0; /* LINE's own when there is none */
            if (lua_rawgeti(c->L, entry.idx, entry.index) == LUA_TTABLE) {
                struct at at = {.outer = &entry, .idx = lua_gettop(c->L), .name = "index"};
                number_of(c, at.idx, "index", &position);
                if (position >= 0 && position <= 5000 && unit_at(text, (lua_Integer)position) != '$')
                    check_complain(c, &at, 0, "is %.0f, where the text has no $ (positions count from 0, in UTF-16 code units)",
                                   position);
            }
            lua_pop(c->L, 1);
        }
    }
    lua_pop(c->L, 1);
}

/* One {key}: it must have an entry. Counts what it stands for. */
LJMP static void substituted(struct check *c, const struct at *at, int map, struct str key, unsigned *mentions, unsigned *emoji)
{
    char quoted[100];
    bool plain = key.n > 0 && key.n <= KEY_LENGTH;
    for (size_t i = 0; i < key.n && plain; i++)
        plain = key.p[i] == '_' || (key.p[i] >= '0' && key.p[i] <= '9') || ((key.p[i] | 32) >= 'a' && (key.p[i] | 32) <= 'z');
    schema_quote(key, quoted, sizeof quoted);
    if (!plain)
        return check_complain(c, at, 0, "has %s between { and }, where a name of 1 to 20 letters, digits and _ must be "
                              "({{ and }} are braces)", quoted);
    if (map) {
        lua_pushlstring(c->L, key.p, key.n);
        lua_rawget(c->L, map);
    } else {
        lua_pushnil(c->L);
    }
    if (lua_istable(c->L, -1)) {
        struct str type = string_of(c, lua_gettop(c->L), "type");
        *mentions += type.p && str_is(type, "mention");
        *emoji += type.p && str_is(type, "emoji");
    } else {
        check_complain(c, at, 0, "has {%.*s}, for which substitution has nothing ({{ and }} are braces)", (int)key.n, key.p);
    }
    lua_pop(c->L, 1);
}

LJMP static void rule_text_v2(struct check *c, const struct check_object *o)
{
    struct at at = at_field(o, "text");
    struct str text = string_of(c, o->idx, "text");
    unsigned mentions = 0, emoji = 0;
    int map = check_get(c, o->idx, "substitution") == LUA_TTABLE ? lua_gettop(c->L) : 0;
    for (size_t i = 0; i < text.n; i++) {
        char b = text.p[i];
        if (b != '{' && b != '}') continue;
        if (i + 1 < text.n && text.p[i + 1] == b) {
            i++;
            continue;
        }
        const char *end = b == '{' ? memchr(text.p + i, '}', text.n - i) : NULL;
        if (!end) {
            check_complain(c, &at, 0, "has a %c without its counterpart ({{ and }} are braces)", b);
            break;
        }
        substituted(c, &at, map, (struct str){text.p + i + 1, (size_t)(end - text.p) - i - 1}, &mentions, &emoji);
        i = (size_t)(end - text.p);
    }
    lua_pop(c->L, 1);
    if (mentions > SUBSTITUTED) check_complain(c, &at, 0, "has %u mentions, the most is %u", mentions, SUBSTITUTED);
    if (emoji > SUBSTITUTED) check_complain(c, &at, 0, "has %u LINE emoji, the most is %u", emoji, SUBSTITUTED);
}

/* "LINE" as a word of its own, which LINE's documentation names; others are not published. */
LJMP static void rule_sender(struct check *c, const struct check_object *o)
{
    struct at at = at_field(o, "name");
    struct str name = string_of(c, o->idx, "name");
    if (name.p && str_is(name, "LINE")) check_complain(c, &at, 0, "is \"LINE\", which LINE keeps for itself");
}

/* ---- templates ---- */

/* With an image or a title there is less room. */
LJMP static void short_text(struct check *c, const struct check_object *o, unsigned most)
{
    struct at at = at_field(o, "text");
    if (!check_has(o, "title") && !check_has(o, "thumbnailImageUrl")) return;
    struct str text = string_of(c, o->idx, "text");
    size_t n = text.n > most ? schema_graphemes(text) : 0;
    if (n > most) check_complain(c, &at, 0, "is %zu characters long, the most beside an image or title is %u", n, most);
}

LJMP static void rule_card(struct check *c, const struct check_object *o) { short_text(c, o, 60); }

/* Every column has what the first has. */
LJMP static void rule_carousel(struct check *c, const struct check_object *o)
{
    static const char *const both[] = {"title", "thumbnailImageUrl"};
    struct at columns = at_field(o, "columns");
    size_t first_actions = 0;
    bool first[2] = {false, false};
    if (check_get(c, o->idx, "columns") == LUA_TTABLE) {
        struct at entry = {.outer = &columns, .idx = lua_gettop(c->L)};
        lua_Integer n = (lua_Integer)lua_rawlen(c->L, entry.idx);
        for (entry.index = 1; entry.index <= n && entry.index <= 10; entry.index++) {
            if (lua_rawgeti(c->L, entry.idx, entry.index) == LUA_TTABLE) {
                struct at at = {.outer = &entry, .idx = lua_gettop(c->L), .name = "actions"};
                size_t actions = check_get(c, at.idx, "actions") == LUA_TTABLE ? lua_rawlen(c->L, -1) : 0;
                lua_pop(c->L, 1);
                if (entry.index == 1) first_actions = actions;
                if (actions != first_actions && actions)
                    check_complain(c, &at, 0, "has %zu entries, but the first column has %zu; all columns must have as many",
                                   actions, first_actions);
                for (int i = 0; i < 2; i++) {
                    bool has = check_get(c, at.idx, both[i]) != LUA_TNIL;
                    lua_pop(c->L, 1);
                    if (entry.index == 1) first[i] = has;
                    at.name = both[i];
                    if (has != first[i])
                        check_complain(c, &at, 0, "%s, but the first column has %s; all columns must have one, or none",
                                       has ? "is there" : "is missing", has ? "none" : "one");
                }
            }
            lua_pop(c->L, 1);
        }
    }
    lua_pop(c->L, 1);
}

/* ---- Flex ---- */

LJMP static void too_large(struct check *c, const struct check_object *o, const char *what, size_t most)
{
    if (o->bytes > most)
        check_complain(c, o->at, o->idx, "has at least %zu bytes of JSON; %s has at most %zu KB", o->bytes, what, most / 1024);
}

LJMP static bool hero_is_video(struct check *c, int bubble)
{
    bool video = false;
    if (check_get(c, bubble, "hero") == LUA_TTABLE) {
        struct str type = string_of(c, lua_gettop(c->L), "type");
        video = type.p && str_is(type, "video");
    }
    lua_pop(c->L, 1);
    return video;
}

LJMP static void rule_bubble(struct check *c, const struct check_object *o)
{
    if (!check_has(o, "header") && !check_has(o, "hero") && !check_has(o, "body") && !check_has(o, "footer"))
        check_complain(c, o->at, o->idx, "has no block: at least one of header, hero, body, footer must be there");
    too_large(c, o, "a bubble", BUBBLE_BYTES);
    if (check_has(o, "hero") && check_has(o, "size") && hero_is_video(c, o->idx)) {
        struct at at = at_field(o, "size");
        struct str size = string_of(c, o->idx, "size");
        if (size.p && schema_word("nano micro deca hecto", size) >= 0)
            check_complain(c, &at, 0, "is \"%s\", but a bubble with a video must be one of kilo, mega, giga", size.p);
    }
}

LJMP static void rule_flex_carousel(struct check *c, const struct check_object *o)
{
    struct at contents = at_field(o, "contents");
    struct str first = {NULL, 0};
    too_large(c, o, "a carousel", CAROUSEL_BYTES);
    if (check_get(c, o->idx, "contents") == LUA_TTABLE) {
        struct at entry = {.outer = &contents, .idx = lua_gettop(c->L)};
        lua_Integer n = (lua_Integer)lua_rawlen(c->L, entry.idx);
        for (entry.index = 1; entry.index <= n && entry.index <= 12; entry.index++) {
            if (lua_rawgeti(c->L, entry.idx, entry.index) == LUA_TTABLE) {
                struct at at = {.outer = &entry, .idx = lua_gettop(c->L), .name = "size"};
                struct str size = string_of(c, at.idx, "size");
                if (!size.p) size = (struct str){"mega", 4};
                if (entry.index == 1) first = size;
                if (!first.p || size.n != first.n || memcmp(size.p, first.p, size.n) != 0)
                    check_complain(c, &at, 0, "is \"%s\", but the first bubble's is \"%s\"; all bubbles of a carousel must have "
                                   "one size", size.p, first.p ? first.p : "?");
                at.name = "hero";
                if (hero_is_video(c, at.idx)) check_complain(c, &at, 0, "is a video, which cannot stand in a carousel");
            }
            lua_pop(c->L, 1);
        }
    }
    lua_pop(c->L, 1);
}

LJMP static void rule_flex_image(struct check *c, const struct check_object *o)
{
    if (check_has(o, "animated") && is_true(c, o->idx, "animated")) c->animated++;
}

LJMP static void rule_flex(struct check *c, const struct check_object *o)
{
    if (c->animated > ANIMATED) check_complain(c, o->at, o->idx, "has %u animated images, the most is %u", c->animated, ANIMATED);
    c->animated = 0;
}

LJMP static void rule_flex_text(struct check *c, const struct check_object *o)
{
    struct at at = at_field(o, "text");
    if (check_has(o, "contents")) return;
    if (!check_has(o, "text")) return check_complain(c, &at, 0, "is missing; a text has text, or spans as contents");
    if (check_empty(o, "text")) check_complain(c, &at, 0, "is empty, which LINE refuses");
}

/* ---- actions ---- */

LJMP static void rule_postback(struct check *c, const struct check_object *o)
{
    struct at at = at_field(o, "text");
    if (check_has(o, "displayText") && check_has(o, "text"))
        check_complain(c, &at, 0, "cannot be there together with displayText");
}

LJMP static void rule_datetimepicker(struct check *c, const struct check_object *o)
{
    static const char *const names[] = {"initial", "max", "min"};
    static const char *const forms[] = {
        "2017-06-18, from 1900-01-01 to 2100-12-31", "06:15",
        "2017-06-18T06:15, from 1900-01-01T00:00 to 2100-12-31T23:59",
    };
    struct str mode = string_of(c, o->idx, "mode");
    int form = mode.p ? schema_word("date time datetime", mode) : -1;
    int64_t moments[3] = {-1, -1, -1};
    char quoted[100];
    if (form < 0) return;
    for (int i = 0; i < 3; i++) {
        struct at at = at_field(o, names[i]);
        struct str s = check_has(o, names[i]) ? string_of(c, o->idx, names[i]) : (struct str){NULL, 0};
        if (!s.p) continue;
        moments[i] = schema_moment(mode, s);
        schema_quote(s, quoted, sizeof quoted);
        if (moments[i] < 0) check_complain(c, &at, 0, "%s is not a %s such as %s", quoted, mode.p, forms[form]);
    }
    struct at min = at_field(o, "min");
    if (moments[1] >= 0 && moments[2] >= 0 && moments[2] >= moments[1]) check_complain(c, &min, 0, "is not before max");
}

/* ---- rich menus ---- */

LJMP static void rule_rich_menu(struct check *c, const struct check_object *o)
{
    struct at at = at_field(o, "size");
    double w, h;
    if (check_get(c, o->idx, "size") == LUA_TTABLE) {
        int size = lua_gettop(c->L);
        if (number_of(c, size, "width", &w) && number_of(c, size, "height", &h) && h > 0 && w / h < 1.45)
            check_complain(c, &at, size, "is %.0f x %.0f: width / height is %.3f, but must be at least 1.45", w, h, w / h);
    }
    lua_pop(c->L, 1);
}

/* `from` once among all operations; unlinkAll alone. */
LJMP static void rule_batch(struct check *c, const struct check_object *o)
{
    struct at operations = at_field(o, "operations");
    if (check_get(c, o->idx, "operations") == LUA_TTABLE) {
        struct at entry = {.outer = &operations, .idx = lua_gettop(c->L)};
        lua_Integer n = (lua_Integer)lua_rawlen(c->L, entry.idx);
        lua_newtable(c->L); /* from → true: up to 1000 of them. A batch may be sent three times an hour */
        int seen = lua_gettop(c->L);
        for (entry.index = 1; entry.index <= n && entry.index <= 1000; entry.index++) {
            if (lua_rawgeti(c->L, entry.idx, entry.index) == LUA_TTABLE) {
                struct at at = {.outer = &entry, .idx = lua_gettop(c->L), .name = "from"};
                struct str type = string_of(c, at.idx, "type");
                if (type.p && str_is(type, "unlinkAll") && n > 1)
                    check_complain(c, &entry, at.idx, "is unlinkAll, which must be the only operation");
                if (check_get(c, at.idx, "from") == LUA_TSTRING) {
                    lua_pushvalue(c->L, -1);
                    if (lua_rawget(c->L, seen) != LUA_TNIL)
                        check_complain(c, &at, 0, "is \"%s\" like an operation's before; each menu may be there once",
                                       lua_tostring(c->L, -2));
                    lua_pop(c->L, 1);
                    lua_pushboolean(c->L, 1);
                    lua_rawset(c->L, seen);
                } else {
                    lua_pop(c->L, 1);
                }
            }
            lua_pop(c->L, 1);
        }
        lua_pop(c->L, 1);
    }
    lua_pop(c->L, 1);
}

/* ---- narrowcast ---- */

LJMP static void rule_operator(struct check *c, const struct check_object *o)
{
    int n = check_has(o, "and") + check_has(o, "or") + check_has(o, "not");
    if (n != 1) check_complain(c, o->at, o->idx, "has %s of and, or, not; it must have one", n ? "several" : "none");
}

LJMP static void rule_range(struct check *c, const struct check_object *o)
{
    struct at at = at_field(o, "gte");
    bool gte = check_has(o, "gte"), lt = check_has(o, "lt");
    c->filters++;
    if (!gte && !lt) return check_complain(c, o->at, o->idx, "has neither gte nor lt; at least one must be there");
    if (!gte || !lt) return;
    const char *words = o->kind->fields[schema_field(o->kind, "gte", 3)].words;
    struct str from = string_of(c, o->idx, "gte"), to = string_of(c, o->idx, "lt");
    if (from.p && to.p && schema_word(words, to) >= 0 && schema_word(words, from) >= schema_word(words, to))
        check_complain(c, &at, 0, "is \"%s\", but must be below lt, which is \"%s\"", from.p, to.p);
}

LJMP static void rule_one_filter(struct check *c, const struct check_object *o)
{
    (void)o;
    c->filters++;
}

LJMP static void rule_filter(struct check *c, const struct check_object *o)
{
    if (c->filters > 10) check_complain(c, o->at, o->idx, "has %u demographic filters, the most is 10", c->filters);
}

LJMP static void rule_one_recipient(struct check *c, const struct check_object *o)
{
    (void)o;
    c->recipients++;
}

LJMP static void rule_recipients(struct check *c, const struct check_object *o)
{
    if (c->recipients > 10) check_complain(c, o->at, o->idx, "has %u audiences and redeliveries, the most is 10", c->recipients);
}

LJMP static void rule_limit(struct check *c, const struct check_object *o)
{
    struct at at = at_field(o, "forbidPartialDelivery");
    if (check_has(o, "forbidPartialDelivery") && is_true(c, o->idx, "forbidPartialDelivery") &&
        !is_true(c, o->idx, "upToRemainingQuota"))
        check_complain(c, &at, 0, "is true, which is possible only when upToRemainingQuota is true");
}

/* ---- coupons ---- */

LJMP static void rule_coupon(struct check *c, const struct check_object *o)
{
    struct at end_at = at_field(o, "endTimestamp"), uses_at = at_field(o, "maxUseCountPerTicket");
    double start, end, uses;
    if (number_of(c, o->idx, "maxUseCountPerTicket", &uses) && uses == 0)
        check_complain(c, &uses_at, 0, "is 0, but must be 1, or -1 for any number");
    if (!number_of(c, o->idx, "endTimestamp", &end)) return;
    if (number_of(c, o->idx, "startTimestamp", &start) && end <= start)
        check_complain(c, &end_at, 0, "is not after startTimestamp");
    else if (end < (double)time(NULL)) check_complain(c, &end_at, 0, "is in the past (seconds since 1970)");
    else if (end > 1e11) check_complain(c, &end_at, 0, "is %.0f: seconds since 1970 are wanted, not milliseconds", end);
}

LJMP static void rule_lottery(struct check *c, const struct check_object *o)
{
    struct at at = at_field(o, "maxAcquireCount");
    double most;
    if (number_of(c, o->idx, "maxAcquireCount", &most) && most == 0)
        check_complain(c, &at, 0, "is 0, but must be 1 to 999999, or -1 for any number");
}

static void (*const rules[CHECK_COUNT])(struct check *c, const struct check_object *o) = {
    [CHECK_text] = rule_text, [CHECK_text_v2] = rule_text_v2, [CHECK_buttons] = rule_card, [CHECK_column] = rule_card,
    [CHECK_carousel] = rule_carousel, [CHECK_bubble] = rule_bubble, [CHECK_flex_carousel] = rule_flex_carousel,
    [CHECK_flex] = rule_flex, [CHECK_flex_text] = rule_flex_text, [CHECK_flex_image] = rule_flex_image,
    [CHECK_postback] = rule_postback, [CHECK_datetimepicker] = rule_datetimepicker, [CHECK_sender] = rule_sender,
    [CHECK_rich_menu] = rule_rich_menu, [CHECK_batch] = rule_batch, [CHECK_operator] = rule_operator,
    [CHECK_range] = rule_range, [CHECK_one_filter] = rule_one_filter, [CHECK_filter] = rule_filter,
    [CHECK_one_recipient] = rule_one_recipient, [CHECK_recipients] = rule_recipients, [CHECK_limit] = rule_limit,
    [CHECK_coupon] = rule_coupon, [CHECK_lottery] = rule_lottery,
};

LJMP void check_rule(struct check *c, const struct check_object *o)
{
    if (!rules[o->kind->check]) return; /* a box's is in the walk itself */
    luaL_checkstack(c->L, LUA_MINSTACK, "check");
    rules[o->kind->check](c, o);
}
