#include "line/refusal.h"

#include <strings.h>

static bool says(struct str body, const char *words)
{
    size_t n = strlen(words);
    for (size_t i = 0; i + n <= body.n; i++)
        if (strncasecmp(body.p + i, words, n) == 0) return true;
    return false;
}

static const char *of_429(const char *operation, struct str body)
{
    /* In this order: "rate limit" would be found in nothing else, the others are longer guesses. */
    if (says(body, "monthly limit")) return "quota";
    if (says(body, "rate limit")) return "rate";
    if (says(body, "concurren") || strstr(operation, "audience")) return "concurrent";
    if (strcmp(operation, "push_message") == 0 && (says(body, "same user") || says(body, "too many messages"))) return "user";
    return "rate";
}

const char *refusal_kind(int status, const char *operation, struct str body)
{
    static const struct {
        int status;
        const char *kind;
    } kinds[] = {{400, "invalid"}, {401, "token"},    {403, "forbidden"}, {404, "missing"}, {409, "conflict"},
                 {410, "gone"},    {413, "invalid"},  {415, "invalid"},   {422, "invalid"}, {423, "conflict"}};
    if (status == 429) return of_429(operation, body);
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (kinds[i].status == status) return kinds[i].kind;
    return status >= 500 ? "server" : "refused";
}
