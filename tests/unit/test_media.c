/* Media types by their first bytes. */
#include "line/media.h"
#include "test.h"

#define SNIFF(literal) media_sniff(STR(literal))

TEST(pictures_and_films_are_known_by_their_first_bytes)
{
    CHECK_STR(SNIFF("\x89PNG\r\n\x1a\n...."), "image/png");
    CHECK_STR(SNIFF("\xff\xd8\xff\xe0JFIF"), "image/jpeg");
    CHECK_STR(SNIFF("GIF89a.."), "image/gif");
    CHECK_STR(SNIFF("RIFF1234WEBPVP8 "), "image/webp");
    CHECK_STR(SNIFF("RIFF1234WAVEfmt "), "audio/wav");
    CHECK_STR(SNIFF("\0\0\0\x18" "ftypmp42"), "video/mp4");
    CHECK_STR(SNIFF("\0\0\0\x18" "ftypM4A "), "audio/mp4");
    CHECK_STR(SNIFF("%PDF-1.7"), "application/pdf");
}

TEST(text_is_utf8_without_control_characters)
{
    CHECK_STR(SNIFF("U0123\nU4567\n"), "text/plain");
    CHECK_STR(SNIFF("caf\xc3\xa9 \xe3\x81\x82 \xf0\x9f\x98\x80"), "text/plain");
    CHECK_STR(SNIFF("cut off in a letter \xe3\x81"), "text/plain");
    CHECK_STR(SNIFF("latin caf\xe9 here"), "application/octet-stream");
    CHECK_STR(SNIFF("a\0b"), "application/octet-stream");
    CHECK_STR(SNIFF(""), "text/plain");
}

TEST(a_table_has_as_many_commas_in_every_line)
{
    CHECK_STR(SNIFF("id,name\n1,one\n2,two\n"), "text/csv");
    CHECK_STR(SNIFF("id,name\n1,one\n2,tw"), "text/csv");
    CHECK_STR(SNIFF("one, two\nthree\n"), "text/plain");
    CHECK_STR(SNIFF("only, one line\n"), "text/plain");
}

TEST(half_a_mark_is_none)
{
    CHECK_STR(SNIFF("\x89PN"), "application/octet-stream");
    CHECK_STR(SNIFF("GIF8"), "text/plain");
}

TEST_MAIN()
