#include "cache/disk/checked.h"

#include <errno.h>
#include <stdatomic.h>
#include <sys/syscall.h>
#include <unistd.h>

/* 512 kB, which become memory as they are used: parts of 64 GB. */
enum { SLOTS = 1 << 16 };
static _Atomic u64 table[SLOTS];

static u64 name_of(const struct hash_key *secret, const struct seglog_place *p)
{
    return hash64(secret, p, sizeof *p) | 1; /* 0 is an empty slot */
}

static _Atomic u64 *slot_of(u64 name)
{
    return &table[name >> 48];
}

bool checked_is(const struct hash_key *secret, const struct seglog_place *p)
{
    u64 name = name_of(secret, p);
    return atomic_load_explicit(slot_of(name), memory_order_relaxed) == name;
}

void checked_note(const struct hash_key *secret, const struct seglog_place *p)
{
    u64 name = name_of(secret, p);
    atomic_store_explicit(slot_of(name), name, memory_order_relaxed);
}

void checked_forget(const struct hash_key *secret, const struct seglog_place *p)
{
    u64 name = name_of(secret, p);
    (void)atomic_compare_exchange_strong(slot_of(name), &name, 0);
}

/* 1: it is there, 0: it is not, -1: the file system cannot tell. */
static int byte_cached(int fd, u64 at)
{
    char byte;
    struct iovec v = { &byte, 1 };
    ssize_t n = preadv2(fd, &v, 1, (off_t)at, RWF_NOWAIT);
    return n == 1 ? 1 : n < 0 && (errno == EOPNOTSUPP || errno == ENOSYS) ? -1 : 0;
}

/* How many of the pages are there, by one call; false: this kernel, before 6.5, has it not. */
static bool pages_cached(int fd, u64 at, size_t n, u64 *pages)
{
    enum { CACHESTAT = 451 };
    struct {
        u64 at, n;
    } range = { at, n };
    struct {
        u64 cached, dirty, writeback, evicted, recently;
    } found;
    if (syscall(CACHESTAT, fd, &range, &found, 0) != 0)
        return false;
    *pages = found.cached;
    return true;
}

/* The last byte as well, for a page that is just being read counts as cached, and readers go from
 * the first to the last. One call for all pages and one for a byte take 2 µs of the 127 that 1 MB
 * needs to be sent; a byte of each 64 kB would take 14. Where the kernel cannot count, three bytes
 * stand for all, for pages are read and given up in long runs. */
bool page_cached(int fd, u64 at, size_t n)
{
    u64 page = (u64)getpagesize(), pages, all = (at + n - 1) / page - at / page + 1;
    bool counted = pages_cached(fd, at, n, &pages);
    if (counted && pages < all)
        return false;
    int last = byte_cached(fd, at + n - 1);
    if (last < 0)
        return counted;
    return last && (counted || (byte_cached(fd, at) == 1 && byte_cached(fd, at + n / 2) == 1));
}
