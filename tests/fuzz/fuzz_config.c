/* Any bytes as a configuration: lexed, parsed, checked, printed and, when right, read. No file but
 * the text itself is opened, except what `hosts` and `log` ask the file system about. */
#include <stdio.h>
#include <stdlib.h>

#include "admin/conf.h"
#include "base/must.h"
#include "config/load.h"
#include "compile.h"
#include "schema_root.h"

int LLVMFuzzerTestOneInput(const u8 *data, size_t size);

/* The snapshot must not need the tree. */
static void read_back(struct tree *t)
{
    struct registry *r = registry_new();
    struct snapshot *s = snapshot_compile(t, r, 1);
    must(s->nlisteners > 0 && s->listeners[0].at->addr.port > 0);
    for (u32 i = 0; i < s->nlisteners; i++)
        must(s->by_slot[s->listeners[i].at->slot] == &s->listeners[i] && s->listeners[i].part);
    snapshot_free(s);
    registry_free(r);
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
    static FILE *nowhere;
    if (nowhere == NULL) {
        nowhere = fopen("/dev/null", "w");
        setenv("PROXYD_FUZZ", "10.0.0.0/8 { ; }", 1);
    }
    struct tree t;
    struct diags d;
    diags_init(&d);
    bool fine =
        config_load_text("fuzz.conf", (struct slice){ (const char *)data, size }, false, &t, &d);
    fine = root_check(&t, &d) && fine;
    must(fine == (d.errors == 0));
    diags_print(&d, nowhere);
    if (fine)
        read_back(&t);
    diags_free(&d);
    config_free(&t);
    return 0;
}
