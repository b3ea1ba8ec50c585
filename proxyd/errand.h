/*
 * The proxy's own errands, such as fetching a list: a role for exchanges that no client asks for
 * and no policy rules. Where they may go is all that is decided here: public addresses, and those
 * of the classes that the administrator opens by `reach`, each judged just before it is dialled.
 * Through a parent, who looks names up, only an address that stands in the URL can be judged.
 */
#ifndef PROXYD_ERRAND_H
#define PROXYD_ERRAND_H

#include "core/listener.h"

struct errand {
    struct listener listener; /* for fetch.h: nobody listens there */
    struct listen_addr at;
    u8 reach;                  /* CLASS_BIT of what is allowed beyond public */
    const struct parents *via; /* that it goes through; NULL: it is connected to here */
};

/* `name` is for the access log and stays as long as *e, which has to outlive its exchanges. */
void errand_init(struct errand *e, struct slice name, u8 reach);

#endif
