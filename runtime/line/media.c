/* See media.h. */
#include "line/media.h"
#include <stdbool.h>

/* offset, bytes there, type; the first that fits counts. */
static const struct magic {
    size_t at;
    struct str bytes;
    const char *type;
} magics[] = {
    {0, {"\x89PNG\r\n\x1a\n", 8}, "image/png"},
    {0, {"\xff\xd8\xff", 3}, "image/jpeg"},
    {0, {"GIF87a", 6}, "image/gif"},
    {0, {"GIF89a", 6}, "image/gif"},
    {8, {"WEBP", 4}, "image/webp"},
    {8, {"WAVE", 4}, "audio/wav"},
    {4, {"ftypM4A", 7}, "audio/mp4"},
    {4, {"ftypqt", 6}, "video/quicktime"},
    {4, {"ftypavif", 8}, "image/avif"},
    {4, {"ftyphei", 7}, "image/heic"},
    {4, {"ftyp", 4}, "video/mp4"},
    {0, {"\x1a\x45\xdf\xa3", 4}, "video/webm"},
    {0, {"ID3", 3}, "audio/mpeg"},
    {0, {"\xff\xfb", 2}, "audio/mpeg"},
    {0, {"OggS", 4}, "audio/ogg"},
    {0, {"%PDF-", 5}, "application/pdf"},
    {0, {"PK\x03\x04", 4}, "application/zip"},
    {0, {"\x1f\x8b", 2}, "application/gzip"},
};

/* Bytes of text: no control characters but white space, and sequences of UTF-8 as far as they are there. A mark of
 * byte order in front is a sequence like any other. */
static bool is_text(struct str s)
{
    for (size_t i = 0; i < s.n;) {
        unsigned char c = (unsigned char)s.p[i++];
        size_t more = c < 0x80 ? 0 : c >= 0xf0 && c < 0xf5 ? 3 : c >= 0xe0 ? 2 : 1;
        if (c < 0x80 ? (c < 0x20 && c != '\t' && c != '\n' && c != '\r') || c == 0x7f : c < 0xc2 || c > 0xf4) return false;
        for (; more > 0 && i < s.n; more--, i++)
            if (((unsigned char)s.p[i] & 0xc0) != 0x80) return false;
    }
    return true;
}

/* At least two whole lines with the same number of commas, above none. */
static bool is_csv(struct str s)
{
    size_t lines = 0, first = 0;
    while (s.n) {
        const char *end = memchr(s.p, '\n', s.n);
        if (!end) break; /* a line that is cut off says nothing */
        size_t commas = 0, n = (size_t)(end - s.p);
        for (size_t i = 0; i < n; i++) commas += s.p[i] == ',';
        if (lines++ == 0) first = commas;
        if (commas == 0 || commas != first) return false;
        s.p += n + 1;
        s.n -= n + 1;
    }
    return lines >= 2;
}

const char *media_sniff(struct str head)
{
    for (size_t i = 0; i < sizeof magics / sizeof *magics; i++) {
        const struct magic *m = &magics[i];
        if (head.n >= m->at + m->bytes.n && memcmp(head.p + m->at, m->bytes.p, m->bytes.n) == 0) return m->type;
    }
    if (!is_text(head)) return "application/octet-stream";
    return is_csv(head) ? "text/csv" : "text/plain";
}
