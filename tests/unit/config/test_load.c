/* Files: includes, secrets, and everything that is given as a file and is none. */
#include "config_text.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

static struct trial t;
static char folder[64];

static const char *path_to(const char *name)
{
    static char area[4][256];
    static unsigned turn;
    char *p = area[turn++ % 4];
    snprintf(p, sizeof area[0], "%s/%s", folder, name);
    return p;
}

static void put(const char *name, const char *text, size_t n)
{
    FILE *f = fopen(path_to(name), "w");
    assert_non_null(f);
    fwrite(text, 1, n, f);
    fclose(f);
}

static void write_file(const char *name, const char *text)
{
    put(name, text, strlen(text));
}

static const struct node *load(const char *name)
{
    t = (struct trial){ 0 };
    t.fine = config_load_file(path_to(name), &t.tree, &t.diags);
    trial_print(&t);
    return t.tree.root.children;
}

static int begin(void **state)
{
    (void)state;
    strcpy(folder, "/tmp/proxyd-conf-XXXXXX");
    return mkdtemp(folder) ? 0 : -1;
}

static int end(void **state)
{
    (void)state;
    char command[128];
    trial_end(&t);
    snprintf(command, sizeof command, "rm -rf %s", folder);
    return system(command);
}

/* ---- hostile files: an error that says what it is, at once ---- */

/* Seconds of CPU; the largest file takes two, and up to twenty under TSan. */
#ifdef PROXYD_DEBUG
enum { AT_ONCE = 100 };
#else
enum { AT_ONCE = 20 };
#endif

static void assert_refused(const char *name, const char *says)
{
    struct timespec from, to;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &from);
    trial_open(&t, path_to(name));
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &to);
    assert_false(t.fine);
    assert_says(&t, says);
    assert_true(to.tv_sec - from.tv_sec < AT_ONCE);
}

static void missing(void **state)
{
    (void)state;
    assert_refused("none", "/none: error: cannot read");
    assert_says(&t, "No such file or directory");
}

static void directory(void **state)
{
    (void)state;
    assert_refused("", "it is a directory");
}

static void fifo(void **state)
{
    (void)state;
    assert_int_equal(mkfifo(path_to("f"), 0600), 0);
    assert_refused("f", "it is a FIFO, not a regular file");
}

static void fifo_included(void **state)
{
    (void)state;
    assert_int_equal(mkfifo(path_to("f"), 0600), 0);
    write_file("c", "workers 1;\ninclude f;\n");
    assert_refused("c", "/c:2:9: error: cannot read");
    assert_says(&t, "it is a FIFO");
}

static void socket_file(void **state)
{
    (void)state;
    struct sockaddr_un un = { .sun_family = AF_UNIX };
    snprintf(un.sun_path, sizeof un.sun_path, "%s", path_to("s"));
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&un, sizeof un), 0);
    assert_refused("s", "it is a socket, not a regular file");
    close(fd);
}

static void device(void **state)
{
    (void)state;
    trial_open(&t, "/dev/zero");
    assert_false(t.fine);
    assert_says(&t, "it is a device, not a regular file");
}

static void unreadable(void **state)
{
    (void)state;
    write_file("c", "workers 1;");
    chmod(path_to("c"), 0);
    if (geteuid() == 0) { /* root reads everything: nothing to see */
        trial_open(&t, path_to("c"));
        return;
    }
    assert_refused("c", "Permission denied");
}

static void huge(void **state)
{
    (void)state;
    write_file("c", "");
    assert_int_equal(truncate(path_to("c"), ((off_t)64 << 20) + 1), 0);
    assert_refused("c", "it is larger than 64 MiB");
}

static void nul_byte(void **state)
{
    (void)state;
    put("c", "workers 1;\n# x\0y\n", 17);
    assert_refused("c", "/c:2:4: error: a NUL byte, byte 15 of the file");
}

static void invalid_utf8(void **state)
{
    (void)state;
    put("c", "workers 1;\n\"\xc3\xa9\xff\";", 17);
    assert_refused("c", "/c:2:4: error: invalid UTF-8: the byte 0xff, byte 15 of the file");
}

static void empty(void **state)
{
    (void)state;
    write_file("c", "");
    assert_refused("c", "/c: error: \"listener\" is missing");
}

