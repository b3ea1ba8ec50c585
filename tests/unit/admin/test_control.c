/* The control socket: who may open it, what becomes of one that is left behind, and how a command
 * comes to its function and its answer back. */
#include "admin/control.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "control_socket.h"
#include "ctl.h"

static char folder[] = "/tmp/proxyd-unit-XXXXXX", path[64];
static char got[256];

static int in_folder(void **state)
{
    (void)state;
    strcpy(folder + strlen(folder) - 6, "XXXXXX");
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/control.sock", folder);
    return 0;
}

static int out_of_folder(void **state)
{
    (void)state;
    unlink(path);
    return rmdir(folder);
}

static void only_its_user_may_open_it(void **state)
{
    (void)state;
    struct stat st;
    mode_t mask = umask(0);
    int fd = control_listen(path);
    umask(mask);
    assert_true(fd >= 0);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    assert_int_equal(control_listen(path), -1); /* somebody is there */
    assert_int_equal(errno, EADDRINUSE);
    close(fd);
}

static void one_that_was_left_behind_is_replaced(void **state)
{
    (void)state;
    int fd = control_listen(path);
    close(fd);
    fd = control_listen(path);
    assert_true(fd >= 0);
    close(fd);
}

static void what_is_no_socket_stays(void **state)
{
    (void)state;
    FILE *f = fopen(path, "w");
    fclose(f);
    assert_int_equal(control_listen(path), -1);
    assert_int_equal(errno, EEXIST);
    assert_int_equal(access(path, F_OK), 0);
}

static void a_path_that_is_too_long(void **state)
{
    (void)state;
    char longer[CONTROL_PATH + 2];
    memset(longer, 'x', sizeof longer);
    longer[0] = '/';
    longer[CONTROL_PATH] = 0;
    assert_int_equal(control_listen(longer), -1);
    assert_int_equal(errno, ENAMETOOLONG);
}

static void the_default_is_the_same_on_both_sides(void **state)
{
    (void)state;
    char at[CONTROL_PATH];
    setenv("RUNTIME_DIRECTORY", "/run/one:/run/two", 1);
    assert_true(control_default(at));
    assert_string_equal(at, "/run/one/control.sock");
    unsetenv("RUNTIME_DIRECTORY");
    setenv("XDG_RUNTIME_DIR", "/run/user/7", 1);
    assert_true(control_default(at));
    assert_string_equal(at, geteuid() ? "/run/user/7/proxyd.sock" : "/run/proxyd/control.sock");
}

static void take(void *self, struct slice argument, struct control_answer *answer)
{
    assert_ptr_equal(self, got);
    snprintf(got, sizeof got, "%.*s", SLICE_FMT(argument));
    answer->status = argument.n ? 200 : 422;
    answer->text = strdup("one\ntwo\n");
}

static const struct control_command commands[] = { { "POST", "/take", take },
                                                   { NULL, NULL, NULL } };

static void a_command_and_its_answer(void **state)
{
    (void)state;
    char error[100];
    struct control *c = control_start(control_listen(path), commands, got, error, sizeof error);
    assert_non_null(c);
    assert_int_equal(ctl_ask("test", path, "POST", "/take", SLICE("http://a/?b=1&c=%20 d+#\xc3")),
                     0);
    assert_string_equal(got, "http://a/?b=1&c=%20 d+#\xc3");
    assert_int_equal(ctl_ask("test", path, "POST", "/take", SLICE("")), 1);
    assert_int_equal(ctl_ask("test", path, "GET", "/take", SLICE("x")), 1);
    assert_int_equal(ctl_ask("test", path, "POST", "/other", SLICE("x")), 1);
    assert_string_equal(got, "");
    control_stop(c);
    assert_int_equal(ctl_ask("test", path, "POST", "/take", SLICE("x")), 1);
}

/* A thing that is no proxyd, or one that is killed while it works. */
static void an_end_without_an_answer(void **state)
{
    (void)state;
    int fd = control_listen(path);
    pid_t child = fork();
    if (child == 0) {
        int c = -1;
        while (c < 0)
            c = (usleep(1000), accept(fd, NULL, NULL));
        (void)!recv(c, got, sizeof got, 0);
        _exit(0);
    }
    assert_int_equal(ctl_ask("test", path, "POST", "/take", SLICE("")), 1);
    close(fd);
}

int main(void)
{
#define IN_FOLDER(f) cmocka_unit_test_setup_teardown(f, in_folder, out_of_folder)
    const struct CMUnitTest tests[] = {
        IN_FOLDER(only_its_user_may_open_it),
        IN_FOLDER(one_that_was_left_behind_is_replaced),
        IN_FOLDER(what_is_no_socket_stays),
        cmocka_unit_test(a_path_that_is_too_long),
        cmocka_unit_test(the_default_is_the_same_on_both_sides),
        IN_FOLDER(a_command_and_its_answer),
        IN_FOLDER(an_end_without_an_answer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
