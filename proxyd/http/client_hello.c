/*
 * Records first: they hold the message in pieces, and nothing says that a piece is not one byte.
 * Then the message, whose lengths have to add up to the last byte.
 */
#include "http/client_hello.h"

enum {
    RECORD_HEAD = 5,
    RECORD_MOST = 16384,
    RECORD_CHANGE_CIPHER_SPEC = 20,
    RECORD_HANDSHAKE = 22,
    RECORD_HEARTBEAT = 24,
    MESSAGE_HEAD = 4,
    MESSAGE_CLIENT_HELLO = 1,
    MAJOR = 3,      /* of every version of TLS */
    FIXED = 2 + 32, /* version and random */
    SESSION_MOST = 32,
    EXTENSIONS_MOST = 128, /* clients send 10 to 20 */
    EXTENSION_SERVER_NAME = 0,
    EXTENSION_ENCRYPTED_HELLO = 0xfe0d, /* RFC 9849 */
    NAME_OF_HOST = 0
};

static u32 number(const char *p, unsigned bytes)
{
    u32 n = 0;
    for (unsigned i = 0; i < bytes; i++)
        n = n << 8 | (u8)p[i];
    return n;
}

/* ---- records ---- */

/* The message so far: in `first` while one record holds it, else in `area`. */
struct message {
    struct slice bytes;
    size_t declared; /* of it, by the records that have begun */
    char area[HELLO_MOST];
};

static void add_piece(struct message *m, struct slice piece)
{
    if (m->bytes.n == 0) {
        m->bytes = piece;
        return;
    }
    if (m->bytes.p != m->area)
        memcpy(m->area, m->bytes.p, m->bytes.n);
    memcpy(m->area + m->bytes.n, piece.p, piece.n);
    m->bytes = (struct slice){ m->area, m->bytes.n + piece.n };
}

/* Of the bytes that are there: NAME stands for "whole". */
static enum hello judge_message(const struct message *m)
{
    if (m->bytes.n == 0)
        return HELLO_MORE;
    if (m->bytes.p[0] != MESSAGE_CLIENT_HELLO)
        return HELLO_BROKEN;
    if (m->bytes.n < MESSAGE_HEAD)
        return HELLO_MORE;
    size_t whole = MESSAGE_HEAD + number(m->bytes.p + 1, 3);
    if (whole > HELLO_MOST || m->declared > whole) /* something rides behind it */
        return HELLO_BROKEN;
    return m->bytes.n == whole ? HELLO_NAME : HELLO_MORE;
}

/* NAME: the whole message is in *m. */
static enum hello gather(struct slice first, struct message *m)
{
    size_t at = 0;
    for (;;) {
        struct slice rest = slice_skip(first, at);
        if ((rest.n > 0 && rest.p[0] != RECORD_HANDSHAKE) || (rest.n > 1 && rest.p[1] != MAJOR))
            return HELLO_BROKEN;
        if (rest.n < RECORD_HEAD)
            return HELLO_MORE;
        size_t n = number(rest.p + 3, 2);
        at += RECORD_HEAD + n;
        if (n == 0 || n > RECORD_MOST || at > HELLO_MOST)
            return HELLO_BROKEN;
        rest = slice_skip(rest, RECORD_HEAD);
        m->declared += n;
        add_piece(m, (struct slice){ rest.p, rest.n < n ? rest.n : n });
        enum hello h = judge_message(m);
        if (h != HELLO_MORE || rest.n < n)
            return h;
    }
}

/* ---- the message ---- */

static bool take(struct slice *s, size_t n, struct slice *out)
{
    if (s->n < n)
        return false;
    *out = (struct slice){ s->p, n };
    *s = slice_skip(*s, n);
    return true;
}

/* What follows its own length, a number of so many bytes. */
static bool take_counted(struct slice *s, unsigned bytes, struct slice *out)
{
    struct slice length;
    return take(s, bytes, &length) && take(s, number(length.p, bytes), out);
}

/* RFC 6066 has a list of names, but no second type of name and no two of one type. */
static enum hello server_name(struct slice extension, struct host *name)
{
    struct slice list, type, text;
    if (!take_counted(&extension, 2, &list) || extension.n > 0 || !take(&list, 1, &type) ||
        type.p[0] != NAME_OF_HOST || !take_counted(&list, 2, &text) || list.n > 0 || text.n == 0)
        return HELLO_BROKEN;
    return host_parse(text, name) == FAULT_NONE ? HELLO_NAME : HELLO_BROKEN;
}

static enum hello read_extensions(struct slice s, struct host *name, bool *encrypted)
{
    u16 seen[EXTENSIONS_MOST];
    enum hello found = HELLO_NO_NAME;
    for (unsigned n = 0; s.n > 0; n++) {
        struct slice head, data;
        if (n == EXTENSIONS_MOST || !take(&s, 2, &head) || !take_counted(&s, 2, &data))
            return HELLO_BROKEN;
        seen[n] = (u16)number(head.p, 2);
        for (unsigned i = 0; i < n; i++)
            if (seen[i] == seen[n])
                return HELLO_BROKEN;
        if (seen[n] == EXTENSION_ENCRYPTED_HELLO)
            *encrypted = true;
        if (seen[n] == EXTENSION_SERVER_NAME)
            found = server_name(data, name);
        if (found == HELLO_BROKEN)
            return found;
    }
    return found;
}

static enum hello read_message(struct slice s, struct host *name, bool *encrypted)
{
    struct slice fixed, session, suites, methods, extensions;
    if (!take(&s, FIXED, &fixed) || fixed.p[0] != MAJOR || !take_counted(&s, 1, &session) ||
        session.n > SESSION_MOST || !take_counted(&s, 2, &suites) || suites.n == 0 ||
        suites.n % 2 != 0 || !take_counted(&s, 1, &methods) || methods.n == 0)
        return HELLO_BROKEN;
    if (s.n == 0) /* before TLS 1.2 there may be none */
        return HELLO_NO_NAME;
    if (!take_counted(&s, 2, &extensions) || s.n > 0)
        return HELLO_BROKEN;
    return read_extensions(extensions, name, encrypted);
}

/* Servers take warnings and other records before a ClientHello: that is no other protocol. */
static enum hello other_protocol(struct slice first)
{
    if ((u8)first.p[0] < RECORD_CHANGE_CIPHER_SPEC || (u8)first.p[0] > RECORD_HEARTBEAT)
        return HELLO_NOT_TLS;
    if (first.n < 2)
        return HELLO_MORE;
    return first.p[1] == MAJOR ? HELLO_BROKEN : HELLO_NOT_TLS;
}

enum hello client_hello_look(struct slice first, struct host *name, bool *encrypted)
{
    struct message m; /* its area is touched only where several records hold the message */
    *encrypted = false;
    if (first.n == 0)
        return HELLO_MORE;
    if (first.p[0] != RECORD_HANDSHAKE)
        return other_protocol(first);
    m.bytes = (struct slice){ NULL, 0 };
    m.declared = 0;
    enum hello h = gather(first, &m);
    return h == HELLO_NAME ? read_message(slice_skip(m.bytes, MESSAGE_HEAD), name, encrypted) : h;
}

enum hello client_hello_read(struct slice first, struct host *name)
{
    bool encrypted;
    return client_hello_look(first, name, &encrypted);
}
