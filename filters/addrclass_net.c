/*
 * The table as data, for whoever asks about networks and not about addresses: checks and the
 * manual. No traffic comes here.
 */
#include "filters/addrclass.h"

enum { ALL_CLASSES = CLASS_BIT(CLASS_COUNT) - 1 };

struct block {
    struct cidr net;
    u8 classes; /* CLASS_BIT of each its addresses may have */
};

#define BYTES(v)                                                                                   \
    (u8)((v) >> 56), (u8)((v) >> 48), (u8)((v) >> 40), (u8)((v) >> 32), (u8)((v) >> 24),           \
        (u8)((v) >> 16), (u8)((v) >> 8), (u8)(v)
#define BLOCK6(high, low, bits, classes)                                                           \
    { { { .ip = { BYTES((u64)(high)), BYTES((u64)(low)) }, .family = AF_INET6 }, bits }, classes },

/* Of the blocks that an address lies in the first one says its class, as in addrclass.c. */
static const struct block blocks[] = {
#define FOUR(a, b, c, d, bits, class)                                                              \
    { { { .ip = { a, b, c, d }, .family = AF_INET }, bits }, CLASS_BIT(CLASS_##class) },
#define ALONE4(a, b, c, d, class) FOUR(a, b, c, d, 32, class)
#define ALONE6(high, low, class) BLOCK6(high, low, 128, CLASS_BIT(CLASS_##class))
#include "filters/addrclass.tbl"
#undef FOUR
#undef ALONE4
#undef ALONE6
    /* An address in these has the class of the IPv4 address that it carries. */
    BLOCK6(0, 0, 64, ALL_CLASSES)                  /* mapped, compatible, translated */
    BLOCK6(0x0064ff9b00000000, 0, 32, ALL_CLASSES) /* NAT64 */
    BLOCK6(0x2002000000000000, 0, 16, ALL_CLASSES) /* 6to4 */
    BLOCK6(0x2001000000000000, 0, 32, ALL_CLASSES) /* Teredo */
#define SIX(high, low, bits, class) BLOCK6(high, low, bits, CLASS_BIT(CLASS_##class))
#include "filters/addrclass.tbl" /* NOLINT(readability-duplicate-include) */
};

static bool holds(const struct cidr *wide, const struct cidr *net)
{
    return wide->bits <= net->bits && cidr_has(wide, &net->base);
}

static u8 classes_of_halves(const struct cidr *net)
{
    struct cidr half = *net;
    half.bits++;
    u8 classes = addr_classes_in(&half);
    half.base.ip[net->bits / 8] |= (u8)(0x80 >> net->bits % 8);
    return classes | addr_classes_in(&half);
}

u8 addr_classes_in(const struct cidr *net)
{
    for (size_t i = 0; i < countof(blocks); i++) {
        if (holds(&blocks[i].net, net))
            return blocks[i].classes;
        if (holds(net, &blocks[i].net))
            return classes_of_halves(net);
    }
    return CLASS_BIT(CLASS_PUBLIC);
}

static void block_text(struct text *t, const struct cidr *net)
{
    bool alone = net->bits == (net->base.family == AF_INET ? 32 : 128);
    text_cstr(t, t->n ? ", " : "");
    addr_text(t, &net->base);
    if (alone)
        return;
    text_char(t, '/');
    text_u64(t, net->bits);
}

void addr_class_text(struct text *t, enum addr_class class)
{
    for (size_t i = 0; i < countof(blocks); i++)
        if (blocks[i].classes == CLASS_BIT(class) && blocks[i].net.bits)
            block_text(t, &blocks[i].net);
    if (class == CLASS_LOOPBACK)
        text_lit(t, ", and the addresses of this machine's interfaces");
    else if (class == CLASS_RESERVED)
        text_lit(t, ", and every other IPv6 address");
    else if (class == CLASS_PUBLIC)
        text_lit(t, ", and every other IPv4 address");
}
