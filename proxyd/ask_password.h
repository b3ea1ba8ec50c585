/*
 * A password for a command: from the terminal, where it is not shown, or from standard input. Never
 * from an argument, which everybody on the machine can read.
 */
#ifndef PROXYD_ASK_PASSWORD_H
#define PROXYD_ASK_PASSWORD_H

#include "policy/password.h"

struct asked_password {
    char text[PASSWORD_GIVEN_MOST + 2]; /* to be wiped by the caller */
    size_t n;
};

/* By standard input: its first line. Else the terminal is asked, and `twice` asks again and
 * compares. False: complained about on standard error, for the command of that name. */
bool ask_password(const char *command, bool by_input, bool twice, struct asked_password *p);

#endif
