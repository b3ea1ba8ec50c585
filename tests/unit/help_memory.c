#include "help_memory.h"

#include <errno.h>
#include <stdatomic.h>
#include <stddef.h>
#include <sys/types.h>

void *__real_malloc(size_t n);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t n);
void *__real_mmap(void *at, size_t n, int protection, int flags, int fd, off_t offset);
void *__wrap_malloc(size_t n);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *p, size_t n);
void *__wrap_mmap(void *at, size_t n, int protection, int flags, int fd, off_t offset);

static _Atomic bool armed; /* what follows is touched only while it is set, by one thread */
static bool for_good;
static unsigned left, refused;

void memory_refuse(unsigned nth, bool lasting)
{
    left = nth;
    for_good = lasting;
    refused = 0;
    atomic_store(&armed, nth > 0);
}

unsigned memory_relent(void)
{
    atomic_store(&armed, false);
    return refused;
}

static bool is_refused(void)
{
    if (!atomic_load(&armed) || (left > 1 && left--) || (refused && !for_good))
        return false;
    refused++;
    errno = ENOMEM;
    return true;
}

void *__wrap_malloc(size_t n)
{
    return is_refused() ? NULL : __real_malloc(n);
}

void *__wrap_calloc(size_t n, size_t size)
{
    return is_refused() ? NULL : __real_calloc(n, size);
}

void *__wrap_realloc(void *p, size_t n)
{
    return is_refused() ? NULL : __real_realloc(p, n);
}

void *__wrap_mmap(void *at, size_t n, int protection, int flags, int fd, off_t offset)
{
    return is_refused() ? (void *)-1 : __real_mmap(at, n, protection, flags, fd, offset);
}
