#include "ctl.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/str.h"
#include "command.h"
#include "config/shown.h"
#include "control_socket.h"

/* Unreserved characters of RFC 3986 stand for themselves. */
static void put_encoded(FILE *to, struct slice s)
{
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        bool plain = ascii_digit(c) || (ascii_lower(c) >= 'a' && ascii_lower(c) <= 'z') ||
                     c == '-' || c == '.' || c == '_' || c == '~';
        if (plain)
            fputc(c, to);
        else
            fprintf(to, "%%%02X", (u8)c);
    }
}

static bool send_request(int fd, const char *method, const char *path, struct slice argument)
{
    char *text = NULL;
    size_t n = 0, sent = 0;
    FILE *to = open_memstream(&text, &n);
    if (to == NULL)
        return false;
    fprintf(to, "%s %s", method, path);
    if (argument.n) {
        fputs("?arg=", to);
        put_encoded(to, argument);
    }
    fputs(" HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", to);
    fclose(to);
    ssize_t one = 1;
    for (; sent < n && one > 0; sent += (size_t)(one > 0 ? one : 0))
        one = send(fd, text + sent, n - sent, MSG_NOSIGNAL);
    free(text);
    return sent == n;
}

/* All that comes until the end of the stream; NULL: it broke. Freed by the caller. */
static char *receive_all(int fd, size_t *n)
{
    char *all = NULL, part[4096];
    ssize_t one;
    FILE *to = open_memstream(&all, n);
    if (to == NULL)
        return NULL;
    while ((one = recv(fd, part, sizeof part, 0)) > 0)
        fwrite(part, 1, (size_t)one, to);
    fclose(to);
    if (one == 0)
        return all;
    free(all);
    return NULL;
}

/* "HTTP/1.1 200 …": the status, 0 when it is no such thing; *body is what is behind the head. */
static unsigned read_answer(struct slice all, struct slice *body)
{
    const char *end = memmem(all.p, all.n, "\r\n\r\n", 4);
    if (end == NULL || all.n < 12 || memcmp(all.p, "HTTP/1.", 7) != 0)
        return 0;
    *body = slice_range(end + 4, all.p + all.n);
    return (unsigned)strtoul(all.p + 9, NULL, 10);
}

static void complain(const char *command, const char *socket, const char *why)
{
    fprintf(stderr, "proxyd %s: %s: %s\n", command, socket, why);
}

static void put_lines(FILE *to, struct slice body)
{
    struct slice line;
    while (body.n && slice_cut(&body, '\n', &line)) {
        shown_put(to, line);
        fputc('\n', to);
    }
}

/* What it answers, 0 when nothing came; *all is the caller's to free, *body is in it. */
static unsigned ask(int fd, const char *method, const char *path, struct slice argument, char **all,
                    struct slice *body)
{
    size_t n = 0;
    *all = send_request(fd, method, path, argument) ? receive_all(fd, &n) : NULL;
    *body = (struct slice){ NULL, 0 };
    return *all ? read_answer((struct slice){ *all, n }, body) : 0;
}

/* Below 0: complained about. */
static int open_socket(const char *command, const char **socket, char area[CONTROL_PATH])
{
    if (*socket == NULL && control_default(area))
        *socket = area;
    if (*socket == NULL) {
        fprintf(stderr, "proxyd %s: where is the control socket? Say it with --socket PATH\n",
                command);
        return -1;
    }
    int fd = control_connect(*socket);
    if (fd < 0)
        complain(command, *socket,
                 errno == ENOENT || errno == ECONNREFUSED
                     ? "no proxyd listens there; another one is named by --socket PATH"
                     : strerror(errno));
    return fd;
}

unsigned ctl_get(const char *command, const char *socket, const char *method, const char *path,
                 struct slice argument, char **text)
{
    char area[CONTROL_PATH], *all;
    struct slice body;
    int fd = open_socket(command, &socket, area);
    *text = NULL;
    if (fd < 0)
        return 0;
    unsigned status = ask(fd, method, path, argument, &all, &body);
    close(fd);
    if (status)
        *text = strndup(body.n ? body.p : "", body.n);
    else
        complain(command, socket,
                 "the proxy ended before it answered, or too many are connected there");
    free(all);
    return status;
}

int ctl_ask(const char *command, const char *socket, const char *method, const char *path,
            struct slice argument)
{
    char *text;
    unsigned status = ctl_get(command, socket, method, path, argument, &text);
    FILE *to = status >= 200 && status < 300 ? stdout : stderr;
    put_lines(to, slice_of(text));
    free(text);
    return to == stdout ? EXIT_FINE : EXIT_FAILED;
}
