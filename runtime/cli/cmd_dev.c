#include "cli/command.h"
#include "cli/emulator.h"
#include "host/host.h"

/* One mechanism in development and in production: this is `run`, with the emulator beside it. */
int command_dev(const struct options *o, const char *const *args, int n)
{
    struct emulator e;
    int status = emulator_prepare(&e, "dev", o);
    if (status == 0) {
        e.app.option = "--page";
        e.app.listen = o->page;
        e.app.next_ports = !options_given(o, "page");
        e.app.ready = "page on";
        e.app.opens = o->open;
        e.app.hints = true;
        if (!options_given(o, "listen")) e.host.listen = (char *)(uintptr_t)"127.0.0.1:3000";
        if (!options_given(o, "admin")) e.host.admin = (char *)(uintptr_t)"127.0.0.1:0";
        if (e.folder) e.host.data = e.folder;
        /* What is thrown away need not be on disk first. */
        if (e.folder && !options_given(o, "durability")) e.host.durability = DURABILITY_OFF;
        status = host_run_app(&e.host, "dev", &e.app, args, (size_t)n);
    }
    emulator_done(&e);
    return status;
}
