/*
 * Signals, which the main thread alone takes, one after another: blocked in every thread, so none
 * comes in the middle of anything, and one that comes during the start waits until it is over. All
 * that would end or stop a process are taken, also those that mean nothing here: each is answered
 * by a word in the log, never by silence or a sudden end.
 */
#ifndef PROXYD_SIGNALS_H
#define PROXYD_SIGNALS_H

#include <signal.h>

#include "base/text.h"

enum signal_meaning {
    SIGNAL_NONE,     /* time is up */
    SIGNAL_RELOAD,   /* HUP */
    SIGNAL_REOPEN,   /* USR1 */
    SIGNAL_GRACEFUL, /* TERM, QUIT */
    SIGNAL_FAST,     /* INT */
    SIGNAL_UNKNOWN
};

/* Before any thread is started. */
void signals_block(sigset_t *set);
/* The next one, within so many ms; *number is 0 for none. */
enum signal_meaning signals_wait(const sigset_t *set, unsigned ms, int *number);
/* "USR2", "RTMIN+3". */
void signals_name(struct text *to, int number);

#endif
