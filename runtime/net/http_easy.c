/* See http_easy.h. Callbacks run inside libcurl: they note and copy, and never enter it. */
#include "net/http_easy.h"
#include <stdlib.h>
#include <strings.h>
#include "base/err.h"
#include "base/mem.h"

#define CONNECT_MS 3000
#define TOTAL_MS 10000
#define EXPECT_LEAST 1024 /* for a body up to this libcurl never asks first; each line of the list costs it comparisons */

/* ---- bytes ---- */

/* An empty line: of the answer, of one that only announces it, or behind its trailers. */
static void headers_end(struct slot *slot)
{
    struct http_call *call = slot->call;
    long status = 0;
    curl_easy_getinfo(slot->easy, CURLINFO_RESPONSE_CODE, &status);
    if (slot->head_seen || status < 200)
        return;
    slot->head_seen = true;
    call->status = (int)status;
    if (call->head)
        call->head(call);
}

static size_t on_header(char *p, size_t one, size_t n, void *user)
{
    struct slot *slot = user;
    struct http_call *call = slot->call;
    (void)one;
    if (n > 5 && memcmp(p, "HTTP/", 5) == 0) {
        buf_clear(&call->header_bytes); /* only the last answer's: not those of a proxy or of 100 Continue */
        slot->status_seen = false;
    }
    if (buf_append(&call->header_bytes, p, n)) {
        slot->stopped = ERR_TOOBIG;
        return 0;
    }
    if (n <= 2 && (*p == '\r' || *p == '\n'))
        headers_end(slot);
    return n;
}

static size_t on_body(char *p, size_t one, size_t n, void *user)
{
    struct slot *slot = user;
    struct http_call *call = slot->call;
    (void)one;
    if (!slot->status_seen) {
        long status = 0;
        curl_easy_getinfo(slot->easy, CURLINFO_RESPONSE_CODE, &status);
        call->status = (int)status;
        slot->status_seen = true;
    }
    if (call->sink && (call->sink_any || (call->status >= 200 && call->status <= 299))) {
        if (slot->paused) {
            slot->parked = true;
            return CURL_WRITEFUNC_PAUSE; /* libcurl keeps the piece, 16 KiB at most, and reads no further */
        }
        if (!call->sink(call, p, n))
            slot->stopped = ERR_CLOSED;
    } else if (buf_append(&call->answer, p, n)) {
        slot->stopped = ERR_TOOBIG;
    }
    return slot->stopped ? 0 : n;
}

static size_t on_read(char *p, size_t one, size_t n, void *user)
{
    struct slot *slot = user;
    (void)one;
    ssize_t got = http_upload_read(slot->call->upload, p, n);
    if (got >= 0)
        return (size_t)got;
    slot->stopped = ERR_SOURCE; /* the connection breaks off, so that the part cannot be taken for the whole */
    return CURL_READFUNC_ABORT;
}

static int on_seek(void *user, curl_off_t offset, int origin)
{
    struct slot *slot = user;
    if (offset != 0 || origin != SEEK_SET)
        return CURL_SEEKFUNC_CANTSEEK;
    http_upload_rewind(slot->call->upload);
    return CURL_SEEKFUNC_OK;
}

/* Before the request is written. libcurl comes here a second time for a call when a kept connection died before any byte
 * of an answer: it repeats by itself, whatever the method, and nobody knows whether the first one was carried out. */
static int on_request(void *user, char *there, char *here, int there_port, int here_port)
{
    struct slot *slot = user;
    (void)there, (void)here, (void)there_port, (void)here_port;
    if (slot->sends++ == 0)
        return CURL_PREREQFUNC_OK;
    if (slot->call->once) {
        slot->stopped = ERR_IO;
        return CURL_PREREQFUNC_ABORT;
    }
    slot->call->resent = true;
    return CURL_PREREQFUNC_OK;
}

/* ---- the handle ---- */

