#include "control_socket.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "privileged.h"

static bool joined(char path[CONTROL_PATH], const char *folder, const char *name)
{
    if (folder == NULL || folder[0] != '/')
        return false;
    path[0] = 0;
    size_t first = strcspn(folder, ":"); /* systemd puts several folders behind one another */
    int n = snprintf(path, CONTROL_PATH, "%.*s/%s", (int)first, folder, name);
    if (n <= 0 || n >= CONTROL_PATH)
        path[0] = 0;
    return path[0] != 0;
}

bool control_default(char path[CONTROL_PATH])
{
    if (getenv("RUNTIME_DIRECTORY"))
        return joined(path, getenv("RUNTIME_DIRECTORY"), "control.sock");
    if (geteuid() == 0)
        return joined(path, "/run/proxyd", "control.sock");
    return joined(path, getenv("XDG_RUNTIME_DIR"), "proxyd.sock");
}

static bool address_of(const char *path, struct sockaddr_un *at)
{
    *at = (struct sockaddr_un){ .sun_family = AF_UNIX };
    size_t n = strlen(path);
    if (n >= sizeof at->sun_path) {
        errno = ENAMETOOLONG;
        return false;
    }
    memcpy(at->sun_path, path, n);
    return true;
}

int control_connect(const char *path)
{
    struct sockaddr_un at;
    if (!address_of(path, &at))
        return -1;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, (struct sockaddr *)&at, sizeof at) == 0)
        return fd;
    int why = errno;
    close(fd);
    errno = why;
    return -1;
}

/* A daemon that was killed leaves its socket behind. */
static bool make_place(const char *path)
{
    struct stat st;
    if (lstat(path, &st) < 0)
        return errno == ENOENT;
    if (!S_ISSOCK(st.st_mode)) {
        errno = EEXIST;
        return false;
    }
    int fd = control_connect(path);
    if (fd >= 0 || errno != ECONNREFUSED) {
        if (fd >= 0)
            close(fd);
        errno = EADDRINUSE;
        return false;
    }
    return unlink(path) == 0 || errno == ENOENT;
}

int control_listen(const char *path)
{
    struct sockaddr_un at;
    if (!address_of(path, &at) || !make_place(path))
        return -1;
    return privileged_listen_local(&at);
}

void control_unlink(const char *path)
{
    unlink(path);
}
