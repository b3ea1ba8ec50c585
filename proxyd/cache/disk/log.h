/* The inside of a log, for the files that make it up; seglog.h says what it is. */
#ifndef CACHE_DISK_LOG_H
#define CACHE_DISK_LOG_H

#include "cache/disk/bans.h"
#include "cache/disk/folder.h"
#include "cache/disk/seg_index.h"
#include "cache/disk/segment.h"
#include "cache/disk/vary_names.h"

enum {
    LOG_BUFFER = 4 << 20,     /* bytes written at once at most */
    LOG_SEGMENTS = 1 << 16,   /* at once: 4 TB, and no more than that is ever used */
    LOG_PASS_WHOLE = 4 << 20, /* bytes of an object with parts that is passed on at most */
};

/* In the list of the open segment, `uses` says what is to become of an entry when it is flushed. */
enum { ENTRY_PUT, ENTRY_MOVE, ENTRY_HIDDEN };

/* Keys under which nothing older is to be loaded: something newer has gone, or was taken out. */
struct log_gone {
    pthread_mutex_t lock;
    struct cache_key *key; /* open addressing; 0: free */
    u32 n, cap;
    bool on;   /* the load is to come, or goes on */
    bool lost; /* one of them had no room: nothing more may be loaded */
};

/* What the bans in force are applied to: all that stands before `upto`, segment by segment. */
struct log_apply {
    u64 upto;           /* a ban_place; 0: nothing is being done */
    u32 segment;        /* the next one */
    struct segment *of; /* what `list` is of, held; NULL: none */
    struct seg_list list;
    u32 i;         /* the next of it */
    char *payload; /* FRAME_MOST bytes */
};

struct seglog {
    struct folder folder;
    u64 salt;
    struct seg_index index;
    struct vary_names names;
    struct bans bans;
    struct log_gone gone;

    /* Segments by number. What is in the index has its segment here: a record found under its
     * shard's lock can be held without another one. */
    _Atomic(struct segment *) ring[LOG_SEGMENTS];
    pthread_mutex_t ring_lock;
    _Atomic u32 oldest, newest; /* numbers; oldest > newest: there is none */

    /* The writer's. */
    struct segment *open; /* NULL: the next append makes one */
    struct segment *left; /* out of the ring, held on for whoever reads them: see seglog_tidy */
    char *buffer;
    u32 buffered, room; /* bytes of it */
    u32 visible;        /* entries of the open segment's list that are in the index */
    u32 passing;        /* the segment that ENTRY_MOVE is from */
    int lost;           /* errno of a write that failed since the last flush */
    u32 unsettled;      /* the first segment that was sealed and not yet synced; 0: there is none */
    bool made_again;    /* the folder, and nobody has been told */
    bool purged;        /* a GONE or a ban has been appended since the last sync */
    u64 synced_us;      /* when that was */
    struct log_apply apply;

    _Atomic u64 quota, bytes, segments;
    _Atomic u64 held_bytes; /* of `left` */
    _Atomic u64 appended, dropped, passed_on, gone_bad;
    _Atomic bool have_applied; /* a ban, which is in force no more */
    _Atomic bool hides;        /* see seglog_hides */
};

/* log_ring.c: the segments. */
struct segment *log_segment(const struct seglog *l, u32 number); /* the writer, or under a lock */
void log_enter(struct seglog *l, struct segment *s);
/* Out of the ring, its file deleted. Nothing of it is in the index any more. */
void log_leave(struct seglog *l, struct segment *s);
/* The oldest but the open one; NULL: there is none. */
struct segment *log_oldest(const struct seglog *l);
/* Bytes of the quota that are in use: those of segments that have left, too, as long as they are
 * read, but these only up to a half of it. */
u64 log_bytes_used(const struct seglog *l);
/* Bytes of the next segment. */
u32 log_segment_bytes(const struct seglog *l);

/* log_open.c: the segment that is written to. Is there room for so many units more in it, among
 * them a record with that `vary`? */
bool log_has_room(const struct seglog *l, u64 units, u16 vary);
/* Seals it; false: errno says why, and it is closed all the same. */
bool log_close_open(struct seglog *l);
bool log_make_open(struct seglog *l);
/* Writes the buffer, and lets be found what is in it. False: likewise, and it is lost. */
bool log_write_buffer(struct seglog *l);

/* seglog_append.c */
bool log_append_record(struct seglog *l, const struct seglog_record *r, u8 entry_is);

/* log_drop.c. The oldest segment but the open one; false: there is none. */
bool log_drop_oldest(struct seglog *l, bool pass_on);

/* log_names.c: the number of a record's `vary`, for which others may have to go; -1: no room. */
int log_name_of(struct seglog *l, struct slice vary);

/* log_apply.c: gives it up. */
void log_apply_end(struct seglog *l);

/* log_gone.c */
void log_gone_begin(struct log_gone *g);
void log_gone_end(struct log_gone *g);
/* Until the load has ended; then nothing. */
void log_gone_add(struct log_gone *g, const struct cache_key *key);
/* Under its lock. */
bool log_gone_has(const struct log_gone *g, const struct cache_key *key);

#endif
