/* `url`: patterns over the whole URL. The hard thing is what a URL is: it has two readings as its
 * path has, and that of a tunnel ends where the tunnel begins. */
#include "base/must.h"
#include "policy/condition.h"
#include "policy/patterns.h"

const void *condition_url_make(const struct node *n, struct arena *a)
{
    struct patterns *p = arena_zalloc(a, sizeof *p);
    patterns_read(p, n, 0, a);
    return p;
}

void condition_url_narrow(const void *data, struct gate *g)
{
    (void)data;
    (void)g;
}

enum match condition_url_holds(const void *data, struct evaluation *e)
{
    if (!evaluation_urls(e))
        return MATCH_UNSAFE;
    if (!e->urls_equal)
        e->form_matters = true;
    return patterns_find(data, e, e->url[e->form]);
}
