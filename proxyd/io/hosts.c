/*
 * Text to table: the file's text is kept and lowered in place, a name is an offset into it, and the
 * index is built when all pairs are counted, so that memory is bounded by a multiple of the text.
 */
#include "io/hosts.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/hash.h"
#include "base/must.h"
#include "base/str.h"
#include "io/dns_reply.h"

#define NOBODY UINT32_MAX

/* One name with one address. */
struct pair {
    u32 next; /* in its bucket; NOBODY ends it */
    u32 name; /* offset in text */
    u32 address;
    u8 name_n;
    u32 hash;
};

struct hosts {
    char *text;
    struct pair *pair;
    struct addr *address; /* one per line, shared by neighbours that have the same */
    u32 *bucket;          /* index of the first pair */
    u32 npairs, pairs_room, naddresses, addresses_room, mask;
};

static struct slice name_of(const struct hosts *h, const struct pair *p)
{
    return (struct slice){ h->text + p->name, p->name_n };
}

static u32 hash_of(struct slice name)
{
    return (u32)hash64(hash_process_key(), name.p, name.n);
}

/* The array p, with room for one more than n elements of `size` bytes. NULL: no memory, and p stays
 * as it is. */
static void *with_room(void *p, u32 n, u32 *room, size_t size)
{
    if (n < *room)
        return p;
    u32 wider = *room ? *room * 2 : 64;
    void *more = realloc(p, wider * size);
    if (more)
        *room = wider;
    return more;
}

/* NOBODY: no memory. */
static u32 add_address(struct hosts *h, const struct addr *a)
{
    if (h->naddresses && addr_same(&h->address[h->naddresses - 1], a))
        return h->naddresses - 1;
    struct addr *more = with_room(h->address, h->naddresses, &h->addresses_room, sizeof *more);
    if (more == NULL)
        return NOBODY;
    h->address = more;
    h->address[h->naddresses] = *a;
    return h->naddresses++;
}

/* Appends to the bucket, so that a name's pairs keep the order of the file. */
static void link_pair(struct hosts *h, u32 index)
{
    struct pair *p = &h->pair[index];
    const struct addr *a = &h->address[p->address];
    u32 *at = &h->bucket[p->hash & h->mask];
    unsigned same = 0;
    for (; *at != NOBODY; at = &h->pair[*at].next) {
        const struct pair *q = &h->pair[*at];
        const struct addr *b = &h->address[q->address];
        if (q->hash != p->hash || b->family != a->family || !slice_eq(name_of(h, q), name_of(h, p)))
            continue;
        if (addr_same_ip(a, b) || ++same == HOSTS_PER_FAMILY)
            return;
    }
    *at = index;
}

static bool make_index(struct hosts *h)
{
    u32 buckets = 16;
    while (buckets < h->npairs)
        buckets *= 2;
    h->mask = buckets - 1;
    h->bucket = malloc(buckets * sizeof *h->bucket);
    if (h->bucket == NULL)
        return false;
    memset(h->bucket, 0xff, buckets * sizeof *h->bucket);
    for (u32 i = 0; i < h->npairs; i++)
        link_pair(h, i);
    return true;
}

