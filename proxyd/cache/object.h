/*
 * A response in memory: its head, what is known of its freshness, and its body in chunks, which may
 * still be growing. Several exchanges in several workers read it while one fills it; it is immutable
 * but for its growing end, and lives as long as anybody holds it.
 *
 * The hard thing is waking across threads without polling: a reader that has come to the end of a
 * growing body enlists with a call of its own, and the filler posts it to the reader's loop when there is
 * more. Who leaves takes its call out under the object's lock, so that none is posted to somebody gone.
 */
#ifndef CACHE_OBJECT_H
#define CACHE_OBJECT_H

#include <pthread.h>
#include <stdatomic.h>

#include "base/call.h"
#include "base/list.h"
#include "cache/freshness.h"
#include "core/common/flow.h"
#include "core/types.h"

enum { CHUNK = 16384 };

struct chunk {
    struct chunk *next;
    u32 n; /* bytes in it; written by the filler alone, under the lock */
    char bytes[];
};

enum object_state { OBJECT_GROWING, OBJECT_WHOLE, OBJECT_CUT };

struct object {
    _Atomic u32 holders;
    u64 key[2];          /* key.h: of the URL and its space */
    u64 variant;         /* vary.h; 0: does not vary */
    struct freshness fresh;
    struct addr server;  /* where it came from: the decision before the shortcut asks about it */
    u16 status;
    struct slice vary, tags; /* names in lower case; Surrogate-Key or Cache-Tag as received */
    char *head;          /* stored form of the head: "Name: value\r\n" lines, no start line */
    u32 head_len;
    u64 length;          /* of the body where it was announced, or once it is whole; else UINT64_MAX */
    pthread_mutex_t lock; /* guards what follows */
    u8 state;
    u64 have;            /* bytes of the body by now */
    struct chunk *first, *last;
    struct list readers; /* that wait for more */
};

#endif
