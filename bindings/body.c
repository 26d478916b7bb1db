/* See body.h. Files go out by reference: the path is opened here, read piece by piece by the client, closed with the
 * call. */
#include "bindings/body.h"
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>
#include "base/base64.h"
#include "base/err.h"
#include "base/limits.h"
#include "bindings/operation.h"
#include "bindings/source.h"
#include "line/media.h"

static LJMP const char *what_of(lua_State *L) { return lua_tostring(L, ARG_WHAT); }

static LJMP void add_header(lua_State *L, struct api_call *c, struct str name, struct str value)
{
    if (memchr(value.p, '\r', value.n) || memchr(value.p, '\n', value.n) || memchr(value.p, 0, value.n))
        call_misuse(L, "%s: what goes out as header %.*s may hold no line ends", what_of(L), (int)name.n, name.p);
    if (buf_append(&c->extra, name.p, name.n) || buf_puts(&c->extra, ": ") || buf_append(&c->extra, value.p, value.n) ||
        buf_putc(&c->extra, 0))
        call_misuse(L, "%s: the headers are too long", what_of(L));
}

/* ---- values as text ---- */

/* Push the field's value as a string and return it; p NULL and nothing pushed when it is not given. */
static LJMP struct str push_text(lua_State *L, const struct operation_field *f)
{
    struct str s = {NULL, 0};
    int t = lua_getfield(L, ARG_FIELDS, f->name);
    if (t == LUA_TNIL) {
        lua_pop(L, 1);
        return f->fallback;
    }
    if (f->type == FIELD_INTEGER) { /* 20.0 is written 20 */
        lua_pushinteger(L, lua_tointeger(L, -1));
        lua_replace(L, -2);
    } else if (t == LUA_TBOOLEAN) {
        lua_pushstring(L, lua_toboolean(L, -1) ? "true" : "false");
        lua_replace(L, -2);
    }
    s.p = lua_tolstring(L, -1, &s.n);
    return s;
}

/* Fields of an AUTH_BASIC row that go into the header. */
static bool is_credential(unsigned row, const struct operation_field *f)
{
    return operations[row].auth == AUTH_BASIC && (!strcmp(f->name, "client_id") || !strcmp(f->name, "client_secret"));
}

static LJMP void build_form(lua_State *L, struct api_call *c, unsigned row, const struct operation_field *f, unsigned n)
{
    int top = lua_gettop(L);
    for (unsigned i = 0; i < n; i++) {
        if (f[i].place != FIELD_BODY || is_credential(row, &f[i])) continue;
        struct str value = push_text(L, &f[i]);
        if (!value.p) continue;
        if ((c->body.len && buf_putc(&c->body, '&')) || operation_escape(&c->body, (struct str){f[i].name, f[i].n}) ||
            buf_putc(&c->body, '=') || operation_escape(&c->body, value))
            call_misuse(L, "%s: the body is longer than LINE takes", what_of(L));
        lua_settop(L, top);
    }
    c->has_body = true;
    add_header(L, c, STR("Content-Type"), STR("application/x-www-form-urlencoded"));
}

/* ---- files ---- */

struct file {
    struct str bytes;       /* p NULL: path is the file */
    const char *path;       /* as opened */
    const char *type, *name;
};

static LJMP const char *option(lua_State *L, int table, const char *key)
{
    if (lua_getfield(L, table, key) == LUA_TNIL) {
        lua_pop(L, 1);
        return NULL;
    }
    if (lua_type(L, -1) != LUA_TSTRING) call_misuse(L, "%s: `%s` of a file must be a string", what_of(L), key);
    return lua_tostring(L, -1); /* stays on the stack, with its owner's other texts */
}

/* Read the value of a file field. Leaves strings on the stack. */
static LJMP struct file take_file(lua_State *L, const struct operation_field *f)
{
    static const char *const keys[] = {"file", "data", "type", "name"};
    struct file file = {.name = f->name};
    if (lua_getfield(L, ARG_FIELDS, f->name) == LUA_TSTRING) {
        file.bytes.p = lua_tolstring(L, -1, &file.bytes.n);
        return file;
    }
    int table = lua_gettop(L);
    lua_pushnil(L);
    while (lua_next(L, table)) {
        const char *key = lua_type(L, -2) == LUA_TSTRING ? lua_tostring(L, -2) : "?";
        unsigned i = 0;
        while (i < 4 && strcmp(keys[i], key) != 0) i++;
        if (i == 4) operation_unknown(L, "key of a file", key, keys, 4);
        lua_pop(L, 1);
    }
    const char *path = option(L, table, "file"), *name = option(L, table, "name");
    file.type = option(L, table, "type");
    if (lua_getfield(L, table, "data") == LUA_TSTRING) file.bytes.p = lua_tolstring(L, -1, &file.bytes.n);
    if (!path == !file.bytes.p)
        call_misuse(L, "%s: field '%s' must be a string of bytes, {file = \"path\"} or {data = bytes}", what_of(L), f->name);
    if (path) {
        const char *slash = strrchr(path, '/');
        file.path = *path == '/' ? path : lua_pushfstring(L, "%s/%s", sources_folder(), path);
        file.name = slash ? slash + 1 : path;
        if (access(file.path, R_OK)) call_misuse(L, "%s: %s: %s", what_of(L), file.path, strerror(errno));
    }
    if (name) file.name = name;
    return file;
}

/* The first bytes of a file; their number, 0 when it cannot be read (the upload says so in words). */
static size_t read_head(const char *path, char head[MEDIA_HEAD])
{
    int fd = path ? open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK) : -1;
    if (fd < 0) return 0;
    ssize_t n = read(fd, head, MEDIA_HEAD);
    close(fd);
    return n > 0 ? (size_t)n : 0;
}

