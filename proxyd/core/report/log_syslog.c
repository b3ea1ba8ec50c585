#include "core/report/log_syslog.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#include "base/text.h"

static bool join(int fd, const char *path)
{
    struct sockaddr_un at = { .sun_family = AF_UNIX };
    size_t n = strlen(path);
    if (n >= sizeof at.sun_path) {
        errno = ENAMETOOLONG;
        return false;
    }
    memcpy(at.sun_path, path, n + 1);
    return connect(fd, (const struct sockaddr *)&at, sizeof at) == 0;
}

int log_syslog_open(const char *path)
{
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd >= 0 && !join(fd, path)) {
        int why = errno;
        close(fd);
        errno = why;
        return -1;
    }
    return fd;
}

/* <PRI>Mon dd hh:mm:ss proxyd[PID]: , in local time as syslogd expects. */
static struct slice head(char *area, size_t cap)
{
    static const char month[12][4] = { "Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                       "Jul", "Aug", "Sep", "Oct", "Nov", "Dec" };
    struct text t = text_in(area, cap);
    struct tm tm;
    time_t now = time(NULL);
    localtime_r(&now, &tm);
    text_fmt(&t, "<%d>%s %2d %02d:%02d:%02d proxyd[%d]: ", LOG_DAEMON | LOG_INFO, month[tm.tm_mon],
             tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec, (int)getpid());
    return text_slice(&t);
}

bool log_syslog_send(int fd, const char *path, struct slice line, int wait_ms)
{
    char area[64];
    struct slice before = head(area, sizeof area);
    struct iovec v[2] = { { (void *)(uintptr_t)before.p, before.n },
                          { (void *)(uintptr_t)line.p, line.n } };
    bool joined = false;
    while (writev(fd, v, 2) < 0) {
        if (errno == EAGAIN || errno == ENOBUFS) {
            struct pollfd p = { .fd = fd, .events = POLLOUT };
            if (poll(&p, 1, wait_ms) <= 0) {
                errno = EAGAIN;
                return false;
            }
        } else if (errno != EINTR) {
            if (joined || !join(fd, path))
                return false;
            joined = true;
        }
    }
    return true;
}
