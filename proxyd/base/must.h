/*
 * Own invariants, never input. must() is always on: a process that has lost its footing stops at
 * once and is restarted. expect() costs too much for release and is on in debug and sanitizer
 * builds. Anything a peer, a file or a resolver can cause is a fault (fault.h), never one of these.
 */
#ifndef BASE_MUST_H
#define BASE_MUST_H

#include "base/types.h"

/* Prints what did not hold and aborts. */
_Noreturn void must_fail(const char *what, const char *file, int line);

#define must(x) (likely(x) ? (void)0 : must_fail(#x, __FILE__, __LINE__))
#ifdef PROXYD_DEBUG
#define expect(x) must(x)
#else
#define expect(x) ((void)sizeof(x))
#endif

/* malloc, calloc and realloc that never return NULL: boot-time and small control-plane memory.
 * The data path takes memory from slabs and buffers, which can refuse. */
void *must_alloc(size_t n);
void *must_zalloc(size_t n);
void *must_realloc(void *p, size_t n);

#endif
