#include "list_file.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "base/must.h"

enum { PIECE = 256 << 10 };

static bool fail(char why[LIST_FILE_WHY], const char *text)
{
    snprintf(why, LIST_FILE_WHY, "%s", text);
    return false;
}

bool list_file_is_tar(const char *path)
{
    struct slice p = slice_of(path);
    return slice_ends(p, SLICE(".tar.gz")) || slice_ends(p, SLICE(".tgz")) ||
           slice_ends(p, SLICE(".tar"));
}

/* The magic of POSIX and GNU tar in the first header; the archives before them have none. */
bool list_file_holds_tar(const char *path)
{
    enum { MAGIC_AT = 257 };
    char head[512];
    gzFile f = gzopen(path, "rbe");
    if (f == NULL)
        return false;
    int n = gzread(f, head, sizeof head);
    gzclose_r(f);
    return n == (int)sizeof head && memcmp(head + MAGIC_AT, "ustar", 5) == 0;
}

/* A regular file; a FIFO that is put in its place holds nobody up. */
static int open_regular(const char *path, struct stat *st, char why[LIST_FILE_WHY])
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd >= 0 && fstat(fd, st) == 0 && S_ISREG(st->st_mode))
        return fd;
    (void)fail(why, fd < 0 ? strerror(errno) : "it is no regular file");
    if (fd >= 0)
        close(fd);
    return -1;
}

static bool take(const struct list_file_user *u, const char *p, size_t n, char why[LIST_FILE_WHY])
{
    if (n > *u->left)
        return fail(why, "it is too large, unpacked");
    *u->left -= n;
    u->bytes(u->ctx, (struct slice){ p, n });
    return true;
}

static bool unchanged(int fd, const struct stat *before)
{
    struct stat now;
    return fstat(fd, &now) == 0 && now.st_size == before->st_size &&
           now.st_mtim.tv_sec == before->st_mtim.tv_sec &&
           now.st_mtim.tv_nsec == before->st_mtim.tv_nsec;
}

static bool read_all(gzFile f, const struct list_file_user *u, char why[LIST_FILE_WHY])
{
    char *area = must_alloc(PIECE);
    bool good = true;
    int n, code;
    while (good && (n = gzread(f, area, PIECE)) != 0)
        good = n > 0 ? take(u, area, (size_t)n, why) : fail(why, gzerror(f, &code));
    free(area);
    return good;
}

bool list_file_read(const char *path, const struct list_file_user *u, char why[LIST_FILE_WHY])
{
    struct stat before;
    int fd = open_regular(path, &before, why);
    if (fd < 0)
        return false;
    int second = fcntl(fd, F_DUPFD_CLOEXEC, 3); /* gzclose takes the other one along */
    gzFile f = second >= 0 ? gzdopen(fd, "rb") : NULL;
    must(f != NULL);
    (void)gzbuffer(f, PIECE);
    bool good = read_all(f, u, why);
    if (gzclose_r(f) == Z_BUF_ERROR && good)
        good = fail(why, "it is cut off in the middle of its packed data");
    if (good && !unchanged(second, &before))
        good = fail(why, "it was written to while it was read");
    close(second);
    return good;
}

/* ---- tar ---- */

static bool has_dotdot(struct slice path)
{
    const char *end = path.p + path.n;
    for (const char *p = path.p; p < end;) {
        const char *slash = memchr(p, '/', (size_t)(end - p));
        size_t n = (size_t)((slash ? slash : end) - p);
        if (n == 2 && memcmp(p, "..", 2) == 0)
            return true;
        p += n + 1;
    }
    return false;
}

static bool read_member(struct archive *a, const struct list_file_user *u, char *area,
                        char why[LIST_FILE_WHY])
{
    la_ssize_t n;
    while ((n = archive_read_data(a, area, PIECE)) > 0)
        if (!take(u, area, (size_t)n, why))
            return false;
    if (n < 0)
        return fail(why, archive_error_string(a) ? archive_error_string(a) : "it is damaged");
    u->member_end(u->ctx);
    return true;
}

