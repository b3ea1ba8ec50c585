/*
 * The typed form of page_variable.tbl, and how {{name}} is found in a template.
 *
 * {{%name}} is the same value as a part of a URL, percent-encoded: templates of the administrator's
 * are brought into this form when they are read (policy/conf_page.c), and nobody writes it.
 */
#ifndef BASE_PAGE_VARIABLE_H
#define BASE_PAGE_VARIABLE_H

#include "base/slice.h"

enum page_variable {
#define PAGE_VARIABLE(name, source, presence, text) PAGE_##name,
#include "base/page_variable.tbl"
#undef PAGE_VARIABLE
    PAGE_VARIABLES
};

struct page_variable_info {
    const char *name, *text;
    bool always; /* never empty */
};
extern const struct page_variable_info page_variables[PAGE_VARIABLES];

/* Cuts the next {{name}} off *rest, and what stands before it. False: none follows, and `before` is
 * all; then *open tells that there is a `{{` without its end. */
bool page_variable_next(struct slice *rest, struct slice *before, struct slice *name, bool *open);
/* PAGE_VARIABLES when there is none of that name. */
enum page_variable page_variable_find(struct slice name);

/* What a `contact` is: a URL, http:// or https://; a mail address; or words for people. */
enum contact_kind { CONTACT_WORDS, CONTACT_URL, CONTACT_MAIL };
enum contact_kind contact_kind(struct slice contact);

#endif
