/*
 * Records as lines: one function for each format, all from the same parts. What must not be seen
 * (query strings, credentials in a Referer, the last bits of a client's address) is taken out once,
 * in log_parts, so no format can forget it. No printf: 0.2 µs a line.
 */
#ifndef CORE_LOG_FORMAT_H
#define CORE_LOG_FORMAT_H

#include "core/report/evidence.h"
#include "core/report/logrec.h"

/* Room for any line: every byte of a string may become six. */
enum { LOG_LINE = 40 * 1024 };

/* The calendar part of a time stamp, remembered: consecutive records share their second. */
struct log_clock {
    u64 second;
    char text[19]; /* 2026-11-23T07:00:00 */
    char clf[26];  /* 23/Nov/2026:07:00:00 +0000 */
};

/* An access record as its formats see it. */
struct log_parts {
    const struct access_record *r;
    struct slice s[LOG_STRINGS]; /* STRING_TARGET and STRING_REFERER without what is not shown */
    struct slice query;          /* behind the `?`, where it is wanted */
    bool hidden;                 /* there is a query, and it is not shown */
    struct evidence why;         /* what decided; its texts may be empty */
    struct slice sni;            /* the host that a tunnel's ClientHello names */
    struct addr client;
    char referer[1024];
};

/* Fills *p, which points into r and into itself: it is not to be copied, and lasts as long as r. */
void log_parts(struct log_parts *p, const struct log_style *style, const struct access_record *r);

/* A line in the style's format. */
void log_format_access(struct text *t, struct log_clock *c, const struct log_style *style,
                       const struct access_record *r);
/* The lines that a file of that format begins with; nothing for most. now_us: of the wall clock. */
void log_format_begin(struct text *t, struct log_clock *c, const struct log_style *style,
                      u64 now_us);
/* A line of the error log. */
void log_format_error(struct text *t, struct log_clock *c, const struct error_record *r);

/* The formats. */
void log_put_readable(struct text *t, struct log_clock *c, const struct log_parts *p);
void log_put_squid(struct text *t, const struct log_parts *p);
/* Apache's common; with Referer and User-Agent it is the combined one. */
void log_put_common(struct text *t, struct log_clock *c, const struct log_parts *p, bool combined);
void log_put_json(struct text *t, struct log_clock *c, const struct log_parts *p);
/* iis: without quotes, blanks as `+`, milliseconds. */
void log_put_w3c(struct text *t, struct log_clock *c, const struct log_parts *p, bool iis);
/* The header of such a file: version, date and names of the fields. */
void log_put_w3c_begin(struct text *t, struct log_clock *c, u64 now_us);

/* ---- for the formats ---- */

/* Brings the calendar part up to a time, microseconds since 1970. */
void log_clock_set(struct log_clock *c, u64 us);
/* 2026-11-23T07:00:00.123Z */
void log_put_time(struct text *t, struct log_clock *c, u64 us);
/* Of a refusal 32 hex digits, else 16. */
void log_put_id(struct text *t, const struct log_parts *p);
/* What was asked for as a URL, or HOST:PORT of a CONNECT; `-` when it was not understood. `put`
 * writes each piece. */
void log_put_url(struct text *t, const struct log_parts *p,
                 void (*put)(struct text *t, struct slice s));
/* What the name is worth that an intercepted client told; empty: nobody was intercepted. */
struct slice log_told(const struct access_record *r);
/* Of the answer; `-` when there was none. */
void log_put_status(struct text *t, const struct access_record *r);
/* "hit", or "miss:no-store" with why it is not kept; nothing where no cache was asked. */
void log_put_cached(struct text *t, const struct access_record *r);
/* Was the request line understood up to its version? */
bool log_has_version(const struct log_parts *p);
/* Bytes of content that the client got: no heads. */
u64 log_content(const struct access_record *r);

#endif