static void long_line(void **state)
{
    (void)state;
    size_t n = 10 << 20;
    char *text = malloc(n);
    memset(text, 'x', n);
    put("c", text, n);
    free(text);
    assert_refused("c", "a word of more than 65536 bytes");
    assert_true(t.nsaid < 10000);
}

/* slow: two million words */
static void many_words(void **state)
{
    (void)state;
    size_t n = 3 << 20;
    char *text = malloc(n);
    for (size_t i = 0; i < n; i += 2)
        memcpy(text + i, "x ", 2);
    put("c", text, n);
    for (size_t i = 0; i < n; i += 2)
        memcpy(text + i, "x;", 2);
    put("d", text, n);
    free(text);
    assert_refused("c", "more than 1048576 words");
    trial_end(&t);
    assert_refused("d", "more than 1048576 words");
}

static void deep(void **state)
{
    (void)state;
    size_t n = 10000;
    char *text = malloc(6 * n);
    for (size_t i = 0; i < n; i++) {
        memcpy(text + 3 * i, "a {", 3);
        memcpy(text + 3 * n + 3 * i, " } ", 3);
    }
    put("c", text, 6 * n);
    put("d", text, 3 * n);
    free(text);
    assert_refused("c", "blocks are nested more than 64 deep");
    assert_true(t.diags.errors < 5);
    trial_end(&t);
    assert_refused("d", "blocks are nested more than 64 deep");
    assert_says(&t, "is not closed");
}

/* Hundreds of thousands of blocks with one name, or with different ones, stay linear. */
static void many_blocks(void **state)
{
    (void)state;
    FILE *f = fopen(path_to("c"), "w");
    for (int i = 0; i < 150000; i++)
        fprintf(f, "pool p%d{}pool q{}\n", i);
    fclose(f);
    assert_refused("c", "the name \"q\" is already taken, at ");
}

static void many_lines_without_semicolon(void **state)
{
    (void)state;
    FILE *f = fopen(path_to("c"), "w");
    for (int i = 0; i < 150000; i++)
        fprintf(f, "pool p x\n");
    fputs("{", f);
    for (int i = 0; i < 150000; i++)
        fprintf(f, "server x:1;\n");
    fputs("}", f);
    fclose(f);
    assert_refused("c", "a \";\" is missing behind \"x\"");
}

/* ---- includes ---- */

static void include_in_order(void **state)
{
    (void)state;
    mkdir(path_to("d"), 0700);
    write_file("d/B.conf", "b;");
    write_file("d/a.conf", "a;");
    write_file("d/10.conf", "ten;");
    write_file("d/9.conf", "nine;");
    write_file("d/x.txt", "no;");
    write_file("c", "first; include d/*.conf; block { include d/a.conf; last; } include d/*.none;");
    const struct node *n = load("c");
    assert_true(t.fine);
    static const char *const order[] = { "first", "ten", "nine", "b", "a", "block" };
    for (size_t i = 0; i < countof(order); i++, n = n->next) {
        assert_word(n, 0, order[i]);
        if (i == 5) {
            assert_word(n->children, 0, "a");
            assert_word(n->children->next, 0, "last");
        }
    }
    assert_null(n);
}

static void include_relative_to_its_file(void **state)
{
    (void)state;
    mkdir(path_to("d"), 0700);
    write_file("d/x", "include y;");
    write_file("d/y", "deep ${PROXYD_D};");
    write_file("c", "include ${PROXYD_D}/x;");
    setenv("PROXYD_D", "d", 1);
    const struct node *n = load("c");
    assert_true(t.fine);
    assert_word(n, 0, "deep");
}

static void include_missing(void **state)
{
    (void)state;
    write_file("c", "a;\n  include none.conf;");
    load("c");
    assert_false(t.fine);
    assert_says(&t, "/c:2:11: error: cannot read");
    assert_says(&t, "      include none.conf;\n              ^~~~~~~~~\n");
}

static void include_of_an_unset_variable(void **state)
{
    (void)state;
    unsetenv("PROXYD_UNSET");
    write_file("c", "include ${PROXYD_UNSET}/x;\na secret file ${PROXYD_UNSET}/x;");
    load("c");
    assert_int_equal(t.diags.errors, 2);
    assert_says(&t, "/c:1:9: error: the environment has no PROXYD_UNSET");
    assert_says(&t, "/c:2:15: error: the environment has no PROXYD_UNSET");
}

