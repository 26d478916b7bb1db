/* Which addresses are public, and what a list allows. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/un.h>
#include "net/address.h"
#include "test.h"

union any {
    struct sockaddr a;
    struct sockaddr_in four;
    struct sockaddr_in6 six;
    struct sockaddr_un here;
};

static union any made(const char *text)
{
    union any x = {.a = {0}};
    if (inet_pton(AF_INET, text, &x.four.sin_addr) == 1) x.four.sin_family = AF_INET;
    else if (inet_pton(AF_INET6, text, &x.six.sin6_addr) == 1) x.six.sin6_family = AF_INET6;
    else abort();
    return x;
}

/* An address and a word of its kind; "" for a public one. First and last of each range, and their neighbours. */
static const char *const rows[][2] = {
    {"0.0.0.0", "unspecified"}, {"0.255.255.255", "unspecified"}, {"1.0.0.0", ""},
    {"9.255.255.255", ""}, {"10.0.0.0", "private"}, {"10.255.255.255", "private"}, {"11.0.0.0", ""},
    {"100.63.255.255", ""}, {"100.64.0.0", "provider"}, {"100.127.255.255", "provider"}, {"100.128.0.0", ""},
    {"126.255.255.255", ""}, {"127.0.0.0", "loopback"}, {"127.0.0.1", "loopback"}, {"127.255.255.255", "loopback"}, {"128.0.0.0", ""},
    {"169.253.255.255", ""}, {"169.254.0.0", "link-local"}, {"169.254.169.254", "link-local"}, {"169.254.255.255", "link-local"},
    {"169.255.0.0", ""}, {"172.15.255.255", ""}, {"172.16.0.0", "private"}, {"172.31.255.255", "private"}, {"172.32.0.0", ""},
    {"191.255.255.255", ""}, {"192.0.0.0", "reserved"}, {"192.0.0.170", "reserved"}, {"192.0.1.0", ""}, {"192.0.2.1", "reserved"},
    {"192.0.3.0", ""}, {"192.88.99.1", "reserved"}, {"192.167.255.255", ""}, {"192.168.0.0", "private"},
    {"192.168.255.255", "private"}, {"192.169.0.0", ""}, {"198.17.255.255", ""}, {"198.18.0.0", "reserved"},
    {"198.19.255.255", "reserved"}, {"198.20.0.0", ""}, {"198.51.100.7", "reserved"}, {"203.0.113.7", "reserved"},
    {"203.0.114.0", ""}, {"223.255.255.255", ""}, {"224.0.0.0", "multicast"}, {"239.255.255.255", "multicast"},
    {"240.0.0.0", "reserved"}, {"255.255.255.255", "reserved"}, {"8.8.8.8", ""}, {"147.92.150.1", ""},
    {"::", "unspecified"}, {"::1", "loopback"}, {"::2", "unspecified"}, {"::127.0.0.1", "loopback"}, {"::8.8.8.8", ""},
    {"::ffff:127.0.0.1", "loopback"}, {"::ffff:10.1.2.3", "private"}, {"::ffff:169.254.169.254", "link-local"},
    {"::ffff:100.64.0.1", "provider"}, {"::ffff:0.0.0.0", "unspecified"}, {"::ffff:8.8.8.8", ""},
    {"::ffff:0:127.0.0.1", "loopback"}, {"::ffff:0:8.8.8.8", ""},
    {"64:ff9b::127.0.0.1", "loopback"}, {"64:ff9b::10.0.0.1", "private"}, {"64:ff9b::169.254.169.254", "link-local"},
    {"64:ff9b::8.8.8.8", ""}, {"64:ff9b:1::8.8.8.8", "private"}, {"64:ff9b:2::1", ""},
    {"2002:7f00:1::", "loopback"}, {"2002:a00:1::1", "private"}, {"2002:a9fe:a9fe::1", "link-local"}, {"2002:c0a8:101::", "private"},
    {"2002:808:808::1", ""}, {"2003::1", ""},
    {"2001::1", "reserved"}, {"2001:0:7f00:1::1", "reserved"}, {"2001:db8::1", "reserved"}, {"2001:200::1", ""},
    {"2404:6800:4004:800::2004", ""}, {"3fff::1", "reserved"}, {"100::1", "reserved"}, {"100:0:0:1::1", ""},
    {"fbff:ffff::1", ""}, {"fc00::1", "private"}, {"fd12:3456::1", "private"}, {"fdff:ffff::1", "private"}, {"fe00::1", ""},
    {"fe7f::1", ""}, {"fe80::1", "link-local"}, {"febf::1", "link-local"}, {"fec0::1", "private"}, {"feff::1", "private"},
    {"ff00::1", "multicast"}, {"ff02::1", "multicast"}, {"ffff::1", "multicast"},
};

