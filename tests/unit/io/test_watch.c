#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "io/watch.h"

enum { QUIET_MS = 100, MOST_MS = 500, POLL_MS = 500 };

/* A folder of its own, and a service that has looked at each file once. */
static char folder[64];
static struct offload *threads;
static struct watcher *watcher;
static _Atomic int said;

static void say(void *arg, const char *line)
{
    (void)arg;
    (void)line;
    atomic_fetch_add(&said, 1);
}

static const char *in(const char *name)
{
    static char path[4][128];
    static unsigned turn;
    char *p = path[turn++ % 4];
    snprintf(p, sizeof path[0], "%s/%s", folder, name);
    return p;
}

static void put(const char *name, const char *text)
{
    FILE *f = fopen(in(name), "w");
    assert_non_null(f);
    fputs(text, f);
    fclose(f);
}

static void move(const char *from, const char *to)
{
    assert_int_equal(rename(in(from), in(to)), 0);
}

static int begin(void **state)
{
    (void)state;
    strcpy(folder, "/tmp/proxyd-watch-XXXXXX");
    assert_non_null(mkdtemp(folder));
    threads = offload_new(2, 100);
    watcher =
        watcher_new(&(struct watcher_conf){ threads, say, NULL, { QUIET_MS, MOST_MS, POLL_MS } });
    return 0;
}

static int end(void **state)
{
    (void)state;
    char command[128];
    watcher_stop(watcher);
    offload_end(threads);
    offload_free(threads);
    watcher_free(watcher);
    snprintf(command, sizeof command, "rm -r %s", folder);
    return system(command);
}

struct seen {
    _Atomic int looks, forgotten;
    _Atomic bool bad, hangs;
    int known; /* looks that the test has seen */
    struct watch *watch;
};

static bool look(void *arg)
{
    struct seen *s = arg;
    atomic_fetch_add(&s->looks, 1);
    while (atomic_load(&s->hangs))
        usleep(1000);
    return !atomic_load(&s->bad);
}

static void forget(void *arg)
{
    atomic_fetch_add(&((struct seen *)arg)->forgotten, 1);
}

static bool looked(struct seen *s, int n, int ms)
{
    for (int i = 0; i < ms && atomic_load(&s->looks) < n; i++)
        usleep(1000);
    s->known = atomic_load(&s->looks);
    return s->known >= n;
}

static void watch(struct seen *s, const char *path)
{
    struct watch_conf c = { path, JOB_hosts_file, look, forget, s };
    s->watch = watch_begin(watcher, &c);
    assert_true(looked(s, 1, 5000));
}

/* One look more, and only one, than the test has seen: on a busy machine it may have come by now. */
static void assert_looked_once(struct seen *s)
{
    int before = s->known;
    assert_true(looked(s, before + 1, 5000));
    usleep((QUIET_MS + 80) * 1000);
    assert_int_equal(atomic_load(&s->looks), before + 1);
}

/* ---- what is seen ---- */

static void written_in_place_and_renamed_in(void **state)
{
    static struct seen s;
    (void)state;
    put("file", "a");
    watch(&s, in("file"));
    put("file", "b");
    assert_looked_once(&s);
    put("new", "c");
    move("new", "file");
    assert_looked_once(&s);
    put("file", "d"); /* the new one is watched as the old one was */
    assert_looked_once(&s);
}

static void deleted_and_created(void **state)
{
    static struct seen s;
    (void)state;
    watch(&s, in("file"));
    put("file", "a");
    assert_looked_once(&s);
    unlink(in("file"));
    assert_looked_once(&s);
    put("file", "b");
    assert_looked_once(&s);
}

static void its_folder_is_replaced(void **state)
{
    static struct seen s;
    (void)state;
    mkdir(in("a"), 0700);
    mkdir(in("a/b"), 0700);
    put("a/b/file", "a");
    watch(&s, in("a/b/file"));
    move("a", "old");
    assert_looked_once(&s);
    mkdir(in("new"), 0700);
    mkdir(in("new/b"), 0700);
    put("new/b/file", "b");
    move("new", "a");
    assert_looked_once(&s);
    put("a/b/file", "c");
    assert_looked_once(&s);
    put("old/b/file", "d"); /* not the file any more */
    usleep((QUIET_MS + 80) * 1000);
    assert_int_equal(atomic_load(&s.looks), 4);
}

/* As secrets come into a container: file -> ..data/file, ..data -> a folder, which is swapped. */
static void a_link_on_the_way_is_swapped(void **state)
{
    static struct seen s;
    (void)state;
    mkdir(in("one"), 0700);
    mkdir(in("two"), 0700);
    put("one/file", "a");
    put("two/file", "b");
    assert_int_equal(symlink("one", in("..data")), 0);
    assert_int_equal(symlink("..data/file", in("file")), 0);
    watch(&s, in("file"));
    assert_int_equal(symlink("two", in("..tmp")), 0);
    move("..tmp", "..data");
    assert_looked_once(&s);
    put("two/file", "c");
    assert_looked_once(&s);
}

