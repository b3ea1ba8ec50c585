/*
 * Everything to copy holds the address by which this client has reached the proxy: that is the one
 * that works for it. A line that is copied is run, so a name of the client's choosing (Host) gets
 * into it only as a parsed host, whose bytes mean nothing to a shell.
 */
#include "forward/setup.h"

#include "base/must.h"
#include "base/str.h"
#include "core/exchange/local_reply.h"
#include "core/exchange/why.h"
#include "core/report/page.h"
#include "core/report/template.h"
#include "forward/conf.h"
#include "forward/own.h"
#include "policy/auth.h"

EMBED(setup_html, "proxyd/forward/setup.html")
EMBED(setup_devices_html, "proxyd/forward/setup_devices.html")
EMBED(setup_txt, "proxyd/forward/setup.txt")
EMBED(setup_css, "proxyd/forward/setup.css")
EMBED(setup_base_css, "proxyd/core/report/refusal.css")

enum { LAST = 5, URL = 400, ROWS = LAST * WHY_ROW, DEVICES = 16 << 10, ROOM = ROWS + (32 << 10) };

/* ---- what is to be said ---- */

/* The texts that stay for as long as the page is written. */
struct setup {
    bool auth, may_list, html;
    struct slice host, port, rows, devices, mark;
    struct text authority, plain, named, url, pac, why, curl;
    char area[7][URL];
};

static void set_url(struct text *t, const char *login, const struct setup *s, const char *path)
{
    text_lit(t, "http://");
    text_cstr(t, login);
    text_add(t, text_slice(&s->authority));
    text_cstr(t, path);
}

static void set_curl(struct setup *s)
{
    text_lit(&s->curl, "curl -x \"");
    text_add(&s->curl, text_slice(&s->plain));
    text_cstr(&s->curl, s->auth ? "\" -U NAME" : "\"");
    text_lit(&s->curl, " http://example.com/");
}

/* Without the brackets of an IPv6 address, which no form wants. */
static void split(struct setup *s)
{
    struct slice all = text_slice(&s->authority);
    const char *colon = all.n ? memrchr(all.p, ':', all.n) : NULL;
    s->host = colon ? slice_range(all.p, colon) : all;
    s->port = colon ? slice_range(colon + 1, all.p + all.n) : SLICE("");
    if (slice_starts(s->host, SLICE("[")))
        s->host = (struct slice){ s->host.p + 1, s->host.n - 2 };
}

static bool is_asked_for_a_name(const struct xchg *x)
{
    const struct policy_auth *auth = forward_part_of(x->listen)->auth;
    return auth && !cidrset_has(&auth->except_from, &x->peer);
}

static void gather(const struct xchg *x, struct setup *s)
{
    struct text *const texts[] = { &s->authority, &s->plain, &s->named, &s->url,
                                   &s->pac,       &s->why,   &s->curl };
    for (unsigned i = 0; i < countof(texts); i++)
        *texts[i] = text_in(s->area[i], URL);
    s->auth = is_asked_for_a_name(x);
    s->may_list = why_may_list(x);
    forward_own_authority(x, &s->authority);
    split(s);
    set_url(&s->plain, "", s, "");
    set_url(&s->named, s->auth ? "NAME@" : "", s, "");
    set_url(&s->url, s->auth ? "NAME:PASSWORD@" : "", s, "");
    set_url(&s->pac, "", s, "/proxy.pac");
    set_curl(s);
    text_lit(&s->why, "http://");
    forward_own_address(x, &s->why);
    text_lit(&s->why, "/why");
}

/* ---- whose device it is ---- */

static bool has(struct slice s, const char *word)
{
    return s.n && memmem(s.p, s.n, word, strlen(word)) != NULL;
}

unsigned setup_devices_of(struct slice agent)
{
    static const struct {
        const char *word;
        enum setup_device device;
    } systems[] = { /* an Android says Linux, and an iPhone Mac OS, as well */
                    { "Android", SETUP_ANDROID }, { "iPhone", SETUP_IOS },
                    { "iPad", SETUP_IOS },        { "Windows NT", SETUP_WINDOWS },
                    { "Macintosh", SETUP_MACOS }, { "CrOS", SETUP_CHROMIUM },
                    { "Linux", SETUP_LINUX },     { "X11", SETUP_LINUX }
    };
    unsigned found = 0;
    for (unsigned i = 0; i < countof(systems) && found == 0; i++)
        if (has(agent, systems[i].word))
            found = 1u << systems[i].device;
    bool phone = found & (1u << SETUP_ANDROID | 1u << SETUP_IOS);
    if (has(agent, "Firefox/") && !phone)
        return 1u << SETUP_FIREFOX; /* it has settings of its own */
    if (has(agent, "Chrome/") && !phone)
        return found | 1u << SETUP_CHROMIUM;
    if (has(agent, "Safari/") && found == 1u << SETUP_MACOS)
        return found | 1u << SETUP_SAFARI;
    return found;
}

/* ---- the forms ---- */

enum { VALUES = 20 };

