/* The body of a refusal: one set of facts in three forms. Everything that came from outside is
 * escaped. */
#ifndef CORE_PAGE_H
#define CORE_PAGE_H

#include "base/fault.h"
#include "base/text.h"
#include "http/msg.h"

enum page_form { PAGE_TEXT, PAGE_HTML, PAGE_JSON };

enum { PAGE_HELP = 768 };

struct page {
    const struct fault_info *fault;
    u16 status;
    struct slice target; /* as the client sent it; shown shortened */
    struct slice rule;   /* what decided, or empty */
    struct slice list, category; /* in which it was found, or empty */
    struct slice entry, matched, place; /* which line of it, by what, and where the rule stands */
    struct slice reason; /* words of the administrator, or empty */
    struct slice client; /* the client's own address, where that decided, or empty */
    struct slice help;   /* what the client can do about it, or empty; at most PAGE_HELP */
    struct slice id;
};

/* What Accept prefers; text when it says nothing helpful. */
enum page_form page_form(const struct msg *request); /* page_form.c */
struct slice page_type(enum page_form f);
void page_write(struct text *t, enum page_form f, const struct page *p);

#endif
