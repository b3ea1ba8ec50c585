/* The hosts file: what counts as one, what is passed over, and that the table follows the file. */
#include "io/hosts.h"

#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "tests/unit/help_clock.h"
#include "tests/unit/help_memory.h"

/* All addresses of a name, blank between them. */
static const char *found(const struct hosts *h, const char *name)
{
    static char area[1024];
    struct addr a[2 * HOSTS_PER_FAMILY];
    struct text t = text_in(area, sizeof area - 1);
    u8 nv6;
    unsigned n = hosts_find(h, slice_of(name), a, &nv6);
    assert_true(nv6 <= n);
    for (unsigned i = 0; i < n; i++) {
        assert_int_equal(a[i].family, i < nv6 ? AF_INET6 : AF_INET);
        if (i)
            text_char(&t, ' ');
        addr_text(&t, &a[i]);
    }
    area[t.n] = 0;
    return area;
}

static void assert_finds(const char *text, const char *name, const char *want)
{
    struct hosts *h = hosts_parse(slice_of(text));
    assert_string_equal(found(h, name), want);
    hosts_free(h);
}

static void lines(void **state)
{
    (void)state;
    static const char text[] = "127.0.0.1 localhost\n"
                               "::1\tip6-localhost ip6-loopback # comment other\n"
                               "# 192.0.2.9 commented\n"
                               "  192.0.2.1   Printer.Example.   PRINTER\r\n"
                               "192.0.2.2 printer\n"
                               "2001:db8::2 printer\n"
                               "192.0.2.1 printer\n"
                               "192.0.2.3 last";
    assert_finds(text, "localhost", "127.0.0.1");
    assert_finds(text, "ip6-loopback", "::1");
    assert_finds(text, "other", "");
    assert_finds(text, "commented", "");
    assert_finds(text, "printer.example", "192.0.2.1");
    assert_finds(text, "printer", "2001:db8::2 192.0.2.1 192.0.2.2");
    assert_finds(text, "last", "192.0.2.3");
    assert_finds(text, "las", "");
    assert_finds(text, "", "");
    assert_finds("", "a", "");
}

static void what_is_no_line_is_passed_over(void **state)
{
    (void)state;
    assert_finds("300.1.1.1 a\n1.2.3 a\n0x7f000001 a\n010.0.0.1 a\n1.2.3.4 a\n", "a", "1.2.3.4");
    assert_finds("1.2.3.4\n\n \n5.6.7.8 b\n", "b", "5.6.7.8");
    assert_finds("fe80::1%lo0 z\n::ffff:1.2.3.4 z\n", "z", "1.2.3.4");
    assert_finds("1.2.3.4 bad\\name .. . a..b x\n", "x", "1.2.3.4");
    assert_finds("1.2.3.4 bad\\name .. . a..b x\n", "a..b", "");
    assert_finds("1.2.3.4#a\n1.2.3.5 #a\n", "a", "");
    char line[600] = "1.2.3.4 ";
    memset(line + 8, 'a', 500);
    memcpy(line + 508, " ok\n", 5);
    assert_finds(line, "ok", "1.2.3.4");
}

static void any_bytes(void **state)
{
    (void)state;
    static char text[4096];
    u32 seed = 1;
    for (unsigned round = 0; round < 2000; round++) {
        size_t n = round * 2 % sizeof text;
        for (size_t i = 0; i < n; i++) {
            seed = seed * 1664525 + 1013904223;
            text[i] = round % 2 ? (char)(seed >> 24) : "1.:\n a#\r\0"[(seed >> 24) % 9];
        }
        struct hosts *h = hosts_parse((struct slice){ text, n });
        found(h, "a");
        hosts_free(h);
    }
    struct hosts *h = hosts_parse(SLICE("1.1.1.1 a\0b c\n1.1.1.2 d"));
    assert_string_equal(found(h, "c"), "1.1.1.1");
    assert_string_equal(found(h, "a"), "");
    assert_string_equal(found(h, "d"), "1.1.1.2");
    hosts_free(h);
}

/* Eight per family, whatever a file repeats, and no quadratic cost in doing so. */
static void bounded_per_name(void **state)
{
    (void)state;
    enum { N = 200000 };
    char *text = malloc(N * 40);
    struct text t = text_in(text, N * 40);
    for (u32 i = 0; i < N; i++) {
        text_fmt(&t, "10.%u.%u.%u many\n", i >> 16, i >> 8 & 255, i & 255);
        text_fmt(&t, "fd00::%x many\n", i & 0xffff);
    }
    assert_false(t.full);
    u64 t0 = clock_us(CLOCK_MONOTONIC);
    struct hosts *h = hosts_parse(text_slice(&t));
    assert_true(clock_us(CLOCK_MONOTONIC) - t0 < 10000000);
    assert_string_equal(found(h, "many"),
                        "fd00:: fd00::1 fd00::2 fd00::3 fd00::4 fd00::5 fd00::6 fd00::7 "
                        "10.0.0.0 10.0.0.1 10.0.0.2 10.0.0.3 10.0.0.4 10.0.0.5 10.0.0.6 10.0.0.7");
    hosts_free(h);
    free(text);
}

static void a_block_list(void **state)
{
    (void)state;
    enum { N = 300000 };
    char *text = malloc(N * 40);
    struct text t = text_in(text, N * 40);
    for (u32 i = 0; i < N; i++)
        text_fmt(&t, "0.0.0.0 ads%u.tracker.example\n", i);
    u64 t0 = clock_us(CLOCK_MONOTONIC);
    struct hosts *h = hosts_parse(text_slice(&t));
    u64 took = clock_us(CLOCK_MONOTONIC) - t0;
    print_message("%d names in %llu ms\n", N, (unsigned long long)took / 1000);
    assert_true(took < 10000000);
    assert_int_equal(hosts_count(h), N);
    for (u32 i = 0; i < N; i += 1000) {
        char name[64];
        snprintf(name, sizeof name, "ads%u.tracker.example", i);
        assert_string_equal(found(h, name), "0.0.0.0");
    }
    hosts_free(h);
    free(text);
}

