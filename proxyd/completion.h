/* Completion for shells, made from the table of commands: it knows neither more nor less. */
#ifndef PROXYD_COMPLETION_H
#define PROXYD_COMPLETION_H

#include <stdbool.h>
#include <stdio.h>

/* The script for bash, zsh or fish; false: no such shell. */
bool completion_write(const char *shell, FILE *to);

#endif
