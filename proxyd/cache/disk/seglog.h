/*
 * What a cache keeps on disk: a log in segments, files of one size in a folder, to which frames are
 * only ever appended, and an index of the records among them in memory. When the quota is full the
 * oldest segment goes, as a whole; what was used in it, and is still fresh, is appended anew before
 * (a queue that gives another round to what is asked for, so no list has to be kept in order, and a
 * hit writes nothing but a counter).
 *
 *   DIR/lock      held as long as the log is open: one process at a time
 *   DIR/secret    the key of the hash under which URLs are kept
 *   DIR/seg-%08x  segments, numbered upwards; a sealed one ends with a footer, its part of
 *                 the index
 *
 * Frames: a RECORD is a response with all that is known of it and a body of up to SEGLOG_INLINE
 * bytes; a larger body is in BYTES frames before it, of at most SEGLOG_PART each. GONE says that
 * what stands before it under a key counts no more, a BAN likewise for whole sets of URLs. Each has
 * a header with a checksum of its own, and one of what follows.
 *
 * The hard thing is what a crash, a full disk or a bad one leave: nothing is ever served that is
 * not whole. A frame counts when both its checksums are right; a segment that has no footer is read
 * frame by frame up to the first that is not; and whatever cannot be read is absent, no more.
 *
 * Threads: one writes (append, drop, load, flush, seal, apply). Any may find, remove, ban and read.
 */
#ifndef CACHE_DISK_SEGLOG_H
#define CACHE_DISK_SEGLOG_H

#include <sys/uio.h>

#include "base/hash.h"
#include "base/slice.h"
#include "cache/disk/cache_key.h"

struct seglog;
struct segment;

enum {
    SEGLOG_UNIT = 64,          /* frames begin at multiples of it */
    SEGLOG_INLINE = 64 << 10,  /* bytes of a body that stands in its record */
    SEGLOG_PART = 1 << 20,     /* bytes of a body in one frame, but for the last */
    SEGLOG_SEGMENT = 64 << 20, /* bytes of a segment; a 32nd of the quota if less; 2 MB at least */
    SEGLOG_LEAST = 64 << 20,   /* bytes of the smallest quota */
    SEGLOG_NAMES = 1 << 12,    /* different `vary` that the index knows, "" among them */
    SEGLOG_VARIANTS = 16,      /* of one key: a further one takes the place of the oldest */
    SEGLOG_PARTS_MOST = 1 << 16,
    SEGLOG_BANS = 1 << 16,      /* in force at once */
    SEGLOG_BANS_APPLY = 1 << 10 /* so many are applied, so that they need not stay */
};

/* A frame, or its payload: where a thing is. */
struct seglog_place {
    u32 segment, at; /* at: in units, of the frame's header */
    u32 n;           /* bytes of the payload */
};

struct seglog_record {
    struct cache_key key;
    u64 variant;                  /* among those of one key; 0: it does not vary */
    u64 until;                    /* seconds since 1970: stale from then on */
    struct slice vary, url, tags; /* request fields, what it is of, its tags between blanks */
    struct slice meta;            /* whatever the cache notes beside it */
    const struct iovec *body;     /* in the record itself; n pieces */
    u32 nbody;
    const struct seglog_place *part; /* or before it, in order */
    u32 nparts;
};

struct seglog_counts { /* now, or since it was opened */
    u64 objects, bytes, quota, segments, index_bytes;
    u64 held_bytes; /* of segments that have left and are still read: not among `bytes` */
    u64 appended_bytes, dropped, passed_on, gone_bad, bans;
};

/* Takes the folder, which is made if it is not there (0700), for this process. NULL, and why in a
 * sentence with its path: another process has it, it cannot be made or written. */
struct seglog *seglog_open(const char *dir, u64 quota, char *why, size_t room);
/* The key of the hash of URLs: the same as long as the folder lives. */
const struct hash_key *seglog_secret(const struct seglog *l);
/* Reads the index of what is there, which is found from then on, segment by segment; what counts no
 * more, or is of another format, is deleted. May take seconds; `stop` ends it early. */
void seglog_load(struct seglog *l, const _Atomic bool *stop);
/* Seals what is open, so that the next start need not read it, and gives the folder back: another
 * process may have it. What is held is read on; nothing is appended any more. The writer's. */
void seglog_give_back(struct seglog *l);
/* Gives the folder back, if that has not been done. Nobody has a segment any more. */
void seglog_close(struct seglog *l);
/* Another quota: holds from the next append on. */
void seglog_resize(struct seglog *l, u64 quota);
/* Any thread. */
struct seglog_counts seglog_counts(const struct seglog *l);

/* ---- writing; one thread, after the load. False: errno says why, and nothing of it is ever found.
 * EOVERFLOW, ESTALE and ENOMEM are about this one alone: too large, or its `vary` is; a part of
 * it has left, or was lost in a failure; no memory. All else is the disk's failure: what was
 * appended since the last flush may be lost, and is when the next flush says false. What comes
 * after begins a new segment. ---- */

/* n bytes in up to SEGLOG_PART; where they are now. */
bool seglog_append_bytes(struct seglog *l, const struct iovec *v, u32 nv, struct seglog_place *out);
/* Found from the next flush on, in place of one with the same key and variant. */
bool seglog_append_record(struct seglog *l, const struct seglog_record *r);
/* What was appended under that key before is gone, after a restart too. */
bool seglog_append_gone(struct seglog *l, const struct cache_key *key);
/* What was appended since the last one gets into its file, and is found. If a GONE or a ban was
 * among it, and none in the second before, all of it gets onto the disk as well. False: some of
 * it is lost, now or in an append since. */
