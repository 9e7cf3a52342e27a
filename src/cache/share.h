/* Sharing the work: builders that run at once with one reference run each step about once.
 *
 * Before a step runs, its content key is claimed (cache/claim.h); who finds it claimed by another
 * waits for that one's record, and runs the step itself when the claim ends without one. A claim
 * counts only as long as its holder renews it. All requests are made by one thread, which starts
 * with the first claim: a build that runs nothing sends nothing. Whatever goes wrong with claims
 * ends the sharing, with a note, and never a build: its steps run. */
#ifndef VARVE_CACHE_SHARE_H
#define VARVE_CACHE_SHARE_H

#include "cache/backend.h"

/* Microseconds each. */
struct share_times {
    gint64 renew_us;   /* between two writes of a claim that is held */
    gint64 look_us;    /* between two looks at one that is waited for */
    gint64 contest_us; /* the same while it is open who runs a step */
    gint64 settle_us;  /* that others get to withdraw */
    gint64 dead_us;    /* without a change: its builder is dead */
    gint64 reply_us;   /* that a step waits for the answer to its claim */
    gint64 wait_us;    /* that a step waits for others, where nothing is known of it */
};
extern const struct share_times SHARE_TIMES;

struct cache_share;
/* Takes b, a backend with claims that was opened with cancel, which is taken, too: it is triggered
 * when a request takes too long. builder is the own name, for people. times are borrowed. */
struct cache_share *cache_share_new(struct cache_backend *b, struct cancel *cancel,
                                    struct event_sink *events, const char *builder,
                                    const struct share_times *times);

/* Opens the reference for sharing. NULL: this kind of place has no claims, or with *err. */
struct cache_share *cache_share_open(const struct cache_spec *spec, const struct cache_env *env,
                                     GError **err);
/* The label of its reference. */
const char *cache_share_label(const struct cache_share *sh);

enum share_turn {
    SHARE_RUN,  /* the step is to be run, and key released after that */
    SHARE_WAIT, /* another builder runs it: cache_share_watch() */
};
/* Claims a step's key. Takes some requests' time. known_us: how long the step took before, 0:
 * unknown; it limits how long others are waited for. *builder gets whom to wait for; newly
 * allocated, or NULL. */
enum share_turn cache_share_claim(struct cache_share *sh, const struct digest *key, gint64 known_us,
                                  char **builder);
/* Whether key is claimed by this builder. */
gboolean cache_share_holds(struct cache_share *sh, const struct digest *key);
/* The step's record is published, or there will be none. Never waits. */
void cache_share_release(struct cache_share *sh, const struct digest *key);

/* After SHARE_WAIT: calls fn once, from another thread, when the wait for key is over: look for its
 * record then, and claim it anew if there is none. FALSE: it is over already, and fn not called. */
typedef void (*share_over_fn)(gpointer owner, gpointer data);
gboolean cache_share_watch(struct cache_share *sh, const struct digest *key, share_over_fn fn,
                           gpointer owner, gpointer data);
/* Drops owner's watches; on return none is being called. */
void cache_share_forget(struct cache_share *sh, gpointer owner);

/* Gives up all claims, and removes the own document. */
void cache_share_end(struct cache_share *sh);
void cache_share_free(struct cache_share *sh); /* NULL is fine */

typedef struct cache_share cache_share;
G_DEFINE_AUTOPTR_CLEANUP_FUNC(cache_share, cache_share_free)

#endif
