/*
 * Segments that are not as they were written. The first byte says how the rest is used:
 *
 *   r  a record's payload
 *   m  edits of two good segments, one sealed, one as a crash leaves it: what is found after the
 *      load is byte for byte what was appended, or is found to be bad
 *   f  frames and a footer with right checksums around arbitrary payloads, as from somebody who
 *      knows the secret: nothing outside of the file is read, and nothing is taken for a record
 *      that is none
 */
#include "http_fuzz.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cache/disk/layout.h"
#include "tests/unit/cache/help_log.c"

enum { RECORDS = 24, FILE_MOST = 1 << 20 };

static struct image {
    char bytes[FILE_MOST];
    size_t n;
} good[2], now[2];
static u64 salt;

static void path_of(char path[96], const char *name)
{
    snprintf(path, 96, "%s/%s", help_log_folder(), name);
}

static void read_image(struct image *i, const char *name)
{
    char path[96];
    path_of(path, name);
    FILE *f = fopen(path, "rb");
    CHECK(f);
    i->n = fread(i->bytes, 1, sizeof i->bytes, f);
    fclose(f);
    while (i->n && i->bytes[i->n - 1] == 0) /* preallocated */
        i->n--;
}

static void write_image(const struct image *i, const char *name)
{
    char path[96];
    path_of(path, name);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    CHECK(fd >= 0 && write(fd, i->bytes, i->n) == (ssize_t)i->n);
    close(fd);
}

static void delete_segments(void)
{
    char path[96], name[16];
    for (unsigned i = 1; i < 6; i++) {
        snprintf(name, sizeof name, "seg-%08x", i);
        path_of(path, name);
        unlink(path);
    }
}

static void append_all(struct seglog *l, u64 version)
{
    for (u64 n = 0; n < RECORDS; n++) {
        struct help_record r = { .n = n, .version = version, .body = 20 * (u32)n };
        r.vary = n % 3 == 0 ? "accept" : "";
        if (n % 8 == 0)
            r.part = 300, r.parts = 2;
        CHECK(help_append(l, &r));
        struct cache_key key = help_key(n);
        CHECK(n % 6 != 5 || seglog_append_gone(l, &key));
    }
    u64 id;
    CHECK(seglog_ban(l, SEGLOG_BAN_TAG, SLICE("red"), false, &id) && seglog_append_ban(l, id));
    CHECK(seglog_flush(l));
}

static int no_fallocate(int fd, int mode, off_t at, off_t n)
{
    (void)fd, (void)mode, (void)at, (void)n;
    return 0;
}

/* The same secret, so the same bytes, in every run. */
static void make_images(void)
{
    segment_calls.fallocate = no_fallocate;
    char path[96];
    seglog_close(help_log_in_memory(HELP_QUOTA));
    path_of(path, "secret");
    int fd = open(path, O_WRONLY);
    CHECK(fd >= 0 && write(fd, "0123456789abcdef", 16) == 16);
    close(fd);
    struct seglog *l = help_log(HELP_QUOTA);
    salt = hash64(seglog_secret(l), "segments", 8);
    append_all(l, 1);
    l = help_log_again(l);
    append_all(l, 2);
    read_image(&good[0], "seg-00000001");
    read_image(&good[1], "seg-00000002");
    seglog_close(l);
    atexit(help_log_delete);
}

static void check_payload(const u8 *data, size_t size)
{
    struct seglog_record r;
    struct iovec piece;
    struct ban {
        enum seglog_ban_kind kind;
        bool soft;
        struct slice text;
    } ban;
    char *p = exact_copy(data, size);
    struct slice payload = { p, size };
    if (seglog_record_read(payload, &r, &piece)) {
        size_t sum = RECORD_FIXED + r.nparts * sizeof *r.part + r.vary.n + r.url.n + r.tags.n +
                     r.meta.n + piece.iov_len;
        CHECK(sum == size && r.nbody == 1 && r.body == &piece);
        CHECK((char *)piece.iov_base + piece.iov_len == p + size);
        CHECK(record_bytes(&r) == size);
        char *again = malloc(size);
        record_write(&r, again);
        CHECK(memcmp(again, p, size) == 0);
        free(again);
    }
    ban_read(payload, &ban.kind, &ban.soft, &ban.text);
    free(p);
}

/* Each edit: which of them, what is done, where, how far, with what. */
struct edit {
    u8 image, what, with;
    u16 at, n;
};

