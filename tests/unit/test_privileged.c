/* What is opened for the daemon: logs that are appended to, sockets that listen. */
#include "privileged.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static void a_log(void **state)
{
    (void)state;
    char folder[] = "/tmp/proxyd-unit-XXXXXX", path[64], got[16] = "";
    struct stat st;
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/log", folder);
    mode_t mask = umask(0);
    for (int i = 0; i < 2; i++) { /* a second start appends */
        int fd = privileged_open_log(path);
        assert_true(fd >= 0);
        assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
        assert_int_equal(write(fd, "line\n", 5), 5);
        close(fd);
    }
    umask(mask);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0640);
    int fd = open(path, O_RDONLY);
    assert_int_equal(read(fd, got, sizeof got), 10);
    assert_string_equal(got, "line\nline\n");
    close(fd);
    unlink(path);
    assert_true(privileged_open_log(folder) < 0);
    assert_int_equal(errno, EISDIR);
    rmdir(folder);
    assert_true(privileged_open_log(path) < 0);
    assert_int_equal(errno, ENOENT);
}

static void a_socket(void **state)
{
    (void)state;
    struct sock_listen how = { 0 };
    struct sockaddr_storage ss;
    socklen_t n = sizeof ss;
    assert_true(addr_parse(SLICE("127.0.0.1"), &how.addr));
    int fd = privileged_listen(&how, 1);
    assert_true(fd >= 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&ss, &n), 0);
    addr_from_sockaddr(&how.addr, (struct sockaddr *)&ss);
    assert_true(privileged_listen(&how, 1) < 0);
    assert_int_equal(errno, EADDRINUSE);
    assert_false(privileged_may_listen(&how));
    assert_int_equal(errno, EADDRINUSE);
    close(fd);
    assert_true(privileged_may_listen(&how));
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(a_log), cmocka_unit_test(a_socket) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
