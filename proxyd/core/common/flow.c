#include "core/common/flow.h"

static enum flow text_peek(void *self, struct slice *run)
{
    *run = *(struct slice *)self;
    return run->n ? FLOW_OK : FLOW_END;
}

static void text_took(void *self, size_t n)
{
    struct slice *rest = self;
    *rest = slice_skip(*rest, n);
}

static const struct source_ops text_ops = { text_peek, text_took, NULL, NULL, NULL, NULL };

struct source text_source(struct slice *rest)
{
    return (struct source){ &text_ops, rest };
}

void source_close(struct source *s)
{
    if (s->ops && s->ops->close)
        s->ops->close(s->self);
    s->ops = NULL;
}
