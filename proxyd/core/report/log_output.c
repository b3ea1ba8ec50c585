/* Writing lines, and keeping what a write has left of one. */
#include "core/report/log_output.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/must.h"
#include "base/str.h"
#include "core/report/log_syslog.h"

enum { BATCH = 256 * 1024, SYSLOG_WAIT_MS = 1000 };

/* 0 for what is no regular file. */
static off_t size_of(int fd)
{
    struct stat st;
    return fstat(fd, &st) == 0 && S_ISREG(st.st_mode) ? st.st_size : 0;
}

/* Logs are open for writing only, so the last byte is read through a descriptor of its own. */
static bool ends_in_mid_line(int fd)
{
    char path[32], last = '\n';
    off_t size = size_of(fd);
    if (size == 0)
        return false;
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    int again = open(path, O_RDONLY | O_CLOEXEC);
    if (again < 0)
        return false;
    bool read_it = pread(again, &last, 1, size - 1) == 1;
    close(again);
    return read_it && last != '\n';
}

static void note_size(struct log_output *o)
{
    o->size = o->unfinished ? size_of(o->fd) : 0;
}

static void count_torn(struct log_output *o)
{
    stat_add(o->stats, STAT_log_lines_torn_total, 1);
    atomic_fetch_add(&o->counts->torn, 1);
}

static void count_lost(struct log_output *o, u64 lines)
{
    o->unwritten += lines;
    stat_add(o->stats, STAT_log_lines_lost_total, lines);
    atomic_fetch_add(&o->counts->lost, lines);
}

/* The line can never be finished; what comes next begins on a line of its own. */
static void leave_torn(struct log_output *o)
{
    count_torn(o);
    size_t newline = ends_in_mid_line(o->fd) ? 1 : 0, rest = o->text.n - o->unfinished;
    memmove(o->text.p + newline, o->text.p + o->unfinished, rest);
    if (newline)
        o->text.p[0] = '\n';
    o->text.n = newline + rest;
    o->unfinished = newline;
    note_size(o);
}

struct log_output log_output_new(const char *name, int fd, struct stats *stats)
{
    struct log_output o = {
        .name = name,
        .fd = fd,
        .text = text_in(must_alloc(BATCH), BATCH),
        .stats = stats,
        .counts = log_counts_of(name),
    };
    if (fd >= 0 && ends_in_mid_line(fd))
        leave_torn(&o);
    return o;
}

void log_output_free(struct log_output *o)
{
    if (o->unfinished)
        count_torn(o);
    free(o->text.p);
}

/* `done` bytes were written: keeps the rest of the line they end in, drops the lines behind it. */
static void keep_rest(struct log_output *o, size_t done)
{
    const char *p = o->text.p;
    size_t end = done;
    u64 lines = 0;
    if (done ? p[done - 1] != '\n' : o->unfinished > 0)
        while (end < o->text.n && p[end++] != '\n')
            ;
    for (size_t i = end; i < o->text.n; i++)
        lines += p[i] == '\n';
    count_lost(o, lines);
    memmove(o->text.p, p + done, end - done);
    o->text.n = o->unfinished = end - done;
    note_size(o);
}

/* A receiver that stands still is waited for once, until it takes a line again: the thread has
 * other logs to write. */
static void send_lines(struct log_output *o)
{
    struct slice rest = text_slice(&o->text), line;
    while (slice_cut(&rest, '\n', &line)) {
        if (line.n == 0)
            continue;
        bool sent = log_syslog_send(o->fd, o->socket, line, o->stands ? 0 : SYSLOG_WAIT_MS);
        o->stands = !sent && errno == EAGAIN;
        if (!sent) {
            o->why = errno;
            count_lost(o, 1);
        }
    }
    o->text.n = 0;
    o->text.full = false;
}

/* A file of another size was truncated to make room, or somebody else has written to it. */
void log_output_flush(struct log_output *o)
{
    size_t done = 0;
    if (o->socket) {
        send_lines(o);
        return;
    }
    if (o->unfinished && size_of(o->fd) != o->size)
        leave_torn(o);
    while (o->fd >= 0 && done < o->text.n) {
        ssize_t n = write(o->fd, o->text.p + done, o->text.n - done);
        if (n > 0) {
            done += (size_t)n;
        } else if (errno == EAGAIN) {
            struct pollfd p = { .fd = o->fd, .events = POLLOUT };
            poll(&p, 1, 1000);
        } else if (errno != EINTR) {
            o->why = errno;
            keep_rest(o, done);
            o->text.full = false;
            return;
        }
    }
    o->text.n = o->unfinished = 0;
    o->text.full = false;
}

static bool is_same_file(int a, int b)
{
    struct stat one, two;
    return a >= 0 && b >= 0 && fstat(a, &one) == 0 && fstat(b, &two) == 0 &&
           one.st_dev == two.st_dev && one.st_ino == two.st_ino;
}

bool log_output_go_on(struct log_output *o, int fd)
{
    bool another = !is_same_file(o->fd, fd);
    log_output_flush(o);
    if (another && o->unfinished) {
        count_torn(o);
        o->text.n = o->unfinished = 0;
    }
    o->fd = fd;
    if (another && fd >= 0 && o->socket == NULL && ends_in_mid_line(fd))
        leave_torn(o);
    return another;
}
