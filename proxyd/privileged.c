#include "privileged.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

int privileged_open_log(const char *path)
{
    return open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, 0640);
}

int privileged_listen(const struct sock_listen *how, int backlog)
{
    return sock_listen(how, backlog);
}

bool privileged_may_listen(const struct sock_listen *how)
{
    return sock_may_listen(how);
}

#define RUN_FOLDER "/run/proxyd"

/* By its descriptor: what stands there now is what was made or found, and no link. */
void privileged_give_folder(const char *path, unsigned uid, unsigned gid)
{
    if (strncmp(path, RUN_FOLDER "/", sizeof RUN_FOLDER) != 0 || geteuid() != 0)
        return;
    (void)mkdir(RUN_FOLDER, 0755);
    int fd = open(RUN_FOLDER, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return; /* the socket will not be had either, and that is told */
    (void)!fchown(fd, uid, gid);
    close(fd);
}

/* fchmod on the socket before bind: the file is made with that mode, at no moment with another. */
int privileged_listen_local(const struct sockaddr_un *at)
{
    if (strncmp(at->sun_path, RUN_FOLDER "/", sizeof RUN_FOLDER) == 0)
        (void)mkdir(RUN_FOLDER, 0755);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd >= 0 && fchmod(fd, 0600) == 0 &&
        bind(fd, (const struct sockaddr *)at, sizeof *at) == 0 && listen(fd, 16) == 0)
        return fd;
    int why = errno;
    if (fd >= 0)
        close(fd);
    errno = why;
    return -1;
}
