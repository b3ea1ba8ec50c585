/*
 * Reads a list of any format that administrators have, handed in by pieces, and hands on entries.
 * Pure: no file, no clock, no thread. The hard thing is that a wrong reading blocks too much or too
 * little in silence. So a reader knows one format at a time (with LIST_AUTO it decides by the first
 * hundred lines and says so), rejects what it does not understand, and reports: how many lines were
 * rejected, the first ten of them with the reason, how many were passed over because a proxy cannot
 * act on them, and what a bare name means.
 *
 * Common to all: LF or CRLF, a byte order mark, blanks around a line; lines over 4 KiB are rejected
 * whole, and lines with NUL. Names are brought into canonical form (filters/list_name.h).
 */
#ifndef FILTERS_LIST_READER_H
#define FILTERS_LIST_READER_H

#include "filters/list_entry.h"

enum list_format {
    LIST_AUTO,
    LIST_DOMAINS,    /* "name", ".name", "*.name" */
    LIST_HOSTS,      /* "0.0.0.0 name…" */
    LIST_ADBLOCK,    /* EasyList, AdGuard */
    LIST_SQUIDGUARD, /* `domains` of a category */
    LIST_SQUIDGUARD_URLS,
    LIST_EXPRESSIONS, /* squidGuard's: POSIX regexes over the URL */
    LIST_DNSMASQ,     /* "address=/name/", "server=/name/", "local=/name/" */
    LIST_UNBOUND,     /* "local-zone: name type" */
    LIST_RPZ,         /* a zone file */
    LIST_REGEX,       /* PCRE2 over the URL */
    LIST_CIDR,
    LIST_URLS,      /* "http://host/path", "host/path" */
    LIST_HOSTPORTS, /* "host:port", of which the host is taken */
    LIST_FORMATS,
};

/* What "example.com" alone means in a list. */
enum list_meaning {
    MEANS_NOTHING,    /* such lines have no names, or each says it itself */
    MEANS_EXACT,      /* that name */
    MEANS_SUBDOMAINS, /* that name and those below it */
    MEANS_URL,        /* that host, with or without www, web or ftp before it */
    MEANS_TEXT,       /* a text anywhere in the URL */
};

/* Well-formed, but nothing that a proxy can do. */
enum list_skip {
    SKIP_BOILERPLATE, /* hosts: localhost and its kin */
    SKIP_OVERRIDE,    /* another address than a sink: an answer, not a block */
    SKIP_PAGE,        /* adblock: about the inside of a page */
    SKIP_OPTION,      /* adblock: an option that a proxy cannot judge */
    SKIP_TRIGGER,     /* RPZ: nsdname, nsip, tcp-only, names outside of the zone */
    SKIP_SETTING,     /* dnsmasq, unbound: about something else than names */
    SKIP_KINDS,
};

enum { LIST_LINE = 4096, LIST_TOLD = 10, LIST_WHY = 96, LIST_SHOWN = 80 };

struct list_told {
    u32 line;
    char why[LIST_WHY];
    char text[LIST_SHOWN]; /* the line's beginning, control bytes as '?' */
};

struct list_report {
    enum list_format format; /* as decided */
    enum list_meaning bare;
    u32 lines;
    u64 entries;
    u64 rejected;
    u64 skipped[SKIP_KINDS];
    u64 suffixes; /* entries such as "com" and "co.uk" with all below: taken, but to be warned of */
    u32 first_suffix; /* line of the first one */
    u64 ports;        /* entries whose port was passed over, so that they mean all ports */
    struct list_told told[LIST_TOLD]; /* the first rejected lines, min(rejected, LIST_TOLD) */
};

struct list_options {
    enum list_format format;
    bool subdomains;   /* bare names mean their subdomains too, whatever the format says */
    bool diff;         /* squidGuard's .diff: each line begins with "+" or "-" */
    struct slice zone; /* RPZ: the zone's name while no $ORIGIN or SOA says it; may be empty */
};

struct list_reader;

/* NULL: no memory. take is called during feed and end. */
struct list_reader *list_reader_new(const struct list_options *o, list_take *take, void *ctx);
/* The next bytes, any number. */
void list_reader_feed(struct list_reader *r, struct slice bytes);
/* The last line may have no end of line. The report lives as long as the reader. */
const struct list_report *list_reader_end(struct list_reader *r);
void list_reader_free(struct list_reader *r);

/* "hosts" … as the configuration spells them; LIST_FORMATS when there is no such format. */
enum list_format list_format_find(struct slice name);
const char *list_format_name(enum list_format f);
/* For `lists show`: "exact names" … */
const char *list_meaning_text(enum list_meaning m);
const char *list_skip_text(enum list_skip s);

#endif
