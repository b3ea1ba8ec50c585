/* What the readers of the formats share: the reader, and how a line ends up in its report. */
#ifndef FILTERS_LIST_INSIDE_H
#define FILTERS_LIST_INSIDE_H

#include "filters/list_name.h"
#include "filters/list_reader.h"

struct rpz;

struct list_reader {
    struct list_options o;
    list_take *take;
    void *ctx;
    struct list_report report;
    struct slice shown; /* the line being read */
    bool told;          /* it was rejected already */
    bool removes;       /* .diff: it begins with "-" */
    bool decided;       /* the format is known */
    bool begun;         /* behind the byte order mark */
    bool too_long;
    size_t n;
    char line[LIST_LINE];
    char *held;                          /* LIST_AUTO: what came before the decision */
    size_t held_n, held_room, held_line; /* held_line: where its last line begins */
    unsigned held_lines;                 /* that say something */
    struct rpz *rpz;
    char redirect[LIST_NAME + 1]; /* unbound: the last "redirect" zone */
};

/* The three ends of a line. A line is rejected once, whatever else is wrong with it. */
void list_emit(struct list_reader *r, struct list_entry e);
void list_reject(struct list_reader *r, const char *why);
void list_skip(struct list_reader *r, enum list_skip why);

/* Emits the name or address in its canonical form with what *e says besides. */
void list_emit_name(struct list_reader *r, struct slice name, struct list_entry e);
/* Emits a pattern, which may turn out to be a host or a text. */
void list_emit_pattern(struct list_reader *r, struct slice pattern, struct list_entry e);
/* Emits a text, unless nearly every URL has it. */
void list_emit_text(struct list_reader *r, struct slice text, struct list_entry e);
/* Is the address one that leads nowhere: 0.0.0.0, 127/8, ::, ::1? */
bool list_is_sink(const struct addr *a);

/* The first word, cut off; empty at the end. */
struct slice list_word(struct slice *rest);
/* The one word of a line, behind which only a comment may stand. Empty: a comment, or rejected. */
struct slice list_only_word(struct list_reader *r, struct slice line);
/* Is nothing left but a comment? */
bool list_rest_is_comment(struct slice rest);

typedef void list_line(struct list_reader *r, struct slice line);
/* Each reads one line that is not empty, without the blanks around it but for RPZ's. */
list_line list_line_domains, list_line_hosts, list_line_dnsmasq, list_line_unbound, list_line_regex;
list_line list_line_expressions, list_line_cidr, list_line_urls, list_line_hostports;
list_line list_line_adblock, list_line_rpz;
void list_rpz_end(struct list_reader *r);
void list_rpz_free(struct list_reader *r);

/* Which format the lines are in. */
enum list_format list_detect(struct slice text);

#endif
