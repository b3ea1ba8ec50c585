/* A reverse listener without certificates speaks HTTP/1 as an origin does; https:// to its port is
 * a client's or an administrator's mistake and gets an answer that says so. */
#include "reverse/detect.h"

#include "http/head.h"

enum fault reverse_detect(const struct listener *l, struct slice first)
{
    (void)l;
    return first_bytes(first.p, (u32)first.n);
}
