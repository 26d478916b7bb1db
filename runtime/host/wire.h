/* The protocol between host and worker: frames over an inherited socket pair.
 *
 *     u32 length of the payload | u8 WIRE_VERSION | u8 type | u16 0 | payload          (little-endian)
 *
 * Either side drops the connection, with one log line, on a version it does not know, a type that is not for it, a
 * length over LIMIT_FRAME or a payload that does not fit its type; it never reads past a frame. Inside payloads,
 * integers are little-endian and packed, and a "string" is u32 length + bytes. */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include <uv.h>
#include "base/buf.h"
#include "base/str.h"

#define WIRE_VERSION 1
#define WIRE_HEADER 8
#define WIRE_FD 3 /* where a worker finds its end */

enum wire_type {
    WIRE_KV_ANSWER = 16, /* host to worker: struct wire_kv_answer, of kv_wire.h */
    WIRE_KV = 31,        /* worker to host: struct wire_kv; each is answered, in order */
    /* requests of the bot's own routes; their payloads: web_wire.h */
    WIRE_WEB_REQUEST = 64, /* host to worker: struct wire_web_request */
    WIRE_WEB_BODY,       /* host to worker: struct wire_web_piece: more of its body */
    WIRE_WEB_TAKEN,      /* host to worker: u64 id, u64 n: so many bytes of the answer went on to the client */
    WIRE_WEB_GONE,       /* host to worker: u64 id, u64 0: the client left; the answer is still ended, by LAST or CUT */
    WIRE_WEB_ROUTES = 80, /* worker to host, before READY: u32 routes that the bot declared */
    WIRE_WEB_ANSWER,     /* worker to host: struct wire_web_answer */
    WIRE_WEB_DATA,       /* worker to host: struct wire_web_piece: more of the answer */
    WIRE_WEB_CUT,        /* worker to host: u64 id, u64 0: the answer ends here, unfinished */
    /* host to worker */
    WIRE_SETTING = 1, /* string name, string value: options.def names, and those of wire_setting below; before START */
    WIRE_SOURCE,      /* string path, string bytes: a file of this generation; the worker loads these bytes instead of the disk's */
    WIRE_START,       /* load the bot */
    WIRE_EVENT,       /* struct wire_event */
    WIRE_LEAVE,       /* u32 ms: take no more; finish what runs and what timers bring within so long, say BYE, exit; again:
                         within a shorter time */
    WIRE_TOKEN,       /* string token, string why: the channel access token from now on; the same again: no better one will
                         come; empty: there is none yet, because of why */
    WIRE_NEWS = 20,   /* string json: to an application of moonline's own, what happened to the bots; see news.h */
    /* worker to host */
    WIRE_TRACE = 48,  /* string json: with SETTING_TRACE, what a handler does, as it happens; see bindings/trace_news.h */
    WIRE_LOADED = 32, /* string path, string bytes: a file that was read from the disk for this generation */
    WIRE_PROBED,      /* string path: looked for and not there; a file that appears here concerns this generation */
    WIRE_READY,       /* u32 handlers: the bot is loaded, send events */
    WIRE_REFUSED,     /* string text: the bot could not be loaded: file:line, message, excerpt */
    WIRE_REPORT,      /* string json: what `moonline check` prints */
    WIRE_DONE,        /* struct wire_done */
    WIRE_BYE,         /* everything is finished, nothing follows */
    WIRE_OUTPUT,      /* string "out" or "err", string bytes: what a command or an application prints */
    WIRE_STATUS,      /* u32: the exit status of a command */
    WIRE_RENEW,       /* string token: LINE answered 401 to it; TOKEN follows */
};

/* Settings that are not options: */
#define SETTING_BOT "bot"                /* name */
#define SETTING_PATH "path"              /* absolute path of the bot's first file */
#define SETTING_GENERATION "generation"  /* decimal */
#define SETTING_SLOT "slot"              /* decimal, 0 … workers-1 */
#define SETTING_MODE "mode"              /* "run", "check" or "command" */
#define SETTING_TOKEN "token"            /* channel access token; may be empty */
#define SETTING_RENEWS "renews"          /* "yes": the host issues the token, and TOKEN frames bring others */
#define SETTING_SECRET "secret"          /* of the channel, one a setting: only so that it can be kept out of the worker's log */
#define SETTING_CHANNEL "channel"        /* what retry keys are derived from: the channel id, else a digest of the secret */
#define SETTING_API_BASE "api-base"      /* LINE_API_BASE, default https://api.line.me */
#define SETTING_DATA_API_BASE "data-api-base"
#define SETTING_MANAGER_API_BASE "manager-api-base"
#define SETTING_TRACE "trace"        /* "yes": tell by TRACE frames which handler takes an event and what it calls; "bodies": with what
                                        goes out and comes back */
