#include "net/http_url.h"

#include <curl/curl.h>
#include <stdlib.h>
#include <strings.h>

#include "base/err.h"
#include "base/mem.h"

/* A copy of a part, NULL when the address has none. */
static char *part(CURLU *u, CURLUPart what, unsigned flags)
{
    char *text = NULL, *copy;
    if (curl_url_get(u, what, &text, flags) != CURLUE_OK || !text) return NULL;
    copy = mem_strdup(text);
    curl_free(text);
    return copy;
}

/* Everything into ret, taken away from u on the way. */
static void take(CURLU *u, struct http_url *ret)
{
    char *scheme = part(u, CURLUPART_SCHEME, 0), *host = part(u, CURLUPART_HOST, 0);
    char *port = part(u, CURLUPART_PORT, CURLU_DEFAULT_PORT);
    ret->user = part(u, CURLUPART_USER, CURLU_URLDECODE);
    ret->password = part(u, CURLUPART_PASSWORD, CURLU_URLDECODE);
    ret->origin = mem_printf("%s://%s:%s", scheme ? scheme : "", host ? host : "", port ? port : "");
    curl_url_set(u, CURLUPART_USER, NULL, 0);
    curl_url_set(u, CURLUPART_PASSWORD, NULL, 0);
    curl_url_set(u, CURLUPART_FRAGMENT, NULL, 0);
    ret->url = part(u, CURLUPART_URL, 0);
    curl_url_set(u, CURLUPART_QUERY, NULL, 0);
    ret->shown = part(u, CURLUPART_URL, 0);
    free(scheme);
    free(host);
    free(port);
}

static bool is_web(CURLU *u)
{
    char *scheme = part(u, CURLUPART_SCHEME, 0);
    bool web = scheme && (strcasecmp(scheme, "http") == 0 || strcasecmp(scheme, "https") == 0);
    free(scheme);
    return web;
}

int http_url_read(const char *text, const char *base, const char *query, struct http_url *ret, const char **ret_why)
{
    CURLU *u = curl_url();
    CURLUcode code = u ? CURLUE_OK : CURLUE_OUT_OF_MEMORY;
    *ret = (struct http_url){0};
    if (!code && base) code = curl_url_set(u, CURLUPART_URL, base, 0);
    if (!code) code = curl_url_set(u, CURLUPART_URL, text, CURLU_URLENCODE | CURLU_NON_SUPPORT_SCHEME);
    if (!code && query && *query) code = curl_url_set(u, CURLUPART_QUERY, query, CURLU_APPENDQUERY);
    *ret_why = code == CURLUE_BAD_SCHEME ? "it must begin with http:// or https://" : code ? curl_url_strerror(code) : NULL;
    if (!code && !is_web(u)) *ret_why = "only http:// and https:// are spoken";
    if (!*ret_why) take(u, ret);
    if (!*ret_why && (!ret->url || !ret->shown)) {
        *ret_why = "it has no host";
        http_url_free(ret);
    }
    curl_url_cleanup(u);
    return *ret_why ? ERR_SYNTAX : 0;
}

void http_url_free(struct http_url *u)
{
    free(u->url);
    free(u->shown);
    free(u->origin);
    free(u->user);
    free(u->password);
    *u = (struct http_url){0};
}
