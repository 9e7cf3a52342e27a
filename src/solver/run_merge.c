/* Merges: chains laid over one another. A layer that files were put into on scratch (COPY --link)
 * is put on what is below it by the rules of layer/graft.h. Diffs: the way back, from a chain to
 * the layers it has above another. */
#include "solver/inputs.h"
#include "solver/run.h"

#include "base/error.h"
#include "layer/graft.h"

#include <string.h>

/* A single layer of a file op is laid over what is below it; several are a chain that something was
 * made for, and a layer that was taken out of a chain may say what is gone. */
static gboolean is_grafted(struct solver *s, struct node *n, guint input)
{
    struct node *from = node_of(s, n->v->inputs[input]);
    return input > 0 && from->chain->n == 1 && from->v->op.type == OP_FILE;
}

gboolean hash_merged(struct solver *s, struct node *n, struct hasher *h, GError **err)
{
    for (guint i = 0; n->v->op.type == OP_MERGE && i < n->v->n_inputs; i++) {
        const struct chain *c = node_of(s, n->v->inputs[i])->chain;
        if (is_grafted(s, n, i) && !graft_hash_implied(s->o.store, c->ids[0], s->stop, h, err))
            return FALSE;
    }
    return TRUE;
}

static struct chain *make_grafted(struct solver *s, const struct graft *g, GError **err)
{
    struct layer_info info = {0};
    g_autofree char *tmp = store_tmp_dir(s->o.store, err);
    if (!tmp)
        return NULL;
    if (!graft_make(g, tmp, &info, err)) {
        store_tmp_discard(s->o.store, tmp);
        return NULL;
    }
    if (!store_layer_commit(s->o.store, tmp, &info, err))
        return NULL;
    struct chain *c = chain_new();
    chain_append(c, info.id);
    return c;
}

/* The layer to use instead of g's, made once for all chains that look the same where it goes. */
static struct chain *grafted(struct solver *s, const struct graft *g, const struct digest *looked,
                             GError **err)
{
    struct digest key;
    char name[DIGEST_HEX_LEN + 1];
    g_autoptr(hasher) h = hasher_new();
    hasher_add_str(h, "graft");
    hasher_add_u64(h, KEY_EPOCH);
    hasher_add_digest(h, looked);
    hasher_final(h, &key);
    g_autoptr(store_lock) lock =
        store_lock_take(s->o.store, digest_hex(&key, name), s->stop, NULL, err);
    if (!lock)
        return NULL;
    g_autoptr(record) known = store_record_find(s->o.store, &key);
    if (known)
        return g_steal_pointer(&known->chain);
    g_autoptr(chain) c = make_grafted(s, g, err);
    struct record made = {.chain = c, .created = g_get_real_time() / G_USEC_PER_SEC};
    if (!c || !chain_content(s, c, &made.content, err) ||
        !store_record_put(s->o.store, &key, &made, err))
        return NULL;
    return g_steal_pointer(&c);
}

/* Whether n's result is an image with linked layers alone. Such a result's root is taken to be like
 * any other, 0755 and 0:0: so what needs to know nothing else of the image need not have it. */
static gboolean is_image(struct solver *s, const struct node *n)
{
    while (n && n->v->op.type == OP_MERGE)
        n = node_base(s, n);
    return n && n->v->op.type == OP_SOURCE;
}

/* Appends the layer id, which from made, to c. */
static gboolean lay_over(struct solver *s, struct node *n, struct node *from, struct chain *c,
                         const char *id, GError **err)
{
    gboolean fits, implied, missing;
    if (!graft_has_implied(s->o.store, id, s->stop, &implied, err) ||
        !store_chain_lacks(s->o.store, c, NEED_TREE, &missing, err))
        return FALSE;
    gboolean plain = !implied && is_image(s, node_base(s, n));
    if (plain && missing) {
        chain_append(c, id);
        return TRUE;
    }
    struct digest looked;
    struct warned warned = {s, from};
    g_autoptr(chainview) base = chainview_new(s->o.store, c, s->stop, err);
    struct graft g = {.store = s->o.store,
                      .base = base,
                      .layer = id,
                      .plain_root = plain,
                      .cancel = s->stop,
                      .warn = node_warn,
                      .warn_ctx = &warned};
    if (!base || !graft_look(&g, &fits, &looked, err))
        return FALSE;
    if (fits) {
        chain_append(c, id);
        return TRUE;
    }
    g_autoptr(chain) other = grafted(s, &g, &looked, err);
    if (other)
        chain_append(c, other->ids[0]);
    return other != NULL;
}

struct chain *run_merge(struct solver *s, struct node *n, GError **err)
{
    g_autoptr(chain) all = chain_new();
    for (guint i = 0; i < n->v->n_inputs; i++) {
        struct node *from = node_of(s, n->v->inputs[i]);
        gboolean graft = is_grafted(s, n, i);
        for (guint k = 0; k < from->chain->n; k++)
            if (!graft)
                chain_append(all, from->chain->ids[k]);
            else if (!lay_over(s, n, from, all, from->chain->ids[k], err))
                return NULL;
    }
    return g_steal_pointer(&all);
}

static gboolean begins_with(const struct chain *c, const struct chain *with)
{
    return c->n >= with->n && memcmp(c->ids, with->ids, with->n * sizeof *c->ids) == 0;
}

/* How many layers of upper are those of lower: the very same, or, where either was found by its
 * content, as many as hold the same. -1: upper was not made over lower, or with *err. */
static int common_layers(struct solver *s, struct node *lower, const struct chain *upper,
                         GError **err)
{
    struct digest wanted;
    if (begins_with(upper, lower->chain))
        return (int)lower->chain->n;
    if (!node_content(s, lower, &wanted, err))
        return -1;
    g_autoptr(chain) part = chain_new();
    for (guint i = 0; i < upper->n; i++) {
        struct digest content;
        chain_append(part, upper->ids[i]);
        if (!chain_content(s, part, &content, err))
            return -1;
        if (digest_cmp(&content, &wanted) == 0)
            return (int)part->n;
    }
    return -1;
}

struct chain *run_diff(struct solver *s, struct node *n, GError **err)
{
    const struct chain *upper = node_of(s, n->v->inputs[n->v->n_inputs - 1])->chain;
    GError *local = NULL;
    int common =
        n->v->n_inputs > 1 ? common_layers(s, node_of(s, n->v->inputs[0]), upper, &local) : 0;
    if (local) {
        g_propagate_error(err, local);
        return NULL;
    }
    if (common < 0) {
        error_set(err, VARVE_ERROR_UNSUPPORTED,
                  "%s: only the difference of a result and one made on top of it is supported",
                  n->v->meta.name);
        return NULL;
    }
    struct chain *above = chain_new();
    for (guint i = (guint)common; i < upper->n; i++)
        chain_append(above, upper->ids[i]);
    return above;
}
