#include "keeper.h"

#include <fcntl.h>

int keeper_open_log(const char *path)
{
    return open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY, 0640);
}

int keeper_listen(const struct sock_listen *how, int backlog)
{
    return sock_listen(how, backlog);
}

bool keeper_may_listen(const struct sock_listen *how)
{
    return sock_may_listen(how);
}