/* The type that goes out: what the script says, else what the bytes look like, as far as the row takes it. LINE takes a
 * list of ids as plain text, also when it looks like a table. */
static LJMP const char *file_type(lua_State *L, const struct file *file, const struct operation_field *f)
{
    char head[MEDIA_HEAD];
    struct str seen = {file->bytes.p, file->bytes.n < MEDIA_HEAD ? file->bytes.n : MEDIA_HEAD};
    if (file->type) return file->type;
    if (!file->bytes.p) seen = (struct str){head, read_head(file->path, head)};
    const char *type = media_sniff(seen);
    if (!f->words.p || field_word_fits(f->words, str_of(type))) return type;
    if (strcmp(type, "text/csv") == 0 && field_word_fits(f->words, STR("text/plain"))) return "text/plain";
    call_misuse(L, "%s: field '%s' looks like %s; LINE takes %.*s here (say type = to decide yourself)", what_of(L), f->name,
                type, (int)f->words.n, f->words.p);
    return type;
}

/* Append the file of field f to the upload, behind its head in a form. */
static LJMP void put_file(lua_State *L, struct api_call *c, const struct operation_field *f, bool form)
{
    struct file file = take_file(L, f);
    const char *type = file_type(L, &file, f), *why = NULL;
    if (strpbrk(type, "\r\n\"") || strpbrk(file.name, "\r\n\""))
        call_misuse(L, "%s: name and type of a file may hold no line ends and quotes", what_of(L));
    if (form) http_upload_part(&c->upload, f->name, file.name, type);
    else add_header(L, c, STR("Content-Type"), str_of(type));
    int64_t before = c->upload.length;
    if (file.bytes.p) http_upload_bytes(&c->upload, file.bytes.p, file.bytes.n);
    else if (http_upload_path(&c->upload, file.path, &why)) call_misuse(L, "%s: %s: %s", what_of(L), file.path, why);
    int64_t n = c->upload.length - before;
    if (n == 0 || (f->most != FIELD_NO_BOUND && n > f->most)) http_upload_free(&c->upload); /* not when the box is collected */
    if (n == 0) call_misuse(L, "%s: field '%s' is empty", what_of(L), f->name);
    if (f->most != FIELD_NO_BOUND && n > f->most)
        call_misuse(L, "%s: field '%s' has %lld bytes; LINE takes %lld at most", what_of(L), f->name, (long long)n,
                    (long long)f->most);
}

static LJMP void build_upload(lua_State *L, struct api_call *c, const struct operation_field *f, unsigned n, bool form)
{
    luaL_checkstack(L, 4 * (int)n + 8, NULL);
    http_upload_init(&c->upload);
    c->uploading = true; /* from here on the call frees it */
    if (form) http_upload_form(&c->upload);
    for (unsigned i = 0; i < n; i++) { /* what says what the file is comes before it */
        if (f[i].place != FIELD_BODY || f[i].type == FIELD_FILE) continue;
        struct str value = push_text(L, &f[i]);
        if (!value.p) continue;
        http_upload_part(&c->upload, f[i].name, NULL, NULL);
        http_upload_bytes(&c->upload, value.p, value.n);
    }
    for (unsigned i = 0; i < n; i++)
        if (f[i].place == FIELD_BODY && f[i].type == FIELD_FILE) put_file(L, c, &f[i], form);
    if (!form) return;
    http_upload_form_end(&c->upload);
    const char *line = http_upload_type(&c->upload);
    if (buf_append(&c->extra, line, strlen(line) + 1)) call_misuse(L, "%s: the headers are too long", what_of(L));
}

LJMP void body_build(lua_State *L, struct api_call *c, unsigned row, const struct operation_field *f, unsigned n)
{
    switch (operations[row].body) {
    case BODY_FORM: build_form(L, c, row, f, n); break;
    case BODY_MULTIPART: build_upload(L, c, f, n, true); break;
    case BODY_BYTES: build_upload(L, c, f, n, false); break;
    case BODY_NONE:
    case BODY_JSON: break;
    }
}

/* ---- headers ---- */

/* "Basic " and id:secret in base64, into out. */
static int put_basic(struct buf *out, struct str id, struct str secret)
{
    struct buf both = BUF(LIMIT_HEADER_BYTES);
    int result = buf_append(&both, id.p, id.n) || buf_putc(&both, ':') || buf_append(&both, secret.p, secret.n) ||
                 buf_puts(out, "Authorization: Basic ") || base64_put(out, both.data, both.len, BASE64) || buf_putc(out, 0);
    buf_free(&both);
    return result ? ERR_TOOBIG : 0;
}

LJMP void body_headers(lua_State *L, struct api_call *c, unsigned row, const struct operation_field *f, unsigned n)
{
    int top = lua_gettop(L);
    struct str id = {"", 0}, secret = {"", 0};
    for (unsigned i = 0; i < n; i++) {
        if (is_credential(row, &f[i])) {
            struct str value = push_text(L, &f[i]); /* stays on the stack until both are there */
            *(strcmp(f[i].name, "client_id") ? &secret : &id) = value;
        } else if (f[i].place == FIELD_HEADER) {
            struct str value = push_text(L, &f[i]);
            if (value.p) add_header(L, c, f[i].header, value);
        }
    }
    if (operations[row].auth != AUTH_TOKEN) c->own_authorization = true;
    if (operations[row].auth == AUTH_BASIC && put_basic(&c->extra, id, secret))
        call_misuse(L, "%s: client_id and client_secret are too long", what_of(L));
    lua_settop(L, top);
}
