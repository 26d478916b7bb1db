/* One easy handle of libcurl: its options, its callbacks, and what they note for http_client.c, whose private half this
 * is. Only these two include curl.h. */
#pragma once
#include <curl/curl.h>
#include "net/http_client.h"

struct origin;

enum method { METHOD_NOT_SET, METHOD_GET, METHOD_HEAD, METHOD_WITH_BODY };

struct slot { /* an easy handle and what was set on it last */
    CURL *easy;
    struct http_client *client;
    struct http_call *call; /* NULL while in the pool */
    struct origin *origin;     /* whose turn it takes while a call is under way */
    struct slot *next, **link; /* link: what points here while the call is under way */
    char *url, *custom, *unix_socket; /* custom: a method libcurl has no option for */
    char *ca, *default_ca, *default_ca_path; /* ca: of a call's own, NULL: the client's */
    CURLU *parsed;                    /* url */
    bool url_parsed;                  /* it could be: then libcurl goes where parsed says */
    char *user_agent;                 /* the client's */
    enum method method;
    long connect_ms, total_ms, stall_s, version, pipewait;
    unsigned sends;         /* times the request went out */
    bool reads;             /* the body comes by on_read */
    bool decodes;           /* compressed answers are asked for */
    bool head_seen;         /* the answer's headers are whole */
    bool status_seen;       /* of the answer whose body is arriving */
    bool paused;            /* the sink wants no pieces */
    bool parked;            /* libcurl was told so, and keeps a piece */
    bool resuming;          /* parked and wanted again: in the loop's next turn */
    int stopped;            /* why a callback ended the transfer: ERR_TOOBIG, ERR_CLOSED, ERR_SOURCE, ERR_IO or 0 */
    struct curl_slist *list;
    size_t list_room;
    bool opened;            /* a socket, to an address that may be connected to */
    char refused[160];      /* the last address that the guard kept from being connected to, and why; "" */
    char error[CURL_ERROR_SIZE];
};

struct slot *slot_make(const char *ca_file, bool no_proxy); /* everything but the client's own callbacks */
void slot_destroy(struct slot *slot);
void slot_set_call(struct slot *slot, struct http_call *call);
enum http_trouble slot_trouble(const struct slot *slot, CURLcode code);
const char *slot_error(const struct slot *slot, CURLcode code); /* one line; lives as long as the call */
