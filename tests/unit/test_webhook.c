/* Splitting webhooks: facts taken from them, the strict refusals, and lua-cjson's view of the kept corpus. */
#include <dirent.h>

#include "base/buf.h"
#include "base/err.h"
#include "test.h"
#include "tests/fuzz/webhook_twin.h"

static const char *why;

static int split(const char *text, struct webhook *w)
{
    *w = (struct webhook){{NULL, 0}, NULL, 0};
    why = "";
    return webhook_split(str_of(text), w, &why);
}

TEST(takes_the_facts)
{
    static const char body[] =
        "{\"destination\":\"Ub\",\"events\":[ "
        "{\"type\":\"message\",\"message\":{\"type\":\"text\",\"id\":\"1\",\"text\":\"x\"},"
        "\"webhookEventId\":\"01H\",\"deliveryContext\":{\"isRedelivery\":true},\"timestamp\":1625665242211,"
        "\"source\":{\"type\":\"group\",\"userId\":\"U1\",\"groupId\":\"C1\"},\"mode\":\"standby\"} ,\n"
        "{\"type\":\"delivery\"},{\"source\":{\"type\":\"room\",\"roomId\":\"R1\",\"userId\":\"U1\"},\"mode\":"
        "\"active\"},"
        "{\"source\":{\"type\":\"user\",\"userId\":\"U1\"}},{}]}";
    struct webhook w;
    CHECK_INT(split(body, &w), 0);
    CHECK_STRN(w.destination, "Ub");
    if (!CHECK(w.n == 5))
        return;
    const struct webhook_event *e = w.events;
    CHECK(e->raw.p == strstr(body, "{\"type\":\"message\"") && e->raw.p[e->raw.n - 1] == '}' &&
          e->raw.p[e->raw.n] == ' ');
    CHECK_STRN(e->id, "01H");
    CHECK_STRN(e->type, "message"); /* not the message's own type */
    CHECK_STRN(e->chat, "C1");
    CHECK_INT(e->timestamp, 1625665242211);
    CHECK(e->redelivery && e->standby);
    CHECK_STRN(e[1].raw, "{\"type\":\"delivery\"}");
    CHECK(!e[1].chat.p && !e[1].id.p && !e[1].redelivery && !e[1].standby && e[1].timestamp == 0);
    CHECK_STRN(e[2].chat, "R1");
    CHECK(!e[2].standby && !e[2].type.p);
    CHECK_STRN(e[3].chat, "U1");
    CHECK_STRN(e[4].raw, "{}");
    webhook_free(&w);
    webhook_free(&w);
    CHECK_INT(split(" { \"events\" : [ ] } ", &w), 0);
    CHECK(w.n == 0 && !w.destination.p);
    webhook_free(&w);
}

TEST(the_last_of_a_key_counts)
{
    struct webhook w;
    CHECK_INT(
        split(
            "{\"events\":[1,2],\"events\":[{\"source\":{\"groupId\":\"C\"},\"source\":{\"userId\":\"U\"},\"type\":"
            "\"a\","
            "\"type\":\"b\",\"webhookEventId\":\"1\",\"webhookEventId\":null,\"mode\":\"standby\",\"mode\":1,"
            "\"deliveryContext\":{\"isRedelivery\":true,\"isRedelivery\":false},\"timestamp\":5,\"timestamp\":\"6\"}]}",
            &w),
        0);
    CHECK_INT(w.n, 1);
    CHECK_STRN(w.events[0].chat, "U");
    CHECK_STRN(w.events[0].type, "b");
    CHECK(!w.events[0].id.p && !w.events[0].standby && !w.events[0].redelivery && w.events[0].timestamp == 0);
    webhook_free(&w);
    CHECK_INT(split("{\"events\":[{}],\"events\":null}", &w), ERR_SYNTAX);
    CHECK_STR(why, "no events array");
}

TEST(escaped_keys_are_known)
{
    struct webhook w;
    CHECK_INT(split("{\"ev\\u0065nts\":[{\"s\\u006furce\":{\"user\\u0049d\":\"U\"},\"m\\u006fde\":\"\\u0073tandby\","
                    "\"typ\\u0065\":\"x\"}]}",
                    &w),
              0);
    CHECK_INT(w.n, 1);
    CHECK_STRN(w.events[0].chat, "U");
    CHECK_STRN(w.events[0].type, "x");
    CHECK(w.events[0].standby);
    webhook_free(&w);
}

