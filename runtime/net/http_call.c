/* What is asked of a call of the HTTP client once it is over. */
#include <ctype.h>
#include <strings.h>
#include "net/http_client.h"

struct str http_call_header(const struct http_call *call, const char *name)
{
    const char *p = call->header_bytes.data, *end = p + call->header_bytes.len;
    size_t n = strlen(name);
    while (p && p < end) {
        const char *line_end = memchr(p, '\n', (size_t)(end - p));
        const char *stop = line_end ? line_end : end;
        if ((size_t)(stop - p) > n && p[n] == ':' && strncasecmp(p, name, n) == 0) {
            for (p += n + 1; p < stop && (*p == ' ' || *p == '\t');)
                p++;
            while (stop > p && isspace((unsigned char)stop[-1]))
                stop--;
            return (struct str){p, (size_t)(stop - p)};
        }
        p = line_end ? line_end + 1 : end;
    }
    return (struct str){0};
}

void http_call_free(struct http_call *call)
{
    buf_free(&call->answer);
    buf_free(&call->header_bytes);
}
