/* bench_check N HTTP-URL HTTPS-URL CERTIFICATE: what the check and the encoding of a Flex carousel of about 10 KB cost. Beside
 * it, what no check or encoder that gets a Lua table can do without: walking the table with lua_next, asking for types and
 * nothing else; lua-cjson, as a peer; and bare libcurl sending the same bytes over a connection that is kept, plain and in
 * TLS, which is what LINE is spoken to in. All take turns. Prints the bytes of the body and the CPU microseconds a message
 * of: walk, cjson, check, encode, both in one walk as line.push does it, send, send in TLS. */
#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include "bindings/check.h"
#include "bindings/json.h"
#include "bindings/lua_modules.h"

/* A shop's menu, six cards: text in spans, images, icons, buttons, colors, as cards of real bots have them. */
static const char carousel[] =
    "local function card(i)\n"
    "  local function star(gold) return {type = 'icon', size = 'sm', url = 'https://example.com/star' .. gold .. '.png'} end\n"
    "  return {type = 'bubble', size = 'kilo', hero = {type = 'image', "
    "url = 'https://example.com/drinks/' .. i .. '/large.jpg', size = 'full',\n"
    "      aspectRatio = '20:13', aspectMode = 'cover', action = {type = 'uri', uri = 'https://example.com/drinks/' .. i}},\n"
    "    body = {type = 'box', layout = 'vertical', spacing = 'sm', paddingAll = '13px', contents = {\n"
    "      {type = 'text', text = 'Brown & cold, number ' .. i, weight = 'bold', size = 'xl', wrap = true},\n"
    "      {type = 'box', layout = 'baseline', margin = 'md', contents = {star(1), star(1), star(1), star(1), star(0),\n"
    "        {type = 'text', text = '4.0', size = 'sm', color = '#999999', margin = 'md', flex = 0}}},\n"
    "      {type = 'box', layout = 'vertical', margin = 'lg', spacing = 'sm', contents = {\n"
    "        {type = 'box', layout = 'baseline', spacing = 'sm', contents = {{type = 'text', text = 'Place', "
    "color = '#aaaaaa', size = 'sm', flex = 1},\n"
    "          {type = 'text', text = 'Miraina Tower, 4-1-6 Shinjuku, Tokyo', wrap = true, color = '#666666', "
    "size = 'sm', flex = 5}}},\n"
    "        {type = 'text', contents = {{type = 'span', text = 'Today ', size = 'sm'}, {type = 'span', "
    "text = '10:00 to 23:00', weight = 'bold', color = '#1DB446'}}}}}}},\n"
    "    footer = {type = 'box', layout = 'vertical', spacing = 'sm', flex = 0, contents = {\n"
    "      {type = 'button', style = 'link', height = 'sm', action = {type = 'uri', label = 'Call', uri = 'tel:0312345678'}},\n"
    "      {type = 'button', style = 'primary', height = 'sm', color = '#1DB446', action = {type = 'postback', "
    "label = 'Order', data = 'order?id=' .. i,\n"
    "        displayText = 'One of number ' .. i}}, {type = 'separator', margin = 'md'}}},\n"
    "    styles = {footer = {separator = true, separatorColor = '#eeeeee'}}}\n"
    "end\n"
    "local cards = {} for i = 1, 6 do cards[i] = card(i) end\n"
    "return {to = 'U0123456789abcdef0123456789abcdef', messages = {{type = 'flex', altText = 'Our drinks', "
    "contents = {type = 'carousel', contents = cards}}}}";

static double cpu_us(void)
{
    struct rusage u;
    getrusage(RUSAGE_SELF, &u);
    return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1e6 + (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec);
}

static size_t discard(char *p, size_t size, size_t n, void *user)
{
    (void)p, (void)user;
    return size * n;
}

