/* Claims: which steps the builders that share a reference are running (cache/share.h). Each builder
 * has one small document there, which it replaces all the time, and a board of what it has seen of
 * the others'. Whether another one lives is judged by changes of its document on the own clock:
 * clocks of machines are never compared. Two that want a key at the same time are ranked by a
 * digest of builder and key, so that both decide alike and no builder wins everywhere.
 *
 * Document: JSON {"version":1, "writer":HEX, "builder":TEXT, "turn":N, "ended":true (or left out),
 * "keys":[{"key":"sha256:…", "held":true (or left out)}]}. It is from outside: strict, and limited.
 */
#ifndef VARVE_CACHE_CLAIM_H
#define VARVE_CACHE_CLAIM_H

#include "base/digest.h"

#define CLAIM_BYTES_MAX (64 * 1024) /* of a document */
#define CLAIM_KEYS_MAX 256          /* of a document */
#define CLAIMS_MAX 64               /* documents of a reference that are looked at */
#define CLAIM_TURNS 4               /* turn counts modulo this: equal documents are one manifest */

struct claim_key {
    struct digest key; /* of a step */
    gboolean held;     /* it is running there; else only wanted */
};
struct cache_claim {
    char *writer;   /* the builder's random id: claim_name() */
    char *builder;  /* its name, for people */
    guint turn;     /* another one with each renewal */
    gboolean ended; /* it claims nothing more */
    GArray *keys;   /* struct claim_key */
};
/* An id of 32 hex digits that sorts by the time when it was made. */
char *claim_name(void);
/* Seconds since it was made, by the clock of this machine: for what nobody cleans up alone. */
gint64 claim_age(const char *name);
/* Whether text looks like one. */
gboolean claim_is_name(const char *text);
struct cache_claim *claim_new(const char *writer, const char *builder);
void claim_free(struct cache_claim *c);
GBytes *claim_write(const struct cache_claim *c);
/* The document of writer. VARVE_ERROR_INVALID says what is wrong. */
struct cache_claim *claim_parse(GBytes *bytes, const char *writer, GError **err);

/* What one builder has seen of the others. Times are microseconds of the own monotonic clock. */
struct claimboard;
struct claimboard *claimboard_new(const char *me, gint64 dead_us, gint64 settle_us);
void claimboard_free(struct claimboard *b);
/* Writer's document is this now; NULL: it is gone. c is taken. */
void claimboard_see(struct claimboard *b, const char *writer, struct cache_claim *c, gint64 now_us);
/* Whether nothing more comes of writer. */
gboolean claimboard_is_over(const struct claimboard *b, const char *writer);
/* Whether its document did not change for so long that it is dead. Only looks that follow one
 * another soon tell that: after a pause a document may be the same again. */
gboolean claimboard_is_dead(const struct claimboard *b, const char *writer, gint64 now_us);
/* Writers other than me that are neither over nor dead; whatever they claim. */
guint claimboard_living(const struct claimboard *b, gint64 now_us);

enum claim_state {
    CLAIM_FREE,      /* nobody else has it */
    CLAIM_CONTESTED, /* others want it, who are to withdraw: look again soon */
    CLAIM_TAKEN,     /* *who has it, or goes first */
};
/* Who is to run key's step. wanted_us: since when the others can see that I want it, 0: they
 * cannot. *who is an id, borrowed; its builder's name is claimboard_builder(). */
enum claim_state claimboard_judge(const struct claimboard *b, const struct digest *key,
                                  gint64 wanted_us, gint64 now_us, const char **who);
/* Whether writer, as last seen, wants or holds key. */
gboolean claimboard_has(const struct claimboard *b, const char *writer, const struct digest *key,
                        gint64 now_us);
/* Borrowed until the next claimboard_see(); "another builder" for one without a name. */
const char *claimboard_builder(const struct claimboard *b, const char *writer);

typedef struct cache_claim cache_claim;
G_DEFINE_AUTOPTR_CLEANUP_FUNC(cache_claim, claim_free)

#endif
