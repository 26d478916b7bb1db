/* The file watch: what is reported of a directory, and what is not. */
#include <ftw.h>
#include <sys/stat.h>
#include "net_kit.h"
#include "net/file_watch.h"

static struct file_watch *w;
static char dir[64], seen[4096]; /* what was reported, one path a line, relative to dir */
static char sub_to_add[128];

static void on_changed(void *user, const char *path)
{
    size_t skip = path && strncmp(path, dir, strlen(dir)) == 0 ? strlen(dir) : 0;
    CHECK(user == &seen);
    if (!path)
        *seen = 0; /* after this much nothing before it matters */
    size_t n = strlen(seen);
    snprintf(seen + n, sizeof seen - n, "%s\n", !path ? "(lost)" : path[skip] == '/' ? path + skip + 1 : path + skip);
    if (*sub_to_add)
        CHECK_INT(file_watch_add(w, sub_to_add), 0);
    *sub_to_add = 0;
}

static bool is_seen(void *want) { return strstr(seen, want) != NULL; }

static const char *in_dir(const char *name)
{
    static char path[4][256];
    static unsigned next;
    char *p = path[next++ % 4];
    snprintf(p, sizeof path[0], "%s/%s", dir, name);
    return p;
}

static void write_file(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    CHECK(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text));
    close(fd);
}

static bool begin(void)
{
    snprintf(dir, sizeof dir, "/tmp/moonline-test-XXXXXX");
    *seen = *sub_to_add = 0;
    if (!CHECK(mkdtemp(dir) != NULL))
        return false;
    w = file_watch_new(&loop, on_changed, &seen);
    return CHECK_INT(file_watch_add(w, dir), 0);
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *at)
{
    (void)st, (void)type, (void)at;
    return remove(path);
}

static void finish(void)
{
    file_watch_close(w);
    uv_run(&loop, UV_RUN_DEFAULT);
    CHECK_INT(uv_loop_alive(&loop), 0);
    nftw(dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

/* Everything reported so far and nothing more: a file whose report must come last draws the line. */
static void expect(const char *want)
{
    write_file(in_dir("line"), "");
    CHECK(until(is_seen, (char *)(uintptr_t)"line\n"));
    char *line = strstr(seen, "line\n");
    if (line)
        *line = 0;
    CHECK_STR(seen, want);
    *seen = 0;
}

TEST(a_write_is_reported_when_it_is_finished)
{
    if (!begin())
        return;
    int fd = open(in_dir("bot.lua"), O_WRONLY | O_CREAT, 0600);
    CHECK(write(fd, "half", 4) == 4);
    expect(""); /* created and written, not closed */
    CHECK(write(fd, "rest", 4) == 4);
    close(fd);
    expect("bot.lua\n");
    fd = open(in_dir("bot.lua"), O_RDONLY); /* reading is no change */
    close(fd);
    expect("");
    finish();
}

TEST(editors_rename_and_remove)
{
    if (!begin())
        return;
    write_file(in_dir("a.tmp"), "x");
    expect("a.tmp\n");
    rename(in_dir("a.tmp"), in_dir("a.lua"));
    expect("a.tmp\na.lua\n");
    unlink(in_dir("a.lua"));
    expect("a.lua\n");
    CHECK_INT(link(in_dir("line"), in_dir("b.lua")), 0); /* a second name appears without a write */
    CHECK_INT(symlink("line", in_dir("c.lua")), 0);
    expect("b.lua\nc.lua\n");
    finish();
}

TEST(new_directories_are_reported_and_can_be_added_at_once)
{
    if (!begin())
        return;
    snprintf(sub_to_add, sizeof sub_to_add, "%s/lib", dir);
    mkdir(in_dir("lib"), 0700);
    expect("lib\n");
    write_file(in_dir("lib/x.lua"), "x");
    CHECK(until(is_seen, (char *)(uintptr_t)"lib/x.lua\n"));
    *seen = 0;
    CHECK_INT(file_watch_add(w, in_dir("lib")), 0); /* twice is nothing */
    write_file(in_dir("lib/x.lua"), "y");
    expect("lib/x.lua\n");
    finish();
}

TEST(a_directory_that_goes_and_comes_back)
{
    if (!begin())
        return;
    mkdir(in_dir("lib"), 0700);
    CHECK_INT(file_watch_add(w, in_dir("lib")), 0);
    expect("lib\n");
    for (int i = 0; i < 3; i++) {
        write_file(in_dir("lib/x.lua"), "x");
        expect("lib/x.lua\n");
        unlink(in_dir("lib/x.lua"));
        expect("lib/x.lua\n");
        if (i == 1) { /* moved away rather than removed */
            rename(in_dir("lib"), in_dir("old"));
            CHECK(until(is_seen, (char *)(uintptr_t)"old\n"));
            *seen = 0;
            write_file(in_dir("old/y.lua"), "y"); /* no longer the directory that was asked for */
            expect("");
            unlink(in_dir("old/y.lua"));
            rmdir(in_dir("old"));
        } else {
            rmdir(in_dir("lib"));
        }
        CHECK(i == 1 || until(is_seen, (char *)(uintptr_t)"lib\n"));
        write_file(in_dir("line"), "");
        CHECK(until(is_seen, (char *)(uintptr_t)"line\n"));
        *seen = 0;
        CHECK_INT(file_watch_add(w, in_dir("lib")), ERR_NOTFOUND);
        mkdir(in_dir("lib"), 0700);
        CHECK_INT(file_watch_add(w, in_dir("lib")), 0);
        expect("lib\n");
    }
    finish();
}

TEST(what_cannot_be_watched)
{
    if (!begin())
        return;
    CHECK_INT(file_watch_add(w, in_dir("none")), ERR_NOTFOUND);
    write_file(in_dir("file"), "");
    CHECK_INT(file_watch_add(w, in_dir("file")), ERR_NOTFOUND);
    finish();
}

/* More events than the system keeps: the loss itself is reported. */
TEST(an_overflow_is_reported)
{
    long limit = 0;
    FILE *f = fopen("/proc/sys/fs/inotify/max_queued_events", "r");
    if (!f || fscanf(f, "%ld", &limit) != 1 || limit > 40000) {
        printf("# the queue holds %ld events: too many to fill here\n", limit);
        if (f)
            fclose(f);
        return;
    }
    fclose(f);
    if (!begin())
        return;
    write_file(in_dir("a"), "");
    write_file(in_dir("b"), "");
    for (long i = 0; i <= limit; i++) { /* alternating: equal neighbours are merged by the system */
        close(open(in_dir(i % 2 ? "a" : "b"), O_WRONLY));
    }
    CHECK(until(is_seen, (char *)(uintptr_t)"(lost)\n"));
    finish();
}

static void close_in_changed(void *user, const char *path)
{
    (void)path;
    file_watch_close(*(struct file_watch **)user);
}

TEST(close_from_the_callback)
{
    snprintf(dir, sizeof dir, "/tmp/moonline-test-XXXXXX");
    if (!CHECK(mkdtemp(dir) != NULL))
        return;
    w = file_watch_new(&loop, close_in_changed, &w);
    CHECK_INT(file_watch_add(w, dir), 0);
    write_file(in_dir("a"), "");
    write_file(in_dir("b"), "");
    uv_run(&loop, UV_RUN_DEFAULT); /* returns only because the handle is gone */
    CHECK_INT(uv_loop_alive(&loop), 0);
    nftw(dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

TEST_MAIN()
