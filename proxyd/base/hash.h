/*
 * Keyed 64-bit hashing (SipHash-1-3): for every table whose keys a client can choose. Without the
 * key nobody can craft names that collide; a fresh key per process makes hashes useless on disk.
 */
#ifndef BASE_HASH_H
#define BASE_HASH_H

#include "base/types.h"

struct hash_key {
    u64 k[2];
};

/* Fills *k from the kernel's random source; aborts when there is none. */
void hash_key_random(struct hash_key *k);

/* The key of this process, made at the first call; any thread. Never NULL. */
const struct hash_key *hash_process_key(void);

/* SipHash-1-3 of n bytes. About 10 ns for a short key; p may be NULL when n is 0. */
u64 hash64(const struct hash_key *k, const void *p, size_t n);
/* The 128-bit form of it: for what is told apart by its hash alone. */
void hash128(const struct hash_key *k, const void *p, size_t n, u64 out[2]);

#endif
