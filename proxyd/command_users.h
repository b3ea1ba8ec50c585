/* What --help says of the commands about users. */
#ifndef PROXYD_COMMAND_USERS_H
#define PROXYD_COMMAND_USERS_H

extern const char help_passwd[], help_auth[];

#endif
