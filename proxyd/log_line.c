#include "log_line.h"

#include "http/chars.h"
#include "moment.h"

static struct slice text_of(const struct log_line *l, const char *name)
{
    const json_t *v = json_object_get(l->json, name);
    return (struct slice){ json_string_value(v), json_string_length(v) };
}

/* Nothing that would end a request line. */
static bool is_target(struct slice s)
{
    for (size_t i = 0; i < s.n; i++)
        if ((u8)s.p[i] <= ' ' || s.p[i] == 0x7f)
            return false;
    return s.n > 0;
}

static bool read_target(struct log_line *l)
{
    struct slice url = text_of(l, "url"), query = text_of(l, "query");
    struct text t = text_in(l->target, sizeof l->target);
    text_add(&t, url);
    if (query.n) {
        text_char(&t, '?');
        text_add(&t, query);
    }
    l->target_n = t.n;
    return is_target(url) && is_target(text_slice(&t)) && !t.full;
}

static bool read_time(struct log_line *l)
{
    i64 s;
    bool utc;
    if (!moment_parse(text_of(l, "time"), &s, &utc) || !utc)
        return false;
    l->at_s = (u64)s;
    return true;
}

static enum log_line_is understand(struct log_line *l)
{
    struct slice server = text_of(l, "server");
    if (!json_is_object(l->json) || !read_time(l) ||
        !json_is_string(json_object_get(l->json, "listener")))
        return LOG_LINE_BROKEN;
    l->listener = text_of(l, "listener");
    l->method = text_of(l, "method");
    l->user = text_of(l, "user");
    if (!addr_parse(text_of(l, "client"), &l->client) || !slice_is_token(l->method) ||
        !read_target(l))
        return LOG_LINE_OTHER;
    if (server.n && !addr_parse_port(server, &l->server))
        return LOG_LINE_BROKEN;
    return LOG_LINE_REQUEST;
}

enum log_line_is log_line_read(struct slice line, struct log_line *out)
{
    out->server = (struct addr){ .family = 0 };
    out->json =
        line.n <= LOG_LINE_MOST ? json_loadb(line.p, line.n, JSON_REJECT_DUPLICATES, NULL) : NULL;
    enum log_line_is is = understand(out);
    if (is != LOG_LINE_REQUEST)
        log_line_end(out);
    return is;
}

void log_line_end(struct log_line *l)
{
    json_decref(l->json);
    l->json = NULL;
}
