#include "cache/own_folder.h"

#include <limits.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/str.h"
#include "base/text.h"

static char area[PATH_MAX];
static struct slice base;

/* An absolute one; of several, as a service may have, the first. */
static bool take(const char *variable, const char *more)
{
    struct slice all = slice_of(getenv(variable)), first = { NULL, 0 };
    struct text t = text_in(area, sizeof area);
    (void)slice_cut(&all, ':', &first);
    if (first.n == 0 || first.p[0] != '/')
        return false;
    text_add(&t, first);
    text_cstr(&t, more);
    base = text_slice(&t);
    return !t.full;
}

static void find_base(void)
{
    if (take("CACHE_DIRECTORY", "") || take("XDG_CACHE_HOME", "/proxyd"))
        return;
    if (geteuid() == 0)
        base = SLICE("/var/cache/proxyd");
    else if (!take("HOME", "/.cache/proxyd"))
        base = SLICE("");
}

const char *own_folder(struct arena *a, struct slice name)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, find_base);
    if (base.n == 0)
        return NULL;
    size_t room = base.n + name.n + 2;
    struct text t = text_in(arena_zalloc(a, room), room);
    text_add(&t, base);
    text_char(&t, '/');
    text_add(&t, name);
    return t.p;
}

void own_folder_make_parents(const char *path)
{
    char part[PATH_MAX];
    mode_t mode = geteuid() == 0 ? 0755 : 0700;
    for (size_t n = 1; n < sizeof part && path[n]; n++) {
        if (path[n] != '/')
            continue;
        memcpy(part, path, n);
        part[n] = 0;
        (void)mkdir(part, mode);
    }
}
