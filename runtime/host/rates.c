#include "host/rates.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/log.h"
#include "host/bot.h"
#include "host/credentials.h"
#include "host/page.h"

/* One secret in common makes them the same channel; while it is being rotated there may be several. */
static bool same_channel(const struct credentials *a, const struct credentials *b)
{
    const char *at = a->secrets;
    for (struct str s; (s = credentials_next_secret(&at)).p;) {
        const char *other = b->secrets;
        for (struct str o; (o = credentials_next_secret(&other)).p;)
            if (str_eq(s, o)) return true;
    }
    return false;
}

int rates_fd(struct bot *b)
{
    if (b->rates_fd) return b->rates_fd;
    for (size_t i = 0; i < b->host->n_bots; i++) {
        const struct bot *o = b->host->bots[i];
        if (o == b || !o->rates_fd || !same_channel(o->credentials, b->credentials)) continue;
        int fd = fcntl(o->rates_fd, F_DUPFD_CLOEXEC, 3);
        return b->rates_fd = fd < 0 ? 0 : fd;
    }
    int fd = memfd_create("moonline-rates", MFD_CLOEXEC);
    if (fd >= 0 && ftruncate(fd, sizeof(struct rates_page))) {
        close(fd);
        fd = -1;
    }
    if (fd < 0) LOG(WARN, "rate limits are counted by each worker for itself", F_STR("bot", b->name), F_STR("error", strerror(errno)));
    return b->rates_fd = fd < 0 ? 0 : fd;
}

void rates_follow(struct bot *b, const struct credentials *c)
{
    if (b->rates_fd && !same_channel(b->credentials, c)) rates_close(b);
}

void rates_close(struct bot *b)
{
    if (b->rates_fd) close(b->rates_fd);
    b->rates_fd = 0;
}
