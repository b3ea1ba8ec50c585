/*
 * One file of the log: made or opened, appended to, sealed, read. It is held by whoever reads it,
 * and by its log, which is the last to let go: its name may be gone long before, and then closing
 * it is what gives its blocks back, which takes a disk its time.
 */
#ifndef CACHE_DISK_SEGMENT_H
#define CACHE_DISK_SEGMENT_H

#include <stdatomic.h>

#include "cache/disk/layout.h"
#include "cache/disk/vary_names.h"

struct seg_list {
    struct seg_entry *entry; /* in the order of their places */
    u32 n, room;
};

struct segment {
    u32 number;
    int fd;
    _Atomic u32 held;
    u64 salt;
    u32 size;        /* bytes that it may grow to */
    u32 file;        /* bytes of its file, as they count towards the quota */
    _Atomic u32 end; /* bytes of it that were written: whole frames */
    bool sealed;     /* has a footer: its list is in there, and no more here */
    struct seg_list list;
    u32 names; /* bytes in a footer of the names that its list has */
    u64 has_name[SEGLOG_NAMES / 64];
    struct segment *next_left; /* of those that left the log, while somebody reads them */
};

/* The system's calls by which a segment is written, and read with: so that tests can have a disk
 * that is full, or fails. */
struct segment_calls {
    int (*open)(const char *path, int flags, unsigned mode);
    ssize_t (*pwrite)(int fd, const void *p, size_t n, off_t at);
    ssize_t (*pread)(int fd, void *p, size_t n, off_t at);
    int (*fdatasync)(int fd);
    int (*fallocate)(int fd, int mode, off_t at, off_t n);
};
extern struct segment_calls segment_calls;

/* Appends a copy. False: no memory. */
bool seg_list_add(struct seg_list *l, const struct seg_entry *e);
/* What a list says of a record. */
struct seg_entry seg_entry_of(const struct seglog_record *r, u32 at, u32 n, u16 vary);
/* Frees its entries; it is empty then. */
void seg_list_end(struct seg_list *l);

/* A new file, with its first unit; held once. NULL: errno says why, and there is no such file. */
struct segment *segment_make(const char *path, u32 number, u64 salt, u32 size);
/* One that is there. NULL: errno says why; EPROTO: it is of another format, or bad; ENODATA: it was
 * never begun. */
struct segment *segment_open(const char *path, u32 number, u64 salt);
/* Gives back one hold of it; the last one closes it, which may wait for the disk. */
void segment_let(struct segment *s);

/* n bytes of whole frames at its end. False: errno says why, and its end is where it was. */
bool segment_write(struct segment *s, const void *p, u32 n);
/* Bytes of the footer of its list, with one more entry of that `vary`, which is n bytes long. */
u64 segment_footer_bytes(const struct segment *s, u16 vary, size_t n);
/* Into its list. False: no memory. */
bool segment_note(struct segment *s, const struct seg_entry *e, const struct vary_names *names);
/* Writes the footer, and nothing thereafter. False: errno says why; it stays as it was, but its
 * file ends with its frames. */
bool segment_seal(struct segment *s, const struct vary_names *names);
/* Reads the footer of a segment into *out, whose `vary` are of `names` then; false: it has none
 * that is good. */
bool segment_footer_read(const struct segment *s, struct seg_list *out, struct vary_names *names);
/* Finds where the footer is: sets end and sealed. */
bool segment_find_footer(struct segment *s);
/* Reads it frame by frame into its list, and sets its end; it is not sealed then. False: what
 * follows is neither the end nor unwritten, so something of it is lost. */
bool segment_scan(struct segment *s, struct vary_names *names);

/* All n bytes. False: errno says why. */
bool segment_write_all(int fd, const void *p, size_t n, off_t at);
/* All n bytes. False: errno says why; ENODATA: the file ends before. */
bool segment_read_all(int fd, void *to, size_t n, off_t at);
/* A whole frame's payload, checked. False: it is not good, or cannot be read. */
bool segment_payload(const struct segment *s, u32 at, enum seglog_kind kind, u32 n, void *to);

#endif
