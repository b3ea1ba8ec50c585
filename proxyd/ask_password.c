/*
 * The hard thing is the end: whoever presses Control-C, or ends the command otherwise, must get his
 * terminal back with its echo. So signals are noted while it is off, and raised once it is on.
 */
#include "ask_password.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <termios.h>
#include <unistd.h>

static volatile sig_atomic_t noted;
static const int ends[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTSTP };

static void note(int number)
{
    noted = number;
}

/* The next byte. `mask` (of a terminal; else NULL) lets the signals in while it waits, and only
 * then: so that none comes between looking for one and waiting. 0: the end, or a signal. */
static ssize_t read_byte(int fd, const sigset_t *mask, char *c)
{
    ssize_t n;
    struct pollfd wait = { .fd = fd, .events = POLLIN };
    do {
        if (mask && ppoll(&wait, 1, NULL, mask) < 0 && noted)
            return 0;
        n = read(fd, c, 1);
    } while (n < 0 && errno == EINTR);
    return n;
}

/* A line without its end, byte by byte, so that nothing behind it is taken. False: it is too long,
 * or reading failed. */
static bool read_line(int fd, const sigset_t *mask, struct asked_password *p)
{
    char c;
    ssize_t n;
    p->n = 0;
    while ((n = read_byte(fd, mask, &c)) == 1 && c != '\n')
        if (p->n < sizeof p->text)
            p->text[p->n++] = c;
    if (p->n && p->text[p->n - 1] == '\r')
        p->n--;
    return n >= 0 && !noted && p->n < sizeof p->text;
}

/* Notes the signals that would end the command, but for those that are ignored anyway. */
static void begin_noting(struct sigaction *old, sigset_t *mask)
{
    struct sigaction noting = { .sa_handler = note };
    sigset_t block;
    noted = 0;
    sigemptyset(&block);
    for (size_t i = 0; i < countof(ends); i++) {
        sigaddset(&block, ends[i]);
        (void)sigaction(ends[i], NULL, &old[i]);
        if (old[i].sa_handler != SIG_IGN)
            (void)sigaction(ends[i], &noting, NULL);
    }
    (void)sigprocmask(SIG_BLOCK, &block, mask);
}

static void end_noting(const struct sigaction *old, const sigset_t *mask)
{
    for (size_t i = 0; i < countof(ends); i++)
        (void)sigaction(ends[i], &old[i], NULL);
    if (noted)
        (void)raise(noted);
    (void)sigprocmask(SIG_SETMASK, mask, NULL);
}

static bool read_unseen(int fd, const char *prompt, struct asked_password *p)
{
    struct termios shown, hidden;
    struct sigaction old[countof(ends)];
    sigset_t mask;
    if (tcgetattr(fd, &shown) < 0)
        return false;
    begin_noting(old, &mask);
    hidden = shown;
    hidden.c_lflag &= ~(tcflag_t)ECHO;
    (void)tcsetattr(fd, TCSAFLUSH, &hidden);
    (void)!write(fd, prompt, strlen(prompt));
    bool fine = read_line(fd, &mask, p);
    (void)!write(fd, "\n", 1);
    (void)tcsetattr(fd, TCSAFLUSH, &shown);
    end_noting(old, &mask);
    return fine;
}

static bool same(const struct asked_password *a, const struct asked_password *b)
{
    return a->n == b->n && memcmp(a->text, b->text, a->n) == 0;
}

static bool ask_terminal(const char *command, bool twice, struct asked_password *p)
{
    struct asked_password again = { .n = 0 };
    int fd = open("/dev/tty", O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (fd < 0) {
        fprintf(stderr,
                "proxyd %s: there is no terminal to ask for the password; --stdin reads it "
                "from standard input\n",
                command);
        return false;
    }
    bool fine = read_unseen(fd, "Password: ", p), differ = false;
    if (fine && twice) {
        fine = read_unseen(fd, "Once more: ", &again);
        differ = fine && !same(p, &again);
    }
    (void)close(fd);
    explicit_bzero(&again, sizeof again);
    if (differ)
        fprintf(stderr, "proxyd %s: the two differ\n", command);
    else if (!fine)
        fprintf(stderr, "proxyd %s: no password was read, or one of more than 512 bytes\n",
                command);
    return fine && !differ;
}

bool ask_password(const char *command, bool by_input, bool twice, struct asked_password *p)
{
    if (!by_input)
        return ask_terminal(command, twice, p);
    noted = 0;
    if (read_line(STDIN_FILENO, NULL, p))
        return true;
    fprintf(stderr, "proxyd %s: standard input cannot be read, or its first line is too long\n",
            command);
    return false;
}
