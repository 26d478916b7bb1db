/* operations.def does not contradict itself, fits the metrics page, and its URLs are built from what it declares. */
#include "line/operations.h"
#include <ctype.h>
#include "base/near.h"
#include "host/page.h"
#include "line/schema.h"
#include "test.h"

TEST(table_fits_the_metrics_page)
{
    CHECK(operations_n > 30);
    CHECK(operations_n < PAGE_OPERATIONS); /* the last place is line.request's */
}

TEST(names_are_snake_case_and_unique)
{
    for (unsigned i = 0; i < operations_n; i++) {
        const char *name = operations[i].name;
        for (const char *p = name; *p; p++)
            CHECK(islower((unsigned char)*p) || isdigit((unsigned char)*p) || *p == '_');
        CHECK_INT(operation_find(str_of(name)), (int)i); /* the first of equals is found, so a double shows */
    }
    CHECK_INT(operation_find(STR("no_such_operation")), -1);
}

static const struct operation_field *field(unsigned row, const char *name, size_t n)
{
    unsigned count;
    const struct operation_field *f = operation_fields(row, &count);
    for (unsigned i = 0; i < count; i++)
        if (f[i].n == n && memcmp(f[i].name, name, n) == 0) return &f[i];
    return NULL;
}

TEST(paths_and_fields_agree)
{
    for (unsigned i = 0; i < operations_n; i++) {
        unsigned n, in_path = 0, declared = 0, files = 0, in_body = 0;
        const struct operation_field *f = operation_fields(i, &n);
        CHECK(operations[i].path[0] == '/');
        for (const char *p = strchr(operations[i].path, '{'); p; p = strchr(p + 1, '{')) {
            const struct operation_field *part = field(i, p + 1, strcspn(p + 1, "}"));
            in_path++;
            CHECK(part && part->place == FIELD_PATH && part->required);
        }
        for (unsigned k = 0; k < n; k++) {
            declared += f[k].place == FIELD_PATH;
            files += f[k].type == FIELD_FILE;
            in_body += f[k].place == FIELD_BODY;
            CHECK(f[k].place != FIELD_BODY || operations[i].body != BODY_NONE);
            CHECK(f[k].place == FIELD_BODY || f[k].type < FIELD_ARRAY || /* paths and headers are plain values */
                  (f[k].place == FIELD_QUERY && f[k].type == FIELD_ARRAY));
            CHECK((f[k].place == FIELD_HEADER) == (f[k].header.p != NULL));
            CHECK(!f[k].fallback.p || (!f[k].required && f[k].type == FIELD_STRING));
            CHECK(!f[k].kind[0] || f[k].type == FIELD_ARRAY || f[k].type == FIELD_OBJECT);
            CHECK(!f[k].kind[0] || schema_find(str_of(f[k].kind))); /* an unknown kind would be checked by nobody */
            CHECK(field(i, f[k].name, f[k].n) == &f[k]);               /* named once */
        }
        CHECK_INT(declared, in_path);
        enum operation_body body = operations[i].body;
        CHECK_INT(files, body == BODY_MULTIPART || body == BODY_BYTES ? 1 : 0);
        CHECK(body != BODY_BYTES || in_body == 1);
        CHECK(!*operation_kind(i) || (body == BODY_JSON && schema_find(str_of(operation_kind(i)))));
    }
}

TEST(natural_argument_is_a_field_and_the_only_required_one)
{
    for (unsigned i = 0; i < operations_n; i++) {
        const char *natural = operations[i].natural;
        unsigned n;
        const struct operation_field *f = operation_fields(i, &n);
        if (!*natural) continue;
        const struct operation_field *own = field(i, natural, strlen(natural));
        CHECK(own && own->type < FIELD_ARRAY); /* a table alone is the table of fields */
        for (unsigned k = 0; k < n; k++) CHECK(!f[k].required || &f[k] == own);
    }
}

TEST(verbs_bodies_and_limits_make_sense)
{
    unsigned keyed = 0;
    for (unsigned i = 0; i < operations_n; i++) {
        const struct operation *o = &operations[i];
        bool get = strcmp(o->verb, "GET") == 0;
        CHECK(get || !strcmp(o->verb, "POST") || !strcmp(o->verb, "PUT") || !strcmp(o->verb, "DELETE"));
        CHECK(!get || o->body == BODY_NONE);
        CHECK(o->answer != ANSWER_BYTES || (get && o->host == HOST_DATA));
        CHECK(o->body < BODY_MULTIPART || o->host == HOST_DATA);
        CHECK((o->auth == AUTH_BASIC) == (o->host == HOST_MANAGER));
        CHECK(strstr(o->page, "/#") && o->page[0] != '/');
        CHECK(o->limit.calls > 0 && (o->limit.seconds == 1 || o->limit.seconds == 60 || o->limit.seconds == 3600));
        CHECK(*o->about && !strpbrk(o->about, "\n"));
        keyed += o->retry_key;
    }
    CHECK_INT(keyed, 4); /* push, multicast, narrowcast, broadcast; LINE refuses the header anywhere else */
}