bool seglog_flush(struct seglog *l);
/* Closes the files that have left and that nobody reads any more: no reader does, for it may be a
 * worker. False: some are still read; to be called again in a while. */
bool seglog_tidy(struct seglog *l);
/* Waits until one of the segments that were sealed is on the disk, for whoever has nothing else to
 * write: a sync of 64 MB takes half a second, in which 8 MB of a fetch would find no room. Nothing
 * wrong is served without it, but a power cut leaves more with it. A failure is the next flush's.
 * False: there is another one. */
bool seglog_settle(struct seglog *l);
/* Is there none that seglog_settle would wait for? */
bool seglog_is_settled(const struct seglog *l);
/* Has the folder been made anew since the last call, because somebody had deleted it? */
bool seglog_was_made_again(struct seglog *l);

/* ---- for any thread ---- */

/* The key of the variant that a request has for these names; asked once for each different text. */
typedef u64 seglog_variant(void *ctx, struct slice vary);
/* The segment of the record for it, held until seglog_let, and its place; it counts as used. NULL:
 * there is none. What it says has still to be compared: the index knows parts of the keys only. */
struct segment *seglog_find(struct seglog *l, const struct cache_key *key, seglog_variant *variant,
                            void *ctx, struct seglog_place *out);
/* Where all variants of a key lie; how many they are. It counts as no use. */
u32 seglog_all(struct seglog *l, const struct cache_key *key,
               struct seglog_place out[SEGLOG_VARIANTS]);
/* Holds the segment of a place; NULL: it is gone, and the place with it. */
struct segment *seglog_hold(struct seglog *l, u32 segment);
/* Gives back what seglog_find or seglog_hold gave; *s is NULL then, and may be before. */
void seglog_let(struct segment **s);
/* Its file, and where a place's payload begins in it: for sendfile. */
int segment_fd(const struct segment *s);
u64 segment_offset(const struct seglog_place *p);
/* Bytes [from, from + n) of a payload; how many came, or -1 with errno. `wait` false: EAGAIN where
 * the disk would have to be waited for; a file system that cannot tell (tmpfs, some overlays) reads
 * as if it were true. Not checked: see seglog_check. */
ssize_t seglog_read(const struct segment *s, const struct seglog_place *p, u64 from, void *to,
                    size_t n, bool wait);
enum seglog_kind { SEGLOG_RECORD = 1, SEGLOG_BYTES, SEGLOG_GONE, SEGLOG_BAN, SEGLOG_FOOTER };
/* The whole payload of that kind of frame, as read: is it what was appended? */
bool seglog_check(const struct segment *s, const struct seglog_place *p, enum seglog_kind kind,
                  struct slice payload);
/* A record's payload, checked, in parts that point into it; `body` has one piece, *piece. It begins
 * at an address that 4 divides. False: it is none. */
bool seglog_record_read(struct slice payload, struct seglog_record *out, struct iovec *piece);

/* What stands there is bad, or no more wanted: not found again. False: something else stands under
 * that place by now. */
bool seglog_forget(struct seglog *l, const struct cache_key *key, const struct seglog_place *p);
/* All variants of a key; how many there were. For good only once seglog_append_gone has said so. */
u32 seglog_remove(struct seglog *l, const struct cache_key *key);

/* Does the log perhaps have records that are not found because there was no room for their `vary`,
 * but may be after a restart? Then it has to be told what is gone though nothing is found. */
bool seglog_hides(const struct seglog *l);

/* Whole sets: what was appended before is absent from now on, or stale (soft). By the beginning of
 * the URL (empty: all), one tag, or a whole URL in all spaces and variants. */
enum seglog_ban_kind { SEGLOG_BAN_PREFIX, SEGLOG_BAN_TAG, SEGLOG_BAN_URL };
/* At once, for all that is found. Where SEGLOG_BANS are in force the older ones of them become one
 * about all that stands before them. False: so many wait for their place in the log, for the disk
 * takes none, or no memory; or the text is too long. *id: for seglog_append_ban. */
bool seglog_ban(struct seglog *l, enum seglog_ban_kind kind, struct slice text, bool soft, u64 *id);
/* By the writer, in its turn: what is appended from now on is free of it, after a restart it still
 * holds. It is forgotten when all that it is about has left. */
bool seglog_append_ban(struct seglog *l, u64 id);
/* A few milliseconds of looking at each record of the log, for what the bans in force say of it:
 * then they are forgotten, and what they are about is no more found, or noted as stale. That begins
 * when there are SEGLOG_BANS_APPLY, and is for the writer between two flushes. True: there is
 * nothing of that to do. */
bool seglog_apply_bans(struct seglog *l);
/* From the best to the worst. */
enum seglog_standing { SEGLOG_STANDS, SEGLOG_STALE, SEGLOG_BANNED };
/* What do the bans say of a record, those that have been applied as well? */
enum seglog_standing seglog_standing(struct seglog *l, const struct cache_key *key,
                                     const struct seglog_place *p, struct slice url,
                                     struct slice tags);

struct seglog_verified {
    u64 records, bytes, bad;
};
/* Reads everything, record by record, checks it and forgets what is bad; `stop` ends it early. Any
 * thread that may take its time, after the load. */
struct seglog_verified seglog_verify(struct seglog *l, const _Atomic bool *stop);

#endif
