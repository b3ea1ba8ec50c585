#include "passwd_file.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/must.h"
#include "base/str.h"
#include "config/file.h"
#include "policy/users.h"

enum { NEW_MODE = 0640 };

struct change {
    char path[PATH_MAX], folder[PATH_MAX];
    int dir;
    bool is_new;
    struct stat old;
    struct slice before;
    char *after;
    size_t after_n;
    char *why;
    size_t why_size;
};

static bool fail(struct change *c, const char *what, const char *how)
{
    snprintf(c->why, c->why_size, "%s %s", what, how);
    return false;
}

/* ---- the text ---- */

static bool is_of(struct slice line, struct slice name)
{
    return line.n > name.n && line.p[name.n] == ':' &&
           slice_eq((struct slice){ line.p, name.n }, name);
}

/* What stands behind the hash stays: a carriage return, or another colon and a note. */
static void put_line(FILE *to, struct slice name, struct slice hash, struct slice line)
{
    struct slice rest = slice_skip(line, line.n ? name.n + 1 : 0);
    size_t n = 0;
    while (n < rest.n && rest.p[n] != ':' && rest.p[n] != '\r')
        n++;
    fprintf(to, "%.*s:%.*s%.*s\n", SLICE_FMT(name), SLICE_FMT(hash),
            SLICE_FMT(slice_skip(rest, n)));
}

/* Line by line. A line is told from a comment as the reader does it: a name begins none. */
static bool compose(struct change *c, struct slice name, struct slice hash, bool *found)
{
    struct slice rest = c->before, line;
    FILE *to = open_memstream(&c->after, &c->after_n);
    *found = false;
    if (to == NULL)
        return fail(c, c->path, strerror(errno));
    while (rest.n && slice_cut(&rest, '\n', &line)) {
        bool ours = is_of(line, name), first = ours && !*found;
        *found |= ours;
        if (first && hash.p)
            put_line(to, name, hash, line);
        else if (!ours || hash.p)
            fprintf(to, "%.*s\n", SLICE_FMT(line));
    }
    if (!*found && hash.p)
        put_line(to, name, hash, SLICE(""));
    return fclose(to) == 0 || fail(c, c->path, strerror(errno));
}

/* ---- the file ---- */

/* Its folder, locked until it is closed: the file itself is another one after each change. */
static bool lock(struct change *c, const char *path)
{
    char area[PATH_MAX];
    if (realpath(path, c->path) == NULL) {
        if (errno != ENOENT || strlen(path) >= sizeof c->path)
            return fail(c, path, strerror(errno));
        snprintf(c->path, sizeof c->path, "%s", path);
    }
    memcpy(area, c->path, sizeof area); /* dirname cuts it */
    snprintf(c->folder, sizeof c->folder, "%s", dirname(area));
    c->dir = open(c->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (c->dir < 0 || flock(c->dir, LOCK_EX) < 0)
        return fail(c, c->folder, strerror(errno));
    c->is_new = stat(c->path, &c->old) < 0;
    return !c->is_new || errno == ENOENT || fail(c, c->path, strerror(errno));
}

static bool read_old(struct change *c)
{
    struct file_id id;
    const char *wrong = c->is_new ? NULL : file_read(c->path, USERS_FILE_MOST, &c->before, &id);
    return wrong == NULL || fail(c, c->path, wrong);
}

static bool fill(const struct change *c, int fd)
{
    for (size_t n = 0; n < c->after_n;) {
        ssize_t done = write(fd, c->after + n, c->after_n - n);
        if (done < 0 && errno != EINTR)
            return false;
        n += done > 0 ? (size_t)done : 0;
    }
    if (!c->is_new && (c->old.st_uid != geteuid() || c->old.st_gid != getegid()) &&
        fchown(fd, c->old.st_uid, c->old.st_gid) < 0)
        return false;
    return fchmod(fd, c->is_new ? NEW_MODE : c->old.st_mode & 07777) == 0 && fsync(fd) == 0;
}

static bool replace(struct change *c)
{
    char beside[PATH_MAX + 16];
    int n = snprintf(beside, sizeof beside, "%s/.passwd.XXXXXX", c->folder);
    int fd = n < (int)sizeof beside ? mkostemp(beside, O_CLOEXEC) : -1;
    if (fd < 0)
        return fail(c, c->folder, strerror(errno));
    bool done = fill(c, fd);
    done = close(fd) == 0 && done && rename(beside, c->path) == 0;
    int error = errno;
    if (!done)
        (void)unlink(beside);
    else
        (void)fsync(c->dir);
    return done || fail(c, c->path, strerror(error));
}

bool passwd_file_change(const char *path, struct slice name, struct slice hash, bool *found,
                        char *why, size_t why_size)
{
    struct change *c = must_zalloc(sizeof *c);
    *c = (struct change){ .dir = -1, .why = why, .why_size = why_size };
    *found = false;
    bool done = lock(c, path) && read_old(c) && compose(c, name, hash, found);
    if (done && (hash.p || *found))
        done = replace(c);
    if (c->dir >= 0)
        (void)close(c->dir);
    free((void *)(uintptr_t)c->before.p);
    free(c->after);
    free(c);
    return done;
}
