/* Who listens on a port: this very program, in this test. */
#include "holder.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "io/sock.h"

static struct addr listening_at(const char *text, int *fd)
{
    struct sock_listen how = { 0 };
    struct sockaddr_storage ss;
    socklen_t n = sizeof ss;
    struct addr a;
    assert_true(addr_parse(slice_of(text), &how.addr));
    *fd = sock_listen(&how, 1);
    assert_true(*fd >= 0);
    assert_int_equal(getsockname(*fd, (struct sockaddr *)&ss, &n), 0);
    addr_from_sockaddr(&a, (struct sockaddr *)&ss);
    return a;
}

static void ourselves(void **state)
{
    (void)state;
    static const char *const addresses[] = { "127.0.0.1", "::1" };
    char area[200], process[40];
    snprintf(process, sizeof process, " (process %d)", (int)getpid());
    for (unsigned i = 0; i < countof(addresses); i++) {
        int fd;
        struct addr a = listening_at(addresses[i], &fd);
        struct text t = text_in(area, sizeof area - 1);
        assert_true(holder_of(&a, &t));
        area[t.n] = 0;
        assert_non_null(strstr(area, process));
        assert_memory_equal(area, "test_holder", 11);
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
    assert_false(holder_of(&a, &t));
    assert_int_equal(t.n, 0);
    /* A connected socket on that port listens to nobody. */
    struct addr b = listening_at("127.0.0.1", &fd);
    int client = sock_connect(&b);
    struct addr own;
    struct sockaddr_storage ss;
    socklen_t n = sizeof ss;
    assert_int_equal(getsockname(client, (struct sockaddr *)&ss, &n), 0);
    addr_from_sockaddr(&own, (struct sockaddr *)&ss);
    assert_false(holder_of(&own, &t));
    close(client);
    close(fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(ourselves), cmocka_unit_test(nobody) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
