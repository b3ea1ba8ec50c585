/* Credentials of the scheme Basic (RFC 7617): a name and a password in base64. */
#ifndef POLICY_BASIC_H
#define POLICY_BASIC_H

#include "base/slice.h"

enum {
    BASIC_DECODED_MOST = 255 + 1 + 511, /* name, colon, password */
    BASIC_ENCODED_MOST = (BASIC_DECODED_MOST + 2) / 3 * 4
};

/* The value of an Authorization or Proxy-Authorization field: is it "Basic" (in any case), blanks
 * and base64 of NAME:PASSWORD? The texts lie in `area`, of BASIC_DECODED_MOST bytes, which the
 * caller wipes. A control character in either is refused. */
bool basic_read(struct slice value, char *area, struct slice *name, struct slice *password);

#endif
