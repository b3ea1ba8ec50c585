#include "tests/unit/help_detect.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/types.h"

void detect_check(struct detected (*detect)(const struct listener *, struct slice))
{
    static const struct {
        struct slice said;
        enum fault fault;
    } rows[] = {
        { SLICE("G"), FAULT_NONE },
        { SLICE("CONNECT a:1 HTTP/1.1\r\n"), FAULT_NONE },
        { SLICE("\x16"), FAULT_tls_to_plain_port },
        { SLICE("\x16\x03\x01\x02\x00"), FAULT_tls_to_plain_port },
        { SLICE("\x04\x01"), FAULT_not_http },     /* SOCKS 4 */
        { SLICE("\x05\x01\x00"), FAULT_not_http }, /* SOCKS 5 */
        { SLICE("\0\0\0"), FAULT_not_http },
        { SLICE(" GET"), FAULT_not_http },
    };
    for (unsigned i = 0; i < countof(rows); i++)
        if (detect(NULL, rows[i].said).fault != rows[i].fault)
            fail_msg("row %u", i);
}