TEST(kinds)
{
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        union any x = made(rows[i][0]);
        const char *kind = address_kind(&x.a);
        if (*rows[i][1] ? !kind || !strstr(kind, rows[i][1]) : kind != NULL)
            FAIL("%s is %s, not %s", rows[i][0], kind ? kind : "public", *rows[i][1] ? rows[i][1] : "public");
    }
    union any here = {.here = {.sun_family = AF_UNIX, .sun_path = "/run/x"}};
    CHECK_STR(address_kind(&here.a), "no Internet address");
}

TEST(texts)
{
    char text[64];
    union any four = made("10.0.0.1"), six = made("fe80::1"), here = {.here = {.sun_family = AF_UNIX}};
    address_text(&four.a, text, sizeof text);
    CHECK_STR(text, "10.0.0.1");
    address_text(&six.a, text, sizeof text);
    CHECK_STR(text, "fe80::1");
    address_text(&here.a, text, sizeof text);
    CHECK_STR(text, "?");
}

static bool has(const char *list, const char *address)
{
    char error[200] = "";
    union any x = made(address);
    struct address_list *l = address_list_read(list, error, sizeof error);
    CHECK_STR(error, "");
    bool found = l && address_list_has(l, &x.a);
    address_list_free(l);
    return found;
}

TEST(lists)
{
    static const struct {
        const char *list, *address;
        bool found;
    } cases[] = {
        {"", "127.0.0.1", false}, {" , ,", "127.0.0.1", false}, {"private", "127.0.0.1", true}, {"private", "fe80::1", true},
        {"127.0.0.1", "127.0.0.1", true}, {"127.0.0.1", "127.0.0.2", false}, {"127.0.0.1", "::ffff:127.0.0.1", true},
        {"127.0.0.1", "::1", false}, {"::1", "::1", true}, {"[::1]", "::1", true}, {"10.0.0.0/8", "10.255.0.1", true},
        {"10.0.0.0/8", "11.0.0.1", false}, {"10.1.2.3/8", "10.9.9.9", true}, {"192.168.4.0/22", "192.168.7.255", true},
        {"192.168.4.0/22", "192.168.8.0", false}, {"0.0.0.0/0", "10.0.0.1", true}, {"0.0.0.0/0", "::1", false},
        {"::/0", "10.0.0.1", true}, {"fd00::/8", "fd12::1", true}, {"fd00::/8", "fe80::1", false}, {"10.0.0.1/32", "10.0.0.1", true},
        {"localhost, 10.0.0.0/8 ,fd00::/8", "fd12::1", true}, {"localhost", "127.0.0.1", false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        if (has(cases[i].list, cases[i].address) != cases[i].found) FAIL("\"%s\", %s", cases[i].list, cases[i].address);
}

TEST(hosts)
{
    char error[200];
    struct address_list *l = address_list_read("db.internal,LocalHost,10.0.0.1", error, sizeof error);
    CHECK(address_list_has_host(l, STR("localhost")) && address_list_has_host(l, STR("DB.internal")));
    CHECK(address_list_has_host(l, STR("db.internal.")));
    CHECK(!address_list_has_host(l, STR("db.internal.example")) && !address_list_has_host(l, STR("internal")));
    CHECK(!address_list_has_host(l, STR("10.0.0.1")) && !address_list_has_host(l, STR("")));
    address_list_free(l);
}

TEST(what_is_no_entry)
{
    static const char *const bad[] = {"10.0.0.0/33", "10.0.0.0/", "10.0.0.0/-1", "10.0.0.0/8x", "::/129", "a b/c", "http://x", "x:80",
                                      "[::1", "ho$t", "10.0.0.0/ 8", "é"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        char error[200] = "", list[64];
        snprintf(list, sizeof list, "10.0.0.1,%s", bad[i]);
        struct address_list *l = address_list_read(list, error, sizeof error);
        if (l || !strstr(error, "is no host, address, network")) FAIL("%s was taken", bad[i]);
        address_list_free(l);
    }
    char many[2000] = "", error[200];
    for (int i = 0; i < 300; i++) memcpy(many + 2 * i, "a,", 3);
    CHECK(address_list_read(many, error, sizeof error) == NULL && strstr(error, "too many"));
}
TEST_MAIN()
