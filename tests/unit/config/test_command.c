/* The command line: exit codes, and what goes to stdout and stderr. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "command.h"

static struct {
    struct command command;
    char out[1 << 16], err[1 << 14];
} r;

static void slurp(FILE *f, char *area, size_t cap)
{
    rewind(f);
    area[fread(area, 1, cap - 1, f)] = 0;
    fclose(f);
}

/* Runs a command line of blank-separated words, its output going to `out`. */
static void run_into(FILE *out, const char *line)
{
    char text[256], *argv[16];
    int argc = 0;
    snprintf(text, sizeof text, "proxyd %s", line);
    for (char *p = strtok(text, " "); p; p = strtok(NULL, " "))
        argv[argc++] = p;
    argv[argc] = NULL;
    fflush(NULL);
    FILE *err = tmpfile();
    int saved[2] = { dup(1), dup(2) };
    dup2(fileno(out), 1);
    dup2(fileno(err), 2);
    r.command = command_parse(argc, argv);
    fflush(NULL);
    dup2(saved[0], 1);
    dup2(saved[1], 2);
    close(saved[0]);
    close(saved[1]);
    slurp(out, r.out, sizeof r.out);
    slurp(err, r.err, sizeof r.err);
}

static void run(const char *line)
{
    run_into(tmpfile(), line);
}

static void write_file(const char *path, const char *text)
{
    FILE *f = fopen(path, "w");
    fputs(text, f);
    fclose(f);
}

static void assert_left(int code, const char *out, const char *err)
{
    assert_int_equal(r.command.what, COMMAND_EXIT);
    assert_int_equal(r.command.exit_code, code);
    if (!strstr(r.out, out) || (!*out && *r.out))
        fail_msg("stdout lacks \"%s\":\n%s", out, r.out);
    if (!strstr(r.err, err) || (!*err && *r.err))
        fail_msg("stderr lacks \"%s\":\n%s", err, r.err);
}

static void wrong_usage(void **state)
{
    (void)state;
    run("");
    assert_left(2, "", "usage: proxyd COMMAND");
    run("chek");
    assert_left(2, "", "did you mean \"check\"?");
    run("check --strct");
    assert_left(2, "", "did you mean \"--strict\"?");
    run("check x.conf");
    assert_left(2, "", "\"x.conf\" is not known here\ndid you mean -c \"x.conf\"?\n");
    run("run x.conf");
    assert_left(2, "", "did you mean -c \"x.conf\"?\n");
    run("version x.conf");
    assert_left(2, "", "\"x.conf\" is not known here\n\"proxyd version --help\"");
    run("check strict");
    assert_left(2, "", "did you mean \"--strict\"?");
    run("check -c");
    assert_left(2, "", "--config needs the name of a file");
    run("check -c a -c b");
    assert_left(2, "", "--config stands there twice");
    run("run --strict");
    assert_left(2, "", "proxyd run: \"--strict\" is not known here");
    run("config");
    assert_left(2, "", "proxyd config --default");
    run("help run extra");
    assert_left(2, "", "proxyd help: \"extra\" is not known here\n");
    run("help chek extra");
    assert_left(2, "", "did you mean \"check\"?");
    run("help chek");
    assert_left(2, "", "did you mean \"check\"?");
}

static void every_command_teaches(void **state)
{
    (void)state;
    static const char *const names[] = { "run", "check", "config", "reference", "version", "help" };
    char line[64];
    run("help");
    assert_left(0, "usage: proxyd COMMAND", "");
    for (size_t i = 0; i < countof(names); i++) {
        assert_non_null(strstr(r.out, names[i]));
    }
    for (size_t i = 0; i < countof(names); i++) {
        snprintf(line, sizeof line, "%s --help", names[i]);
        run(line);
        assert_left(0, "usage: proxyd ", "");
        assert_non_null(strstr(r.out, names[i]));
        assert_non_null(strstr(r.out, "example:\n"));
        assert_non_null(strstr(r.out, "exit codes: "));
        snprintf(line, sizeof line, "%s -h", names[i]);
        run(line);
        assert_left(0, "usage: proxyd ", "");
    }
    run("help run");
    assert_non_null(strstr(r.out, "  TERM, QUIT  "));
    assert_non_null(strstr(r.out, "  USR1                open the files of the logs again"));
    run("help check");
    assert_left(0, "usage: proxyd check", "");
    run("--help");
    assert_left(0, "usage: proxyd COMMAND", "");
}

