/*
 * The packet reader. One cursor (struct message) with a sticky `bad`: every take_ function checks
 * its own bounds, so that the callers read straight on and look once at the end.
 *
 * Records may come in any order (an address before the alias that leads to it), and resolvers do
 * send them so. The answer section is read once into an index with a hash of each owner; a step
 * along the aliases goes over that, so that its cost stays 16 times 256 compares for any packet.
 */
#include "io/dns_reply.h"

#include "base/hash.h"
#include "base/str.h"

enum {
    HEADER = 12,
    MOST_RECORDS = 256,
    MOST_POINTERS = 128,
    MOST_ALIASES = 16,
    WIRE_NAME = 255,
    TYPE_A = 1,
    TYPE_CNAME = 5,
    TYPE_SOA = 6,
    TYPE_AAAA = 28,
    CLASS_IN = 1,
    RCODE_NXDOMAIN = 3
};

struct message {
    const u8 *p;
    size_t n;
    size_t at; /* next byte to read */
    bool bad;  /* something did not fit */
};

/* A name in wire form, lower case, uncompressed, so that two compare with memcmp. */
struct wire_name {
    u8 b[WIRE_NAME];
    u8 n;
};

struct record {
    u16 type, class;
    u32 ttl;
    size_t data; /* offset */
    u16 n;
};

/* One record of the answer section, found again without reading all of them. */
struct row {
    u16 type;
    u32 owner, data; /* offsets */
    u32 ttl;
    u32 hash; /* of the owner's name */
};

struct index {
    unsigned n;
    struct row row[MOST_RECORDS];
};

static u16 take16(struct message *m)
{
    if (m->bad || m->n - m->at < 2) {
        m->bad = true;
        return 0;
    }
    u16 v = (u16)(m->p[m->at] << 8 | m->p[m->at + 1]);
    m->at += 2;
    return v;
}

static u32 take32(struct message *m)
{
    u32 high = take16(m);
    return high << 16 | take16(m);
}

/* Appends the label at p[at] (its length byte included); false when the name gets too long. */
static bool add_label(struct wire_name *name, const u8 *p, u8 len)
{
    if (name->n + 1u + len > WIRE_NAME)
        return false;
    name->b[name->n++] = len;
    for (u8 i = 0; i < len; i++)
        name->b[name->n++] = (u8)ascii_lower((char)p[i]);
    return true;
}

/* Reads the name at m->at and moves past it (not past what its pointers lead to). */
static void take_name(struct message *m, struct wire_name *name)
{
    size_t at = m->at;
    unsigned pointers = 0;
    name->n = 0;
    while (!m->bad) {
        m->bad = at >= m->n;
        if (m->bad)
            return;
        u8 c = m->p[at];
        if (c >= 0xc0 && m->n - at >= 2 && pointers < MOST_POINTERS) {
            if (pointers++ == 0)
                m->at = at + 2;
            at = (size_t)(c & 0x3f) << 8 | m->p[at + 1];
        } else if (c == 0) {
            if (pointers == 0)
                m->at = at + 1;
            return;
        } else if (c < 64 && m->n - at > c && add_label(name, m->p + at + 1, c)) {
            at += 1u + c;
        } else {
            m->bad = true;
        }
    }
}

static bool same_name(const struct wire_name *a, const struct wire_name *b)
{
    return a->n == b->n && memcmp(a->b, b->b, a->n) == 0;
}

static u32 hash_of(const struct wire_name *name)
{
    return (u32)hash64(hash_process_key(), (const char *)name->b, name->n);
}

/* Owner and fixed part of the record at m->at; m->at moves behind its data. */
static bool take_record(struct message *m, struct wire_name *owner, struct record *r)
{
    take_name(m, owner);
    r->type = take16(m);
    r->class = take16(m);
    r->ttl = take32(m);
    if (r->ttl > INT32_MAX) /* RFC 2181 section 8 */
        r->ttl = 0;
    r->n = take16(m);
    r->data = m->at;
    if (m->bad || m->n - m->at < r->n) {
        m->bad = true;
        return false;
    }
    m->at += r->n;
    return true;
}

static void lower_to(u32 *least, u32 v)
{
    if (v < *least)
        *least = v;
}

static void add_address(struct dns_reply *out, const u8 *ip, u16 n)
{
    static const u8 mapped[12] = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff };
    if (n == 16 && memcmp(ip, mapped, sizeof mapped) == 0)
        return;
    if (out->n == DNS_REPLY_ADDRESSES)
        return;
    for (unsigned i = 0; i < out->n; i++)
        if (memcmp(out->ip[i], ip, n) == 0)
            return;
    memcpy(out->ip[out->n++], ip, n);
}

/* The records of the answer section that can matter, where they stand. False: something did not
 * fit. */