bool list_file_name_fits(struct slice name)
{
    for (size_t i = 0; i < name.n; i++)
        if ((u8)name.p[i] < ' ' || name.p[i] == 0x7f)
            return false;
    return true;
}

/* Only regular files count: a link, a device or a folder brings no lines. */
static bool read_entry(struct archive *a, struct archive_entry *e, const struct list_file_user *u,
                       char *area, char why[LIST_FILE_WHY])
{
    struct slice path = slice_of(archive_entry_pathname(e));
    if (!list_file_name_fits(path))
        return fail(why, "it has an entry with a control byte in a name");
    if (archive_entry_size(e) > (i64)*u->left)
        return fail(why, "it is too large, unpacked");
    if (path.n == 0 || path.p[0] == '/' || has_dotdot(path)) {
        snprintf(why, LIST_FILE_WHY, "it has an entry that leads out of its folder: %.100s",
                 path.p ? path.p : "(no name)");
        return false;
    }
    if (archive_entry_filetype(e) != AE_IFREG || archive_entry_hardlink(e))
        return true;
    while (slice_starts(path, SLICE("./")))
        path = slice_skip(path, 2);
    return !u->member(u->ctx, path) || read_member(a, u, area, why);
}

static bool read_entries(struct archive *a, const struct list_file_user *u, char why[LIST_FILE_WHY])
{
    char *area = must_alloc(PIECE);
    struct archive_entry *e;
    bool good = true;
    int code = ARCHIVE_OK;
    while (good && (code = archive_read_next_header(a, &e)) == ARCHIVE_OK)
        good = read_entry(a, e, u, area, why);
    if (good && code != ARCHIVE_EOF)
        good = fail(why, archive_error_string(a) ? archive_error_string(a) : "it is damaged");
    free(area);
    return good;
}

/* What libarchive reads is unpacked here: by itself it takes gzip in gzip in gzip off, and counts
 * nothing of what it passes over. */
struct unpacking {
    gzFile file;
    u64 left; /* that may still come, heads and what is passed over included */
    char area[PIECE];
};

static la_ssize_t unpack(struct archive *a, void *data, const void **bytes)
{
    struct unpacking *z = data;
    int code, n = gzread(z->file, z->area, PIECE);
    *bytes = z->area;
    if (n < 0 || (u64)n > z->left) {
        archive_set_error(a, EINVAL, "%s",
                          n < 0 ? gzerror(z->file, &code) : "it is too large, unpacked");
        return ARCHIVE_FATAL;
    }
    z->left -= (u64)n;
    return n;
}

static bool read_archive(struct unpacking *z, const struct list_file_user *u,
                         char why[LIST_FILE_WHY])
{
    struct archive *a = archive_read_new();
    must(a != NULL);
    archive_read_support_format_tar(a);
    bool good = archive_read_open(a, z, NULL, unpack, NULL) == ARCHIVE_OK
                    ? read_entries(a, u, why)
                    : fail(why, archive_error_string(a) ? archive_error_string(a) : "damaged");
    archive_read_free(a);
    return good;
}

bool list_file_read_tar(const char *path, const struct list_file_user *u, char why[LIST_FILE_WHY])
{
    struct stat before;
    int fd = open_regular(path, &before, why);
    if (fd < 0)
        return false;
    int second = fcntl(fd, F_DUPFD_CLOEXEC, 3); /* as above */
    struct unpacking *z = must_zalloc(sizeof *z);
    z->file = second >= 0 ? gzdopen(fd, "rb") : NULL;
    z->left = *u->left;
    must(z->file != NULL);
    (void)gzbuffer(z->file, PIECE);
    bool good = read_archive(z, u, why);
    gzclose_r(z->file);
    free(z);
    if (good && !unchanged(second, &before))
        good = fail(why, "it was written to while it was read");
    close(second);
    return good;
}