TEST(fields_are_read_with_place_type_and_mark)
{
    unsigned n;
    const struct operation_field *f = operation_fields((unsigned)operation_find(STR("get_group_members_ids")), &n);
    CHECK_INT(n, 2);
    CHECK_STR(f[0].name, "groupId");
    CHECK(f[0].place == FIELD_PATH && f[0].type == FIELD_STRING && f[0].required);
    CHECK_STR(f[1].name, "start");
    CHECK(f[1].place == FIELD_QUERY && !f[1].required);
    operation_fields((unsigned)operation_find(STR("get_bot_info")), &n);
    CHECK_INT(n, 0);
    operation_fields((unsigned)operation_find(STR("get_bot_info")), &n); /* kept, not read again into more */
    CHECK_INT(n, 0);
}

static const struct operation_field *named(const char *operation, const char *name)
{
    return field((unsigned)operation_find(str_of(operation)), name, strlen(name));
}

TEST(bounds_words_kinds_and_defaults_are_read)
{
    const struct operation_field *f = named("multicast", "to");
    CHECK(f->type == FIELD_ARRAY && f->least == 1 && f->most == 500 && !f->words.p && f->required);
    f = named("push_message", "messages");
    CHECK_STR(f->kind, "message");
    f = named("list_coupon", "status");
    CHECK(f->type == FIELD_ARRAY && f->least == FIELD_NO_BOUND);
    CHECK_STRN(f->words, "DRAFT|RUNNING|CLOSED");
    f = named("set_rich_menu_image", "image");
    CHECK(f->type == FIELD_FILE && f->least == FIELD_NO_BOUND && f->most == 1048576 && f->required);
    CHECK_STRN(f->words, "image/jpeg|image/png");
    f = named("issue_channel_token", "grant_type");
    CHECK_STRN(f->fallback, "client_credentials");
    f = named("push_messages_by_phone", "deliveryTag");
    CHECK(f->place == FIELD_HEADER && !f->required);
    CHECK_STRN(f->header, "X-Line-Delivery-Tag");
    f = named("get_audience_groups", "page");
    CHECK(f->least == 1 && f->most == FIELD_NO_BOUND && f->required);
    CHECK_STR(operation_kind((unsigned)operation_find(STR("create_coupon"))), "coupon");
    CHECK_STR(operation_kind((unsigned)operation_find(STR("get_bot_info"))), "");
}

TEST(words_are_told_apart)
{
    struct str words = STR("A|BC|D"), rest = words;
    CHECK(field_word_fits(words, STR("BC")) && field_word_fits(words, STR("D")));
    CHECK(!field_word_fits(words, STR("B")) && !field_word_fits(words, STR("BCD")) && !field_word_fits(words, STR("")));
    CHECK_STRN(field_next_word(&rest), "A");
    CHECK_STRN(field_next_word(&rest), "BC");
    CHECK_STRN(field_next_word(&rest), "D");
    CHECK(!field_next_word(&rest).p);
}

/* "addLIFFApp" → "add_liff_app": a capital begins a word after a small letter or digit, and before a small one. */
static void snake(const char *id, char *out)
{
    for (const char *p = id; *p; p++) {
        bool begins = p > id && isupper((unsigned char)*p) &&
                      (!isupper((unsigned char)p[-1]) || islower((unsigned char)p[1]));
        if (begins) *out++ = '_';
        *out++ = (char)tolower((unsigned char)*p);
    }
    *out = 0;
}

/* tests/unit/operation_ids.txt has the ids of LINE's OpenAPI files, one a line, incoming webhooks left out. */
TEST(every_operation_of_the_platform_has_its_row)
{
    char line[128], name[256];
    unsigned ids = 0;
    FILE *f = fopen("tests/unit/operation_ids.txt", "re");
    if (!CHECK(f)) return;
    while (fgets(line, sizeof line, f)) {
        line[strcspn(line, "\n")] = 0;
        snake(line, name);
        ids++;
        if (operation_find(str_of(name)) < 0) CHECK_STR(name, "a row of operations.def");
    }
    fclose(f);
    CHECK_INT(ids, operations_n); /* names are unique, so equal numbers leave no row without an id */
    CHECK_INT(ids, 110);
}

TEST(escaping_leaves_unreserved_characters_only)
{
    struct buf b = BUF(64);
    CHECK_INT(operation_escape(&b, STR("aZ09-._~")), 0);
    CHECK_STRN(buf_str(&b), "aZ09-._~");
    buf_clear(&b);
    CHECK_INT(operation_escape(&b, STR("a/b?c=d&e +%\xc3\xa9")), 0);
    CHECK_STRN(buf_str(&b), "a%2Fb%3Fc%3Dd%26e%20%2B%25%C3%A9");
    buf_free(&b);
    buf_init(&b, 4);
    CHECK(operation_escape(&b, STR("//")) != 0);
    buf_free(&b);
}

TEST_MAIN()
