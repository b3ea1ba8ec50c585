/* libidn2 takes and gives NUL-terminated text, so that a name with a NUL is refused first. */
#include "base/idn.h"

#include <idn2.h>

enum { NAME_LONGEST = 1024 }; /* in UTF-8: 253 bytes of A-labels come from less */

bool idn_is_needed(struct slice name)
{
    for (size_t i = 0; i < name.n; i++)
        if ((u8)name.p[i] >= 0x80)
            return true;
    return false;
}

bool idn_to_ascii(struct text *out, struct slice name)
{
    char area[NAME_LONGEST + 1], *ascii = NULL;
    if (name.n == 0 || name.n > NAME_LONGEST || slice_find(name, 0))
        return false;
    memcpy(area, name.p, name.n);
    area[name.n] = 0;
    if (idn2_to_ascii_8z(area, &ascii, IDN2_NFC_INPUT | IDN2_NONTRANSITIONAL) != IDN2_OK)
        return false;
    size_t n = strlen(ascii);
    bool fits = n <= out->cap - out->n;
    if (fits)
        text_put(out, ascii, n);
    idn2_free(ascii);
    return fits;
}
