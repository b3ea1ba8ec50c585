/*
 * Reads a list as proxyd does and prints what it says: one entry a line, then the report. The tests
 * hold it against another reading of the same bytes (tests/e2e/test_520_list_formats.py).
 *   list_read FORMAT [ZONE] <FILE
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "filters/list_reader.h"

static const char *print_entry(void *ctx, const struct list_entry *e)
{
    static const char *const kinds[] = { "host", "net", "client", "url", "text", "regex" };
    static const char *const effects[] = {
        "listed", "important", "excepted", "pass", "drop", "page"
    };
    static const char *const parties[] = { "any", "third", "first" };
    static const char *const hosts[] = { "", "exact", "below", "both" };
    char area[ADDR_TEXT];
    struct text t = text_in(area, sizeof area);
    (void)ctx;
    printf("%u\t%s%s\t%s\t%s\t", e->line, e->removes ? "-" : "", kinds[e->kind], effects[e->effect],
           parties[e->party]);
    if (e->kind == ENTRY_NET || e->kind == ENTRY_CLIENT) {
        addr_text(&t, &e->net.base);
        printf("%.*s/%u\t", SLICE_FMT(text_slice(&t)), e->net.bits);
    } else {
        printf("%.*s\t%s", SLICE_FMT(e->text),
               e->kind == ENTRY_HOST                  ? hosts[e->hosts]
               : e->kind >= ENTRY_TEXT && e->caseless ? "nocase"
                                                      : "");
    }
    printf("\t%.*s\n", SLICE_FMT(e->page));
    return NULL;
}

static void print_report(const struct list_report *r)
{
    printf("format %s\n", list_format_name(r->format));
    printf("bare %s\n", list_meaning_text(r->bare));
    printf("lines %u\nentries %llu\nrejected %llu\nsuffixes %llu %u\nports %llu\n", r->lines,
           (unsigned long long)r->entries, (unsigned long long)r->rejected,
           (unsigned long long)r->suffixes, r->first_suffix, (unsigned long long)r->ports);
    for (unsigned i = 0; i < SKIP_KINDS; i++)
        if (r->skipped[i])
            printf("skipped %llu: %s\n", (unsigned long long)r->skipped[i], list_skip_text(i));
    for (unsigned i = 0; i < LIST_TOLD && i < r->rejected; i++)
        printf("line %u: %s: %s\n", r->told[i].line, r->told[i].why, r->told[i].text);
}

int main(int argc, char **argv)
{
    struct list_options o = { .format = list_format_find(slice_of(argc > 1 ? argv[1] : NULL)) };
    static char bytes[65536];
    if (o.format == LIST_FORMATS) {
        fprintf(stderr, "usage: list_read FORMAT [ZONE] <FILE\n");
        return 2;
    }
    o.zone = slice_of(argc > 2 ? argv[2] : NULL);
    struct list_reader *r = list_reader_new(&o, print_entry, NULL);
    for (size_t n; r && (n = fread(bytes, 1, sizeof bytes, stdin)) > 0;)
        list_reader_feed(r, (struct slice){ bytes, n });
    if (r == NULL)
        return 1;
    print_report(list_reader_end(r));
    list_reader_free(r);
    return 0;
}
