/* Widths and the two branch hints everything else is written in. */
#ifndef BASE_TYPES_H
#define BASE_TYPES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef uint64_t u64;
typedef int64_t i64;

#define likely(x) __builtin_expect(!!(x), 1)
#define unlikely(x) __builtin_expect(!!(x), 0)
#define countof(a) (sizeof(a) / sizeof((a)[0]))
#define container_of(p, type, member) ((type *)((char *)(p)-offsetof(type, member)))
#define PRINTF_LIKE(f, a) __attribute__((format(printf, f, a)))
#define CACHE_LINE 64

/* Of some hundred bytes. A length that the compiler knows becomes `rep stos`, which takes longer to
 * begin than libc takes for all of it. */
static inline void set_zero(void *p, size_t n)
{
    __asm__("" : "+r"(n));
    memset(p, 0, n);
}

#endif