TEST(odd_ids_are_absent)
{
    char body[512], id[LIMIT_EVENT_ID + 2];
    struct webhook w;
    for (unsigned n = LIMIT_EVENT_ID; n <= LIMIT_EVENT_ID + 1; n++) {
        memset(id, 'x', n);
        id[n] = 0;
        snprintf(body, sizeof body, "{\"events\":[{\"webhookEventId\":\"%s\",\"source\":{\"userId\":\"%s\"}}]}", id,
                 id);
        CHECK_INT(split(body, &w), 0);
        CHECK_INT(w.events[0].id.n, n == LIMIT_EVENT_ID ? n : 0);
        CHECK_INT(w.events[0].chat.n, n == LIMIT_EVENT_ID ? n : 0);
        webhook_free(&w);
    }
    CHECK_INT(
        split(
            "{\"events\":[{\"webhookEventId\":\"\",\"type\":7,\"source\":{\"groupId\":\"\\u0043\",\"userId\":\"U\"}}]}",
            &w),
        0);
    CHECK(!w.events[0].id.p && !w.events[0].type.p);
    CHECK_STRN(w.events[0].chat, "U");
    webhook_free(&w);
}

TEST(refusals)
{
    static const char *const rows[][2] = {
        {"", "the text ends too early"},
        {"{}", "no events array"},
        {"{\"events\":null}", "no events array"},
        {"{\"events\":{}}", "no events array"},
        {"{\"events\":\"[]\"}", "no events array"},
        {"[]", "an object is expected here"},
        {"null", "an object is expected here"},
        {"hello", "an object is expected here"},
        {"{\"events\":[1]}", "an event that is not an object"},
        {"{\"events\":[{},null]}", "an event that is not an object"},
        {"{\"events\":[[]]}", "an event that is not an object"},
        {"{\"events\":[]}x", "something follows the end of the value"},
        {"{\"events\":[{]}", "a key in quotes is expected here"},
        {"{\"events\":[{}", "the text ends too early"},
        {"{\"events\":[],}", "a key in quotes is expected here"},
        {"{\"events\":[{},]}", "a value is expected here"},
        {"{\"events\":[],\"x\":\"\xff\"}", "a string is not UTF-8"},
        {"{\"events\":[],\"x\":01}", "a number is not written as JSON has it"},
        {"{\"events\":[1],\"x\":tru}", "a value is expected here"},
    };
    struct webhook w;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        CHECK_INT(split(rows[i][0], &w), ERR_SYNTAX);
        CHECK_STR(why, rows[i][1]);
        CHECK(w.events == NULL);
    }
    CHECK_INT(webhook_split((struct str){NULL, 0}, &w, &why), ERR_SYNTAX);
}

TEST(too_many_events)
{
    struct buf b = BUF(1 << 20);
    struct webhook w;
    for (unsigned n = LIMIT_EVENTS_PER_WEBHOOK; n <= LIMIT_EVENTS_PER_WEBHOOK + 1; n++) {
        buf_clear(&b);
        buf_puts(&b, "{\"events\":[{}");
        for (unsigned i = 1; i < n; i++)
            buf_puts(&b, ",{}");
        buf_puts(&b, "]}");
        bool fits = n == LIMIT_EVENTS_PER_WEBHOOK;
        CHECK_INT(split(b.data, &w), fits ? 0 : ERR_TOOBIG);
        CHECK_INT(w.n, fits ? n : 0);
        webhook_free(&w);
    }
    CHECK_STR(why, "too many events");
    buf_free(&b);
}

static uint64_t order(const char *event, uint32_t bot)
{
    char body[256];
    struct webhook w;
    snprintf(body, sizeof body, "{\"events\":[%s]}", event);
    if (!CHECK(split(body, &w) == 0))
        return 0;
    uint64_t key = webhook_order(&w.events[0], bot);
    webhook_free(&w);
    return key;
}