static bool index_answers(struct message *m, unsigned records, u16 want, struct index *index)
{
    u16 size = want == TYPE_A ? 4 : 16;
    index->n = 0;
    for (unsigned i = 0; i < records; i++) {
        struct wire_name owner;
        struct record r;
        size_t at = m->at;
        if (!take_record(m, &owner, &r))
            return false;
        if (r.class != CLASS_IN || !(r.type == TYPE_CNAME || (r.type == want && r.n == size)))
            continue;
        index->row[index->n++] = (struct row){ .type = r.type,
                                               .owner = (u32)at,
                                               .data = (u32)r.data,
                                               .ttl = r.ttl,
                                               .hash = hash_of(&owner) };
    }
    return true;
}

static bool owned_by(const struct message *m, const struct row *r, const struct wire_name *name,
                     u32 hash)
{
    struct message at = { m->p, m->n, r->owner, false };
    struct wire_name owner;
    if (r->hash != hash)
        return false;
    take_name(&at, &owner);
    return same_name(&owner, name);
}

/* Adds the addresses of `name`; true when it is an alias, and then it is replaced. */
static bool take_name_s_records(struct message *m, const struct index *index,
                                struct wire_name *name, struct dns_reply *out)
{
    const struct row *alias = NULL;
    u32 hash = hash_of(name);
    for (unsigned i = 0; i < index->n; i++) {
        const struct row *r = &index->row[i];
        if (!owned_by(m, r, name, hash))
            continue;
        if (r->type != TYPE_CNAME)
            add_address(out, m->p + r->data, r->type == TYPE_A ? 4 : 16);
        else if (alias == NULL)
            alias = r;
        lower_to(&out->ttl, r->ttl);
    }
    if (alias == NULL)
        return false;
    struct message data = { m->p, m->n, alias->data, false };
    take_name(&data, name);
    m->bad = data.bad;
    return !data.bad;
}

/* The answer section. `name` begins as the question's and follows the CNAMEs. An alias that leads
 * nowhere, or round in a circle, has no address. */
static void take_answers(struct message *m, unsigned records, struct wire_name *name,
                         sa_family_t family, struct dns_reply *out)
{
    struct index index;
    if (!index_answers(m, records, family == AF_INET ? TYPE_A : TYPE_AAAA, &index))
        return;
    for (unsigned steps = 0; steps <= MOST_ALIASES && out->n == 0; steps++)
        if (!take_name_s_records(m, &index, name, out))
            return;
}

/* How long a negative answer lives: the lesser of the SOA's own TTL and its last field, from the
 * authority section; the least there is without a SOA. */
static u32 negative_ttl(struct message *m, unsigned records)
{
    for (unsigned i = 0; i < records; i++) {
        struct wire_name owner;
        struct record r;
        if (!take_record(m, &owner, &r))
            break;
        if (r.type != TYPE_SOA || r.class != CLASS_IN || r.n < 22)
            continue;
        struct message minimum = { m->p, m->n, r.data + r.n - 4, false };
        u32 ttl = take32(&minimum);
        lower_to(&ttl, r.ttl);
        return ttl;
    }
    return DNS_TTL_LEAST;
}

static u32 clamp(u32 ttl, u32 most)
{
    return ttl < DNS_TTL_LEAST ? DNS_TTL_LEAST : ttl > most ? most : ttl;
}

static unsigned bounded(u16 count)
{
    return count < MOST_RECORDS ? count : MOST_RECORDS;
}

void dns_reply_read(sa_family_t family, const u8 *p, size_t n, struct dns_reply *out)
{
    struct message m = { p, n, 0, false };
    *out = (struct dns_reply){ .fault = FAULT_dns_failure, .ttl = UINT32_MAX };
    take16(&m);
    u16 flags = take16(&m), questions = take16(&m), answers = take16(&m), authority = take16(&m);
    take16(&m);
    unsigned rcode = flags & 15;
    struct wire_name name;
    if (!m.bad && questions == 1) {
        take_name(&m, &name);
        take32(&m);
    }
    bool readable =
        !m.bad && questions == 1 && (flags & 0x8000) && (rcode == 0 || rcode == RCODE_NXDOMAIN);
    if (readable)
        take_answers(&m, bounded(answers), &name, family, out);
    if (!readable || m.bad) {
        out->n = 0;
        out->ttl = DNS_TTL_LEAST;
        return;
    }
    if (out->n) {
        out->fault = FAULT_NONE;
        out->ttl = clamp(out->ttl, DNS_TTL_MOST);
        return;
    }
    out->fault = rcode == RCODE_NXDOMAIN ? FAULT_dns_nxdomain : FAULT_dns_no_address;
    out->ttl = clamp(negative_ttl(&m, bounded(authority)), DNS_TTL_MOST_NEGATIVE);
}

bool dns_name_valid(struct slice name)
{
    size_t label = 0;
    if (name.n == 0 || name.n > 253)
        return false;
    for (size_t i = 0; i < name.n; i++) {
        u8 c = (u8)name.p[i];
        if (c == '.') {
            if (label == 0)
                return false;
            label = 0;
        } else if (c <= ' ' || c == 0x7f || c == '\\' || (c >= 'A' && c <= 'Z') || ++label > 63) {
            return false;
        }
    }
    return label > 0;
}
