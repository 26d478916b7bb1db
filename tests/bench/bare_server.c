/* bare_server [CERTIFICATE KEY]: libmicrohttpd and nothing else, in the mode that moonline uses it in (external epoll, one
 * thread): reads the body of a POST and answers 200. With a certificate and its key, PEM files, it speaks HTTPS. What
 * moonline costs above this is moonline's. */
#include <errno.h>
#include <microhttpd.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/prctl.h>

#include "tests/tools/http1.h"

static enum MHD_Result answer(void *cls, struct MHD_Connection *connection, const char *url, const char *method,
                              const char *version, const char *data, size_t *size, void **state)
{
    static int begun;
    (void)cls, (void)url, (void)method, (void)version, (void)data;
    if (!*state) {
        *state = &begun;
        return MHD_YES;
    }
    if (*size) { /* a piece of the body */
        *size = 0;
        return MHD_YES;
    }
    struct MHD_Response *r = MHD_create_response_from_buffer(2, (void *)(uintptr_t)"{}", MHD_RESPMEM_PERSISTENT);
    MHD_add_response_header(r, "Content-Type", "application/json");
    enum MHD_Result queued = MHD_queue_response(connection, 200, r);
    MHD_destroy_response(r);
    return queued;
}

static volatile sig_atomic_t stop;

static void on_signal(int sig)
{
    (void)sig;
    stop = 1;
}

/* A file as text; ends the process when there is none. */
static char *text_of(const char *path)
{
    static char texts[2][8192];
    static int taken;
    FILE *f = fopen(path, "re");
    if (!f || taken == 2) {
        perror(path);
        exit(1);
    }
    texts[taken][fread(texts[taken], 1, sizeof texts[taken] - 1, f)] = '\0';
    fclose(f);
    return texts[taken++];
}

int main(int argc, char **argv)
{
    bool tls = argc == 3;
    struct MHD_OptionItem pem[] = {{MHD_OPTION_HTTPS_MEM_CERT, 0, tls ? text_of(argv[1]) : NULL},
                                   {MHD_OPTION_HTTPS_MEM_KEY, 0, tls ? text_of(argv[2]) : NULL},
                                   {MHD_OPTION_END, 0, NULL}};
    struct sockaddr_in address;
    struct sigaction act = {.sa_handler = on_signal};
    sigaction(SIGTERM, &act, NULL);
    sigaction(SIGINT, &act, NULL);
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    http1_address(STR("127.0.0.1:0"), &address);
    int listener = http1_listen(&address);
    struct MHD_Daemon *d = listener < 0 ? NULL : MHD_start_daemon(MHD_USE_EPOLL | (tls ? MHD_USE_TLS : 0), 0, NULL, NULL, answer, NULL,
        MHD_OPTION_LISTEN_SOCKET, listener, MHD_OPTION_CONNECTION_LIMIT, 1000u, MHD_OPTION_CONNECTION_TIMEOUT, 75u,
        MHD_OPTION_ARRAY, tls ? pem : pem + 2, MHD_OPTION_END);
    if (!d) {
        perror("bare_server: cannot start");
        return 1;
    }
    printf("bare_server: listening on http%s://127.0.0.1:%d\n", tls ? "s" : "", ntohs(address.sin_port));
    fflush(stdout);
    struct pollfd p = {.fd = MHD_get_daemon_info(d, MHD_DAEMON_INFO_EPOLL_FD)->epoll_fd, .events = POLLIN};
    while (!stop) {
        MHD_UNSIGNED_LONG_LONG ms;
        int timeout = MHD_get_timeout(d, &ms) == MHD_YES ? (int)ms : 1000;
        if (timeout > 0)
            poll(&p, 1, timeout);
        MHD_run(d);
    }
    MHD_stop_daemon(d);
    return 0;
}
