/* The worker role: the only door from the rest of the program into bindings/. */
#pragma once
/* Speaks wire.h on WIRE_FD until the host says LEAVE or is gone. Returns the exit status. */
int worker_main(int argc, char **argv);
