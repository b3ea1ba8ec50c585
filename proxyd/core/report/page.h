/* The body of a refusal: one set of facts in three forms. Everything that came from outside is
 * escaped. */
#ifndef CORE_PAGE_H
#define CORE_PAGE_H

#include "base/fault.h"
#include "base/text.h"
#include "http/msg.h"

enum page_form { PAGE_TEXT, PAGE_HTML, PAGE_JSON };

enum {
    PAGE_HELP = 768,
    PAGE_WHY = 320,            /* the URL of a page about one refusal */
    PAGE_ROOM = 16 * 1024,     /* for any page but one of the administrator's */
    PAGE_OWN_ROOM = 32 * 1024, /* for what the values make such a one longer */
    PAGE_CONTACT = 300         /* longest contact */
};

/* Any text may be empty but for the id. */
struct page {
    const struct fault_info *fault;
    u16 status;
    u64 wall_us; /* when; 0: not told */
    struct slice method;
    struct slice target; /* as the client sent it; shown shortened */
    struct slice host;   /* of it */
    struct slice user;   /* an identity: a name, and behind NULs more; templates show it, and the
                          * page about one refusal */
    struct slice rule;   /* what decided */
    struct slice list, category;        /* in which it was found */
    struct slice entry, matched, place; /* which line of it, by what, and where the rule stands */
    struct slice reason;                /* words of the administrator */
    struct slice contact;               /* likewise, whom to ask; at most PAGE_CONTACT */
    struct slice client;                /* the client's own address */
    bool client_decided; /* the address is on the usual page too, which any script may read */
    struct slice help;   /* what the client can do about it; at most PAGE_HELP */
    struct slice id;
    struct slice why; /* where all this is told again; at most PAGE_WHY */
    bool is_why;      /* this is that place: it leads to all the others instead */
};

/* What Accept prefers; text when it says nothing helpful. */
enum page_form page_form(const struct msg *request); /* page_form.c */
/* The value of Content-Type. */
struct slice page_type(enum page_form f);
/* In PAGE_ROOM bytes. */
void page_write(struct text *t, enum page_form f, const struct page *p);
/* HTML by a template of the administrator's, which was found right (policy_page_read): at most
 * PAGE_OWN_ROOM longer than it, or t->full. */
void page_write_own(struct text *t, struct slice template, const struct page *p);
/* 2026-11-23 07:00:00 UTC, or as RFC 3339 has it; nothing for 0. */
void page_time(struct text *t, u64 wall_us, bool rfc3339);

#endif
