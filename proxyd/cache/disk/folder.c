#include "cache/disk/folder.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

static char *path_of(const struct folder *f, const char *name)
{
    char *path;
    return asprintf(&path, "%s/%s", f->path, name) < 0 ? NULL : path;
}

static int open_in(const struct folder *f, const char *name, int flags)
{
    char *path = path_of(f, name);
    int fd = path ? open(path, flags | O_CLOEXEC | O_NOFOLLOW, 0600) : -1;
    free(path);
    return fd;
}

static bool read_secret(struct folder *f)
{
    int fd = open_in(f, "secret", O_RDONLY);
    bool good = fd >= 0 && read(fd, &f->secret, sizeof f->secret) == sizeof f->secret;
    if (fd >= 0)
        close(fd);
    return good;
}

static bool fill_secret(const struct folder *f, int fd)
{
    bool good = write(fd, &f->secret, sizeof f->secret) == sizeof f->secret && fsync(fd) == 0;
    int why = errno;
    close(fd);
    errno = why;
    return good;
}

/* Whole or not at all: it is written beside, and gets its name then. */
static bool write_secret(const struct folder *f)
{
    char *path = path_of(f, "secret"), *beside = path_of(f, "secret.new");
    int fd = path && beside ? open_in(f, "secret.new", O_WRONLY | O_CREAT | O_TRUNC) : -1;
    bool good = fd >= 0 && fill_secret(f, fd) && rename(beside, path) == 0;
    int why = errno;
    free(path);
    free(beside);
    errno = why;
    return good;
}

static bool take_lock(struct folder *f)
{
    f->lock = open_in(f, "lock", O_RDWR | O_CREAT);
    if (f->lock < 0)
        return false;
    if (flock(f->lock, LOCK_EX | LOCK_NB) == 0)
        return true;
    int why = errno;
    close(f->lock);
    f->lock = -1;
    errno = why;
    return false;
}

static bool make(const char *path)
{
    return mkdir(path, 0700) == 0 || errno == EEXIST;
}

/* Whoever may put a secret there, and segments made with it, would be believed. */
static bool is_for_us_alone(const char *path)
{
    struct stat st;
    if (stat(path, &st) != 0)
        return false;
    errno = EPERM;
    return (st.st_mode & S_IWOTH) == 0;
}

bool folder_take(struct folder *f, const char *path, char *why, size_t room)
{
    *f = (struct folder){ strdup(path), -1, { { 0, 0 } } };
    const char *what = "cannot be made";
    bool good = f->path && make(path);
    if (good) {
        what = "may be written to by anybody";
        good = is_for_us_alone(path);
    }
    if (good) {
        what = "cannot be taken";
        good = take_lock(f);
    }
    if (good && !read_secret(f)) {
        what = "cannot be written";
        hash_key_random(&f->secret);
        good = write_secret(f);
    }
    if (good)
        return true;
    if (errno == EWOULDBLOCK)
        snprintf(why, room, "%s: another process has it", path);
    else
        snprintf(why, room, "%s: it %s: %s", path, what,
                 errno == ENOENT ? "the folder above it is not there" : strerror(errno));
    folder_give_back(f);
    return false;
}

bool folder_make_again(struct folder *f)
{
    struct folder new = *f;
    if (mkdir(f->path, 0700) != 0 || !take_lock(&new))
        return false;
    close(f->lock);
    f->lock = new.lock;
    return write_secret(f);
}

void folder_give_back(struct folder *f)
{
    if (f->lock >= 0)
        close(f->lock);
    free(f->path);
    f->path = NULL;
    f->lock = -1;
}

char *folder_segment(const struct folder *f, u32 number)
{
    char name[16];
    snprintf(name, sizeof name, "seg-%08x", number);
    return path_of(f, name);
}

/* As folder_segment writes it, and no other way. */
static bool number_of(const char *name, u32 *number)
{
    char again[16];
    *number = strncmp(name, "seg-", 4) == 0 ? (u32)strtoul(name + 4, NULL, 16) : 0;
    snprintf(again, sizeof again, "seg-%08x", *number);
    return *number > 0 && strcmp(name, again) == 0;
}

static int larger_first(const void *a, const void *b)
{
    u32 x = *(const u32 *)a, y = *(const u32 *)b;
    return (x < y) - (x > y);
}

u32 *folder_segments(const struct folder *f, u32 *n)
{
    DIR *d = opendir(f->path);
    u32 *all = NULL, room = 0, number;
    *n = 0;
    for (struct dirent *e; d && (e = readdir(d)) != NULL;) {
        if (!number_of(e->d_name, &number))
            continue;
        if (*n == room) {
            room = room ? room * 2 : 64;
            u32 *more = realloc(all, room * sizeof *all);
            if (more == NULL)
                break;
            all = more;
        }
        all[(*n)++] = number;
    }
    if (d)
        closedir(d);
    if (*n)
        qsort(all, *n, sizeof *all, larger_first);
    return all;
}