static void nothing_else_is_seen(void **state)
{
    static struct seen s;
    char text[8];
    int fd;
    (void)state;
    put("file", "a");
    watch(&s, in("file"));
    put("other", "b");
    put("other", "c");
    unlink(in("other"));
    assert_true((fd = open(in("file"), O_RDONLY)) >= 0);
    assert_int_equal(read(fd, text, sizeof text), 1);
    close(fd);
    usleep((QUIET_MS + 80) * 1000);
    assert_int_equal(atomic_load(&s.looks), 1);
}

/* ---- when ---- */

/* False: on a busy machine it had a pause in it that may have been taken for its end. */
static bool burst(void)
{
    u64 begun = clock_us(CLOCK_MONOTONIC), before = begun, now = begun, pause = 0;
    for (int i = 0; i < 40; i++) {
        put(i % 2 ? "file" : "new", "x");
        if (i % 2 == 0)
            move("new", "file");
        usleep(2000);
        now = clock_us(CLOCK_MONOTONIC);
        pause = now - before > pause ? now - before : pause;
        before = now;
    }
    return pause < QUIET_MS * 1000 / 2 && now - begun < MOST_MS * 1000 / 2;
}

static void a_burst_is_one_look(void **state)
{
    static struct seen s;
    (void)state;
    watch(&s, in("file"));
    for (int i = 0; i < 20 && !burst(); i++) {
        usleep((MOST_MS + QUIET_MS) * 1000);
        s.known = atomic_load(&s.looks);
    }
    assert_looked_once(&s);
}

/* What never rests is looked at all the same; what could not be read, again. */
static void without_rest_and_unreadable(void **state)
{
    static struct seen busy, bad = { .bad = true }; /* a look may come when the test is over */
    (void)state;
    put("busy", "");
    put("bad", "");
    watch(&bad, in("bad"));
    watch(&busy, in("busy"));
    for (int ms = 0; ms < MOST_MS + 1000 && atomic_load(&busy.looks) < 2; ms += 40) {
        put("busy", "x");
        usleep(40 * 1000);
    }
    assert_true(looked(&bad, 2, POLL_MS + 1000));
    assert_true(atomic_load(&busy.looks) >= 2);
}

/* ---- the end ---- */

static unsigned places(void)
{
    unsigned n = 0;
    for (int fd = 0; fd < 64; fd++) {
        char path[64], line[256];
        snprintf(path, sizeof path, "/proc/self/fdinfo/%d", fd);
        FILE *f = fopen(path, "r");
        while (f && fgets(line, sizeof line, f))
            n += strncmp(line, "inotify wd:", 11) == 0;
        if (f)
            fclose(f);
    }
    return n;
}

/* Those of folders that several files share stay until the last one ends; a file that is replaced
 * again and again costs no more than one that is not. */
static void no_place_is_left(void **state)
{
    static struct seen one, two;
    (void)state;
    put("one", "");
    watch(&one, in("one"));
    unsigned alone = places();
    assert_true(alone >= 3);
    watch(&two, in("one"));
    assert_int_equal(places(), alone);
    for (int i = 0; i < 3; i++) {
        put("new", "");
        move("new", "one");
        assert_looked_once(&one);
    }
    assert_int_equal(places(), alone);
    watch_end(one.watch);
    assert_int_equal(places(), alone);
    assert_int_equal(atomic_load(&one.forgotten), 1);
    watch_end(two.watch);
    assert_int_equal(places(), 0);
    put("one", "x");
    usleep((QUIET_MS + 80) * 1000);
    assert_int_equal(atomic_load(&one.looks) + atomic_load(&two.looks), 1 + 3 + 1 + 3);
}

/* Nobody waits for a look that hangs, and it ends by itself; other files are looked at meanwhile. */
static void ended_while_it_hangs(void **state)
{
    static struct seen dead = { .hangs = true }, alive;
    (void)state;
    put("alive", "");
    watch(&dead, in("dead"));
    struct watch_conf c = { in("alive"), JOB_resolv_conf, look, NULL, &alive };
    watch_begin(watcher, &c);
    assert_true(looked(&alive, 1, 5000));
    put("alive", "x");
    assert_looked_once(&alive);
    watch_end(dead.watch);
    assert_int_equal(atomic_load(&dead.forgotten), 0);
    atomic_store(&dead.hangs, false);
    for (int i = 0; i < 5000 && !atomic_load(&dead.forgotten); i++)
        usleep(1000);
    assert_int_equal(atomic_load(&dead.forgotten), 1);
    assert_int_equal(atomic_load(&said), 0);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(written_in_place_and_renamed_in),
        TEST(deleted_and_created),
        TEST(its_folder_is_replaced),
        TEST(a_link_on_the_way_is_swapped),
        TEST(nothing_else_is_seen),
        TEST(a_burst_is_one_look),
        TEST(without_rest_and_unreadable),
        TEST(no_place_is_left),
        TEST(ended_while_it_hangs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
