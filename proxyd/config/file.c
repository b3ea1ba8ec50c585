/*
 * Reading one file. The hard part is what is not a file: a FIFO would block for ever, a device may
 * act when it is opened, a directory opens and then fails. So the kind is asked first, the open is
 * non-blocking, and the kind is asked again of what was opened.
 */
#include "config/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/must.h"

static const char *kind_wrong(const struct stat *st)
{
    switch (st->st_mode & S_IFMT) {
    case S_IFREG: return NULL;
    case S_IFDIR: return "it is a directory";
    case S_IFIFO: return "it is a FIFO, not a regular file";
    case S_IFSOCK: return "it is a socket, not a regular file";
    default: return "it is a device, not a regular file";
    }
}

static const char *open_regular(const char *path, int *fd, struct stat *st)
{
    if (stat(path, st) < 0)
        return strerror(errno);
    const char *wrong = kind_wrong(st);
    if (wrong)
        return wrong;
    *fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
    if (*fd < 0)
        return strerror(errno);
    if (fstat(*fd, st) < 0)
        wrong = strerror(errno);
    else
        wrong = kind_wrong(st);
    if (wrong)
        close(*fd);
    return wrong;
}

/* Up to most + 1 bytes, so that the caller sees when there are more. */
static const char *read_all(int fd, size_t guess, size_t most, struct slice *text)
{
    size_t cap = guess < most ? guess + 1 : most + 1, n = 0;
    char *p = must_alloc(cap);
    for (;;) {
        if (n == cap) {
            if (cap > most)
                break;
            cap = cap * 2 > most + 1 ? most + 1 : cap * 2;
            p = must_realloc(p, cap);
        }
        ssize_t got = read(fd, p + n, cap - n);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0) {
            const char *wrong = strerror(errno);
            free(p);
            return wrong;
        }
        if (got == 0)
            break;
        n += (size_t)got;
    }
    *text = (struct slice){ p, n };
    return NULL;
}

static const char *too_large(size_t most)
{
    return most >= 1 << 20 ? "it is larger than 64 MiB" : "it is larger than 64 KiB";
}

static const char *read_bounded(int fd, size_t guess, size_t most, struct slice *text)
{
    const char *wrong = read_all(fd, guess ? guess : 4096, most, text);
    if (wrong == NULL && text->n > most) {
        free((void *)(uintptr_t)text->p);
        wrong = too_large(most);
    }
    return wrong;
}

const char *file_read(const char *path, size_t most, struct slice *text, struct file_id *id)
{
    struct stat st;
    int fd = -1;
    const char *wrong = open_regular(path, &fd, &st);
    if (wrong)
        return wrong;
    *id = (struct file_id){ st.st_dev, st.st_ino };
    size_t size = st.st_size < 0 ? 0 : (size_t)st.st_size;
    wrong = size > most ? too_large(most) : read_bounded(fd, size, most, text);
    close(fd);
    return wrong;
}

const char *file_read_input(size_t most, struct slice *text, struct file_id *id)
{
    *id = (struct file_id){ 0 };
    return read_bounded(STDIN_FILENO, 0, most, text);
}

struct slice file_path(struct arena *a, const char *in, struct slice path)
{
    const char *slash = in ? strrchr(in, '/') : NULL;
    if (slash == NULL || (path.n && path.p[0] == '/'))
        return arena_copy(a, path);
    size_t folder = (size_t)(slash - in) + 1;
    char *p = arena_alloc(a, folder + path.n + 1);
    memcpy(p, in, folder);
    if (path.n)
        memcpy(p + folder, path.p, path.n);
    p[folder + path.n] = 0;
    return (struct slice){ p, folder + path.n };
}
