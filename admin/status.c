#include "admin/status.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/must.h"
#include "base/text.h"
#include "core/report/template.h"
#include "lists.h"

#ifndef PROXYD_VERSION
#define PROXYD_VERSION "0"
#endif

enum { LONGEST = 4096, WIDER = 6 }; /* of a text; by how much JSON or HTML makes it longer */

struct status {
    FILE *to;
    char *text;
    unsigned lists;
};

static void begin(struct status *s, size_t *n)
{
    *s = (struct status){ .to = open_memstream(&s->text, n) };
    must(s->to != NULL);
}

/* RFC 3339, in UTC; 0: never. */
static const char *when(u64 seconds, char area[32])
{
    time_t at = (time_t)seconds;
    struct tm tm;
    area[0] = 0;
    if (seconds && gmtime_r(&at, &tm))
        strftime(area, 32, "%Y-%m-%dT%H:%M:%SZ", &tm);
    return area;
}

/* ---- JSON ---- */

static void put_string(FILE *to, const char *key, struct slice value)
{
    char area[WIDER * LONGEST + 2];
    struct text t = text_in(area, sizeof area);
    if (value.n > LONGEST)
        value.n = LONGEST;
    if (value.n)
        text_json(&t, value);
    else
        text_lit(&t, "null");
    fprintf(to, ",\"%s\":%.*s", key, SLICE_FMT(text_slice(&t)));
}

static void put_time(FILE *to, const char *key, u64 seconds)
{
    char area[32];
    put_string(to, key, slice_of(when(seconds, area)));
}

static void list_as_json(void *ctx, const struct list_status *l)
{
    struct status *s = ctx;
    FILE *to = s->to;
    fprintf(to, "%s{\"name\":\"%.*s\"", s->lists++ ? "," : "", SLICE_FMT(l->name));
    put_string(to, "source", l->source);
    fprintf(to, ",\"loaded\":%s,\"optional\":%s", l->loaded ? "true" : "false",
            l->optional ? "true" : "false");
    put_string(to, "format", slice_of(l->format));
    put_string(to, "bare", slice_of(l->bare));
    fprintf(to, ",\"entries\":%llu,\"rejected\":%llu,\"bytes\":%llu",
            (unsigned long long)l->entries, (unsigned long long)l->rejected,
            (unsigned long long)l->bytes);
    put_time(to, "loaded_at", l->loaded_s);
    put_time(to, "checked_at", l->checked_s);
    put_time(to, "next_at", l->next_s);
    put_string(to, "error", slice_of(l->error));
    put_time(to, "error_at", l->error_s);
    fputs("}", to);
}

char *status_json(bool ready, const char *why, size_t *n)
{
    struct status s;
    begin(&s, n);
    fprintf(s.to, "{\"version\":\"" PROXYD_VERSION "\",\"ready\":%s", ready ? "true" : "false");
    put_string(s.to, "reason", ready ? SLICE("") : slice_of(why));
    fputs(",\"lists\":[", s.to);
    lists_each(list_as_json, &s);
    fputs("]}\n", s.to);
    fclose(s.to);
    return s.text;
}

/* ---- the page ---- */

static void put_cell(FILE *to, struct slice value, enum value_source from)
{
    char area[WIDER * LONGEST];
    struct text t = text_in(area, sizeof area);
    if (value.n > LONGEST)
        value.n = LONGEST;
    html_escaped(&t, value, from);
    fprintf(to, "<td>%.*s</td>", SLICE_FMT(text_slice(&t)));
}

static void list_as_row(void *ctx, const struct list_status *l)
{
    struct status *s = ctx;
    char area[32];
    fputs("<tr>", s->to);
    put_cell(s->to, l->name, VALUE_OF_ADMINISTRATOR);
    put_cell(s->to, l->source, VALUE_OF_ADMINISTRATOR);
    put_cell(s->to, slice_of(l->loaded ? l->format : "not loaded"), VALUE_MARKUP);
    put_cell(s->to, slice_of(l->bare), VALUE_MARKUP);
    fprintf(s->to, "<td class=n>%llu</td><td class=n>%llu</td>", (unsigned long long)l->entries,
            (unsigned long long)l->rejected);
    put_cell(s->to, slice_of(when(l->loaded_s, area)), VALUE_MARKUP);
    put_cell(s->to, slice_of(when(l->checked_s, area)), VALUE_MARKUP);
    put_cell(s->to, slice_of(when(l->next_s, area)), VALUE_MARKUP);
    put_cell(s->to, slice_of(l->error), VALUE_OF_PEER);
    fputs("</tr>\n", s->to);
}

char *status_html(bool ready, const char *why, size_t *n)
{
    struct status s;
    begin(&s, n);
    fputs("<!DOCTYPE html>\n<html lang=en><meta charset=utf-8><title>proxyd</title>\n"
          "<meta name=viewport content=\"width=device-width\">\n"
          "<style>body{font:15px sans-serif;margin:2em}table{border-collapse:collapse}"
          "th,td{text-align:left;vertical-align:top;padding:.3em .8em;border-bottom:1px solid #ccc;"
          "overflow-wrap:anywhere}.n{text-align:right}</style>\n"
          "<h1>proxyd " PROXYD_VERSION "</h1>\n",
          s.to);
    fprintf(s.to, "<p>%s%s</p>\n<table>\n", ready ? "ready" : "not ready: ", ready ? "" : why);
    fputs("<tr><th>List<th>Source<th>Format<th>A bare name means<th>Entries<th>Rejected lines"
          "<th>Loaded<th>Checked<th>Next<th>Last error</tr>\n",
          s.to);
    lists_each(list_as_row, &s);
    fputs("</table>\n</html>\n", s.to);
    fclose(s.to);
    return s.text;
}
