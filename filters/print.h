/*
 * Fingerprints of 64 bits for large sets: a chain over the pieces of a name or an URL, so that one
 * pass gives the print of every suffix or prefix. They are keyed per process: a client cannot craft
 * a text that collides.
 *
 * That no name is compared is argued by chance: of N entries, a look-up of P prints hits a wrong
 * one with N × P / 2^64. In a million entries and with four prints each, that is 2 × 10^-13: a
 * billion different names meet one wrong answer in 4,600 runs of the process. Asking for the same
 * name again draws no new lot, and the next process has another key.
 */
#ifndef FILTERS_PRINT_H
#define FILTERS_PRINT_H

#include <string.h>

#include "base/types.h"

#define PRINT_SALT 0x9e3779b97f4a7c15u

static inline u64 print_fold(u64 a, u64 b)
{
    unsigned __int128 r = (unsigned __int128)a * b;
    return (u64)r ^ (u64)(r >> 64);
}

static inline u64 print_load8(const char *p)
{
    u64 v;
    memcpy(&v, p, 8);
    return v;
}

static inline u64 print_load4(const char *p)
{
    u32 v;
    memcpy(&v, p, 4);
    return v;
}

/* One link of the chain: 64 × 64 bits with the key mixed in on both sides. h is what the chain has
 * come to (at first the key's first half), key its second half. Overlapping loads are unambiguous
 * because the length is mixed in. */
static inline u64 print_link(u64 h, u64 key, const char *p, size_t n)
{
    u64 a = 0, b = 0;
    size_t left = n;
    for (; left > 16; p += 16, left -= 16)
        h = print_fold(print_load8(p) ^ key, print_load8(p + 8) ^ h);
    if (left >= 8) {
        a = print_load8(p);
        b = print_load8(p + left - 8);
    } else if (left >= 4) {
        a = print_load4(p);
        b = print_load4(p + left - 4);
    } else if (left > 0) {
        a = (u64)(u8)p[0] << 16 | (u64)(u8)p[left >> 1] << 8 | (u8)p[left - 1];
    }
    h = print_fold(a ^ key, b ^ h);
    return print_fold(h ^ key, (n + 1) * PRINT_SALT ^ h);
}

#endif
