/* Rows and reader of `admin { … }`. */
#include "admin/conf.h"

const struct schema_row admin_rows[] = {
    { .key = "bind",
      .type = { TYPE_BIND },
      .required = true,
      .doc = "Where /healthz, /readyz, /metrics and /version answer. Nobody is asked who they "
             "are, so keep it on a loopback address. A request for another host name than "
             "localhost gets 403, because a web page could have such a name lead here: a scraper "
             "has to use the address, or send `Host: localhost`.",
      .example = "bind 127.0.0.1:3180;" },
    { .key = NULL },
};

struct admin_conf admin_conf_read(const struct node *root)
{
    struct admin_conf c = { 0 };
    const struct node *bind = node_child(node_child(root, "admin"), "bind");
    if (bind == NULL)
        return c;
    c.on = true;
    c.text = node_arg(bind, 0)->text;
    value_bind(c.text, &c.bind, &c.both_families);
    return c;
}