static void edit_image(const struct edit *e)
{
    struct image *i = &now[e->image % 2];
    size_t at = i->n ? e->at % i->n : 0, n = e->n;
    n = n < i->n - at ? n : i->n - at;
    switch (e->what % 5) {
    case 0:
        if (i->n)
            i->bytes[at] ^= (char)e->with;
        break;
    case 1: memset(i->bytes + at, 0, n); break;
    case 2: /* a frame elsewhere */
        at = at / SEGLOG_UNIT * SEGLOG_UNIT;
        n = e->with * (size_t)SEGLOG_UNIT;
        if (at + n + 2048 < i->n && n + 2048 < i->n)
            memmove(i->bytes + at, i->bytes + n, 1 + e->n % 2048);
        break;
    case 3: i->n = at; break;
    case 4: /* a frame of the other one */
        at = at / SEGLOG_UNIT * SEGLOG_UNIT;
        if (at + n <= now[0].n && at + n <= now[1].n)
            memcpy(i->bytes + at, now[1 - e->image % 2].bytes + at, n);
        break;
    }
}

/* And, with go_on, is it a log that can be appended to? */
static void load_and_look(bool go_on)
{
    const _Atomic bool stop = false;
    struct seglog *l = help_log(HELP_QUOTA);
    CHECK(l);
    for (u64 n = 0; n < RECORDS; n++) {
        i64 found = help_found_variant(l, n, 0);
        CHECK(found >= -1 && found <= 2);
    }
    seglog_verify(l, &stop);
    for (u64 n = 0; n < RECORDS; n++)
        CHECK(help_found_variant(l, n, 0) >= 0);
    if (!go_on) {
        seglog_close(l);
        return;
    }
    struct help_record r = { .n = 3, .version = 3, .body = 100 };
    CHECK(help_append(l, &r) && seglog_flush(l) && help_found(l, 3) == 3);
    l = help_log_again(l);
    CHECK(l && help_found(l, 3) == 3);
    seglog_close(l);
}

static void check_edits(const u8 *data, size_t size)
{
    bool go_on = size % 8 == 0;
    memcpy(now, good, sizeof now);
    for (; size >= 7; data += 7, size -= 7) {
        struct edit e = { data[0], data[1], data[2], 0, 0 };
        memcpy(&e.at, data + 3, 2);
        memcpy(&e.n, data + 5, 2);
        edit_image(&e);
    }
    delete_segments();
    write_image(&now[0], "seg-00000001");
    write_image(&now[1], "seg-00000002");
    load_and_look(go_on);
}

static void add_frame(struct image *i, enum seglog_kind kind, const u8 *payload, u32 n)
{
    struct frame_head h;
    u32 at = (u32)i->n / SEGLOG_UNIT;
    frame_head_write(&h, layout_seed(salt, 1, at), kind, payload, n);
    memset(i->bytes + i->n, 0, frame_bytes(n));
    memcpy(i->bytes + i->n, &h, sizeof h);
    memcpy(i->bytes + i->n + sizeof h, payload, n);
    i->n += frame_bytes(n);
}

/* Kind, two bytes of length, payload; a footer is the last one. */
static void check_frames(const u8 *data, size_t size)
{
    struct image *i = &now[0];
    bool sealed = false, go_on = size % 8 == 0;
    i->n = SEGLOG_UNIT;
    layout_first_write(i->bytes, salt, 1);
    while (size >= 3 && !sealed) {
        u16 n;
        enum seglog_kind kind = (enum seglog_kind)(data[0] % 6);
        u32 at = (u32)i->n / SEGLOG_UNIT;
        memcpy(&n, data + 1, 2);
        data += 3;
        size -= 3;
        n = n < size ? n : (u16)size;
        add_frame(i, kind, data, n);
        data += n;
        size -= n;
        sealed = kind == SEGLOG_FOOTER;
        if (sealed) {
            layout_last_write(i->bytes + i->n, salt, 1, (u32)i->n / SEGLOG_UNIT, at);
            i->n += SEGLOG_UNIT;
        }
    }
    delete_segments();
    write_image(i, "seg-00000001");
    load_and_look(go_on);
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
    if (!good[0].n)
        make_images();
    if (size == 0 || size > 20000)
        return 0;
    if (data[0] == 'r')
        check_payload(data + 1, size - 1);
    else if (data[0] == 'f')
        check_frames(data + 1, size - 1);
    else
        check_edits(data + 1, size - 1);
    return 0;
}
