/* `proxyd auth test`: what a configuration makes of a name and a password, step by step. */
#ifndef PROXYD_AUTH_TEST_H
#define PROXYD_AUTH_TEST_H

#include "base/types.h"

/* What the command line says; NULL: not given. */
struct auth_test {
    const char *config, *listener, *policy, *name, *to, *from;
    bool by_input; /* the password comes from standard input */
};

/* The exit code. */
int auth_test_run(const struct auth_test *t);

#endif
