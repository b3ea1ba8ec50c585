#include "privileged.h"

#include <fcntl.h>

int privileged_open_log(const char *path)
{
    return open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY, 0640);
}

int privileged_listen(const struct sock_listen *how, int backlog)
{
    return sock_listen(how, backlog);
}

bool privileged_may_listen(const struct sock_listen *how)
{
    return sock_may_listen(how);
}