struct slot *slot_make(const char *ca_file, bool no_proxy)
{
    CURL *e = curl_easy_init();
    CURLU *parsed = curl_url();
    if (!e || !parsed)
        abort(); /* out of memory, as in base/mem.h */
    struct slot *slot = mem_zalloc(sizeof *slot);
    slot->easy = e;
    slot->parsed = parsed;
    slot->connect_ms = slot->total_ms = slot->stall_s = slot->version = slot->pipewait = -1;
    curl_easy_setopt(e, CURLOPT_PRIVATE, slot);
    curl_easy_setopt(e, CURLOPT_NOSIGNAL, 1L); /* also saves libcurl four system calls around every step */
    curl_easy_setopt(e, CURLOPT_ERRORBUFFER, slot->error);
    curl_easy_setopt(e, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(e, CURLOPT_WRITEDATA, slot);
    curl_easy_setopt(e, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(e, CURLOPT_HEADERDATA, slot);
    curl_easy_setopt(e, CURLOPT_READFUNCTION, on_read);
    curl_easy_setopt(e, CURLOPT_READDATA, slot);
    curl_easy_setopt(e, CURLOPT_SEEKFUNCTION, on_seek);
    curl_easy_setopt(e, CURLOPT_SEEKDATA, slot);
    curl_easy_setopt(e, CURLOPT_PREREQFUNCTION, on_request);
    curl_easy_setopt(e, CURLOPT_PREREQDATA, slot);
    curl_easy_setopt(e, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(e, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
    curl_easy_setopt(e, CURLOPT_TCP_NODELAY, 1L);
    if (ca_file)
        curl_easy_setopt(e, CURLOPT_CAINFO, ca_file);
    char *built_in = NULL, *path = NULL; /* what libcurl was built with */
    curl_easy_getinfo(e, CURLINFO_CAINFO, &built_in);
    curl_easy_getinfo(e, CURLINFO_CAPATH, &path);
    slot->default_ca = ca_file ? mem_strdup(ca_file) : built_in ? mem_strdup(built_in) : NULL;
    slot->default_ca_path = path ? mem_strdup(path) : NULL;
    if (no_proxy) {
        curl_easy_setopt(e, CURLOPT_PROXY, "");
        curl_easy_setopt(e, CURLOPT_NOPROXY, ""); /* else libcurl asks the environment about exceptions, each time */
    }
    return slot;
}

void slot_destroy(struct slot *slot)
{
    curl_easy_cleanup(slot->easy);
    curl_url_cleanup(slot->parsed);
    free(slot->url);
    free(slot->custom);
    free(slot->unix_socket);
    free(slot->ca);
    free(slot->default_ca);
    free(slot->default_ca_path);
    free(slot->list);
    free(slot);
}

/* *have becomes a copy of want. True if they differed. */
static bool changed(char **have, const char *want)
{
    if (*have && want ? strcmp(*have, want) == 0 : !*have && !want)
        return false;
    free(*have);
    *have = want ? mem_strdup(want) : NULL;
    return true;
}

static void set_long(struct slot *slot, CURLoption option, long *have, int64_t want)
{
    if (*have != want)
        curl_easy_setopt(slot->easy, option, *have = (long)want);
}

static void set_method(struct slot *slot, const struct http_call *call)
{
    const char *m = call->method;
    bool post = strcmp(m, "POST") == 0, head = strcmp(m, "HEAD") == 0, get = strcmp(m, "GET") == 0;
    bool body = call->body || call->upload || post || strcmp(m, "PUT") == 0 || strcmp(m, "PATCH") == 0;
    enum method method = body ? METHOD_WITH_BODY : head ? METHOD_HEAD : METHOD_GET;
    if (method != slot->method)
        curl_easy_setopt(slot->easy, body ? CURLOPT_POST : head ? CURLOPT_NOBODY : CURLOPT_HTTPGET, 1L);
    slot->method = method;
    if (changed(&slot->custom, (body ? post : head || get) ? NULL : m))
        curl_easy_setopt(slot->easy, CURLOPT_CUSTOMREQUEST, slot->custom);
    if (body) { /* not copied; NULL: on_read has it */
        size_t n = call->body ? call->body_len : 0;
        curl_easy_setopt(slot->easy, CURLOPT_POSTFIELDS, call->upload ? NULL : call->body ? call->body : "");
        curl_easy_setopt(slot->easy, CURLOPT_POSTFIELDSIZE_LARGE, call->upload ? call->upload->length : (curl_off_t)n);
    }
    if (call->upload)
        http_upload_rewind(call->upload);
}

/* The header list is built in memory of the slot: libcurl only reads it. */
static void set_headers(struct slot *slot, const struct http_call *call)
{
    size_t n = 0;
    bool typed = false;
    while (call->headers && call->headers[n])
        typed |= strncasecmp(call->headers[n++], "Content-Type:", 13) == 0;
    if (n + 3 > slot->list_room) {
        slot->list_room = n + 14;
        slot->list = mem_realloc(slot->list, slot->list_room * sizeof *slot->list);
    }
    for (size_t i = 0; i < n; i++)
        slot->list[i].data = (char *)(uintptr_t)call->headers[i];
    if (slot->user_agent)
        slot->list[n++].data = slot->user_agent;
    if (call->upload || call->body_len > EXPECT_LEAST)
        slot->list[n++].data = (char *)(uintptr_t)"Expect:"; /* a round trip for nothing: bodies are small */
    if (!typed)
        slot->list[n++].data = (char *)(uintptr_t)"Content-Type:"; /* else libcurl says it is a form */
    for (size_t i = 0; i < n; i++)
        slot->list[i].next = i + 1 < n ? &slot->list[i + 1] : NULL;
    curl_easy_setopt(slot->easy, CURLOPT_HTTPHEADER, slot->list);
}

void slot_set_call(struct slot *slot, struct http_call *call)
{
    bool stall = (call->sink || call->upload) && call->stall_timeout_ms;
    if (changed(&slot->url, call->url)) {
        bool parsed = slot->url_parsed = curl_url_set(slot->parsed, CURLUPART_URL, call->url, 0) == CURLUE_OK;
        curl_easy_setopt(slot->easy, CURLOPT_URL, call->url);
        curl_easy_setopt(slot->easy, CURLOPT_CURLU, parsed ? slot->parsed : NULL); /* NULL: libcurl says what is wrong */
    }
    /* A stream that its reader may pause has a connection of its own: on a shared one of HTTP/2 the window that is open
     * already (32 MiB with this libcurl) would go on filling memory, and the other calls would wait behind it. */
    set_long(slot, CURLOPT_HTTP_VERSION, &slot->version, call->sink ? CURL_HTTP_VERSION_1_1 : CURL_HTTP_VERSION_2TLS);
    /* Many calls at once share one HTTP/2 connection instead of opening one each before they know. */
    set_long(slot, CURLOPT_PIPEWAIT, &slot->pipewait, !call->sink && strncasecmp(call->url, "https:", 6) == 0);
    if (changed(&slot->unix_socket, call->unix_socket))
        curl_easy_setopt(slot->easy, CURLOPT_UNIX_SOCKET_PATH, slot->unix_socket);
    if (changed(&slot->ca, call->ca_file)) { /* a connection is used again only with the certificates it was checked by */
        curl_easy_setopt(slot->easy, CURLOPT_CAINFO, slot->ca ? slot->ca : slot->default_ca);
        curl_easy_setopt(slot->easy, CURLOPT_CAPATH, slot->ca ? NULL : slot->default_ca_path);
    }
    if (slot->decodes != call->decode)
        curl_easy_setopt(slot->easy, CURLOPT_ACCEPT_ENCODING, call->decode ? "" : NULL); /* "": all that it can */
    slot->decodes = call->decode;
    set_method(slot, call);
    set_headers(slot, call);
    set_long(slot, CURLOPT_CONNECTTIMEOUT_MS, &slot->connect_ms,
             call->connect_timeout_ms ? call->connect_timeout_ms : CONNECT_MS);
    set_long(slot, CURLOPT_TIMEOUT_MS, &slot->total_ms, stall ? 0 : call->timeout_ms ? call->timeout_ms : TOTAL_MS);
    int64_t stall_s = stall ? (call->stall_timeout_ms + 999) / 1000 : 0; /* libcurl counts whole seconds */
    if (slot->stall_s != stall_s)
        curl_easy_setopt(slot->easy, CURLOPT_LOW_SPEED_LIMIT, stall ? 1L : 0L);
    set_long(slot, CURLOPT_LOW_SPEED_TIME, &slot->stall_s, stall_s);
    slot->call = call;
    slot->status_seen = slot->head_seen = slot->paused = slot->parked = slot->resuming = false;
    slot->opened = false;
    slot->refused[0] = 0;
    slot->sends = 0;
    slot->stopped = 0;
    slot->error[0] = 0;
}

enum http_trouble slot_trouble(const struct slot *slot, CURLcode code)
{
    if (slot->stopped)
        return slot->stopped == ERR_TOOBIG ? HTTP_TOO_LARGE : slot->stopped == ERR_IO ? HTTP_CONNECT : HTTP_LOCAL;
    switch (code) {
    case CURLE_OK:
        return HTTP_FINE;
    case CURLE_COULDNT_CONNECT:
        return *slot->refused && !slot->opened ? HTTP_FORBIDDEN : HTTP_CONNECT;
    case CURLE_GOT_NOTHING:
    case CURLE_SEND_ERROR:
    case CURLE_RECV_ERROR:
    case CURLE_PARTIAL_FILE:
        return HTTP_CONNECT;
    case CURLE_OPERATION_TIMEDOUT:
        return HTTP_TIMEOUT;
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_RESOLVE_PROXY:
        return HTTP_DNS;
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CIPHER:
    case CURLE_SSL_ISSUER_ERROR:
    case CURLE_SSL_INVALIDCERTSTATUS:
    case CURLE_SSL_SHUTDOWN_FAILED:
        return HTTP_TLS;
    default:
        return HTTP_PROTOCOL;
    }
}

const char *slot_error(const struct slot *slot, CURLcode code)
{
    switch (slot->stopped) {
    case ERR_TOOBIG: return "the answer is larger than allowed";
    case ERR_CLOSED: return "stopped by the receiver";
    case ERR_SOURCE: return http_upload_error(slot->call->upload);
    case ERR_IO: return "the connection closed without an answer";
    }
    if (slot_trouble(slot, code) == HTTP_FORBIDDEN) return slot->refused;
    return *slot->error ? slot->error : curl_easy_strerror(code);
}
