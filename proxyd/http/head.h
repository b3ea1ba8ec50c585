/*
 * From bytes to struct msg (RFC 9112). Finding the end of a head and splitting it are two files:
 * head_scan.c, head_parse.c. The way back is h1_write.h.
 *
 * The parser is the strict party of any pair: what two implementations could read in two ways is
 * refused. A request is never repaired. An answer is, where one reading is left (base/repair.tbl):
 * head_repair.c writes its head anew, and that is parsed as strictly as any other. head_scan and
 * the parsers each check every byte, so neither relies on the other having run.
 */
#ifndef HTTP_HEAD_H
#define HTTP_HEAD_H

#include "base/fault.h"
#include "base/text.h"
#include "http/msg.h"

struct head_limits {
    u32 head;   /* bytes of a whole head with its empty line */
    u32 line;   /* bytes of one line without CRLF */
    u32 fields; /* at most 65535 */
};

/* Zero it for each message; it keeps heads that come in pieces linear. */
struct head_scan {
    u32 scanned; /* bytes known to be fine */
    u32 line;    /* where the line begins that holds byte `scanned` */
};

/* What the first bytes on a connection are, if surely no HTTP: FAULT_tls_to_plain_port for what
 * begins as a TLS handshake record, FAULT_not_http for anything else that cannot begin a method;
 * FAULT_NONE otherwise. The first byte decides: the others may come later. */
enum fault first_bytes(const char *p, u32 n);

/* 2 when p begins with CRLF, else 0. At most one such line is skipped before a request line
 * (RFC 9112 section 2.2); the caller counts. Skip before the first head_scan. */
u32 head_skip_empty(const char *p, u32 n);

/* Bytes of the head at p, its empty line included; 0: incomplete so far, or *fault. p may have
 * moved since the last call, its first `scanned` bytes may not have changed. Faults come as early
 * as their first byte: bad_line_end for a bare CR or LF, bad_request_line or bad_field_value for
 * other controls, target_too_long for a first line over limits->line, head_too_large for other
 * lines and a head over limits->head. The verdict does not depend on how the bytes were split.
 * In an answer a fault is called head_fault_response of it, in a trailer section bad_trailer; only
 * out_of_memory keeps its name. */
u32 head_scan(struct head_scan *s, const char *p, u32 n, const struct head_limits *limits,
              enum fault *fault);

/* head_scan for an answer's head (status_line) or its trailer section: one that response_parse or
 * trailer_parse can repair is found to its end as well. */
u32 head_scan_answer(struct head_scan *s, const char *p, u32 n, const struct head_limits *limits,
                     bool status_line, enum fault *fault);

/* What a fault of head_scan is called when the origin is the sender. */
enum fault head_fault_response(enum fault f);

/* A whole head as head_scan measured it. m must be freshly initialised. FAULT_NONE, or the fault of
 * the client; then only method_text and target may be looked at, as far as they were read.
 * Beyond the grammar it is checked that there is one valid Host (1.0 and CONNECT may lack it, and
 * userinfo that stands in the target as well is cut off), one sort of length, no expectation but
 * 100-continue, and no content in CONNECT. HTTP/1.2 to 1.9 are taken as 1.1. The target is one of
 * target_take, and still to be parsed (target_parse); encoded it must keep to the limits as well.
 * keep_alive is the bare fact; that a forward proxy does not honour it for 1.0 clients (RFC 9112
 * section 9.3) is the caller's to add. */
enum fault request_parse(struct msg *m, const char *head, u32 len,
                         const struct head_limits *limits);

/* The same for an answer to a request with that method. FAULT_response_malformed,
 * _bad_framing or _head_too_large. 1xx and 204 have no body, and a length there is taken out; HEAD
 * and 304 have none but keep a length; a 2xx to CONNECT has none and loses any framing fields.
 * keep_alive is false for BODY_UNTIL_CLOSE and for what was repaired: m->repairs tells. Without an
 * arena in m no head is written anew. A 101 is for the caller to judge. */
enum fault response_parse(struct msg *m, const char *head, u32 len,
                          const struct head_limits *limits, enum method request_method);

/* A trailer section with its empty line, into a fresh m of its own. Fields that frame, route,
 * authenticate or steer are a fault, bad_trailer; in an answer they are dropped (m->repairs), and
 * other faults are called response_bad_chunk. */
enum fault trailer_parse(struct msg *m, const char *section, u32 len,
                         const struct head_limits *limits, bool response);

#endif
