#include "base/must.h"

#include <stdio.h>
#include <stdlib.h>

void must_fail(const char *what, const char *file, int line)
{
    fprintf(stderr, "proxyd: impossible: %s does not hold (%s:%d)\n", what, file, line);
    abort();
}

void *must_alloc(size_t n)
{
    void *p = malloc(n ? n : 1);
    must(p != NULL);
    return p;
}

void *must_zalloc(size_t n)
{
    void *p = calloc(1, n ? n : 1);
    must(p != NULL);
    return p;
}

void *must_realloc(void *p, size_t n)
{
    p = realloc(p, n ? n : 1);
    must(p != NULL);
    return p;
}
