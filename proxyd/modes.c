#include "modes.h"

#include "forward/conf.h"
#include "forward/role.h"
#include "forward/transparent.h"
#include "reverse/conf.h"
#include "reverse/role.h"
#include "reverse/where.h"

const struct mode modes[] = {
#define MODE(name, wants, example, before, after)                                                  \
    { #name, &name##_role, name##_compile, wants, example, before, after },
#include "modes.tbl"
#undef MODE
};
const unsigned modes_count = countof(modes);

#define MODE(name, wants, example, before, after) " " #name
const char mode_list[] =
#include "modes.tbl" /* NOLINT(readability-duplicate-include) */
    ;
#undef MODE

const struct mode *mode_find(struct slice name)
{
    for (unsigned i = 0; i < modes_count; i++)
        if (slice_is(name, modes[i].name))
            return &modes[i];
    return NULL;
}
