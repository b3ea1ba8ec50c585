#include "list_copy.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/must.h"
#include "base/str.h"

#define SYSTEM_FOLDER "/var/lib/proxyd"

enum { DESCRIPTION = 4096, PIECE = 256 << 10, NAMED_BY = 16 };

/* A list of the configuration before and one of the next may have the same name. */
static pthread_mutex_t changing = PTHREAD_MUTEX_INITIALIZER;

static bool path_of(char path[LIST_COPY_PATH], const struct list_place *p, const char *tail)
{
    return snprintf(path, LIST_COPY_PATH, "%s/lists/%s%s", p->folder, p->name, tail) <
           LIST_COPY_PATH;
}

static bool content_path(char path[LIST_COPY_PATH], const struct list_place *p, const char *sum)
{
    char tail[NAMED_BY + 2];
    snprintf(tail, sizeof tail, ".%.*s", (int)NAMED_BY, sum);
    return path_of(path, p, tail);
}

static char *joined(const char *folder, const char *name)
{
    char *path = NULL;
    size_t first = folder ? strcspn(folder, ":") : 0; /* systemd puts several behind one another */
    if (folder && folder[0] == '/')
        must(asprintf(&path, "%.*s%s", (int)first, folder, name) > 0);
    return path;
}

char *list_copy_folder(void)
{
    if (getenv("STATE_DIRECTORY"))
        return joined(getenv("STATE_DIRECTORY"), "");
    if (geteuid() == 0)
        return joined(SYSTEM_FOLDER, "");
    if (getenv("XDG_STATE_HOME"))
        return joined(getenv("XDG_STATE_HOME"), "/proxyd");
    return joined(getenv("HOME"), "/.local/state/proxyd");
}