TEST(order_keys)
{
    uint64_t a = order("{\"type\":\"message\",\"source\":{\"groupId\":\"C1\",\"userId\":\"U1\"}}", 0);
    CHECK(a == order("{\"type\":\"leave\",\"webhookEventId\":\"9\",\"source\":{\"groupId\":\"C1\"}}",
                     0)); /* a chat is one line */
    CHECK(a != order("{\"source\":{\"groupId\":\"C2\"}}", 0));
    CHECK(a != order("{\"source\":{\"groupId\":\"C1\"}}", 1)); /* of another bot */
    CHECK(order("{\"type\":\"module\",\"webhookEventId\":\"1\"}", 0) ==
          order("{\"type\":\"module\",\"webhookEventId\":\"2\"}", 0));
    CHECK(order("{\"type\":\"module\"}", 0) != order("{\"type\":\"botResumed\"}", 0));
    CHECK(order("{\"type\":\"delivery\",\"webhookEventId\":\"1\"}", 0) !=
          order("{\"type\":\"delivery\",\"webhookEventId\":\"2\"}", 0));
    CHECK(order("{\"type\":\"delivery\",\"x\":1}", 0) != order("{\"type\":\"delivery\",\"x\":2}", 0));
    /* Keys are kept in the store: the function of today is that of yesterday. */
    CHECK_INT(order("{\"source\":{\"userId\":\"U0123456789abcdef0123456789abcdef\"}}", 0),
              (int64_t)0xfeff5ba87505f4c1u);
    unsigned per_worker[4] = {0};
    for (unsigned i = 0; i < 4000; i++) {
        char event[128];
        snprintf(event, sizeof event, "{\"source\":{\"userId\":\"U%032x\"}}", i);
        per_worker[order(event, 0) % 4]++;
    }
    for (int i = 0; i < 4; i++)
        if (per_worker[i] < 900 || per_worker[i] > 1100)
            FAIL("worker %d gets %u of 4000 chats", i, per_worker[i]);
}

/* ---- the corpus, compared with lua-cjson: also whole files cut and changed, without clang ---- */

static char *read_seed(const char *dir, const char *name, size_t *ret_n)
{
    char path[512];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    FILE *f = fopen(path, "rb");
    if (!f)
        return NULL;
    char *bytes = malloc(1 << 16);
    *ret_n = fread(bytes, 1, 1 << 16, f);
    fclose(f);
    return bytes;
}

static void compare(const char *name, const char *p, size_t n)
{
    char *exact = malloc(n ? n : 1); /* of its own size: reading past it is seen under AddressSanitizer */
    memcpy(exact, p, n);
    const char *wrong = twin_compare(exact, n);
    if (wrong)
        FAIL("%s: %s: %.*s", name, wrong, n < 300 ? (int)n : 300, exact);
    free(exact);
}

static void compare_with_changes(const char *name, char *p, size_t n, uint64_t seed)
{
    static const char odd[] = "\"\\{}[]:,0e-.\xff\n u\xe3";
    compare(name, p, n);
    for (int i = 0; i < 300; i++) {
        seed ^= seed << 13, seed ^= seed >> 7, seed ^= seed << 17;
        size_t at = seed % n;
        char was = p[at];
        p[at] = odd[(seed >> 32) % (sizeof odd - 1)];
        compare(name, p, n);
        p[at] = was;
        compare(name, p, at); /* cut there */
    }
}

TEST(sees_what_cjson_sees)
{
    const char *dir = "tests/fuzz/corpus/webhook";
    unsigned seeds = 0;
    DIR *d = opendir(dir);
    if (!CHECK(d != NULL)) /* tests run from the top of the tree */
        return;
    twin_open();
    for (const struct dirent *entry; (entry = readdir(d));) {
        size_t n;
        char *bytes = entry->d_name[0] == '.' ? NULL : read_seed(dir, entry->d_name, &n);
        if (bytes && n)
            compare_with_changes(entry->d_name, bytes, n, 88172645463325252u + seeds++);
        free(bytes);
    }
    closedir(d);
    twin_close();
    CHECK(seeds >= 39);
}

/* The comparison itself can fail: a view that is not cjson's is noticed. */
TEST(the_comparison_notices)
{
    struct webhook_event e = {STR("{\"type\":\"a\"}"), {NULL, 0}, STR("a"), {NULL, 0}, 0, false, false};
    struct webhook w = {{NULL, 0}, &e, 1};
    twin_open();
    for (int fault = 0; fault < 8; fault++) {
        struct webhook_event good = e;
        switch (fault) {
        case 1: e.type = STR("b"); break;
        case 2: e.id = STR("1"); break;
        case 3: e.chat = STR("U"); break;
        case 4: e.timestamp = 1; break;
        case 5: e.redelivery = true; break;
        case 6: e.standby = true; break;
        case 7: w.n = 0; break;
        }
        lua_settop(twin_state, 1);
        lua_pushvalue(twin_state, 1);
        lua_pushstring(twin_state, "{\"events\":[{\"type\":\"a\"}]}");
        twin_push(twin_state, &w);
        lua_call(twin_state, 2, 1);
        CHECK_INT(lua_isstring(twin_state, -1), fault > 0);
        e = good;
    }
    twin_close();
}

TEST_MAIN()
