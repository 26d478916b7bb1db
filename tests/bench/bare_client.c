/* bare_client URL N CONCURRENT: libcurl and nothing else: N keep-alive POSTs of a bot's typical reply (to a URL that
 * ends in /push: of a push with a retry key of its own) to URL, through
 * curl_multi_perform with as many easy handles as run at once, each used again and again, with the options that its
 * examples use. (moonline gives it an address that is parsed already, see net/http_client.c, which saves libcurl
 * some work.) Prints its own CPU microseconds a call; what moonline's calls cost above this is moonline's. */
#include <curl/curl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/resource.h>

struct slot {
    CURL *easy;
    struct curl_slist *headers;
    char body[256];
};

#define KEY_LINE "X-Line-Retry-Key: 00000000-0000-4000-8000-000000000000"

static bool push;

static unsigned long long run, serial; /* reply tokens are single use, also over runs */

static size_t discard(char *p, size_t size, size_t n, void *user)
{
    (void)p, (void)user;
    return size * n;
}

static void start(CURLM *multi, struct slot *s)
{
    serial++;
    if (push) /* the same length each time, so the list's own memory takes it */
        snprintf(s->headers->data, sizeof KEY_LINE, "X-Line-Retry-Key: %08llx-%04llx-4000-8000-%012llx", serial & 0xffffffffu,
                 run & 0xffff, run >> 16);
    int n = push ? snprintf(s->body, sizeof s->body,
                            "{\"to\":\"U%032llx\",\"messages\":[{\"type\":\"text\",\"text\":\"news %llu\"}]}", serial % 1000,
                            serial)
                 : snprintf(s->body, sizeof s->body,
                     "{\"replyToken\":\"%016llx%016llx\","
                     "\"messages\":[{\"type\":\"text\",\"text\":\"You said: c%llu n%llu\"}]}",
                     run, serial, serial % 256, serial / 256);
    curl_easy_setopt(s->easy, CURLOPT_POSTFIELDS, s->body);
    curl_easy_setopt(s->easy, CURLOPT_POSTFIELDSIZE, (long)n);
    curl_multi_add_handle(multi, s->easy);
}

static double cpu_us(void)
{
    struct rusage u;
    getrusage(RUSAGE_SELF, &u);
    return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1e6 + (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec);
}

/* Run until n calls are done; returns how many were not answered 200. */
static unsigned long long perform(CURLM *multi, struct slot *slots, int concurrent, unsigned long long n)
{
    unsigned long long started = 0, done = 0, bad = 0;
    for (int i = 0; i < concurrent && started < n; i++, started++)
        start(multi, &slots[i]);
    while (done < n) {
        int running, left;
        CURLMsg *m;
        curl_multi_perform(multi, &running);
        while ((m = curl_multi_info_read(multi, &left))) {
            long status = 0;
            struct slot *s;
            CURL *easy = m->easy_handle;
            curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
            curl_easy_getinfo(easy, CURLINFO_PRIVATE, &s);
            bad += status != 200;
            done++;
            curl_multi_remove_handle(multi, easy);
            if (started < n) {
                started++;
                start(multi, s);
            }
        }
        if (running)
            curl_multi_poll(multi, NULL, 0, 1000, NULL);
    }
    return bad;
}

int main(int argc, char **argv)
{
    unsigned long long n = argc == 4 ? strtoull(argv[2], NULL, 10) : 0;
    int concurrent = argc == 4 ? (int)strtol(argv[3], NULL, 10) : 0;
    if (!n || concurrent < 1) {
        fputs("usage: bare_client URL N CONCURRENT\n", stderr);
        return 2;
    }
    if (getrandom(&run, sizeof run, 0) != sizeof run)
        return 1;
    size_t url_n = strlen(argv[1]);
    push = url_n > 5 && strcmp(argv[1] + url_n - 5, "/push") == 0;
    curl_global_init(CURL_GLOBAL_ALL);
    CURLM *multi = curl_multi_init();
    struct slot *slots = calloc((size_t)concurrent, sizeof *slots);
    for (int i = 0; slots && i < concurrent; i++) {
        CURL *e = slots[i].easy = curl_easy_init();
        struct curl_slist *headers = push ? curl_slist_append(NULL, KEY_LINE) : NULL;
        headers = curl_slist_append(headers, "Authorization: Bearer bench-token-0123456789");
        slots[i].headers = curl_slist_append(headers, "Content-Type: application/json");
        curl_easy_setopt(e, CURLOPT_URL, argv[1]);
        curl_easy_setopt(e, CURLOPT_HTTPHEADER, slots[i].headers);
        curl_easy_setopt(e, CURLOPT_POST, 1L);
        curl_easy_setopt(e, CURLOPT_NOSIGNAL, 1L);
        curl_easy_setopt(e, CURLOPT_WRITEFUNCTION, discard);
        curl_easy_setopt(e, CURLOPT_PRIVATE, &slots[i]);
    }
    unsigned long long bad = perform(multi, slots, concurrent, (unsigned long long)concurrent * 8); /* connect */
    double before = cpu_us();
    bad += perform(multi, slots, concurrent, n);
    printf("%.2f\n", (cpu_us() - before) / (double)n);
    if (bad)
        fprintf(stderr, "bare_client: %llu calls failed\n", bad);
    for (int i = 0; i < concurrent; i++) {
        curl_easy_cleanup(slots[i].easy);
        curl_slist_free_all(slots[i].headers);
    }
    curl_multi_cleanup(multi);
    free(slots);
    return bad != 0;
}
