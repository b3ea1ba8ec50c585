/*
 * The name in the first message of a TLS client (RFC 8446 sections 4.1.2 and 5.1, RFC 6066 section
 * 3), from the bytes that a connection begins with. Nothing is decrypted and nothing is consumed.
 *
 * The one hard thing is that the party behind may read it in another way: whatever begins as TLS
 * and is not exactly one well-formed ClientHello is broken, never "without a name".
 */
#ifndef HTTP_CLIENT_HELLO_H
#define HTTP_CLIENT_HELLO_H

#include "http/uri.h"

enum hello {
    HELLO_MORE,    /* may become any of the others */
    HELLO_NOT_TLS, /* another protocol */
    HELLO_NAME,    /* a ClientHello that names a host */
    HELLO_NO_NAME, /* one that names none */
    HELLO_BROKEN   /* TLS, but no ClientHello that every server reads alike, or too long a one */
};

/* Bytes of it, with the headers of its records: it may come in several of them. */
enum { HELLO_MOST = 16384 };

/* `first`: all bytes since the connection began. What they are does not depend on how they were
 * split: once it is not MORE, more bytes change nothing. *name, of NAME only, is canonical; with
 * Encrypted Client Hello it is the outer one. A literal address is taken as a name, though RFC 6066
 * has none. A few hundred nanoseconds, 17 kB of stack, no allocation. */
enum hello client_hello_read(struct slice first, struct host *name);
/* The same. *encrypted, of NAME and NO_NAME: it has the extension of Encrypted Client Hello, the
 * meaningless one that some clients always send (GREASE) included. */
enum hello client_hello_look(struct slice first, struct host *name, bool *encrypted);

#endif
