/* Addresses of web pages, read by the library that will go there, so that nothing is read in two ways. */
#pragma once
#include "base/str.h"

struct http_url {
    char *url;              /* as it is asked for: without user, password and fragment */
    char *shown;            /* for messages and logs: without the query, too, which may hold keys */
    char *origin;           /* "https://host:443": what credentials belong to */
    char *user, *password;  /* of the address, decoded; NULL: none */
};

/* Read text; when base is not NULL it may be relative to that. query is added to its own, NULL: nothing; it is encoded
 * already. 0, or ERR_SYNTAX with *ret_why (static), and nothing to free. */
int http_url_read(const char *text, const char *base, const char *query, struct http_url *ret, const char **ret_why);
void http_url_free(struct http_url *u);
