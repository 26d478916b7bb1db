#include "host/worker_process.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/mem.h"

#define LOOK_NS (100 * NS_PER_MS) /* most that the time between two looks counts for */

struct worker_process {
    uv_process_t process;
    struct worker_process_callbacks cb;
    void *user;
    struct wire *wire;
    struct worker_page *page;
    bool exited, wire_lost, said_bye;
    struct worker_end end;
    /* hang watch: the run seen last, and the clocks when it was first seen */
    uint64_t seen_run;
    int64_t seen_cpu, seen_wall, looked, asleep; /* asleep: how long each look in a row found it so */
};

/* Odd: Lua is running, and seq says for whom. */
static uint64_t running_event(const struct worker_page *page)
{
    return atomic_load(&page->runs) & 1 ? atomic_load(&page->seq) : 0;
}

static void process_closed(uv_handle_t *h)
{
    struct worker_process *p = h->data;
    munmap(p->page, sizeof *p->page);
    free(p);
}

/* Whom to blame is what it was at the first sign of the end. */
static void note_blame(struct worker_process *p)
{
    if (p->end.blame) return;
    p->end.blame = running_event(p->page);
    if (p->end.blame != PAGE_TIMER) return;
    memcpy(p->end.timer, p->page->timer, sizeof p->end.timer);
    p->end.timer[sizeof p->end.timer - 1] = 0;
}

/* Both must have happened: the process is reaped, and its last frames were taken. */
static void maybe_gone(struct worker_process *p)
{
    if (!p->exited || !p->wire_lost) return;
    wire_close(p->wire);
    p->wire = NULL;
    p->cb.gone(p->user, &p->end);
    uv_close((uv_handle_t *)&p->process, process_closed);
}

static void say_why(struct worker_process *p, const char *why)
{
    if (!p->end.why[0]) snprintf(p->end.why, sizeof p->end.why, "%s", why);
}

static void exit_cb(uv_process_t *process, int64_t status, int sig)
{
    struct worker_process *p = process->data;
    p->exited = true;
    p->end.clean = p->said_bye && status == 0 && sig == 0;
    note_blame(p);
    char text[sizeof p->end.why];
    if (sig) snprintf(text, sizeof text, "killed by signal %d (%s)", sig, strsignal(sig));
    else snprintf(text, sizeof text, "exited with status %d", (int)status);
    say_why(p, text);
    maybe_gone(p);
}

static void frame_cb(void *user, enum wire_type type, struct str payload)
{
    struct worker_process *p = user;
    if (type == WIRE_BYE) p->said_bye = true;
    p->cb.frame(p->user, type, payload);
}

static void lost_cb(void *user, const char *why)
{
    struct worker_process *p = user;
    p->wire_lost = true;
    if (why && !p->exited) worker_process_kill(p, why);
    maybe_gone(p);
}

static struct worker_page *page_new(int *ret_fd)
{
    int fd = memfd_create("moonline-page", MFD_CLOEXEC);
    if (fd < 0) return NULL;
    struct worker_page *page = MAP_FAILED;
    if (ftruncate(fd, sizeof *page) == 0) page = mmap(NULL, sizeof *page, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (page == MAP_FAILED) {
        close(fd);
        return NULL;
    }
    page->version = PAGE_VERSION;
    *ret_fd = fd;
    return page;
}

/* The environment without credentials: they come over the wire, and what a C module of the bot can read with getenv, or
 * anybody in /proc, stays free of them. The array is the caller's to free, its texts are the environment's. */
static char **worker_environment(void)
{
    size_t n = 0, kept = 0;
    while (environ[n]) n++;
    char **env = mem_alloc((n + 1) * sizeof *env);
    for (size_t i = 0; i < n; i++)
        if (strncmp(environ[i], "LINE_", 5) != 0) env[kept++] = environ[i];
    env[kept] = NULL;
    return env;
}

/* stdin closed, output to standard error (a stray print of a library must not look like ours), 3 the wire, 4 the page, 5 the
 * buckets if there are any. */
static int spawn(uv_loop_t *loop, struct worker_process *p, const char *label, int wire_fd, int page_fd,
                 int rates_fd)
{
    uv_stdio_container_t stdio[6] = {
        {.flags = UV_IGNORE},
        {.flags = UV_INHERIT_FD, .data.fd = 2},
        {.flags = UV_INHERIT_FD, .data.fd = 2},
        {.flags = UV_INHERIT_FD, .data.fd = wire_fd},
        {.flags = UV_INHERIT_FD, .data.fd = page_fd},
        {.flags = UV_INHERIT_FD, .data.fd = rates_fd},
    };
    auto_free char *shown = mem_strdup(label);
    auto_free char **env = worker_environment();
    char role[] = "worker", name[] = "moonline";
    char *args[] = {name, role, shown, NULL};
    /* The kernel's own link: the very program that runs now, also when the file on disk was replaced meanwhile. */
    uv_process_options_t o = {.file = "/proc/self/exe", .args = args, .env = env, .stdio = stdio,
                              .stdio_count = rates_fd ? 6 : 5, .exit_cb = exit_cb};
    return uv_spawn(loop, &p->process, &o);
}

int worker_process_start(uv_loop_t *loop, const char *label, const struct worker_process_callbacks *cb, void *user,
                         struct worker_process **ret, char *error, size_t n)
{
    int pair[2], page_fd = -1;
    struct worker_page *page = NULL;
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == 0) {
        page = page_new(&page_fd);
        if (!page) {
            close(pair[0]);
            close(pair[1]);
        }
    }
    if (!page) {
        snprintf(error, n, "a worker could not be prepared: %s", strerror(errno));
        return ERR_IO;
    }
    struct worker_process *p = mem_zalloc(sizeof *p);
    p->cb = *cb;
    p->user = user;
    p->page = page;
    p->process.data = p;
    int r = spawn(loop, p, label, pair[1], page_fd, cb->rates_fd);
    close(pair[1]);
    close(page_fd);
    if (r) {
        snprintf(error, n, "a worker could not be started: %s", uv_strerror(r));
        close(pair[0]);
        uv_close((uv_handle_t *)&p->process, process_closed); /* a failed spawn leaves the handle initialised */
        return ERR_IO;
    }
    p->wire = wire_new(loop, pair[0], &(struct wire_callbacks){frame_cb, lost_cb}, p);
    *ret = p;
    return 0;
}

