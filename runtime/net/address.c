/* See address.h. All addresses are compared as 16 bytes, IPv4 ones as IPv6 maps them (::ffff:a.b.c.d). */
#include "net/address.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/err.h"
#include "base/mem.h"

#define ENTRIES_MOST 256

struct network {
    unsigned char bytes[16];
    unsigned bits;
};

/* The registries of special addresses (RFC 6890, at IANA), as far as they are not reachable for everybody. */
static const struct {
    const char *network, *kind;
} special[] = {
    {"0.0.0.0/8", "an unspecified address"},
    {"10.0.0.0/8", "a private address"},
    {"100.64.0.0/10", "an address of a provider's own network"},
    {"127.0.0.0/8", "a loopback address"},
    {"169.254.0.0/16", "a link-local address"},
    {"172.16.0.0/12", "a private address"},
    {"192.0.0.0/24", "a reserved address"},
    {"192.0.2.0/24", "a reserved address"},
    {"192.88.99.0/24", "a reserved address"},
    {"192.168.0.0/16", "a private address"},
    {"198.18.0.0/15", "a reserved address"},
    {"198.51.100.0/24", "a reserved address"},
    {"203.0.113.0/24", "a reserved address"},
    {"224.0.0.0/4", "a multicast address"},
    {"240.0.0.0/4", "a reserved address"},
    {"::/128", "an unspecified address"},
    {"::1/128", "a loopback address"},
    {"64:ff9b:1::/48", "a private address"},
    {"100::/64", "a reserved address"},
    {"2001::/23", "a reserved address"}, /* Teredo, too, which carries an address that cannot be trusted */
    {"2001:db8::/32", "a reserved address"},
    {"3fff::/20", "a reserved address"},
    {"5f00::/16", "a reserved address"},
    {"fc00::/7", "a private address"},
    {"fe80::/10", "a link-local address"},
    {"fec0::/10", "a private address"},
    {"ff00::/8", "a multicast address"},
};
enum { SPECIAL = sizeof special / sizeof *special };

/* Where IPv6 carries IPv4 addresses of its own, and at which byte. ::/96 is the oldest of these. */
static const struct {
    const char *network;
    unsigned at;
} carriers[] = {{"::/96", 12}, {"::ffff:0:0:0/96", 12}, {"64:ff9b::/96", 12}, {"2002::/16", 2}};
enum { CARRIERS = sizeof carriers / sizeof *carriers };

static const unsigned char mapped[12] = {[10] = 0xFF, [11] = 0xFF};

/* ---- text to bytes ---- */

static bool read_address(const char *text, unsigned char bytes[16], bool *four)
{
    memcpy(bytes, mapped, sizeof mapped);
    *four = inet_pton(AF_INET, text, bytes + 12) == 1;
    return *four || inet_pton(AF_INET6, text, bytes) == 1;
}

/* "10.0.0.0/8", or an address alone. */
static bool read_network(const char *text, struct network *ret)
{
    char address[INET6_ADDRSTRLEN + 1], *end = NULL;
    size_t n = strcspn(text, "/");
    bool four;
    if (n >= sizeof address) return false;
    memcpy(address, text, n);
    address[n] = 0;
    if (!read_address(address, ret->bytes, &four)) return false;
    unsigned long most = four ? 32 : 128, bits = most;
    if (text[n]) {
        if (text[n + 1] < '0' || text[n + 1] > '9') return false;
        bits = strtoul(text + n + 1, &end, 10);
        if (*end || bits > most) return false;
    }
    ret->bits = (unsigned)bits + (four ? 96 : 0);
    return true;
}

static bool is_in(const unsigned char bytes[16], const struct network *n)
{
    unsigned whole = n->bits / 8, rest = n->bits % 8;
    if (memcmp(bytes, n->bytes, whole) != 0) return false;
    return !rest || (bytes[whole] ^ n->bytes[whole]) >> (8 - rest) == 0;
}

static bool bytes_of(const struct sockaddr *a, unsigned char bytes[16])
{
    if (a->sa_family == AF_INET) {
        memcpy(bytes, mapped, sizeof mapped);
        memcpy(bytes + 12, &((const struct sockaddr_in *)(const void *)a)->sin_addr, 4);
    } else if (a->sa_family == AF_INET6) {
        memcpy(bytes, &((const struct sockaddr_in6 *)(const void *)a)->sin6_addr, 16);
    } else {
        return false;
    }
    return true;
}

