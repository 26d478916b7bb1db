/* Which addresses are none of the public Internet, and the list of those that may be reached nevertheless. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>
#include "base/str.h"

/* What an address is when it is no public one: "a loopback address", "a private address", …; NULL for a public one. An IPv4
 * address inside an IPv6 one (mapped, translated, 6to4, NAT64) counts as itself. What is neither IPv4 nor IPv6: "no Internet address". */
const char *address_kind(const struct sockaddr *a);
/* "127.0.0.1", "::1" into ret of size n. */
void address_text(const struct sockaddr *a, char *ret, size_t n);

struct address_list;

/* A list as `--http-allow` takes it: separated by commas, names of hosts, addresses, networks (10.0.0.0/8), and `private`
 * for every address of a kind. NULL with one line in error when an entry is none of these. */
struct address_list *address_list_read(const char *text, char *error, size_t n);
struct address_list *address_list_free(struct address_list *l); /* NULL; may be given NULL */
/* Whether the list allows this address, or a host of this name (any letter case). */
bool address_list_has(const struct address_list *l, const struct sockaddr *a);
bool address_list_has_host(const struct address_list *l, struct str host);
