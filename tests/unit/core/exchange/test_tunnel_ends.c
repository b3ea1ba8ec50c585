/* A tunnel between ends that are no connections: bytes in any pieces, and an end that breaks. */
#include "core/exchange/tunnel.h"

#include "tests/unit/core/help_engine.h"

static struct scripted_end {
    struct tunnel *tunnel;
    const char *in; /* to be read; in_piece bytes become visible by each fill */
    size_t shown, piece;
    bool ended, broken, slow_end, was_reset;
    size_t quota, nout;
    char out[256];
    unsigned finished, dropped, closed, agains;
} side[2];

static enum flow scripted_peek(void *self, struct slice *run)
{
    struct scripted_end *e = self;
    *run = (struct slice){ e->in, e->shown };
    if (e->shown)
        return FLOW_OK;
    return e->broken ? FLOW_FAULT : e->ended && *e->in == 0 ? FLOW_END : FLOW_WAIT;
}

static void scripted_took(void *self, size_t n)
{
    struct scripted_end *e = self;
    e->in += n;
    e->shown -= n;
}

static enum flow scripted_fill(void *self)
{
    struct scripted_end *e = self;
    size_t left = strlen(e->in);
    e->shown = left < e->piece ? left : e->piece;
    return e->shown || e->ended || e->broken ? FLOW_OK : FLOW_WAIT;
}

static enum flow scripted_put(void *self, struct slice run, size_t *taken)
{
    struct scripted_end *e = self;
    *taken = run.n < e->quota ? run.n : e->quota;
    assert_true(e->nout + *taken < sizeof e->out);
    memcpy(e->out + e->nout, run.p, *taken);
    e->nout += *taken;
    e->quota -= *taken;
    return *taken < run.n ? FLOW_WAIT : FLOW_OK;
}

static enum flow scripted_flush(void *self)
{
    (void)self;
    return FLOW_OK;
}

static enum flow scripted_finish(void *self, const struct msg *trailers)
{
    struct scripted_end *e = self;
    assert_null(trailers);
    if (e->slow_end) {
        e->slow_end = false;
        return FLOW_WAIT;
    }
    e->finished++;
    return FLOW_OK;
}

static void scripted_drop(void *self, enum fault why)
{
    struct scripted_end *e = self;
    (void)why;
    e->dropped++;
}

static void scripted_join(void *self, struct tunnel *t)
{
    ((struct scripted_end *)self)->tunnel = t;
}

static void scripted_again(void *self)
{
    ((struct scripted_end *)self)->agains++;
}

static bool scripted_gone(void *self)
{
    return ((struct scripted_end *)self)->was_reset;
}

static struct io *scripted_whole(void *self)
{
    (void)self;
    return NULL;
}

static void scripted_close(void *self)
{
    struct scripted_end *e = self;
    e->closed++;
    e->tunnel = NULL;
}

static const struct tunnel_end_ops scripted_ops = {
    .in = { .peek = scripted_peek, .took = scripted_took, .fill = scripted_fill },
    .out = { .put = scripted_put,
             .finish = scripted_finish,
             .flush = scripted_flush,
             .drop = scripted_drop },
    .join = scripted_join,
    .again = scripted_again,
    .gone = scripted_gone,
    .whole = scripted_whole,
    .close = scripted_close,
};

static void begin_scripted(size_t piece, size_t quota)
{
    struct tunnel *t = tunnel_reserve(rig.worker, calloc(1, sizeof(struct access_record)));
    assert_non_null(t);
    memset(side, 0, sizeof side);
    for (unsigned i = 0; i < 2; i++) {
        side[i].in = i ? "what comes down" : "what goes up";
        side[i].piece = piece;
        side[i].quota = quota;
    }
    tunnel_begin(&t, (struct tunnel_end){ &scripted_ops, &side[0] },
                 (struct tunnel_end){ &scripted_ops, &side[1] });
    assert_null(t);
    assert_int_equal(side[0].agains, 1);
}

/* Events as long as anything can move; each end may take `quota` bytes more every time. */
static void events(size_t quota)
{
    for (unsigned i = 0; i < 64 && side[0].tunnel; i++) {
        side[0].quota = side[1].quota = quota;
        tunnel_ready(side[i % 2].tunnel);
    }
}

/* In any pieces, with any room: in order, nothing lost, and the end behind the last byte. */
static void in_any_pieces(void **state)
{
    (void)state;
    for (size_t piece = 1; piece < 20; piece += 3)
        for (size_t quota = 1; quota < 20; quota += 2) {
            begin_scripted(piece, quota);
            side[0].ended = side[0].slow_end = side[1].slow_end = true;
            events(quota);
            assert_string_equal(side[1].out, "what goes up");
            assert_string_equal(side[0].out, "what comes down");
            assert_int_equal(side[1].finished, 1);
            assert_int_equal(side[0].finished + side[0].closed + side[1].closed, 0);
            side[1].ended = true; /* the other way went on; closing says the rest */
            events(quota);
            assert_int_equal(side[0].finished, 0);
            assert_int_equal(side[0].closed, 1);
            assert_int_equal(side[1].closed, 1);
            assert_int_equal(side[0].dropped + side[1].dropped, 0);
        }
    assert_int_equal(rig_count(STAT_tunnels_open), 0);
}

/* One that breaks takes the other with it, abruptly, also when it has sent its end before. */
static void an_end_that_breaks(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 2; i++) {
        begin_scripted(100, 100);
        events(100);
        if (i)
            side[1].ended = true, events(100);
        side[i].broken = !i;
        side[i].was_reset = i;
        events(100);
        assert_int_equal(side[0].dropped, 1);
        assert_int_equal(side[1].dropped, 1);
        assert_int_equal(side[0].closed + side[1].closed, 2);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        RIG_TEST(in_any_pieces),
        RIG_TEST(an_end_that_breaks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