#define SETTING_APP "app"            /* module of moonline's own that is loaded in place of a bot's file */
#define SETTING_APP_SETTINGS "app-settings" /* JSON text: what its settings() gives it, see bindings/lua_app.c */
/* Of mode "command" or with SETTING_APP; a SETTING_PATH that ends in a slash says that there is no bot to load, only a folder. */
#define SETTING_COMMAND "command"         /* name: scripts/command/<name>.lua */
#define SETTING_ARGUMENT "argument"       /* one a setting, in order */
#define SETTING_ENVIRONMENT "environment" /* NAME=value, one a setting: the LINE_… variables */
#define SETTING_TERMINAL "terminal"       /* "yes": standard output is one */

struct wire_event {
    uint64_t seq;
    uint32_t attempt; /* 1 for the first */
    bool rerun;       /* it may have been handled in part before (a worker or the host was lost) */
    struct str id, body;
};

enum wire_outcome {
    WIRE_DONE_OK = 0,
    WIRE_DONE_UNHANDLED, /* no handler matched; finished all the same */
    WIRE_DONE_FAILED,    /* the handler raised, or took longer than the handler limit: finished, kept aside, not repeated */
    WIRE_DONE_BROKE,     /* it broke the CPU or memory limit: attempt + 1, or quarantine */
};
struct wire_done {
    uint64_t seq;
    uint8_t outcome;
    uint64_t micros; /* from resume to end, waits included */
    struct str why;  /* the error with its traceback */
};

/* ---- one end of the pair ---- */
struct wire;
struct wire_callbacks {
    /* One frame; the payload is valid during the call. May send, may not close. */
    void (*frame)(void *user, enum wire_type type, struct str payload);
    /* The other side is gone (why NULL) or broke the protocol (why is one line); the wire is dead: close it. Called once. */
    void (*lost)(void *user, const char *why);
};
/* Takes fd (made non-blocking). */
struct wire *wire_new(uv_loop_t *loop, int fd, const struct wire_callbacks *cb, void *user);
void wire_close(struct wire *w);              /* frees it once its handle is closed; no callback afterwards */
/* Frames gather and are written with one system call at the end of the loop turn. ERR_TOOBIG: over LIMIT_FRAME, or
 * LIMIT_WIRE_BACKLOG bytes wait already; nothing is sent then. */
int wire_send(struct wire *w, enum wire_type type, struct str payload);
int wire_send_strings(struct wire *w, enum wire_type type, struct str a, struct str b); /* b.p NULL: one string */
int wire_send_u32(struct wire *w, enum wire_type type, uint32_t v);
int wire_send_event(struct wire *w, const struct wire_event *e);
int wire_send_done(struct wire *w, const struct wire_done *d);
int wire_send_parts(struct wire *w, enum wire_type type, const struct str *parts, size_t n); /* one after the other */
void wire_flush(struct wire *w);              /* write now what can be written */
size_t wire_backlog(const struct wire *w);
bool wire_is_lost(const struct wire *w);      /* nothing that is sent arrives any more */
/* Call drained whenever the backlog, having been over WIRE_BUSY, is under it again. May send, may not close. */
#define WIRE_BUSY (512u << 10) /* who has much to say says no more over it, so that short frames need not wait long */
void wire_watch_backlog(struct wire *w, void (*drained)(void *user), void *user);

/* Payload readers: 0 or ERR_SYNTAX (short, long, or a length that does not fit). */
int wire_read_strings(struct str payload, struct str *a, struct str *b); /* b NULL: exactly one string */
int wire_read_u32(struct str payload, uint32_t *v);
int wire_read_event(struct str payload, struct wire_event *e);
int wire_read_done(struct str payload, struct wire_done *d);