struct wire *worker_process_wire(struct worker_process *p) { return p->wire; }
struct worker_page *worker_process_page(struct worker_process *p) { return p->page; }
int worker_process_pid(const struct worker_process *p) { return p->process.pid; }

void worker_process_kill(struct worker_process *p, const char *why)
{
    if (p->exited) return;
    say_why(p, why);
    note_blame(p);
    uv_process_kill(&p->process, SIGKILL);
}

static int64_t cpu_ns(pid_t pid)
{
    clockid_t clock;
    struct timespec t;
    if (clock_getcpuclockid(pid, &clock) || clock_gettime(clock, &t)) return 0;
    return t.tv_sec * NS_PER_S + t.tv_nsec;
}

/* Whether its first thread sleeps: inside Lua, that is a C module which waits for something. */
static bool is_asleep(pid_t pid)
{
    char path[64], text[256];
    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return false;
    ssize_t n = read(fd, text, sizeof text - 1);
    close(fd);
    text[n > 0 ? n : 0] = 0;
    const char *name_end = strrchr(text, ')');
    return name_end && strncmp(name_end, ") S", 3) == 0;
}

bool worker_process_watch(struct worker_process *p, int64_t hang_ns, int64_t busy_ns)
{
    uint64_t run = atomic_load(&p->page->runs);
    if (p->exited || !(run & 1)) {
        p->seen_run = 0;
        return false;
    }
    int64_t cpu = cpu_ns(p->process.pid), wall = clock_ns();
    if (run != p->seen_run) {
        p->seen_run = run;
        p->seen_cpu = cpu;
        p->seen_wall = p->looked = wall;
        p->asleep = 0;
        return false;
    }
    /* Looks that were late do not count: while this process itself was held up (by whoever reads the log, say), the
     * worker may have been by the same. */
    int64_t since = wall - p->looked < LOOK_NS ? wall - p->looked : LOOK_NS;
    p->looked = wall;
    p->asleep = is_asleep(p->process.pid) ? p->asleep + since : 0;
    int64_t wall_limit = hang_ns * 10 > 10 * NS_PER_S ? hang_ns * 10 : 10 * NS_PER_S;
    bool asleep = p->asleep >= hang_ns;
    bool spins = cpu - p->seen_cpu >= busy_ns && wall - p->seen_wall >= hang_ns;
    if (!spins && wall - p->seen_wall < wall_limit && !asleep) return false;
    char why[96];
    snprintf(why, sizeof why, "%s for %lld ms without coming back (--hang-timeout)", asleep ? "blocked in C" : "stuck",
             (long long)((wall - p->seen_wall) / NS_PER_MS));
    worker_process_kill(p, why);
    return true;
}

int64_t worker_process_resident(const struct worker_process *p)
{
    char path[64], text[128];
    snprintf(path, sizeof path, "/proc/%d/statm", p->process.pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return 0;
    ssize_t n = read(fd, text, sizeof text - 1);
    close(fd);
    if (n <= 0) return 0;
    text[n] = 0;
    long long total = 0, resident = 0;
    return sscanf(text, "%lld %lld", &total, &resident) == 2 ? resident * sysconf(_SC_PAGESIZE) : 0;
}