static char path[] = "/tmp/proxyd-hosts-XXXXXX";

static void write_file(const char *text)
{
    char fresh[64];
    snprintf(fresh, sizeof fresh, "%s.new", path);
    FILE *f = fopen(fresh, "w");
    assert_non_null(f);
    fputs(text, f);
    fclose(f);
    assert_int_equal(rename(fresh, path), 0);
}

static void loading(void **state)
{
    (void)state;
    char fifo[64];
    close(mkstemp(path));
    write_file("1.2.3.4 a\n");
    struct hosts *h = hosts_load(path);
    assert_string_equal(found(h, "a"), "1.2.3.4");
    hosts_free(h);
    write_file("");
    h = hosts_load(path);
    assert_int_equal(hosts_count(h), 0);
    hosts_free(h);
    assert_null(hosts_load("/nonexistent/hosts"));
    assert_int_equal(errno, ENOENT);
    assert_null(hosts_load("/"));
    assert_int_equal(errno, EINVAL);
    assert_null(hosts_load("/dev/zero"));
    assert_int_equal(errno, EINVAL);
    snprintf(fifo, sizeof fifo, "%s.fifo", path);
    assert_int_equal(mkfifo(fifo, 0600), 0);
    assert_null(hosts_load(fifo)); /* and does not hang */
    unlink(fifo);
    assert_int_equal(truncate(path, HOSTS_LONGEST_FILE + 1), 0);
    assert_null(hosts_load(path));
    assert_int_equal(errno, EFBIG);
}

/* The file changes while the process runs: without memory for a new table the old one stays. */
static void loading_without_memory(void **state)
{
    (void)state;
    char text[4096];
    struct text t = text_in(text, sizeof text - 1);
    for (unsigned i = 0; i < 200; i++)
        text_fmt(&t, "10.0.0.%u n%u\n", i, i);
    text[t.n] = 0;
    write_file(text);
    unsigned refused = 0;
    for (unsigned nth = 1;; nth++, refused++) {
        memory_refuse(nth, false);
        struct hosts *h = hosts_load(path);
        if (memory_relent() == 0) {
            assert_int_equal(hosts_count(h), 200);
            hosts_free(h);
            break;
        }
        assert_null(h);
        assert_int_equal(errno, ENOMEM);
    }
    assert_true(refused >= 4);
    memory_refuse(1, false);
    assert_null(hosts_parse(SLICE("1.2.3.4 a\n")));
    memory_relent();
}

static const char *file_finds(struct hosts_file *f, const char *name)
{
    static char area[64];
    struct addr a[2 * HOSTS_PER_FAMILY];
    u8 nv6;
    struct text t = text_in(area, sizeof area - 1);
    if (hosts_file_find(f, slice_of(name), a, &nv6))
        addr_text(&t, &a[0]);
    area[t.n] = 0;
    return area;
}

static struct hosts_file *shared;
static _Atomic bool stop;

static void *read_all_the_time(void *arg)
{
    struct addr a[2 * HOSTS_PER_FAMILY];
    u8 nv6;
    (void)arg;
    while (!stop)
        (void)hosts_file_find(shared, SLICE("a"), a, &nv6);
    return NULL;
}

/* With readers at work. */
static void follows_the_file(void **state)
{
    (void)state;
    pthread_t thread[2];
    write_file("1.2.3.4 a\n");
    shared = hosts_file_new(path);
    for (unsigned i = 0; i < 2; i++)
        pthread_create(&thread[i], NULL, read_all_the_time, NULL);
    assert_string_equal(file_finds(shared, "a"), "1.2.3.4");
    write_file("1.2.3.5 a\n");
    assert_true(hosts_file_refresh(shared));
    assert_string_equal(file_finds(shared, "a"), "1.2.3.5");
    assert_true(hosts_file_refresh(shared)); /* unchanged */
    /* What cannot be read now is not gone: a list that blocks goes on blocking. */
    unlink(path);
    assert_int_equal(mkdir(path, 0700), 0);
    assert_false(hosts_file_refresh(shared));
    assert_string_equal(file_finds(shared, "a"), "1.2.3.5");
    rmdir(path);
    assert_int_equal(symlink(path, path), 0); /* stat fails, but not because nothing is there */
    assert_false(hosts_file_refresh(shared));
    assert_string_equal(file_finds(shared, "a"), "1.2.3.5");
    unlink(path);
    assert_true(hosts_file_refresh(shared));
    assert_string_equal(file_finds(shared, "a"), "");
    stop = true;
    for (unsigned i = 0; i < 2; i++)
        pthread_join(thread[i], NULL);
    hosts_file_free(shared);
}

static void no_file(void **state)
{
    (void)state;
    struct hosts_file *f = hosts_file_new(NULL);
    assert_string_equal(file_finds(f, "a"), "");
    assert_true(hosts_file_refresh(f));
    hosts_file_free(f);
    f = hosts_file_new("/nonexistent/hosts");
    assert_string_equal(file_finds(f, "a"), "");
    hosts_file_free(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines),
        cmocka_unit_test(what_is_no_line_is_passed_over),
        cmocka_unit_test(any_bytes),
        cmocka_unit_test(bounded_per_name),
        cmocka_unit_test(a_block_list),
        cmocka_unit_test(loading),
        cmocka_unit_test(loading_without_memory),
        cmocka_unit_test(follows_the_file),
        cmocka_unit_test(no_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
