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

static int complain(const char *command, const char *socket, const char *why)
{
    fprintf(stderr, "proxyd %s: %s: %s\n", command, socket, why);
    return EXIT_FAILED;
}

static void put_lines(FILE *to, struct slice body)
{
    struct slice line;
    while (body.n && slice_cut(&body, '\n', &line)) {
        shown_put(to, line);
        fputc('\n', to);
    }
}

static int ask(const char *command, const char *socket, int fd, const char *method,
               const char *path, struct slice argument)
{
    size_t n = 0;
    char *all = send_request(fd, method, path, argument) ? receive_all(fd, &n) : NULL;
    struct slice body = { NULL, 0 };
    unsigned status = all ? read_answer((struct slice){ all, n }, &body) : 0;
    FILE *to = status >= 200 && status < 300 ? stdout : stderr;
    if (status)
        put_lines(to, body);
    free(all);
    if (status == 0)
        return complain(command, socket,
                        "the proxy ended before it answered, or too many are connected there");
    return to == stdout ? EXIT_FINE : EXIT_FAILED;
}

int ctl_ask(const char *command, const char *socket, const char *method, const char *path,
            struct slice argument)
{
    char area[CONTROL_PATH];
    if (socket == NULL && control_default(area))
        socket = area;
    if (socket == NULL) {
        fprintf(stderr, "proxyd %s: where is the control socket? Say it with --socket PATH\n",
                command);
        return EXIT_FAILED;
    }
    int fd = control_connect(socket), code;
    if (fd < 0) {
        code = complain(command, socket,
                        errno == ENOENT || errno == ECONNREFUSED
                            ? "no proxyd listens there; another one is named by --socket PATH"
                            : strerror(errno));
        return code;
    }
    code = ask(command, socket, fd, method, path, argument);
    close(fd);
    return code;
}
