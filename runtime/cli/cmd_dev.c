#include "cli/command.h"
#include "cli/emulator.h"
#include "cli/live.h"
#include "host/host.h"

static char *text(const char *of) { return (char *)(uintptr_t)of; } /* never freed: the command's options own theirs */

/* The bot is as in development with the emulator: a throw-away channel and, unless it was said otherwise, throw-away data. */
static void beside_emulator(struct emulator *e, const struct options *o)
{
    if (!options_given(o, "admin")) e->host.admin = text("127.0.0.1:0");
    if (e->folder) e->host.data = e->folder;
    /* What is thrown away need not be on disk first. */
    if (e->folder && !options_given(o, "durability")) e->host.durability = DURABILITY_OFF;
}

/* One mechanism in development and in production: this is `run`, with the emulator beside it. */
int command_dev(const struct options *o, const char *const *args, int n)
{
    struct emulator e;
    struct live l = {0};
    int status = live_check(o);
    if (status) return status;
    status = emulator_prepare(&e, "dev", o);
    if (status == 0) {
        e.app.option = "--page";
        e.app.listen = o->page;
        e.app.next_ports = !options_given(o, "page");
        e.app.ready = "page on";
        e.app.opens = o->open;
        e.app.hints = !o->live;
        if (!options_given(o, "listen")) e.host.listen = text("127.0.0.1:3000");
        if (o->live) live_prepare(&l, &e, o);
        else beside_emulator(&e, o);
        status = host_run_app(&e.host, "dev", &e.app, args, (size_t)n);
    }
    live_done(&l);
    emulator_done(&e);
    return status;
}
