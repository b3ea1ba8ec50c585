/*
 * Answers that are made of slices (manifest.h, where they are called blocks): which requests get
 * one, which block the origin is asked for, what becomes of its answer, and the body that is read
 * from one block after the other.
 *
 * The first block that is missing the exchange asks for itself, so that an origin that knows no
 * ranges, or has something else by now, is answered from like any other. What is missing behind
 * it, when the client has a head already, exchanges of our own fetch (block_fetch.c): one ahead at
 * most, and none that somebody else is fetching. A block of another representation ends the answer
 * with a fault.
 */
#ifndef CACHE_BLOCKS_H
#define CACHE_BLOCKS_H

#include "cache/block_fetch.h"
#include "cache/manifest.h"
#include "cache/notes.h"

/* What notes.key names. */
struct block_name {
    struct cache_key key;
    struct slice path;
};

/* Of an exchange, in its arena. */
struct blocks {
    struct xchg *x;
    struct block_name url; /* of the URL itself: notes.key may be that of a block */
    char *name[2];         /* for paths of blocks: of the one that x asks for, and of the body's */
    size_t room;           /* of each */
    struct text request;   /* for further blocks */

    struct object *of; /* held: the manifest that the answer is made by; NULL: notes.given is it */
    struct manifest manifest; /* of that */
    u64 asked;                /* number of the block that x itself asks the origin for */
    bool asks;                /* it does */
    bool looks;               /* the disk has been asked for the block at pos, by lookup.c */
    bool no_disk;             /* … and has not got it, or nothing that is sound */

    /* The body. */
    u64 pos, to;               /* bytes of the whole */
    struct object *next;       /* held: the block at pos, found before it is read; NULL: not yet */
    struct block_fetch *fetch; /* of the block at pos, by this exchange; NULL: it has none */
    struct cache_key awaited;  /* what notes.wake waits for, if it does */
    struct reader_part part;
    bool open;           /* notes.reader reads the block at pos */
    bool waiting;        /* notes.wake will come, for the block at pos */
    bool alone;          /* nobody else's fetch is waited for, for the block at pos */
    bool fetched;        /* the block at pos was not there when it was looked for first */
    bool failed;         /* the origin has, for the block at pos: not at once again */
    bool paused, due;    /* the timer is armed; a fetch of the block at pos begins thereafter */
    bool ahead;          /* the one behind it has been asked for, or is not to be */
    bool own, own_ahead; /* the one at pos, and the one behind it, is fetched by this exchange */
    bool resumes;        /* it goes on where the body of notes.given was given up: resume.h */
    u8 tries;            /* that have been made to have the block at pos */
    u8 cuts;             /* of that block, when it was there */
    struct role_timer pause;
    struct flight *flight; /* of the block at pos, until its fetch begins */
};

/* ---- blocks.c: the request ---- */

/* May this one be answered from slices? Then notes.blocks is there. False: as if there were none,
 * or there is no memory. */
bool blocks_may(struct xchg *x);
/* notes.blocks is there. False: no exchange of ours can ask as this one has, or no memory. */
bool blocks_new(struct xchg *x);
/* Of one for which nothing is kept: is the origin to be asked for a slice? */
bool blocks_wanted(struct xchg *x);
/* For two minutes it is not asked for in slices. */
void blocks_note_unsliced(const struct xchg *x);
/* notes.key becomes that of a block, until it is that of the URL again. */
void blocks_turn_to(struct xchg *x, u64 number);
void blocks_leave(struct xchg *x);
/* The same for the block of a URL with that path, in that text. */
void block_turn_to(struct notes *n, const struct manifest *m, u64 number, struct slice path,
                   struct text *name);
/* The same for a while, whatever notes.key is. */
struct block_name blocks_enter(struct xchg *x, u64 number);
void blocks_back(struct xchg *x, const struct block_name *was);
/* An exchange that has waited is looked up from the beginning. */
void blocks_resume(struct xchg *x);
/* What x wants of the representation of that manifest: the body is set to it. False: no memory. */
bool blocks_plan(struct xchg *x, const struct object *manifest);
/* After that: is the first block there, or needs it none? AWAITED: cache_resume will be asked. */
enum have_block { BLOCK_MISSING, BLOCK_HERE, BLOCK_AWAITED };
enum have_block blocks_have_first(struct xchg *x);
/* After that: are all of them there, in memory or on disk? Of more than 64 it is not asked. */
bool blocks_have_all(struct xchg *x);
/* x->req asks for those bytes; what the client has asked for is in notes.asked. False: no memory,
 * as of what follows. */
bool blocks_set_range(struct xchg *x, u64 from, u64 to);
/* x->req asks for the first block of the plan, or of the range where there is none. False: no
 * memory. */
bool blocks_ask(struct xchg *x);
/* Is that block in memory or on disk? */
bool block_is_there(struct xchg *x, u64 number);
/* What notes.key names, held, if it is in memory and may be used for this exchange. */
struct object *block_find(struct xchg *x);
/* The exchange ends, or goes on without slices. NULL is fine. */
void blocks_end(struct xchg *x);

/* ---- blocks_lookup.c ---- */

/* What is found for the URL is a manifest, or may be the whole, that has come while x waited for
 * slices. False: it is none that x is answered from, and *o is NULL; or the whole. */
bool blocks_answer(struct xchg *x, struct object **o, bool on_disk, enum lookup *found);
/* After blocks_wanted. */
enum lookup blocks_miss(struct xchg *x);

/* ---- blocks_kept.c: the origin's answer ---- */

enum blocks_answer {
    BLOCKS_NONE,  /* it is an answer as any other */
    BLOCKS_AGAIN, /* x->ask_again: without slices; or x->fault says why not */
    BLOCKS_KEPT   /* x->resp and x->feed are set, and *tee takes the block */
};
/* To what x has asked for by blocks_ask. */
enum blocks_answer blocks_begin(struct xchg *x, struct sink *tee);
/* To what block_fetch.c has asked for. False: it is not kept. */
bool block_begin(struct xchg *x, struct sink *tee);
/* The exchange of such a fetch ends: perhaps without any answer. */
void block_failed(struct xchg *x);
/* How long a slice may be, by what is configured; 0: none are made. */
u64 blocks_size(const struct notes *n);

/* ---- blocks_source.c: the body ---- */

/* By the plan. */
struct source blocks_source(struct blocks *b);

#endif
