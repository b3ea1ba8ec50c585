/* Any bytes as a configuration: lexed, parsed, checked, printed and, when right, read. No file but
 * the text itself is opened, except what `hosts` and `log` ask the file system about. */
#include <stdio.h>
#include <stdlib.h>

#include "admin/conf.h"
#include "base/must.h"
#include "config/load.h"
#include "engine_conf.h"
#include "policy/conf.h"
#include "reverse/conf.h"
#include "schema_root.h"

int LLVMFuzzerTestOneInput(const u8 *data, size_t size);

static void read_back(struct tree *t)
{
    struct conf c;
    must(conf_read(t, &t->arena, &c));
    must(c.nlisteners > 0);
    for (u32 i = 0; i < c.nlisteners; i++) {
        const struct listener_conf *l = &c.listeners[i];
        must(l->nbinds > 0 && l->binds[0].addr.port > 0);
        if (slice_is(l->mode, "reverse")) {
            struct routes_conf r;
            routes_conf_read(l->node, &t->arena, &r);
            must(r.pool.nservers > 0);
        } else {
            const struct node *policy = schema_ref(node_child(l->node, "policy"), 0);
            struct diags d;
            diags_init(&d);
            must(policy_compile(policy, &t->arena, &d) != NULL);
            must(d.errors == 0);
            diags_free(&d);
        }
    }
    admin_conf_read(&t->root);
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
