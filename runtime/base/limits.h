/* Every ceiling of the program that is not an option, with its reason. Options are in options.def. */
#pragma once

#define LIMIT_WEBHOOK_BODY (1u << 20)       /* LINE publishes no maximum; real ones are a few KiB */
#define LIMIT_EVENTS_PER_WEBHOOK 10000u     /* 1 MiB of the smallest possible events is below this */
#define LIMIT_JSON_DEPTH 128                /* LINE's own nesting stays below 20 */
#define LIMIT_EVENT_ID 96u                  /* ids: webhookEventId is a ULID of 26, a module channel's user id has 68 */
#define LIMIT_HEADER_BYTES 32768u           /* request line and headers of one request */
#define LIMIT_REQUEST_MEMORY 16384u         /* of one request in the HTTP server, headers above all: the library zeroes
                                               it after each request, 32 KiB cost a tenth of the whole */
#define LIMIT_FRAME (4u << 20)              /* an event of a full webhook, or a script file, and room to spare */
#define LIMIT_WIRE_BACKLOG (64u << 20)      /* bytes waiting to be written to one worker before it counts as stuck */
#define LIMIT_SCRIPT_FILE (2u << 20)        /* one Lua file */
#define LIMIT_GENERATION_SOURCE (64u << 20) /* all Lua files of one generation together */
#define LIMIT_LOG_LINE 16384u               /* a traceback fits */
#define LIMIT_ERROR_TEXT 8192u              /* what is kept of a handler's error */
#define LIMIT_API_ANSWER (8u << 20)         /* an answer of LINE that is read into memory; content is streamed */
#define LIMIT_CONTENT_READ (16u << 20)      /* what content:read(n) may ask for at once; more belongs into a file */
#define LIMIT_API_REQUEST (2u << 20)        /* LINE refuses more with 413 (its documentation, status codes) */
#define LIMIT_WATCHED_DIRS 4096             /* inotify watches of one bot */
#define LIMIT_BOTS 64
#define LIMIT_WORKERS 64
#define LIMIT_SECRETS 8                     /* channel secrets of one bot while rotating */
