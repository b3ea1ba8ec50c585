/*
 * The main of a folder's unit program: runs the files it is made of, one group of cmocka tests
 * each. Each file is tested in a process of its own: what one leaves behind (counters, threads, a
 * crash) is not there for the next. The build compiles this once for each folder, with UNIT_FILES
 * as FILE(test_a) FILE(test_b) …
 *
 *     build/release/units/core [FILE [PATTERN]]      one file of them, only the tests like PATTERN
 *     build/release/units/core --files               their names
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define FILE(name) int main_of_##name(void);
UNIT_FILES
#undef FILE

static const struct unit_file {
    const char *name;
    int (*run)(void); /* how many of its tests failed */
} files[] = {
#define FILE(name) { #name, main_of_##name },
    UNIT_FILES
#undef FILE
};
enum { FILES = sizeof files / sizeof *files };

/* A test that looks at its own process sees the name of its file. */
static int run(const struct unit_file *f)
{
    prctl(PR_SET_NAME, f->name);
    return f->run() != 0;
}

static int run_apart(const struct unit_file *f)
{
    int status = 1;
    printf("# %s\n", f->name);
    fflush(NULL);
    pid_t child = fork();
    if (child == 0)
        exit(run(f));
    if (child < 0 || waitpid(child, &status, 0) != child)
        perror(f->name);
    if (WIFSIGNALED(status))
        printf("# %s: %s\n", f->name, strsignal(WTERMSIG(status)));
    return status != 0;
}

int main(int argc, char **argv)
{
    int failed = 0;
    if (argc > 2)
        cmocka_set_test_filter(argv[2]);
    for (const struct unit_file *f = files; f < files + FILES; f++) {
        if (argc == 1)
            failed |= run_apart(f);
        else if (strcmp(argv[1], "--files") == 0)
            puts(f->name);
        else if (strcmp(argv[1], f->name) == 0)
            return run(f);
        else if (f == files + FILES - 1)
            return fprintf(stderr, "%s: there is no %s.c\n", argv[0], argv[1]), 2;
    }
    return failed;
}
