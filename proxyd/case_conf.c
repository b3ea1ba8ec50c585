#include "case_conf.h"

#include "base/addr.h"
#include "base/fault.h"
#include "base/str.h"
#include "http/chars.h"
#include "moment.h"

static void check_address(const struct node *n, struct diags *d)
{
    for (u32 i = 0; i < node_nargs(n); i++) {
        const struct word *w = node_arg(n, i);
        struct addr a;
        if (w->reported || addr_parse(w->text, &a))
            continue;
        diag_error(d, w, "%s is not an address", word_shown(w));
        diag_more(d, "expected something like 10.20.1.1 or 2001:db8::1");
    }
}

static void check_at(const struct node *n, struct diags *d)
{
    i64 seconds;
    bool utc;
    const struct word *w = node_arg(n, 0);
    if (w->reported || moment_parse(w->text, &seconds, &utc))
        return;
    diag_error(d, w, "%s is not a time", word_shown(w));
    diag_more(d, "expected \"2026-11-23 10:00\", in the policy's time zone; a Z behind it is UTC");
}

static void check_header(const struct node *n, struct diags *d)
{
    const struct word *w = node_arg(n, 0);
    struct slice rest = w->text, name;
    if (w->reported || (slice_cut(&rest, ':', &name) && rest.p && slice_is_token(name) &&
                        !slice_eq_nocase(name, SLICE("host"))))
        return;
    diag_error(d, w, "%s is not a field of a request", word_shown(w));
    diag_more(d, "expected \"NAME: VALUE\", such as \"User-Agent: curl/8\"; Host is made from the "
                 "request");
}

static void check_response(const struct node *n, struct diags *d)
{
    for (u32 i = 1; i < node_nargs(n); i++) {
        const struct word *w = node_arg(n, i);
        struct slice rest = w->text, name;
        if (w->reported || (slice_cut(&rest, ':', &name) && rest.p && slice_is_token(name)))
            continue;
        diag_error(d, w, "%s is not a field of an answer", word_shown(w));
        diag_more(d, "expected \"NAME: VALUE\", such as \"Content-Type: text/html\"");
    }
}

static void check_request(const struct node *n, struct diags *d)
{
    const struct word *url = node_arg(n, 1);
    for (size_t i = 0; i < url->text.n && !url->reported; i++)
        if ((u8)url->text.p[i] <= ' ' || url->text.p[i] == 0x7f) {
            diag_error(d, url, "%s is not a target: blanks are written as %%20", word_shown(url));
            return;
        }
}

static void check_cause(const struct node *n, struct diags *d)
{
    const struct word *w = node_arg(n, 0);
    struct guess g = guess_for(w->text);
    for (enum fault f = 1; f < FAULT_COUNT && !w->reported; f++) {
        if (slice_is(w->text, fault_info(f)->token))
            return;
        guess_try(&g, slice_of(fault_info(f)->token));
    }
    if (w->reported)
        return;
    diag_error(d, w, "%s is not a cause", word_shown(w));
    guess_tell(&g, d);
}

