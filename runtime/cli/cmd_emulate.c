#include "cli/command.h"
#include "cli/emulator.h"
#include "host/host.h"

int command_emulate(const struct options *o, const char *const *args, int n)
{
    struct emulator e;
    (void)args, (void)n;
    int status = emulator_prepare(&e, "emulate", o);
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