static bool is_blank(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

/* The next word of *line, lower case in place; false at its end. */
static bool take_word(char **at, char *end, struct slice *word)
{
    char *p = *at;
    while (p < end && is_blank(*p))
        p++;
    char *from = p;
    for (; p < end && !is_blank(*p); p++)
        *p = ascii_lower(*p);
    *at = p;
    *word = slice_range(from, p);
    return p > from;
}

/* False: no memory. */
static bool take_line(struct hosts *h, char *p, char *end)
{
    struct slice word;
    struct addr a;
    if (!take_word(&p, end, &word) || !addr_parse(word, &a))
        return true;
    u32 address = NOBODY;
    while (take_word(&p, end, &word)) {
        if (word.p[word.n - 1] == '.')
            word.n--;
        if (!dns_name_valid(word))
            continue;
        if (address == NOBODY)
            address = add_address(h, &a);
        struct pair *more = with_room(h->pair, h->npairs, &h->pairs_room, sizeof *more);
        if (more)
            h->pair = more;
        if (address == NOBODY || more == NULL)
            return false;
        h->pair[h->npairs++] = (struct pair){ .next = NOBODY,
                                              .name = (u32)(word.p - h->text),
                                              .address = address,
                                              .name_n = (u8)word.n,
                                              .hash = hash_of(word) };
    }
    return true;
}

static bool take_lines(struct hosts *h, char *p, char *end)
{
    while (p < end) {
        char *newline = memchr(p, '\n', (size_t)(end - p));
        char *line_end = newline ? newline : end;
        char *comment = memchr(p, '#', (size_t)(line_end - p));
        if (!take_line(h, p, comment ? comment : line_end))
            return false;
        p = newline ? newline + 1 : end;
    }
    return true;
}

/* Takes over text, which is malloc'd. NULL: no memory, for the table or, where text is NULL, for
 * that. */
static struct hosts *from_text(char *text, size_t n)
{
    struct hosts *h = text ? calloc(1, sizeof *h) : NULL;
    if (h == NULL) {
        free(text);
        return NULL;
    }
    h->text = text;
    if (take_lines(h, text, text + n) && make_index(h))
        return h;
    hosts_free(h);
    return NULL;
}

struct hosts *hosts_parse(struct slice text)
{
    size_t n = text.n < HOSTS_LONGEST_FILE ? text.n : HOSTS_LONGEST_FILE;
    char *copy = malloc(n ? n : 1);
    if (copy && n)
        memcpy(copy, text.p, n);
    return from_text(copy, n);
}

/* Up to `most` bytes of fd; NULL with errno. */
static char *read_all(int fd, size_t most, size_t *n)
{
    char *text = malloc(most ? most : 1);
    *n = 0;
    while (text && *n < most) {
        ssize_t r = read(fd, text + *n, most - *n);
        if (r < 0 && errno == EINTR)
            continue;
        if (r < 0) {
            int saved = errno;
            free(text);
            errno = saved;
            return NULL;
        }
        if (r == 0)
            break;
        *n += (size_t)r;
    }
    return text;
}

/* O_NONBLOCK so that a FIFO given as hosts file does not hang the start. */
struct hosts *hosts_load(const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return NULL;
    struct stat st;
    char *text = NULL;
    size_t n = 0;
    int error = 0;
    if (fstat(fd, &st) < 0)
        error = errno;
    else if (!S_ISREG(st.st_mode))
        error = EINVAL;
    else if (st.st_size > HOSTS_LONGEST_FILE)
        error = EFBIG;
    else if ((text = read_all(fd, (size_t)st.st_size, &n)) == NULL)
        error = errno;
    close(fd);
    struct hosts *h = error ? NULL : from_text(text, n);
    errno = error ? error : h ? 0 : ENOMEM;
    return h;
}

void hosts_free(struct hosts *h)
{
    if (h == NULL)
        return;
    free(h->text);
    free(h->pair);
    free(h->address);
    free(h->bucket);
    free(h);
}

static unsigned collect(const struct hosts *h, struct slice name, u32 hash, u8 family,
                        struct addr *out)
{
    unsigned n = 0;
    u32 i = h->bucket[hash & h->mask];
    for (; i != NOBODY && n < HOSTS_PER_FAMILY; i = h->pair[i].next) {
        const struct pair *p = &h->pair[i];
        const struct addr *a = &h->address[p->address];
        if (p->hash == hash && a->family == family && slice_eq(name_of(h, p), name))
            out[n++] = *a;
    }
    return n;
}

unsigned hosts_find(const struct hosts *h, struct slice name, struct addr out[2 * HOSTS_PER_FAMILY],
                    u8 *nv6)
{
    u32 hash = hash_of(name);
    unsigned n6 = collect(h, name, hash, AF_INET6, out);
    *nv6 = (u8)n6;
    return n6 + collect(h, name, hash, AF_INET, out + n6);
}

u32 hosts_count(const struct hosts *h)
{
    return h->npairs;
}

/* ---- the file it came from ---- */

struct hosts_file {
    pthread_rwlock_t lock;
    struct hosts *table; /* NULL: no file */
    char *path;
    struct stat seen; /* the refreshing thread's own */
};

struct hosts_file *hosts_file_new(const char *path)
{
    struct hosts_file *f = must_zalloc(sizeof *f);
    pthread_rwlock_init(&f->lock, NULL);
    f->path = path ? strdup(path) : NULL;
    hosts_file_refresh(f);
    return f;
}

void hosts_file_free(struct hosts_file *f)
{
    pthread_rwlock_destroy(&f->lock);
    hosts_free(f->table);
    free(f->path);
    free(f);
}

static bool same_file(const struct stat *a, const struct stat *b)
{
    return a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec &&
           a->st_size == b->st_size && a->st_ino == b->st_ino && a->st_dev == b->st_dev;
}

/* What is seen is noted only after the text was read, so that a failed reading is tried again. */
bool hosts_file_refresh(struct hosts_file *f)
{
    struct stat st = { .st_size = 0 };
    if (f->path == NULL)
        return true;
    bool gone = stat(f->path, &st) < 0;
    if (gone && errno != ENOENT)
        return false;
    if (same_file(&st, &f->seen))
        return true;
    struct hosts *fresh = gone ? NULL : hosts_load(f->path);
    if (fresh == NULL && !gone)
        return false;
    f->seen = st;
    pthread_rwlock_wrlock(&f->lock);
    struct hosts *old = f->table;
    f->table = fresh;
    pthread_rwlock_unlock(&f->lock);
    hosts_free(old);
    return true;
}

unsigned hosts_file_find(struct hosts_file *f, struct slice name,
                         struct addr out[2 * HOSTS_PER_FAMILY], u8 *nv6)
{
    unsigned n = 0;
    pthread_rwlock_rdlock(&f->lock);
    if (f->table)
        n = hosts_find(f->table, name, out, nv6);
    pthread_rwlock_unlock(&f->lock);
    return n;
}
