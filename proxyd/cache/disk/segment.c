#include "cache/disk/segment.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static int call_open(const char *path, int flags, unsigned mode)
{
    return open(path, flags, mode);
}

struct segment_calls segment_calls = { call_open, pwrite, pread, fdatasync, fallocate };

bool seg_list_add(struct seg_list *l, const struct seg_entry *e)
{
    if (l->n == l->room) {
        u32 room = l->room ? l->room * 2 : 1024;
        struct seg_entry *more = realloc(l->entry, room * sizeof *more);
        if (more == NULL)
            return false;
        l->entry = more;
        l->room = room;
    }
    l->entry[l->n++] = *e;
    return true;
}

void seg_list_end(struct seg_list *l)
{
    free(l->entry);
    *l = (struct seg_list){ 0 };
}

static struct segment *new_segment(int fd, u32 number, u64 salt, u32 size)
{
    struct segment *s = calloc(1, sizeof *s);
    if (s == NULL)
        return NULL;
    s->number = number;
    s->fd = fd;
    s->salt = salt;
    s->size = s->file = size;
    atomic_init(&s->held, 1);
    atomic_init(&s->end, 0);
    return s;
}

void segment_let(struct segment *s)
{
    if (atomic_fetch_sub_explicit(&s->held, 1, memory_order_acq_rel) > 1)
        return;
    close(s->fd);
    seg_list_end(&s->list);
    free(s);
}

/* All of it, at that place; short writes go on. */
bool segment_write_all(int fd, const void *p, size_t n, off_t at)
{
    while (n) {
        ssize_t k = segment_calls.pwrite(fd, p, n, at);
        if (k < 0 && errno == EINTR)
            continue;
        if (k <= 0) {
            errno = k == 0 ? EIO : errno;
            return false;
        }
        p = (const char *)p + k;
        n -= (size_t)k;
        at += k;
    }
    return true;
}

bool segment_read_all(int fd, void *to, size_t n, off_t at)
{
    while (n) {
        ssize_t k = segment_calls.pread(fd, to, n, at);
        if (k < 0 && errno == EINTR)
            continue;
        if (k <= 0) {
            errno = k == 0 ? ENODATA : errno;
            return false;
        }
        to = (char *)to + k;
        n -= (size_t)k;
        at += k;
    }
    return true;
}

/* Not all file systems can, and none has to: it is for files in one piece, and for a disk that is
 * full to be found so between two segments. */
static bool allocate(int fd, u32 size)
{
    int failed;
    do
        failed = segment_calls.fallocate(fd, 0, 0, size);
    while (failed && errno == EINTR);
    return !failed || errno == EOPNOTSUPP || errno == ENOSYS || errno == EINVAL;
}

struct segment *segment_make(const char *path, u32 number, u64 salt, u32 size)
{
    char first[SEGLOG_UNIT];
    int fd = segment_calls.open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0)
        return NULL;
    struct segment *s = NULL;
    layout_first_write(first, salt, number);
    if (allocate(fd, size) && segment_write_all(fd, first, sizeof first, 0))
        s = new_segment(fd, number, salt, size);
    if (s == NULL) {
        int why = errno;
        unlink(path);
        close(fd);
        errno = why;
        return NULL;
    }
    atomic_store(&s->end, SEGLOG_UNIT);
    return s;
}

static bool first_read(int fd, u64 salt, u32 number)
{
    const char none[SEGLOG_UNIT] = { 0 };
    char first[SEGLOG_UNIT];
    if (!segment_read_all(fd, first, sizeof first, 0))
        return false;
    bool good = layout_first_good(first, salt, number);
    if (!good)
        errno = memcmp(first, none, sizeof none) == 0 ? ENODATA : EPROTO;
    return good;
}

struct segment *segment_open(const char *path, u32 number, u64 salt)
{
    struct stat st = { 0 };
    struct segment *s = NULL;
    int fd = segment_calls.open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0);
    if (fd < 0)
        return NULL;
    errno = EPROTO;
    if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size <= SEGLOG_SEGMENT &&
        first_read(fd, salt, number))
        s = new_segment(fd, number, salt, (u32)st.st_size);
    if (s == NULL) {
        int why = errno;
        close(fd);
        errno = why;
    }
    return s;
}

/* The kernel may begin to write it at once: what is left for the seal to wait for is little. */
static void write_out(const struct segment *s, u32 from, u32 n)
{
    sync_file_range(s->fd, from, n, SYNC_FILE_RANGE_WRITE);
}

bool segment_write(struct segment *s, const void *p, u32 n)
{
    u32 end = atomic_load(&s->end);
    if (!segment_write_all(s->fd, p, n, end))
        return false;
    write_out(s, end, n);
    atomic_store_explicit(&s->end, end + n, memory_order_release);
    return true;
}

bool segment_payload(const struct segment *s, u32 at, enum seglog_kind kind, u32 n, void *to)
{
    struct frame_head h;
    u64 seed = layout_seed(s->salt, s->number, at), from = (u64)at * SEGLOG_UNIT;
    return segment_read_all(s->fd, &h, sizeof h, (off_t)from) && frame_head_good(&h, seed) &&
           h.kind == kind && h.n == n && segment_read_all(s->fd, to, n, (off_t)(from + sizeof h)) &&
           frame_payload_good(&h, seed, (struct slice){ to, n });
}

int segment_fd(const struct segment *s)
{
    return s->fd;
}

u64 segment_offset(const struct seglog_place *p)
{
    return (u64)p->at * SEGLOG_UNIT + FRAME_HEAD;
}

ssize_t seglog_read(const struct segment *s, const struct seglog_place *p, u64 from, void *to,
                    size_t n, bool wait)
{
    if (from >= p->n || p->segment != s->number)
        return 0;
    struct iovec v = { to, n < p->n - from ? n : (size_t)(p->n - from) };
    off_t at = (off_t)(segment_offset(p) + from);
    if (!wait) {
        ssize_t k = preadv2(s->fd, &v, 1, at, RWF_NOWAIT);
        if (k >= 0 || (errno != EOPNOTSUPP && errno != ENOSYS))
            return k;
    }
    return segment_calls.pread(s->fd, v.iov_base, v.iov_len, at);
}

bool seglog_check(const struct segment *s, const struct seglog_place *p, enum seglog_kind kind,
                  struct slice payload)
{
    struct frame_head h;
    u64 seed = layout_seed(s->salt, s->number, p->at);
    return p->segment == s->number && payload.n == p->n &&
           segment_read_all(s->fd, &h, sizeof h, (off_t)p->at * SEGLOG_UNIT) &&
           frame_head_good(&h, seed) && h.kind == kind && frame_payload_good(&h, seed, payload);
}
