/*
 * How a segment is written: its first unit, frames, the payload of a record and of a ban, and the
 * footer of a sealed one. Pure: bytes in, bytes out.
 *
 *   unit 0        the file's head: what it is, of which version, its number
 *   frames        32 bytes of head, the payload, zeros up to the next unit
 *   footer        a frame with one entry for each frame above that is no body, and names
 *   last unit     of a sealed segment: where the footer is
 *
 * All numbers are the machine's own: a cache moves to no other, and there the magic is wrong.
 *
 * The hard thing is to take nothing for a frame that is none. All checksums are seeded with the
 * folder's secret, the segment's number and the frame's place in it: a frame that was copied, is
 * left from a file that was there before, or that an origin sends as a body, is not right anywhere.
 */
#ifndef CACHE_DISK_LAYOUT_H
#define CACHE_DISK_LAYOUT_H

#include "cache/disk/seglog.h"

enum {
    LAYOUT_VERSION = 1,
    FRAME_HEAD = 32,
    FRAME_MOST = SEGLOG_PART + (256 << 10), /* bytes of a payload, but for a footer's */
    RECORD_FIXED = 56,                      /* bytes of a record's payload before its parts */
    BAN_TEXT_MOST = 16 << 10,
    VARY_TEXT_MOST = 1 << 10
};

struct frame_head {
    u32 magic;
    u8 kind, zero[3];
    u32 n; /* bytes of the payload */
    u32 zero_too;
    u64 payload_sum, own_sum; /* own_sum is over all before it */
};

/* Bytes that a frame takes with a payload of n. */
static inline u32 frame_bytes(u32 n)
{
    return (FRAME_HEAD + n + SEGLOG_UNIT - 1) / SEGLOG_UNIT * SEGLOG_UNIT;
}

/* What the sums at that place begin with. */
u64 layout_seed(u64 salt, u32 segment, u32 at);
void frame_head_write(struct frame_head *h, u64 seed, enum seglog_kind kind, const void *payload,
                      u32 n);
bool frame_head_good(const struct frame_head *h, u64 seed);
/* Of a good head: is this its payload? */
bool frame_payload_good(const struct frame_head *h, u64 seed, struct slice payload);

/* SEGLOG_UNIT bytes each. */
void layout_first_write(void *unit, u64 salt, u32 segment);
bool layout_first_good(const void *unit, u64 salt, u32 segment);
/* footer: in units; at: of this unit itself, which is the file's last. */
void layout_last_write(void *unit, u64 salt, u32 segment, u32 at, u32 footer);
bool layout_last_read(const void *unit, u64 salt, u32 segment, u32 at, u32 *footer);

/* Bytes of its payload; 0: it has more than a frame may. */
u32 record_bytes(const struct seglog_record *r);
/* Writes record_bytes of them. */
void record_write(const struct seglog_record *r, char *payload);

/* Where in a record's payload its URL is, and how many bytes that and the tags behind it have: from
 * the first RECORD_FIXED of them. False: it is none of n bytes. */
bool record_names(const char *fixed, u32 n, u32 *from, u32 *url, u32 *tags);

/* The payload of a BAN: kind, soft, whole, text. It has BAN_FIXED bytes and the text's. A whole URL
 * is said as a prefix, so that whoever knows nothing of `whole` takes out more, not less. */
enum { BAN_FIXED = 4 };
/* Writes BAN_FIXED + text.n bytes. */
void ban_write(char *payload, enum seglog_ban_kind kind, bool soft, struct slice text);
/* *text points into the payload. False: it is none. */
bool ban_read(struct slice payload, enum seglog_ban_kind *kind, bool *soft, struct slice *text);

/* What a segment's list, and its footer, say of a frame. */
struct seg_entry {
    struct cache_key key; /* of a record, and of a GONE */
    u32 at, n;
    u32 until, variant; /* of a record: as in the index */
    u32 whole;          /* its units with those of its parts */
    u16 vary;           /* in memory: of vary_names; in a footer: of its names */
    u8 kind, uses;      /* uses: in memory alone */
};

#endif
