/* Who listens on a port: this very program, in this test. */
#include "port_owner.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "io/sock.h"

static struct addr listening_on(const char *text, u16 port, int *fd)
{
    struct sock_listen how = { .both_families = true };
    struct sockaddr_storage ss;
    socklen_t n = sizeof ss;
    struct addr a;
    assert_true(addr_parse(slice_of(text), &how.addr));
    how.addr.port = port;
    *fd = sock_listen(&how, 1);
    assert_true(*fd >= 0);
    assert_int_equal(getsockname(*fd, (struct sockaddr *)&ss, &n), 0);
    addr_from_sockaddr(&a, (struct sockaddr *)&ss);
    return a;
}

static struct addr listening_at(const char *text, int *fd)
{
    return listening_on(text, 0, fd);
}

/* Is this very process named as the holder? */
static bool names_us(const struct addr *a)
{
    char area[200], process[40];
    struct text t = text_in(area, sizeof area - 1);
    snprintf(process, sizeof process, "test_port_owner (process %d)", (int)getpid());
    bool found = port_owner(a, &t);
    area[t.n] = 0;
    return found && strcmp(area, process) == 0;
}

static void ourselves(void **state)
{
    (void)state;
    static const char *const addresses[] = { "127.0.0.1", "::1" };
    for (unsigned i = 0; i < countof(addresses); i++) {
        int fd;
        struct addr a = listening_at(addresses[i], &fd);
        assert_true(names_us(&a));
        close(fd);
    }
}

static void nobody(void **state)
{
    (void)state;
    int fd;
    char area[200];
    struct text t = text_in(area, sizeof area);
    struct addr a = listening_at("127.0.0.1", &fd);
    close(fd);
    assert_false(port_owner(&a, &t));
    assert_int_equal(t.n, 0);
    /* A connected socket on that port listens to nobody. */
    struct addr b = listening_at("127.0.0.1", &fd);
    int client = sock_connect(&b);
    struct addr own;
    struct sockaddr_storage ss;
    socklen_t n = sizeof ss;
    assert_int_equal(getsockname(client, (struct sockaddr *)&ss, &n), 0);
    addr_from_sockaddr(&own, (struct sockaddr *)&ss);
    assert_false(port_owner(&own, &t));
    close(client);
    close(fd);
}

/* The same port of another address is no holder; a wildcard is, on either side. */
static void the_address_counts(void **state)
{
    (void)state;
    static const struct {
        const char *held, *wanted;
        bool in_the_way;
    } cases[] = {
        { "127.0.0.21", "127.0.0.1", false },
        { "127.0.0.21", "127.0.0.21", true },
        { "127.0.0.21", "0.0.0.0", true },
        { "127.0.0.21", "::", true },
        { "127.0.0.21", "::1", false },
        { "0.0.0.0", "127.0.0.1", true },
        { "0.0.0.0", "::1", false },
        { "::", "127.0.0.1", true },
        { "::", "::1", true },
        { "::1", "127.0.0.1", false },
        { "::1", "0.0.0.0", false },
        { "::1", "::", true },
    };
    for (unsigned i = 0; i < countof(cases); i++) {
        int fd;
        struct addr held = listening_at(cases[i].held, &fd), wanted;
        assert_true(addr_parse(slice_of(cases[i].wanted), &wanted));
        wanted.port = held.port;
        if (names_us(&wanted) != cases[i].in_the_way)
            fail_msg("%s held, %s wanted", cases[i].held, cases[i].wanted);
        close(fd);
    }
}

/* Another process that listens on the same port, of another address. */
static void not_a_neighbour(void **state)
{
    (void)state;
    int fd, neighbour, ready[2];
    char byte;
    struct addr a = listening_at("127.0.0.1", &fd);
    assert_int_equal(pipe(ready), 0);
    pid_t child = fork();
    if (child == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        (void)listening_on("127.0.0.21", a.port, &neighbour);
        close(fd);
        (void)!write(ready[1], "", 1);
        pause();
    }
    assert_int_equal(read(ready[0], &byte, 1), 1);
    assert_true(names_us(&a));
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    close(ready[0]), close(ready[1]), close(fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ourselves),
        cmocka_unit_test(nobody),
        cmocka_unit_test(the_address_counts),
        cmocka_unit_test(not_a_neighbour),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