static CURL *connection(const char *url, const char *certificate, const struct buf *body, struct curl_slist *headers)
{
    CURL *e = curl_easy_init();
    curl_easy_setopt(e, CURLOPT_URL, url);
    curl_easy_setopt(e, CURLOPT_CAINFO, certificate);
    curl_easy_setopt(e, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(e, CURLOPT_POSTFIELDS, body->data);
    curl_easy_setopt(e, CURLOPT_POSTFIELDSIZE, (long)body->len);
    curl_easy_setopt(e, CURLOPT_WRITEFUNCTION, discard);
    curl_easy_setopt(e, CURLOPT_NOSIGNAL, 1L);
    return e;
}

/* ---- what is measured ---- */

struct bench {
    lua_State *L; /* body, its messages, cjson.encode */
    struct buf body;
    struct json_written written;
    CURL *plain, *tls;
};

enum { BODY = 1, MESSAGES, CJSON_ENCODE };

/* The table on top of the stack. */
static int walk(lua_State *L)
{
    int seen = 0, top = lua_gettop(L);
    luaL_checkstack(L, 4, NULL);
    lua_pushnil(L);
    while (lua_next(L, top)) {
        int key = lua_type(L, top + 1), value = lua_type(L, top + 2);
        seen += key + value;
        if (value == LUA_TTABLE) seen += walk(L);
        lua_settop(L, top + 1);
    }
    return seen;
}

static void run_walk(struct bench *b)
{
    lua_pushvalue(b->L, BODY);
    walk(b->L);
    lua_pop(b->L, 1);
}

static void run_cjson(struct bench *b)
{
    lua_pushvalue(b->L, CJSON_ENCODE);
    lua_pushvalue(b->L, BODY);
    lua_call(b->L, 1, 1);
    lua_pop(b->L, 1);
}

static void run_check(struct bench *b) { message_check_at(b->L, "message[]", MESSAGES, "messages", "line.push", NULL); }

/* As line.push does it: the check writes what it finds right, the encoder what is around. */
static void run_both(struct bench *b)
{
    message_check_write(b->L, "message[]", MESSAGES, "messages", "line.push", NULL, &b->written);
    buf_clear(&b->body);
    json_encode_with(b->L, BODY, &b->body, &b->written);
}

static void run_encode(struct bench *b)
{
    buf_clear(&b->body);
    json_encode(b->L, BODY, &b->body);
}

static void send_by(CURL *e)
{
    long status = 0;
    CURLcode r = curl_easy_perform(e);
    if (r == CURLE_OK) curl_easy_getinfo(e, CURLINFO_RESPONSE_CODE, &status);
    if (status == 200) return;
    fprintf(stderr, "bench_check: a call was answered %ld (%s)\n", status, curl_easy_strerror(r));
    exit(1);
}

static void run_plain(struct bench *b) { send_by(b->plain); }
static void run_tls(struct bench *b) { send_by(b->tls); }

static void (*const parts[])(struct bench *b) = {run_walk, run_cjson, run_check, run_encode, run_both, run_plain, run_tls};
enum { PARTS = sizeof parts / sizeof *parts, ROUNDS = 10 };

static void prepare(lua_State *L)
{
    luaL_openlibs(L);
    json_open(L);
    if (luaL_dostring(L, carousel)) {
        fprintf(stderr, "bench_check: %s\n", lua_tostring(L, -1));
        exit(1);
    }
    lua_getfield(L, BODY, "messages");
    luaL_requiref(L, "cjson", luaopen_moonline_cjson, 0);
    lua_getfield(L, -1, "encode");
    lua_replace(L, CJSON_ENCODE);
}

int main(int argc, char **argv)
{
    int n = argc == 5 ? (int)strtol(argv[1], NULL, 10) : 0;
    struct bench b = {.L = luaL_newstate(), .body = BUF(1 << 20), .written = {.json = BUF(1 << 20)}};
    double used[PARTS] = {0};
    if (n < 1) {
        fputs("usage: bench_check N HTTP-URL HTTPS-URL CERTIFICATE\n", stderr);
        return 2;
    }
    prepare(b.L);
    run_encode(&b);
    struct curl_slist *headers =
        curl_slist_append(curl_slist_append(NULL, "Authorization: Bearer test-token"), "Content-Type: application/json");
    b.plain = connection(argv[2], argv[4], &b.body, headers);
    b.tls = connection(argv[3], argv[4], &b.body, headers);
    for (int part = 0; part < PARTS; part++) parts[part](&b); /* connect, and fill what is kept */
    for (int round = 0; round < ROUNDS; round++) {
        for (int part = 0; part < PARTS; part++) {
            double began = cpu_us();
            for (int i = 0; i < n; i++) parts[part](&b);
            used[part] += cpu_us() - began;
        }
    }
    printf("%zu", b.body.len);
    for (int part = 0; part < PARTS; part++) printf(" %.2f", used[part] / n / ROUNDS);
    puts("");
    curl_easy_cleanup(b.plain);
    curl_easy_cleanup(b.tls);
    curl_slist_free_all(headers);
    lua_close(b.L);
    json_free();
    lua_json_free();
    buf_free(&b.body);
    buf_free(&b.written.json);
    return 0;
}
