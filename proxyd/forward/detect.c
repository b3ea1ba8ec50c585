/* A forward listener expects HTTP/1: full-URL requests and CONNECT. TLS here means a client that
 * takes the proxy for the origin, or for an HTTPS proxy; SOCKS begins with a 4 or a 5. */
#include "forward/detect.h"

struct detected forward_detect(const struct listener *l, struct slice first)
{
    (void)l;
    return detect_http(first);
}