/* Only the command line may name it: here the terminal would be asked, and nobody answers. */
static void include_of_standard_input(void **state)
{
    (void)state;
    write_file("c", "include -;\na secret file -;");
    write_file("-", "b;");
    load("c");
    assert_int_equal(t.diags.errors, 2);
    assert_says(&t, "/c:1:9: error: \"-\" stands for standard input on the command line only\n");
    assert_says(&t, "/c:2:15: error: \"-\" stands for standard input on the command line only\n");
    assert_says(&t, "    a file of this name is written ./-\n");
    trial_end(&t);
    write_file("c", "include ./-; include ?;");
    assert_word(load("c"), 0, "b");
    assert_false(t.fine); /* the pattern names c as well */
    assert_int_equal(t.diags.errors, 1);
    assert_says(&t, "includes itself");
}

static void include_cycle(void **state)
{
    (void)state;
    write_file("c", "include d;");
    write_file("d", "include ./../../../../../../../..//tmp/./no-such;\ninclude e*;");
    write_file("e", "include c;");
    load("c");
    assert_false(t.fine);
    assert_says(&t, "/e:1:9: error:");
    assert_says(&t, "includes itself");
    char *stack = strstr(t.said, "    included from");
    assert_non_null(stack);
    assert_says(&t, "/d:2:9\n    included from ");
}

static void include_itself_by_another_name(void **state)
{
    (void)state;
    write_file("c", "include link;");
    assert_int_equal(symlink(path_to("c"), path_to("link")), 0);
    load("c");
    assert_says(&t, "includes itself");
}

static void include_stack_in_messages(void **state)
{
    (void)state;
    write_file("c", "# c\ninclude d;");
    write_file("d", "\n\n  include e;");
    write_file("e", "\"x\";");
    load("c");
    char want[600];
    snprintf(want, sizeof want,
             "%s:1:1: error: a statement begins with a bare word, not with quotes\n"
             "    \"x\";\n    ^~~\n"
             "    included from %s:3:11\n    included from %s:2:9\n",
             path_to("e"), path_to("d"), path_to("c"));
    assert_string_equal(t.said, want);
}

static void include_too_deep(void **state)
{
    (void)state;
    for (int i = 0; i < 20; i++) {
        char name[8], text[32];
        snprintf(name, sizeof name, "f%d", i);
        snprintf(text, sizeof text, "include f%d;", i + 1);
        write_file(name, text);
    }
    load("f0");
    assert_says(&t, "files include each other more than 16 deep");
    assert_int_equal(t.diags.errors, 1);
}

/* Each file includes the next one twice: 65536 files if nobody counted. */
static void include_bomb(void **state)
{
    (void)state;
    for (int i = 0; i < 16; i++) {
        char name[8], text[64];
        snprintf(name, sizeof name, "f%d", i);
        snprintf(text, sizeof text, "include f%d; include f%d;", i + 1, i + 1);
        write_file(name, text);
    }
    write_file("f16", "");
    load("f0");
    assert_false(t.fine);
    assert_true(t.diags.errors < 2000);
}

static void include_too_many(void **state)
{
    (void)state;
    mkdir(path_to("d"), 0700);
    write_file("d/x", "a;");
    FILE *f = fopen(path_to("c"), "w");
    for (int i = 0; i < 1100; i++)
        fputs("include d/x;\n", f);
    fclose(f);
    load("c");
    assert_false(t.fine);
    assert_int_equal(t.diags.errors, 1);
    assert_says(&t, "/c:1000:9: error: more than 1000 files are included");
}

static void include_cannot_close_a_block(void **state)
{
    (void)state;
    write_file("d", "clients ::1; }");
    write_file("e", "rules {");
    write_file("c", "policy p { include d; include e; default deny; } b;");
    trial_open(&t, path_to("c"));
    assert_int_equal(t.diags.errors, 4);
    assert_says(&t, "/d:1:14: error: a \"}\" without a block");
    assert_says(&t, "/e:1:1: error: the block \"rules\" is not closed");
    assert_says(&t, "/c:1:50: error: \"b\" is not known at the top level");
    assert_says(&t, "/c: error: \"listener\" is missing");
}

