/* Retry keys: the same for the same call, computed beforehand by another implementation. */
#include "line/retry_key.h"
#include "test.h"

/* Made with Python: uuid.uuid5(uuid.UUID("c5e2990a-f1c0-4359-981f-7c76f9cd6339"), channel + "/" + event + "/" + call).
 * They may never change: see the namespace in retry_key.c. */
static const struct {
    const char *channel, *event, *call, *key;
} vectors[] = {
    {"U8e742f61d673b39c7fff3cecb7536ef0", "01FZ74A0TDDPYRVKNK77XKC3ZR", "1", "546ae128-c741-558c-a14f-f5f175082573"},
    {"U8e742f61d673b39c7fff3cecb7536ef0", "01FZ74A0TDDPYRVKNK77XKC3ZR", "2", "0653d217-57df-51f0-ac4b-73a570660849"},
    {"U8e742f61d673b39c7fff3cecb7536ef0", "01FZ74A0TDDPYRVKNK77XKC3ZR", "2.1", "9079b06a-2062-5ac1-85a1-a2339cdbfa2a"},
    {"", "", "", "b46e1469-7e19-5526-9826-d258c94b5a6a"},
};

TEST(known_answers)
{
    char key[RETRY_KEY_SIZE], again[RETRY_KEY_SIZE], big[300];
    for (size_t i = 0; i < sizeof vectors / sizeof *vectors; i++) {
        retry_key_make(str_of(vectors[i].channel), str_of(vectors[i].event), str_of(vectors[i].call), key);
        CHECK_STR(key, vectors[i].key);
        retry_key_make(str_of(vectors[i].channel), str_of(vectors[i].event), str_of(vectors[i].call), again);
        CHECK_STR(again, key);
    }
    memset(big, 'c', sizeof big); /* longer than the buffer on the stack */
    retry_key_make((struct str){big, sizeof big}, STR("e"), STR("1"), key);
    CHECK_STR(key, "1888a9cb-98c6-5942-91b7-2e153d14f09c");
    retry_key_make((struct str){NULL, 0}, (struct str){NULL, 0}, STR("1"), key);
    CHECK_INT(key[14], '5');
}

TEST(random_keys_are_version_4)
{
    char a[RETRY_KEY_SIZE], b[RETRY_KEY_SIZE];
    for (int i = 0; i < 100; i++) {
        retry_key_random(a);
        retry_key_random(b);
        CHECK(strcmp(a, b) != 0);
        CHECK_INT(strlen(a), 36);
        CHECK_INT(strspn(a, "0123456789abcdef-"), 36);
        CHECK(a[8] == '-' && a[13] == '-' && a[18] == '-' && a[23] == '-');
        CHECK_INT(a[14], '4');
        CHECK(strchr("89ab", a[19]) != NULL);
    }
}

TEST_MAIN()
