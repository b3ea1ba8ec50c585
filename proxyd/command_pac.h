/* What --help says of `proxyd pac`. */
#ifndef PROXYD_COMMAND_PAC_H
#define PROXYD_COMMAND_PAC_H

extern const char help_pac[];

#endif
