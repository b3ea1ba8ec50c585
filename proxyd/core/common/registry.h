/*
 * What outlives a configuration, by kind and name: state that a new snapshot finds again where the
 * one before it left off (the address of a listener, the turn of a pool). Snapshots count what they
 * use; an entry that none uses any more is freed with the last of them, unless its kind is kept for
 * ever because connections point to it.
 *
 * Taken on the thread that compiles, given back on the one that frees a snapshot: one lock, which
 * no worker ever takes. Workers have the pointer from their snapshot.
 */
#ifndef CORE_REGISTRY_H
#define CORE_REGISTRY_H

#include "base/slice.h"

struct registry;
struct snapshot;

struct registry_kind {
    const char *name;
    size_t size;                           /* of an entry; zeroed when it is new */
    bool kept;                             /* for ever */
    void (*init)(void *entry, u32 number); /* number: how many of the kind came before; or NULL */
    void (*end)(void *entry);              /* before it is freed, without a lock; or NULL */
};

struct registry *registry_new(void);
void registry_free(struct registry *r);
/* The entry, made when it is new, and in use by s from now on. Aligned to 16 bytes. */
void *registry_get(struct registry *r, struct snapshot *s, const struct registry_kind *kind,
                   struct slice name);
/* Gives back all that s uses. */
void registry_release(struct snapshot *s);
/* Each entry of a kind that a snapshot uses, under the lock: for listings. */
void registry_each(struct registry *r, const struct registry_kind *kind,
                   void (*each)(const char *name, const void *entry, void *ctx), void *ctx);
/* How many there are of these. */
u32 registry_count(struct registry *r, const struct registry_kind *kind);

#endif
