#include "cache/ghachain.h"

#include "base/error.h"

#include <string.h>

#define MAX_ROUNDS 500 /* of writing */
#define MAX_DEAD 6     /* numbers of dead writers that are passed over, however short the timeout */

/* One state of a chain. */
struct chain_state {
    guint number; /* 0: there is no index yet */
    struct ghaindex *index;
    gboolean diverged; /* it has what none of the chain's indexes alone has */
};

static char *index_key(const char *chain, guint number)
{
    return g_strdup_printf("%s%08u", chain, number);
}

static struct ghaindex *parse_read_index(struct ghacache *g, GBytes *bytes, GError **err)
{
    struct ghaindex *x = ghaindex_parse(bytes, err);
    if (!x)
        g_prefix_error(err, "%s: its entry is damaged: ", g->service.name);
    return x;
}

/* The newest of a chain. */
static gboolean read_newest(struct ghacache *g, const char *chain, struct chain_state *out,
                            GError **err)
{
    GError *why = NULL;
    g_autofree char *matched = NULL;
    g_autoptr(GBytes) bytes = ghacache_read(g, chain, TRUE, GHAINDEX_MAX, &matched, &why);
    guint64 number = 0;
    *out = (struct chain_state){0};
    if (why) {
        g_propagate_error(err, why);
        return FALSE;
    }
    if (!bytes) {
        out->index = ghaindex_new();
        return TRUE;
    }
    if (!g_ascii_string_to_unsigned(matched + strlen(chain), 10, 1, G_MAXINT32, &number, NULL))
        return error_set(err, VARVE_ERROR_INVALID, "%s has an entry of an odd name",
                         g->service.name);
    out->number = (guint)number;
    out->index = parse_read_index(g, bytes, err);
    return out->index != NULL;
}

/* Number k of the chain; *out is NULL when it is not there. */
static gboolean read_link(struct ghacache *g, const char *chain, guint k, struct ghaindex **out,
                          GError **err)
{
    GError *why = NULL;
    g_autofree char *key = index_key(chain, k);
    g_autoptr(GBytes) bytes = ghacache_read(g, key, FALSE, GHAINDEX_MAX, NULL, &why);
    *out = NULL;
    if (why) {
        g_propagate_error(err, why);
        return FALSE;
    }
    if (bytes)
        *out = parse_read_index(g, bytes, err);
    return !bytes || *out;
}

/* Takes number of the chain into s, if it is there: *found. What replaced s's own index has all of
 * it; what was made beside it has not. */
static gboolean read_next(struct ghacache *g, const char *chain, guint number,
                          struct chain_state *s, gboolean *found, GError **err)
{
    g_autoptr(ghaindex) next = NULL;
    if (!read_link(g, chain, number, &next, err))
        return FALSE;
    *found = next != NULL;
    if (!next)
        return TRUE;
    if (next->base != s->number || s->diverged) {
        s->diverged = TRUE;
        ghaindex_merge(next, s->index);
    }
    ghaindex_free(s->index);
    s->index = g_steal_pointer(&next);
    s->number = number;
    return TRUE;
}

/* The number after s's is taken: waits until it can be read, or is given up. */
static gboolean pass_number(struct ghacache *g, const char *chain, struct chain_state *s,
                            guint *next, GError **err)
{
    gint64 waited_ms = 0;
    gboolean found = FALSE;
    for (guint i = 0; waited_ms < ghacache_patience_ms(g); i++) {
        if (!read_next(g, chain, *next, s, &found, err))
            return FALSE;
        if (found)
            break;
        if (!ghacache_wait(g, i, &waited_ms, err))
            return FALSE;
    }
    (*next)++;
    return TRUE;
}

/* Adds what number k of the chain has to s, if it is there and was not made of number from. */
static gboolean take_in(struct ghacache *g, const char *chain, guint k, guint from,
                        struct chain_state *s, GError **err)
{
    g_autoptr(ghaindex) other = NULL;
    if (!read_link(g, chain, k, &other, err))
        return FALSE;
    if (!other || other->base == from)
        return TRUE;
    ghaindex_merge(s->index, other);
    s->number = MAX(s->number, k);
    s->diverged = TRUE;
    return TRUE;
}

/* After an index of ours was made as number, in ms: takes in those that were passed over for it and
 * are there after all, and those of who passed over ours. Each looks after it has written, so of
 * two that did not know of one another at least one finds the other. *beside: there were such. */
static gboolean look_beside(struct ghacache *g, const char *chain, struct chain_state *s,
                            guint number, gint64 ms, gboolean *beside, GError **err)
{
    gint64 patience_ms = ghacache_patience_ms(g);
    /* Who passes over a number waits for that long. */
    guint passes = ms < patience_ms / 8 ? 0 : (guint)(ms / patience_ms) + 2;
    guint from = s->number;
    s->number = number;
    s->diverged = FALSE;
    for (guint k = from + 1; k <= number + passes; k++)
        if (k != number && !take_in(g, chain, k, number, s, err))
            return FALSE;
    *beside = s->diverged;
    return TRUE;
}

/* One try at making the index number next from s. *done: it was made, and counts. */
static gboolean try_index(struct ghacache *g, const char *chain, const struct ghachange *c,
                          struct chain_state *s, guint *next, gboolean *done, GError **err)
{
    g_autoptr(GError) why = NULL;
    gint64 begun = g_get_monotonic_time();
    gboolean beside = FALSE;
    c->apply(c, s->index);
    s->index->base = s->number;
    g_autoptr(GBytes) bytes = ghaindex_write(s->index);
    g_autofree char *key = index_key(chain, *next);
    switch (ghacache_make(g, key, bytes, NULL, &why)) {
    case GHACACHE_MADE:
        if (!look_beside(g, chain, s, *next, (g_get_monotonic_time() - begun) / 1000, &beside, err))
            return FALSE;
        *done = !beside;
        *next = s->number + 1;
        return TRUE;
    case GHACACHE_EXISTS:
        return pass_number(g, chain, s, next, err);
    case GHACACHE_BURNT:
        (*next)++;
        return TRUE;
    case GHACACHE_FAILED:
        break;
    }
    g_propagate_error(err, g_steal_pointer(&why));
    return FALSE;
}

struct ghaindex *ghachain_read(struct ghacache *g, const char *chain, GError **err)
{
    struct chain_state s;
    return read_newest(g, chain, &s, err) ? s.index : NULL;
}

struct ghaindex *ghachain_change(struct ghacache *g, const char *chain, const struct ghachange *c,
                                 GError **err)
{
    struct chain_state s;
    if (!read_newest(g, chain, &s, err))
        return NULL;
    guint next = s.number + 1;
    gboolean ok = TRUE, done = !c->apply(c, s.index);
    gint64 until = g_get_monotonic_time() +
                   MAX(g->timeout_s * G_USEC_PER_SEC, MAX_DEAD * ghacache_patience_ms(g) * 1000);
    for (guint i = 0; ok && !done && i < MAX_ROUNDS && g_get_monotonic_time() < until; i++)
        ok = try_index(g, chain, c, &s, &next, &done, err);
    if (ok && done)
        return s.index;
    g_clear_pointer(&s.index, ghaindex_free);
    if (ok)
        error_set(err, VARVE_ERROR_OUTSIDE,
                  "%s: others wrote to this reference all the time, or what it sends is damaged",
                  g->service.name);
    return NULL;
}
