/* `proxyd diff`: which requests of a log would another configuration decide otherwise? */
#ifndef PROXYD_LOG_DIFF_H
#define PROXYD_LOG_DIFF_H

#include "base/types.h"

enum { LOG_DIFF_EXAMPLES = 20 };

struct log_diff {
    const char *before, *after, *log; /* files; "-" is standard input */
    unsigned examples;                /* of each group, at most LOG_DIFF_EXAMPLES */
    bool strict;                      /* a difference is a failure */
};

/* The exit code. Its memory does not grow with the log. */
int log_diff_run(const struct log_diff *d);

#endif
