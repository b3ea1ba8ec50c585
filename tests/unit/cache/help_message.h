/* Heads from their fields, for the tests of the cache's rules. */
#ifndef TESTS_UNIT_CACHE_HELP_MESSAGE_H
#define TESTS_UNIT_CACHE_HELP_MESSAGE_H

#include "http/msg.h"

/* "GET / HTTP/1.1", Host, and the fields, each "Name: value" CRLF. Their text is in the arena. */
void help_request(struct msg *m, struct arena *a, const char *fields);
/* The answer to a GET with that status; no body but what the fields announce. */
void help_response(struct msg *m, struct arena *a, unsigned status, const char *fields);
/* All of its fields, as they would be written. NUL-terminated, in the arena. */
const char *help_fields(const struct msg *m, struct arena *a);

#endif