static void run_is_left_to_main(void **state)
{
    (void)state;
    run("run");
    assert_int_equal(r.command.what, COMMAND_RUN);
    assert_null(r.command.config_path);
    static const char *const forms[] = { "run -c x", "run -cx", "run --config x",
                                         "run --config=x" };
    for (size_t i = 0; i < countof(forms); i++) {
        run(forms[i]);
        assert_int_equal(r.command.what, COMMAND_RUN);
    }
}

static void check_and_its_codes(void **state)
{
    (void)state;
    static const char path[] = "/tmp/proxyd-test-command.conf";
    run("check");
    assert_left(0, "the built-in configuration: no errors\n", "");
    write_file(path, "x;");
    run("check -c /tmp/proxyd-test-command.conf");
    assert_left(1, "", "/tmp/proxyd-test-command.conf:1:1: error: \"x\" is not known");
    assert_non_null(strstr(r.err, "/tmp/proxyd-test-command.conf: 2 errors, 0 warnings\n"));
    write_file(path, "listener a { bind 127.0.0.1:1; mode forward; policy p; }\n"
                     "policy p { default allow; } policy q { default allow; }");
    run("check -c /tmp/proxyd-test-command.conf");
    assert_left(0, "", "warning: nothing uses the policy \"q\"");
    run("check --strict -c /tmp/proxyd-test-command.conf");
    assert_left(1, "", "0 errors, 1 warning\n");
    write_file(path, "listener a { bind 127.0.0.1:1; mode forward; policy p; cache c; }\n"
                     "policy p { default deny; rules { allow a { cache { override ttl 1m; } } } }\n"
                     "cache c { }");
    run("check --strict -c /tmp/proxyd-test-command.conf");
    assert_left(0, "/tmp/proxyd-test-command.conf: no errors, 1 note\n",
                ":2:52: note: \"override ttl\" departs from RFC 9111\n");
    remove(path);
    run("check -c /tmp/proxyd-test-command.conf");
    assert_left(1, "", "No such file or directory");
}

static void output_that_cannot_be_written(void **state)
{
    (void)state;
    static const char *const lines[] = { "check", "config --default", "reference", "version",
                                         "help",  "help run",         "run --help" };
    for (size_t i = 0; i < countof(lines); i++) {
        run_into(fopen("/dev/full", "r+"), lines[i]);
        clearerr(stdout);
        assert_left(1, "", "proxyd: cannot write to standard output: No space left on device\n");
    }
    run_into(fopen("/dev/full", "r+"), "nothing");
    assert_left(2, "", "there is no command \"nothing\"\n");
    run("version");
    assert_left(0, "proxyd ", "");
}

static void names_of_files_are_safe_to_print(void **state)
{
    (void)state;
    static const char path[] = "/tmp/proxyd-\x1b[2J\xc2\x9b.conf";
    char line[80];
    write_file(path, "include proxyd-none;");
    snprintf(line, sizeof line, "check -c %s", path);
    run(line);
    assert_left(1, "", "/tmp/proxyd-?[2J?.conf:1:9: error: ");
    assert_non_null(strstr(r.err, "\n/tmp/proxyd-?[2J?.conf: 1 error, 0 warnings\n"));
    assert_null(strchr(r.err, 0x1b));
    assert_null(strstr(r.err, "\xc2\x9b"));
    remove(path);
    run("\xc2\x9b");
    assert_left(2, "", "there is no command \"\\xc2\\x9b\"\n");
}

static void prints(void **state)
{
    (void)state;
    run("config --default");
    assert_left(0, "bind 127.0.0.1:3128;", "");
    assert_string_equal(r.out, default_conf);
    run("reference");
    assert_left(0, "# Configuration reference", "");
    run("reference --keys");
    assert_left(0, "limits head\n", "");
    run("version");
    assert_left(0, "proxyd ", "");
    run("--version");
    assert_left(0, "proxyd ", "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(wrong_usage),
        cmocka_unit_test(every_command_teaches),
        cmocka_unit_test(run_is_left_to_main),
        cmocka_unit_test(check_and_its_codes),
        cmocka_unit_test(output_that_cannot_be_written),
        cmocka_unit_test(names_of_files_are_safe_to_print),
        cmocka_unit_test(prints),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