static void values_of(const struct setup *s, struct template_value to[VALUES + 1])
{
    bool none = s->may_list && s->rows.n == 0;
    const struct template_value values[VALUES + 1] = {
        { "base", setup_base_css(), VALUE_MARKUP },
        { "style", setup_css(), VALUE_MARKUP },
        { "authority", text_slice(&s->authority), VALUE_OF_PEER },
        { "host", s->host, VALUE_OF_PEER },
        { "port", s->port, VALUE_OF_PEER },
        { "plain", text_slice(&s->plain), VALUE_OF_PEER },
        { "named", text_slice(&s->named), VALUE_OF_PEER },
        { "url", text_slice(&s->url), VALUE_OF_PEER },
        { "pac", text_slice(&s->pac), VALUE_OF_PEER },
        { "why", text_slice(&s->why), VALUE_OF_PEER },
        { "auth", s->auth ? SLICE("note") : SLICE(""), VALUE_MARKUP },
        { "auth_mark", s->auth ? SLICE(" ") : SLICE(""), VALUE_MARKUP },
        { "none", none ? SLICE("Nothing was refused to you lately.") : SLICE(""), VALUE_MARKUP },
        { "elsewhere",
          s->may_list
              ? SLICE("")
              : SLICE("This page was asked for by a name, which says nothing about who asks."),
          VALUE_MARKUP },
        { "all", s->rows.n ? SLICE("/why") : SLICE(""), VALUE_MARKUP },
        { "rows", s->rows, VALUE_MARKUP },
        { "some", s->rows.n ? SLICE(" ") : SLICE(""), VALUE_MARKUP },
        { "devices", s->devices, VALUE_MARKUP },
        { "curl", text_slice(&s->curl), s->html ? VALUE_OF_PEER : VALUE_MARKUP },
        { "mark", s->mark, VALUE_MARKUP },
        { NULL, { NULL, 0 }, VALUE_MARKUP },
    };
    memcpy(to, values, sizeof values);
}

/* The section of one device: between its comment and the next one. */
static struct slice section_of(enum setup_device d)
{
    static const char *const names[SETUP_DEVICES] = {
        [SETUP_FIREFOX] = "<!--firefox-->\n", [SETUP_CHROMIUM] = "<!--chromium-->\n",
        [SETUP_SAFARI] = "<!--safari-->\n",   [SETUP_WINDOWS] = "<!--windows-->\n",
        [SETUP_MACOS] = "<!--macos-->\n",     [SETUP_IOS] = "<!--ios-->\n",
        [SETUP_ANDROID] = "<!--android-->\n", [SETUP_LINUX] = "<!--linux-->\n",
    };
    struct slice all = setup_devices_html();
    const char *at = memmem(all.p, all.n, names[d], strlen(names[d]));
    must(at != NULL);
    all = slice_range(at + strlen(names[d]), all.p + all.n);
    const char *next = memmem(all.p, all.n, "<!--", 4);
    return next ? slice_range(all.p, next) : all;
}

/* Those of this device come first, and open. */
static void put_devices(struct text *t, struct setup *s, unsigned yours)
{
    struct template_value values[VALUES + 1];
    for (unsigned pass = 0; pass < 2; pass++) {
        s->mark = pass == 0 ? SLICE("open class=\"yours\"") : SLICE("class=\"other\"");
        values_of(s, values);
        for (enum setup_device d = 0; d < SETUP_DEVICES; d++)
            if ((yours >> d & 1) == (pass == 0))
                template_write(t, section_of(d), values);
    }
}

static void put_html(struct text *t, const struct xchg *x, struct setup *s, struct text *devices)
{
    struct template_value values[VALUES + 1];
    put_devices(devices, s, setup_devices_of(msg_get(&x->req, TOKEN_USER_AGENT)));
    s->devices = text_slice(devices);
    values_of(s, values);
    template_write(t, setup_html(), values);
}

static void put_json(struct text *t, const struct setup *s)
{
    text_lit(t, "{\"proxy\":");
    text_json(t, text_slice(&s->plain));
    text_lit(t, ",\"pac\":");
    text_json(t, text_slice(&s->pac));
    text_lit(t, ",\"why\":");
    text_json(t, text_slice(&s->why));
    text_cstr(t, s->auth ? ",\"auth\":true" : ",\"auth\":false");
    if (s->may_list) {
        text_lit(t, ",\"refusals\":[");
        text_add(t, s->rows);
        text_lit(t, "]");
    }
    text_lit(t, "}\n");
}

static void put_text(struct text *t, const struct setup *s)
{
    struct template_value values[VALUES + 1];
    values_of(s, values);
    template_write(t, setup_txt(), values);
}

enum verdict forward_setup(struct xchg *x)
{
    enum page_form form = page_form(&x->req);
    struct setup s = { .html = form == PAGE_HTML };
    char *area = arena_try(&x->arena, ROOM + ROWS + DEVICES);
    if (area == NULL) {
        x->fault = FAULT_out_of_memory;
        return REFUSED;
    }
    struct text t = text_in(area, ROOM), rows = text_in(area + ROOM, ROWS),
                devices = text_in(area + ROOM + ROWS, DEVICES);
    gather(x, &s);
    if (s.may_list)
        why_rows(x, form, LAST, &rows);
    s.rows = text_slice(&rows);
    switch (form) {
    case PAGE_HTML: put_html(&t, x, &s, &devices); break;
    case PAGE_JSON: put_json(&t, &s); break;
    default: put_text(&t, &s);
    }
    reply_begin(x, 200, SLICE(""));
    (void)msg_add_line(&x->resp, TOKEN_CACHE_CONTROL, SLICE("Cache-Control: no-store\r\n"));
    (void)msg_add(&x->resp, SLICE("Vary"), SLICE("Accept, User-Agent"));
    return reply_kept(x, page_type(form), text_slice(&t));
}