const struct schema_row case_rows[] = {
    { .key = "listener",
      .type = { TYPE_REF },
      .refers = "listener",
      .doc = "Which listener is asked, one with `mode forward`. Needed where there are several.",
      .example = "listener egress;" },
    { .key = "from",
      .type = { TYPE_CUSTOM },
      .fallback = "127.0.0.1",
      .doc = "The address of the client.",
      .example = "from 10.20.1.1;",
      .check = check_address },
    { .key = "user",
      .type = { TYPE_TEXT },
      .doc = "Who has proved to be that one, as `auth` wants it, with the groups that its files "
             "give. Without it, nobody has.",
      .example = "user eve;" },
    { .key = "at",
      .type = { TYPE_TEXT },
      .doc = "When: in the time zone of the policy, or with a Z behind it in UTC. Without it, now.",
      .example = "at \"2026-11-23 10:00\";",
      .check = check_at },
    { .key = "address",
      .type = { TYPE_CUSTOM },
      .min = 1,
      .max = SCHEMA_MANY,
      .doc =
          "Where the name of the request leads: names are not looked up. Without it the name has "
          "one public address.",
      .example = "address 192.0.2.7 10.0.0.1;",
      .check = check_address },
    { .key = "request",
      .type = { TYPE_METHOD, TYPE_TEXT },
      .min = 2,
      .max = 2,
      .required = true,
      .doc = "What is asked for, as in a request: `GET http://HOST/PATH`, `CONNECT HOST:PORT`.",
      .example = "request CONNECT bet.example:443;",
      .check = check_request },
    { .key = "header",
      .type = { TYPE_TEXT },
      .repeat = true,
      .doc = "A field of the request.",
      .example = "header \"User-Agent: curl/8\";",
      .check = check_header },
    { .key = "sni",
      .type = { TYPE_DOMAIN },
      .doc = "The host that the ClientHello of a tunnel names, for a `request CONNECT`. Without it "
             "that is not asked.",
      .example = "sni other.example;" },
    { .key = "response",
      .type = { TYPE_COUNT, TYPE_TEXT },
      .least = 200,
      .most = 599,
      .min = 1,
      .max = SCHEMA_MANY,
      .doc = "The answer that comes back, for rules with `status`, `type` or `length`: its status "
             "and fields. Without it they are not asked.",
      .example = "response 200 \"Content-Type: application/zip\" \"Content-Length: 5000000\";",
      .check = check_response },
    { .key = "expect",
      .type = { TYPE_CHOICE, TYPE_NAME },
      .min = 1,
      .max = 2,
      .required = true,
      .choices = "allow deny redirect",
      .doc = "What has to come of it, and, if that matters, by which rule; `default`, "
             "`connect-ports` and `http-ports` are named as in the log.",
      .example = "expect deny gambling;" },
    { .key = "cause",
      .type = { TYPE_CUSTOM },
      .doc = "The cause that a refusal has to have, as the log names it.",
      .example = "cause destination_private;",
      .check = check_cause },
    { .key = "shadow",
      .type = { TYPE_NAME },
      .doc = "The rule in shadow that has to match, the first one; `none` for none.",
      .example = "shadow gambling;" },
    { .key = "pac",
      .type = { TYPE_TEXT },
      .doc = "What the script of the listener has to answer for the URL of the request; of a "
             "CONNECT it is asked for https://HOST:PORT/.",
      .example = "pac \"PROXY proxy.example:3128; DIRECT\";" },
    { .key = NULL },
};

static bool is_forward(const struct node *listener)
{
    const struct node *mode = node_child(listener, "mode");
    return mode && node_nargs(mode) == 1 && slice_is(node_arg(mode, 0)->text, "forward");
}

static bool has_policy(const struct node *listener)
{
    const struct node *mode = node_child(listener, "mode");
    return is_forward(listener) ||
           (mode && node_nargs(mode) == 1 && slice_is(node_arg(mode, 0)->text, "transparent"));
}

void case_check(const struct node *n, struct diags *d)
{
    unsigned forward = 0;
    const struct node *said = node_child(n, "listener");
    for (const struct node *l = node_child(node_root(n), "listener"); l; l = node_again(l)) {
        bool named =
            said && node_nargs(said) == 1 && slice_eq(node_name(l), node_arg(said, 0)->text);
        if (named && !has_policy(l) && !l->reported)
            diag_error(d, node_arg(said, 0), "a test asks a listener that has a policy");
        forward += is_forward(l);
    }
    if (said == NULL && forward != 1 && !n->torn && !n->reported) {
        diag_error(d, &n->words[0],
                   forward ? "which listener does this test ask? There are %u"
                           : "there is no listener with \"mode forward\" to test",
                   forward);
        if (forward)
            diag_more(d, "expected something like: listener egress;");
    }
}
