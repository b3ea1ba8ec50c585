/* A reverse listener without certificates speaks HTTP/1 as an origin does; https:// to its port is
 * a client's or an administrator's mistake and gets an answer that says so. */
#include "reverse/detect.h"

struct detected reverse_detect(const struct listener *l, struct slice first)
{
    (void)l;
    return detect_http(first);
}