/* ---- kinds ---- */

static const char *kind_of(const unsigned char bytes[16])
{
    static struct network known[SPECIAL], carrying[CARRIERS];
    if (!known[0].bits) {
        for (size_t i = 0; i < SPECIAL; i++)
            if (!read_network(special[i].network, &known[i])) abort();
        for (size_t i = 0; i < CARRIERS; i++)
            if (!read_network(carriers[i].network, &carrying[i])) abort();
    }
    for (size_t i = 0; i < SPECIAL; i++)
        if (is_in(bytes, &known[i])) return special[i].kind;
    for (size_t i = 0; i < CARRIERS; i++) {
        unsigned char inside[16];
        if (!is_in(bytes, &carrying[i])) continue;
        memcpy(inside, mapped, sizeof mapped);
        memcpy(inside + 12, bytes + carriers[i].at, 4);
        return kind_of(inside);
    }
    return NULL;
}

const char *address_kind(const struct sockaddr *a)
{
    unsigned char bytes[16];
    return bytes_of(a, bytes) ? kind_of(bytes) : "no Internet address";
}

void address_text(const struct sockaddr *a, char *ret, size_t n)
{
    const void *p = a->sa_family == AF_INET ? (const void *)&((const struct sockaddr_in *)(const void *)a)->sin_addr
                                            : &((const struct sockaddr_in6 *)(const void *)a)->sin6_addr;
    snprintf(ret, n, "?");
    if (a->sa_family == AF_INET || a->sa_family == AF_INET6) inet_ntop(a->sa_family, p, ret, (socklen_t)n);
}

/* ---- lists ---- */

struct address_list {
    bool everything;           /* private */
    unsigned n_hosts, n_networks;
    char *hosts[ENTRIES_MOST];
    struct network networks[ENTRIES_MOST];
};

static bool is_host(const char *name)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_";
    return *name && name[strspn(name, letters)] == 0;
}

/* One entry, without the blanks around it and the brackets of an IPv6 address. */
static bool take(struct address_list *l, char *entry)
{
    size_t n = strlen(entry);
    if (n > 2 && entry[0] == '[' && entry[n - 1] == ']') entry[n - 1] = 0, entry++;
    if (strcmp(entry, "private") == 0) return l->everything = true;
    if (l->n_networks == ENTRIES_MOST || l->n_hosts == ENTRIES_MOST) return false;
    if (read_network(entry, &l->networks[l->n_networks])) return l->n_networks++, true;
    if (!is_host(entry)) return false;
    l->hosts[l->n_hosts++] = mem_strdup(entry);
    return true;
}

struct address_list *address_list_read(const char *text, char *error, size_t n)
{
    struct address_list *l = mem_zalloc(sizeof *l);
    char *copy = mem_strdup(text), *rest = copy, *entry;
    bool ok = true;
    while (ok && (entry = strsep(&rest, ","))) {
        entry += strspn(entry, " \t");
        for (size_t end = strlen(entry); end && (entry[end - 1] == ' ' || entry[end - 1] == '\t');) entry[--end] = 0;
        if (!*entry) continue;
        ok = take(l, entry);
        if (!ok)
            snprintf(error, n, "\"%.80s\" is no host, address, network such as 10.0.0.0/8, or `private`%s", entry,
                     l->n_networks + l->n_hosts >= ENTRIES_MOST ? "; or there are too many" : "");
    }
    free(copy);
    return ok ? l : address_list_free(l);
}

struct address_list *address_list_free(struct address_list *l)
{
    for (unsigned i = 0; l && i < l->n_hosts; i++) free(l->hosts[i]);
    free(l);
    return NULL;
}

bool address_list_has(const struct address_list *l, const struct sockaddr *a)
{
    unsigned char bytes[16];
    if (l->everything) return true;
    if (!bytes_of(a, bytes)) return false;
    for (unsigned i = 0; i < l->n_networks; i++)
        if (is_in(bytes, &l->networks[i])) return true;
    return false;
}

bool address_list_has_host(const struct address_list *l, struct str host)
{
    if (host.n && host.p[host.n - 1] == '.') host.n--; /* the name as the root writes it */
    for (unsigned i = 0; i < l->n_hosts; i++)
        if (strlen(l->hosts[i]) == host.n && strncasecmp(l->hosts[i], host.p, host.n) == 0) return true;
    return false;
}
