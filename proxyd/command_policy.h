/* What --help says of the commands that ask a policy. */
#ifndef PROXYD_COMMAND_POLICY_H
#define PROXYD_COMMAND_POLICY_H

extern const char help_explain[], help_test[], help_diff[];

#endif
