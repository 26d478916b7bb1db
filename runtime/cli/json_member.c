#include "cli/json_member.h"

#include "base/buf.h"
#include "base/json.h"
#include "base/limits.h"
#include "base/mem.h"

char *json_member(struct str object, const char *name)
{
    struct json j;
    struct str key, raw;
    struct buf text = BUF(LIMIT_WEBHOOK_BODY);
    json_begin(&j, object.p, object.n);
    if (json_enter_object(&j) == 0)
        while (json_next_key(&j, &key) > 0 && json_value(&j, &raw) == 0) {
            if (!str_is(key, name)) continue;
            buf_clear(&text);
            if (raw.p[0] == '"') json_text(raw, &text);
            else buf_append(&text, raw.p, raw.n);
        }
    char *r = mem_strndup(text.data ? text.data : "", text.len);
    buf_free(&text);
    return r;
}
