#include "pac/pac.h"

#include "base/str.h"

/* No dnsResolve, no isInNet, no isPlainHostName: browsers disagree on them for IPv6 literals, and a
 * look-up in a PAC script stops the browser. */
static const char BEFORE[] =
    "function FindProxyForURL(url, host) {\n"
    "    host = host.toLowerCase().replace(/^\\[|\\]$|\\.$/g, \"\");\n"
    "    var plain = /^[^.:]+$/.test(host);\n"
    "    var loopback = /(^|\\.)localhost$/.test(host) || host === \"::1\" ||\n"
    "        /^127(\\.[0-9]{1,3}){3}$/.test(host);\n"
    "    if (plain || loopback)\n"
    "        return \"DIRECT\";\n"
    "    return \"PROXY ";
static const char AFTER[] = "\";\n"
                            "}\n";

static bool in_host_port(char c)
{
    return ascii_alnum(c) || c == '.' || c == ':' || c == '-' || c == '_' || c == '[' || c == ']';
}

void pac_write(struct text *out, struct slice proxy)
{
    static const char hex[] = "0123456789abcdef";
    text_lit(out, BEFORE);
    for (size_t i = 0; i < proxy.n; i++) {
        u8 c = (u8)proxy.p[i];
        if (in_host_port((char)c)) {
            text_char(out, (char)c);
        } else {
            text_lit(out, "\\x");
            text_char(out, hex[c >> 4]);
            text_char(out, hex[c & 15]);
        }
    }
    text_lit(out, AFTER);
}
