/* schema.def does not contradict itself, and strings are counted and read as LINE does. */
#include "line/schema.h"
#include "line/schema_text.h"
#include "test.h"

TEST(rows_are_whole)
{
    unsigned n;
    const struct schema_kind *k = schema_kinds(&n);
    CHECK(n > 80);
    for (unsigned i = 0; i < n; i++) {
        CHECK(*k[i].about);
        CHECK(schema_find(str_of(k[i].name)) == &k[i]); /* the first of equals is found, so a double shows */
        for (unsigned v = 0; v < k[i].variants_n; v++) {
            const struct schema_variant *row = &k[i].variants[v];
            CHECK(row->of && !row->of->variants && row->places);
            CHECK(schema_variant(&k[i], row->type, strlen(row->type)) == row);
        }
        for (unsigned f = 0; f < k[i].fields_n; f++) {
            const struct schema_field *row = &k[i].fields[f];
            bool holds = row->type == SCHEMA_OBJECT || row->type == SCHEMA_MAP;
            bool words = row->rule == RULE_WORDS || row->rule == RULE_SIZE || row->rule == RULE_CHARS;
            bool number = row->type == SCHEMA_INTEGER || row->type == SCHEMA_NUMBER;
            CHECK_INT(schema_field(&k[i], row->name, row->n), (int)f);
            CHECK(*row->about);
            CHECK(!holds || row->of);
            CHECK(words == (row->words != NULL));
            CHECK(!row->limited || row->min <= row->max);
            CHECK(!number || row->rule == RULE_NONE);
            CHECK((row->rule == RULE_SIZE) == (row->units != 0));
        }
    }
}

TEST(every_kind_can_be_reached)
{
    static const char *const doors[] = {"message", "richmenu", "richmenu_batch", "richmenu_alias", "richmenu_bulk", "recipient", "filter",
                                        "limit", "coupon", "audience_upload", "audience_add", "audience_click", "audience_impression",
                                        "audience_name"};
    unsigned n, reached = 0, before = 1;
    const struct schema_kind *k = schema_kinds(&n);
    bool *seen = calloc(n, sizeof *seen);
    for (size_t i = 0; i < sizeof doors / sizeof *doors; i++) {
        const struct schema_kind *door = schema_find(str_of(doors[i]));
        if (CHECK(door)) seen[door - k] = true;
    }
    while (reached != before) {
        before = reached;
        reached = 0;
        for (unsigned i = 0; i < n; i++) {
            if (!seen[i]) continue;
            reached++;
            for (unsigned v = 0; v < k[i].variants_n; v++) seen[k[i].variants[v].of - k] = true;
            for (unsigned f = 0; f < k[i].fields_n; f++)
                if (k[i].fields[f].of) seen[k[i].fields[f].of - k] = true;
        }
    }
    for (unsigned i = 0; i < n; i++)
        if (!seen[i]) FAIL("nothing leads to %s", k[i].name);
    free(seen);
}

TEST(counting)
{
    static const struct {
        const char *text;
        size_t units, seen;
    } rows[] = {
        {"", 0, 0}, {"abc", 3, 3}, {"あいう", 3, 3}, {"🍎", 2, 1}, {"é", 1, 1}, {"e\xCC\x81", 2, 1},
        {"👨‍👩‍👧", 8, 1}, {"👍🏽", 4, 1}, {"🇯🇵🇹🇼", 8, 2},
        {"🇯🇵🇹", 6, 2},
        {"한글", 2, 2}, {"\xE1\x84\x92\xE1\x85\xA1\xE1\x86\xAB", 3, 1}, {"\r\n", 2, 1},
        {"\n\n", 2, 2}, {"❤️", 2, 1}, {"1️⃣", 3, 1},
        {"ก็", 2, 1}, {"नमस्ते", 6, 4}, {"\xFF\xFE", 2, 2},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        CHECK_INT((long long)schema_utf16(str_of(rows[i].text)), (long long)rows[i].units);
        if (schema_graphemes(str_of(rows[i].text)) != rows[i].seen)
            FAIL("%s: %zu seen, not %zu", rows[i].text, schema_graphemes(str_of(rows[i].text)), rows[i].seen);
    }
}

TEST(moments)
{
    CHECK(schema_moment(STR("date"), STR("2017-06-18")) > schema_moment(STR("date"), STR("2017-06-17")));
    CHECK(schema_moment(STR("datetime"), STR("2017-06-18t06:15")) == schema_moment(STR("datetime"), STR("2017-06-18T06:15")));
    CHECK(schema_moment(STR("datetime"), STR("2017-06-18T00:00")) > schema_moment(STR("datetime"), STR("2017-06-17T23:59")));
    CHECK_INT(schema_moment(STR("time"), STR("00:00")), 0);
    static const char *const wrong[][2] = {{"date", "2017-02-29"}, {"date", "2100-02-29"}, {"date", "2017-00-01"},
                                           {"date", "2017-06-18 "},
                                           {"date", "20170618"}, {"time", "24:00"}, {"time", "6:15"}, {"time", "06:60"},
                                           {"datetime", "2017-06-18"},
                                           {"datetime", "2017-06-18 06:15"}, {"date", ""}, {"time", ""}, {"datetime", ""}};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        CHECK_INT(schema_moment(str_of(wrong[i][0]), str_of(wrong[i][1])), -1);
    CHECK(schema_moment(STR("date"), STR("2000-02-29")) > 0);
}

TEST(words)
{
    CHECK_INT(schema_word("none xs sm", STR("none")), 0);
    CHECK_INT(schema_word("none xs sm", STR("sm")), 2);
    CHECK_INT(schema_word("none xs sm", STR("s")), -1);
    CHECK_INT(schema_word("none xs sm", STR("smm")), -1);
    CHECK_INT(schema_word("none xs sm", STR("xs sm")), -1);
    CHECK_INT(schema_word("none xs sm", STR("")), -1);
    CHECK_INT(schema_word("", STR("a")), -1);
}

TEST(quotes)
{
    char text[200];
    schema_quote(STR("a\nb"), text, sizeof text);
    CHECK_STR(text, "\"a b\"");
    schema_quote(str_of("ああああああああああああああああああああああ"), text, sizeof text);
    CHECK_STR(text, "\"ああああああああああああああああああああ…\"");
    schema_quote(STR("\xFF"), text, sizeof text);
    CHECK_STR(text, "\"\xEF\xBF\xBD\"");
    schema_quote(STR("long enough for a small room"), text, 8);
    CHECK_STR(text, "\"long e");
}

TEST_MAIN()
