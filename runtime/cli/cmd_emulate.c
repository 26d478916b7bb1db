#include "cli/command.h"
#include "cli/emulator.h"
#include "host/host.h"

int command_emulate(const struct options *o, const char *const *args, int n)
{
    struct emulator e;
    struct options own = *o; /* the environment may say what is for the other commands */
    (void)args, (void)n;
    own.live = false;
    own.data = (char *)(uintptr_t)""; /* never freed: o owns the strings */
    int status = emulator_prepare(&e, "emulate", &own);
    if (status == 0) {
        e.app.option = "--listen";
        e.app.listen = options_given(o, "listen") ? o->listen : "127.0.0.1:9090";
        e.app.ready = "emulating LINE on";
        e.host.data = e.folder;
        e.host.durability = DURABILITY_OFF;
        status = host_run_app(&e.host, "emulate", &e.app, NULL, 0);
    }
    emulator_done(&e);
    return status;
}
