/* Addresses: parts, credentials, what is relative, what is none. */
#include <stdio.h>
#include "base/err.h"
#include "net/http_url.h"
#include "test.h"

/* text, base or NULL, query or NULL → url, shown, origin, "user:password" or NULL */
static const char *const rows[][7] = {
    {"http://a", NULL, NULL, "http://a/", "http://a/", "http://a:80", NULL},
    {"https://a.example/x/y?z=1#part", NULL, NULL, "https://a.example/x/y?z=1", "https://a.example/x/y", "https://a.example:443", NULL},
    {"http://a:8080/x?k=secret", NULL, "b=2&c=%20", "http://a:8080/x?k=secret&b=2&c=%20", "http://a:8080/x", "http://a:8080", NULL},
    {"http://a/#part", NULL, "b=2", "http://a/?b=2", "http://a/", "http://a:80", NULL},
    {"http://me:p%40ss@a/x", NULL, NULL, "http://a/x", "http://a/x", "http://a:80", "me:p@ss"},
    {"http://me@a/x", NULL, NULL, "http://a/x", "http://a/x", "http://a:80", "me:"},
    {"http://[::1]:81/", NULL, NULL, "http://[::1]:81/", "http://[::1]:81/", "http://[::1]:81", NULL},
    {"http://a/a b", NULL, NULL, "http://a/a%20b", "http://a/a%20b", "http://a:80", NULL},
    {"/y?q=1", "http://a:8080/x/z?k=1", NULL, "http://a:8080/y?q=1", "http://a:8080/y", "http://a:8080", NULL},
    {"y", "http://a/x/z", NULL, "http://a/x/y", "http://a/x/y", "http://a:80", NULL},
    {"../y", "http://a/w/x/z", NULL, "http://a/w/y", "http://a/w/y", "http://a:80", NULL},
    {"//b/y", "https://a/x", NULL, "https://b/y", "https://b/y", "https://b:443", NULL},
    {"http://b/y", "https://a/x", NULL, "http://b/y", "http://b/y", "http://b:80", NULL},
    {"?q=2", "http://a/x?k=1", NULL, "http://a/x?q=2", "http://a/x", "http://a:80", NULL},
};

static const char *const bad[][3] = {
    {"", NULL, NULL}, {"a.example/x", NULL, "must begin with http:// or https://"}, {"http://", NULL, NULL},
    {"ftp://a/", NULL, "only http:// and https://"}, {"file:///etc/passwd", NULL, "only http:// and https://"},
    {"javascript:x", NULL, NULL}, {"http://a:99999/", NULL, NULL}, {"http://a b/", NULL, NULL}, {"http://[::1/", NULL, NULL},
    {"ftp://b/", "http://a/", "only http:// and https://"}, {"file:///etc/passwd", "http://a/", "only http://"},
    {"http://a\nb/", NULL, NULL}, {"gopher://a:1/_x", "http://a/", "only http://"},
    {"http://a/x\r\nHost: b", NULL, NULL}, {"http://a/x?y=\n", NULL, NULL}, {"/x\r\ny", "http://a/", NULL},
};

TEST(addresses)
{
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const char *const *r = rows[i], *why = NULL;
        struct http_url u;
        char credentials[100] = "";
        CHECK_INT(http_url_read(r[0], r[1], r[2], &u, &why), 0);
        if (why) {
            FAIL("%s: %s", r[0], why);
            continue;
        }
        CHECK_STR(u.url, r[3]);
        CHECK_STR(u.shown, r[4]);
        CHECK_STR(u.origin, r[5]);
        if (u.user) snprintf(credentials, sizeof credentials, "%s:%s", u.user, u.password ? u.password : "");
        CHECK_STR(credentials, r[6] ? r[6] : "");
        http_url_free(&u);
    }
}

TEST(what_is_no_address)
{
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct http_url u;
        const char *why = NULL;
        if (http_url_read(bad[i][0], bad[i][1], NULL, &u, &why) != ERR_SYNTAX || !why) FAIL("\"%s\" was taken", bad[i][0]);
        else if (bad[i][2] && !strstr(why, bad[i][2])) FAIL("\"%s\": %s", bad[i][0], why);
        CHECK(u.url == NULL);
        http_url_free(&u);
    }
}
TEST_MAIN()