/* By their descriptors: what stands there now is what was made or found, and no link. */
void list_copy_give_folder(const char *folder, unsigned uid, unsigned gid)
{
    bool is_ours = mkdir(folder, 0755) == 0 || strcmp(folder, SYSTEM_FOLDER) == 0;
    int fd = is_ours ? open(folder, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC) : -1;
    if (fd < 0)
        return; /* nothing can be kept then, and that is told */
    (void)mkdirat(fd, "lists", 0755);
    int lists = openat(fd, "lists", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    (void)!fchown(fd, uid, gid);
    if (lists >= 0) {
        (void)!fchown(lists, uid, gid);
        close(lists);
    }
    close(fd);
}

/* ---- the description ---- */

static void copy_text(char *to, size_t room, struct slice value)
{
    to[0] = 0;
    if (value.n >= room)
        return;
    memcpy(to, value.p, value.n);
    to[value.n] = 0;
}

static void read_line(struct list_stamp *s, struct slice key, struct slice value, char *url)
{
    if (slice_is(key, "url"))
        copy_text(url, LIST_URL, value);
    else if (slice_is(key, "from"))
        copy_text(s->from, sizeof s->from, value);
    else if (slice_is(key, "etag"))
        copy_text(s->etag, sizeof s->etag, value);
    else if (slice_is(key, "modified"))
        copy_text(s->modified, sizeof s->modified, value);
    else if (slice_is(key, "sha256"))
        copy_text(s->sum, sizeof s->sum, value);
    else if (slice_is(key, "bytes"))
        (void)slice_u64(value, &s->bytes);
    else if (slice_is(key, "checked"))
        (void)slice_u64(value, &s->checked_s);
}

/* Of the copy that there is, whatever URL it is from. */
static bool read_description(const struct list_place *p, struct list_stamp *s, char url[LIST_URL])
{
    char path[LIST_COPY_PATH], text[2 * DESCRIPTION];
    *s = (struct list_stamp){ .bytes = 0 };
    url[0] = 0;
    if (p->folder == NULL || !path_of(path, p, ".copy"))
        return false;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return false;
    ssize_t n = read(fd, text, sizeof text);
    close(fd);
    struct slice rest = { text, n > 0 ? (size_t)n : 0 }, line, key;
    while (rest.n && slice_cut(&rest, '\n', &line))
        if (slice_cut(&line, ' ', &key) && line.p)
            read_line(s, key, line, url);
    return strlen(s->sum) == DIGEST_TEXT - 1 &&
           strspn(s->sum, "0123456789abcdef") == DIGEST_TEXT - 1;
}

/* Renamed over the one before it: there is always one that is whole. */
static bool write_description(const struct list_place *p, const struct list_stamp *s)
{
    char path[LIST_COPY_PATH], fresh[LIST_COPY_PATH];
    if (!path_of(path, p, ".copy") || !path_of(fresh, p, ".copy.new"))
        return false;
    FILE *f = fopen(fresh, "we");
    if (f == NULL)
        return false;
    fprintf(f, "url %s\nfrom %s\nsha256 %s\nbytes %llu\nchecked %llu\n", p->url, s->from, s->sum,
            (unsigned long long)s->bytes, (unsigned long long)s->checked_s);
    if (s->etag[0])
        fprintf(f, "etag %s\n", s->etag);
    if (s->modified[0])
        fprintf(f, "modified %s\n", s->modified);
    bool good = fflush(f) == 0 && fsync(fileno(f)) == 0;
    good &= fclose(f) == 0;
    return good && rename(fresh, path) == 0;
}

/* ---- the content ---- */

static bool is_whole(const char *path, const struct list_stamp *s)
{
    char sum[DIGEST_TEXT];
    u64 bytes = 0;
    ssize_t n;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return false;
    struct digest *d = digest_new();
    char *area = must_alloc(PIECE);
    while ((n = read(fd, area, PIECE)) > 0 && (bytes += (size_t)n) <= s->bytes)
        digest_add(d, (struct slice){ area, (size_t)n });
    digest_end(d, sum);
    free(area);
    close(fd);
    return n == 0 && bytes == s->bytes && strcmp(sum, s->sum) == 0;
}

bool list_copy_find(const struct list_place *p, struct list_stamp *out, char path[LIST_COPY_PATH])
{
    char url[LIST_URL];
    return read_description(p, out, url) && strcmp(url, p->url) == 0 &&
           content_path(path, p, out->sum) && is_whole(path, out);
}

int list_copy_begin(const struct list_place *p, bool *is_kept)
{
    char folder[LIST_COPY_PATH];
    int fd = -1, why = 0;
    if (p->folder && snprintf(folder, sizeof folder, "%s/lists", p->folder) < (int)sizeof folder) {
        (void)mkdir(p->folder, 0755);
        (void)mkdir(folder, 0755);
        fd = open(folder, O_TMPFILE | O_RDWR | O_CLOEXEC, 0644);
        why = errno;
    }
    *is_kept = fd >= 0;
    if (fd < 0 && (fd = memfd_create("list", MFD_CLOEXEC)) >= 0)
        errno = p->folder ? why : 0;
    return fd;
}

static void sync_folder(const struct list_place *p)
{
    char folder[LIST_COPY_PATH];
    snprintf(folder, sizeof folder, "%s/lists", p->folder);
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd >= 0) {
        (void)fsync(fd);
        close(fd);
    }
}

static bool name_content(int fd, const char *path)
{
    char from[64];
    snprintf(from, sizeof from, "/proc/self/fd/%d", fd);
    (void)unlink(path);
    return fsync(fd) == 0 && linkat(AT_FDCWD, from, AT_FDCWD, path, AT_SYMLINK_FOLLOW) == 0;
}

bool list_copy_keep(const struct list_place *p, int fd, const struct list_stamp *s)
{
    char path[LIST_COPY_PATH], old_path[LIST_COPY_PATH], url[LIST_URL];
    struct list_stamp old;
    pthread_mutex_lock(&changing);
    bool had = read_description(p, &old, url) && content_path(old_path, p, old.sum);
    bool good = content_path(path, p, s->sum) && name_content(fd, path) && write_description(p, s);
    int why = errno;
    if (good) {
        sync_folder(p);
        if (had && strcmp(path, old_path) != 0)
            (void)unlink(old_path);
    }
    pthread_mutex_unlock(&changing);
    errno = why;
    return good;
}

bool list_copy_confirm(const struct list_place *p, const struct list_stamp *s)
{
    struct list_stamp old;
    char url[LIST_URL];
    pthread_mutex_lock(&changing);
    bool good = read_description(p, &old, url) && strcmp(old.sum, s->sum) == 0 &&
                strcmp(url, p->url) == 0 && write_description(p, s);
    pthread_mutex_unlock(&changing);
    return good;
}
