/* bench_check URL N: what the checks and the encoding of a Flex carousel of about 10 KB cost, beside bare libcurl sending
 * the same bytes to URL over one connection that is kept. The three take turns. Prints bytes of the body and CPU
 * microseconds a message of: check, encode, send. */
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

static CURL *connection(const char *url, const struct buf *body, struct curl_slist **headers)
{
    CURL *e = curl_easy_init();
    *headers = curl_slist_append(curl_slist_append(NULL, "Authorization: Bearer test-token"), "Content-Type: application/json");
    curl_easy_setopt(e, CURLOPT_URL, url);
    curl_easy_setopt(e, CURLOPT_HTTPHEADER, *headers);
    curl_easy_setopt(e, CURLOPT_POSTFIELDS, body->data);
    curl_easy_setopt(e, CURLOPT_POSTFIELDSIZE, (long)body->len);
    curl_easy_setopt(e, CURLOPT_WRITEFUNCTION, discard);
    curl_easy_setopt(e, CURLOPT_NOSIGNAL, 1L);
    return e;
}

int main(int argc, char **argv)
{
    int n = argc == 3 ? (int)strtol(argv[2], NULL, 10) : 0;
    struct curl_slist *headers;
    struct buf body = BUF(1 << 20);
    double used[3] = {0, 0, 0};
    long status = 0;
    if (n < 1) {
        fputs("usage: bench_check URL N\n", stderr);
        return 2;
    }
    lua_State *L = luaL_newstate();
    luaL_openlibs(L);
    json_open(L);
    if (luaL_dostring(L, carousel)) {
        fprintf(stderr, "bench_check: %s\n", lua_tostring(L, -1));
        return 1;
    }
    lua_getfield(L, 1, "messages");
    json_encode(L, 1, &body);
    CURL *e = connection(argv[1], &body, &headers);
    size_t bytes = body.len;
    for (int round = 0; round < 10; round++) {
        double began = cpu_us();
        for (int i = 0; i < n; i++) message_check_at(L, "message[]", 2, "messages", "line.push", NULL);
        used[0] += cpu_us() - began;
        began = cpu_us();
        for (int i = 0; i < n; i++) {
            body.len = 0;
            json_encode(L, 1, &body);
        }
        used[1] += cpu_us() - began;
        began = cpu_us();
        for (int i = 0; i < n; i++) {
            if (curl_easy_perform(e) == CURLE_OK) curl_easy_getinfo(e, CURLINFO_RESPONSE_CODE, &status);
            if (status != 200) return fprintf(stderr, "bench_check: a call was answered %ld\n", status), 1;
        }
        used[2] += cpu_us() - began;
    }
    printf("%zu %.2f %.2f %.2f\n", bytes, used[0] / n / 10, used[1] / n / 10, used[2] / n / 10);
    curl_easy_cleanup(e);
    curl_slist_free_all(headers);
    lua_close(L);
    json_free();
    buf_free(&body);
    return 0;
}
