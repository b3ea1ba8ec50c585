#include "admin/purge.h"

#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "cache_report.h"

enum { QUESTION = 4096 };

static bool may_purge(const struct admin_conf *conf, struct MHD_Connection *c)
{
    struct addr peer;
    const struct sockaddr *at =
        MHD_get_connection_info(c, MHD_CONNECTION_INFO_CLIENT_ADDRESS)->client_addr;
    addr_from_sockaddr(&peer, at);
    for (u32 i = 0; i < conf->npurgers; i++)
        if (cidr_has(&conf->purger[i], &peer))
            return true;
    return false;
}

static const char *field(struct MHD_Connection *c, const char *name)
{
    return MHD_lookup_connection_value(c, MHD_HEADER_KIND, name);
}

static const char *parameter(struct MHD_Connection *c, const char *name)
{
    return MHD_lookup_connection_value(c, MHD_GET_ARGUMENT_KIND, name);
}

static bool is_yes(const char *value)
{
    return value && strcmp(value, "yes") == 0;
}

/* As cache_report understands it. False: not one of them, or several. */
static bool write_question(struct MHD_Connection *c, struct text *t)
{
    static const char *const sets[][2] = { { "url", "" },
                                           { "prefix", " --prefix" },
                                           { "tag", " --tag" } };
    unsigned n = is_yes(parameter(c, "all"));
    text_cstr(t, "purge");
    text_cstr(t, is_yes(parameter(c, "soft")) ? " --soft" : "");
    text_cstr(t, n ? " --all" : "");
    for (unsigned i = 0; i < countof(sets); i++) {
        const char *value = parameter(c, sets[i][0]);
        if (value == NULL)
            continue;
        if (value[0] == '-') /* no option by the back door */
            return false;
        text_cstr(t, sets[i][1]);
        text_char(t, ' ');
        text_cstr(t, value);
        n++;
    }
    return n == 1 && !t->full;
}

static unsigned refuse(unsigned status, const char *why, char **text)
{
    *text = strdup(why);
    return status;
}

unsigned admin_purge(struct registry *r, const struct admin_conf *conf, struct MHD_Connection *c,
                     char **text)
{
    char area[QUESTION];
    struct text question = text_in(area, sizeof area);
    if (!may_purge(conf, c))
        return refuse(403, "\"purge\" in the block \"admin\" does not name your address\n", text);
    if (field(c, "Origin") || !field(c, "X-Requested-With"))
        return refuse(403,
                      "no page of another site may do this, so the request needs a field "
                      "X-Requested-With, with any value, and no Origin\n",
                      text);
    if (!write_question(c, &question))
        return refuse(
            400, "expected one of url=URL, prefix=URL, tag=TAG and all=yes, and perhaps soft=yes\n",
            text);
    return cache_report(r, text_slice(&question), text);
}