static void no_files_when_asked_for_none(void **state)
{
    (void)state;
    t = (struct trial){ 0 };
    t.fine = config_load_text("t", SLICE("include /etc/passwd; a secret file /etc/passwd;"), false,
                              &t.tree, &t.diags);
    trial_print(&t);
    assert_int_equal(t.diags.errors, 2);
    assert_says(&t, "this text may not read other files");
}

/* ---- secrets, standard input, paths ---- */

static void secret(void **state)
{
    (void)state;
    mkdir(path_to("d"), 0700);
    write_file("d/s", "pass word\r\nsecond\n");
    write_file("d/x", "token secret file s x;");
    write_file("c", "include d/x;");
    const struct node *n = load("c");
    assert_true(t.fine);
    assert_int_equal(n->nwords, 3);
    assert_word(n, 1, "pass word");
    assert_int_equal(n->words[1].kind, WORD_SECRET);
    assert_word(n, 2, "x");
}

static void secret_wrong(void **state)
{
    (void)state;
    write_file("e", "\nx");
    put("n", "a\0b", 3);
    mkfifo(path_to("f"), 0600);
    write_file("c", "a secret file none; a secret file e; a secret file n; a secret file f;");
    load("c");
    assert_int_equal(t.diags.errors, 4);
    assert_says(&t, "cannot read the secret");
    assert_says(&t, "its first line is empty");
    assert_says(&t, "holds a NUL byte");
    assert_says(&t, "it is a FIFO");
}

static void secret_is_an_ordinary_word_elsewhere(void **state)
{
    (void)state;
    write_file("c", "secret file x; a \"secret\" file x; a secret files x;");
    const struct node *n = load("c");
    assert_true(t.fine);
    assert_int_equal(n->nwords, 3);
    assert_int_equal(n->next->nwords, 4);
    assert_int_equal(n->next->next->nwords, 4);
}

static void standard_input(void **state)
{
    (void)state;
    int fds[2], saved = dup(0);
    assert_int_equal(pipe(fds), 0);
    assert_int_equal(write(fds[1], "a b;", 4), 4);
    close(fds[1]);
    dup2(fds[0], 0);
    t = (struct trial){ 0 };
    t.fine = config_load_file("-", &t.tree, &t.diags);
    trial_print(&t);
    dup2(saved, 0);
    close(saved);
    close(fds[0]);
    assert_true(t.fine);
    assert_word(t.tree.root.children, 1, "b");
    assert_string_equal(t.tree.root.children->words[0].at.file, "standard input");
}

static void paths(void **state)
{
    (void)state;
    mkdir(path_to("d"), 0700);
    write_file("d/x", "a rel; a /abs;");
    write_file("c", "include d/x;");
    const struct node *n = load("c");
    assert_string_equal(schema_path(&t.tree.arena, node_arg(n, 0)), path_to("d/rel"));
    assert_string_equal(schema_path(&t.tree.arena, node_arg(n->next, 0)), "/abs");
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(missing),
        CASE(directory),
        CASE(fifo),
        CASE(fifo_included),
        CASE(socket_file),
        CASE(device),
        CASE(unreadable),
        CASE(huge),
        CASE(nul_byte),
        CASE(invalid_utf8),
        CASE(empty),
        CASE(long_line),
        CASE(many_words),
        CASE(deep),
        CASE(many_blocks),
        CASE(many_lines_without_semicolon),
        CASE(include_in_order),
        CASE(include_relative_to_its_file),
        CASE(include_missing),
        CASE(include_of_an_unset_variable),
        CASE(include_of_standard_input),
        CASE(include_cycle),
        CASE(include_itself_by_another_name),
        CASE(include_stack_in_messages),
        CASE(include_too_deep),
        CASE(include_bomb),
        CASE(include_too_many),
        CASE(include_cannot_close_a_block),
        CASE(no_files_when_asked_for_none),
        CASE(secret),
        CASE(secret_wrong),
        CASE(secret_is_an_ordinary_word_elsewhere),
        CASE(standard_input),
        CASE(paths),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
