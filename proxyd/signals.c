#include "signals.h"

#include <string.h>
#include <time.h>

/* Not taken: faults of the program itself, what nobody can take, and what means nothing by default
 * (CHLD, CONT, URG, WINCH: a terminal tells its size by that). */
static const int left_alone[] = { SIGSEGV, SIGBUS,  SIGFPE,  SIGILL,  SIGTRAP, SIGSYS,  SIGABRT,
                                  SIGKILL, SIGSTOP, SIGCHLD, SIGCONT, SIGURG,  SIGWINCH };

void signals_block(sigset_t *set)
{
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN); /* a log at the limit of file sizes is one that cannot be written */
    sigfillset(set);
    for (size_t i = 0; i < countof(left_alone); i++)
        sigdelset(set, left_alone[i]);
    sigdelset(set, SIGPIPE);
    sigdelset(set, SIGXFSZ);
    for (int s = 1; s < NSIG; s++) /* blocked, but it would be lost were it ignored */
        if (sigismember(set, s) == 1)
            signal(s, SIG_DFL);
    pthread_sigmask(SIG_BLOCK, set, NULL);
}

static enum signal_meaning meaning_of(int number)
{
    switch (number) {
    case SIGHUP: return SIGNAL_RELOAD;
    case SIGUSR1: return SIGNAL_REOPEN;
    case SIGTERM:
    case SIGQUIT: return SIGNAL_GRACEFUL;
    case SIGINT: return SIGNAL_FAST;
    default: return SIGNAL_UNKNOWN;
    }
}

enum signal_meaning signals_wait(const sigset_t *set, unsigned ms, int *number)
{
    struct timespec t = { .tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000 };
    int s = sigtimedwait(set, NULL, &t);
    *number = s > 0 ? s : 0;
    return s > 0 ? meaning_of(s) : SIGNAL_NONE;
}

void signals_name(struct text *to, int number)
{
    const char *name = sigabbrev_np(number);
    if (name)
        text_cstr(to, name);
    else
        text_fmt(to, "RTMIN+%d", number - SIGRTMIN);
}
