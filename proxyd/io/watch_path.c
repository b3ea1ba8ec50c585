#include "io/watch_path.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/hash.h"

enum { LINKS = 40 };
enum {
    IN_FOLDER = IN_ONLYDIR | IN_MASK_ADD | IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO |
                IN_ATTRIB | IN_DELETE_SELF | IN_MOVE_SELF,
    /* What is watched may be a folder itself, for what is in it. */
    IN_FILE = IN_MASK_ADD | IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO | IN_MODIFY |
              IN_CLOSE_WRITE | IN_ATTRIB | IN_DELETE_SELF | IN_MOVE_SELF
};

u64 watch_name(const char *name)
{
    return hash64(hash_process_key(), name, strlen(name)) | 1;
}

struct way {
    int inotify;
    struct places *places;
    const char *why; /* the kernel does not report changes everywhere on it */
    unsigned links;
    char at[PATH_MAX];   /* the folder that has been reached */
    char rest[PATH_MAX]; /* from there */
};

/* Those that are changed by other machines, or by a process whose changes the kernel does not
 * report. */
static bool tells_changes(const char *folder)
{
    static const u32 silent[] = { 0x6969 /* NFS */,      0x517b /* SMB */,
                                  0xff534d42 /* CIFS */, 0xfe534d42 /* SMB2 */,
                                  0x65735546 /* FUSE */, 0x01021997 /* 9P */,
                                  0x00c36400 /* Ceph */, 0x5346414f /* AFS */,
                                  0x73757245 /* Coda */, 0x0bd00bd0 /* Lustre */ };
    struct statfs s;
    if (statfs(folder, &s) < 0)
        return true; /* it is gone, and that is seen elsewhere */
    for (unsigned i = 0; i < sizeof silent / sizeof silent[0]; i++)
        if ((u32)s.f_type == silent[i])
            return false;
    return true;
}

/* What does not exist needs no place: the folder before has one. */
static void add_place(struct way *way, const char *path, u32 mask, u64 name)
{
    if (way->places->n == PLACES) {
        way->why = "its path is too long";
        return;
    }
    int wd = inotify_add_watch(way->inotify, path, mask);
    if (wd >= 0)
        way->places->at[way->places->n++] = (struct place){ wd, name };
    else if (errno == ENOSPC)
        way->why = "the system's limit of inotify watches is reached";
    else if (errno != ENOENT && errno != ENOTDIR && errno != ELOOP)
        way->why = strerror(errno);
}

/* Cuts the next name off the rest; false: there is none, or it is too long to exist. */
static bool take_name(struct way *way, char name[NAME_MAX + 1])
{
    const char *p = way->rest + strspn(way->rest, "/");
    size_t n = strcspn(p, "/");
    if (n == 0 || n > NAME_MAX)
        return false;
    memcpy(name, p, n);
    name[n] = 0;
    memmove(way->rest, p + n, strlen(p + n) + 1);
    return true;
}

static bool join(char out[PATH_MAX], const char *folder, const char *name)
{
    const char *slash = folder[0] && folder[strlen(folder) - 1] == '/' ? "" : "/";
    return snprintf(out, PATH_MAX, "%s%s%s", folder, slash, name) < PATH_MAX;
}

/* The link leads to `target`, from the folder where it stands. */
static bool follow_link(struct way *way, const char *target)
{
    char rest[PATH_MAX];
    if (++way->links > LINKS || !join(rest, target, way->rest + strspn(way->rest, "/")))
        return false;
    memcpy(way->rest, rest, sizeof rest);
    if (target[0] == '/')
        memcpy(way->at, "/", 2);
    return true;
}

/* One name further; false: the way ends here. */
static bool walk(struct way *way)
{
    char name[NAME_MAX + 1], next[PATH_MAX], target[PATH_MAX];
    if (!take_name(way, name))
        return false;
    if (strcmp(name, ".") == 0)
        return true;
    if (!join(next, way->at, name))
        return false;
    bool up = strcmp(name, "..") == 0;
    if (!up) { /* the place comes first: what changes from here on is reported */
        add_place(way, way->at, IN_FOLDER, watch_name(name));
        if (!tells_changes(way->at))
            way->why = "its file system does not tell of changes";
    }
    ssize_t n = up ? -1 : readlink(next, target, sizeof target - 1);
    if (n >= 0) {
        target[n] = 0;
        return follow_link(way, target);
    }
    if (!up && errno != EINVAL) /* EINVAL: it is there and no link */
        return false;
    memcpy(way->at, next, sizeof next);
    if (way->rest[strspn(way->rest, "/")])
        return true;
    add_place(way, next, IN_FILE, 0);
    return false;
}

const char *watch_path(int inotify, const char *path, struct places *out)
{
    struct way way = { .inotify = inotify, .places = out };
    size_t n = strlen(path);
    out->n = 0;
    if (n >= sizeof way.rest)
        return "its path is too long";
    memcpy(way.rest, path, n + 1);
    memcpy(way.at, path[0] == '/' ? "/" : ".", 2);
    while (walk(&way))
        ;
    return way.why;
}
