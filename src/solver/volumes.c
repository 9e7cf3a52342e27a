/* Through cache mounts a step can pass files to a later one without any content digest. So the
 * content key of a step includes the steps that may have written to its cache mounts before it in
 * this graph. A definition key does not need this: it includes the keys of all earlier steps. */
#include "solver/node.h"

#include <string.h>

/* The id of a writable cache mount that m is, else NULL. Owner, mode and what it begins with also
 * tell volumes apart (run_exec.c), but with the id alone none is missed. */
static const char *written_id(const struct exec_mount *m)
{
    return m->type == MOUNT_CACHE && !m->readonly ? m->cache_id : NULL;
}

static gboolean writes(const struct vertex *v, const char *id)
{
    const struct exec_op *e = &v->op.exec;
    for (guint i = 0; v->op.type == OP_EXEC && i < e->n_mounts; i++)
        if (g_strcmp0(written_id(&e->mounts[i]), id) == 0)
            return TRUE;
    return FALSE;
}

void volumes_add(struct solver *s, const struct vertex *v)
{
    for (guint i = 0; v->op.type == OP_EXEC && i < v->op.exec.n_mounts; i++) {
        const char *id = written_id(&v->op.exec.mounts[i]);
        if (id && !g_hash_table_contains(s->first_writers, id))
            g_hash_table_insert(s->first_writers, (gpointer)id, GINT_TO_POINTER(v->number));
    }
}

/* Identifies what n would write. Above a step that ran because of --no-cache only the content key
 * does (n is solved then, like all that depends on it), and such a step itself writes something
 * else each time. */
static void imprint(const struct solver *s, const struct node *n, struct digest *out)
{
    *out = n->tainted ? n->content_key : n->res.key;
    if (!n->v->meta.no_cache)
        return;
    g_autoptr(hasher) h = hasher_new();
    hasher_add_digest(h, out);
    hasher_add_bytes(h, s->nonce, sizeof s->nonce);
    hasher_final(h, out);
}

static gint by_digest(gconstpointer a, gconstpointer b)
{
    return digest_cmp(a, b);
}

/* The imprints of the nearest writers of id above n, sorted: theirs cover those above them. Inputs
 * have smaller numbers, so that nothing before the first writer needs a look. */
static GArray *imprints_above(struct solver *s, const struct node *n, const char *id)
{
    GArray *found = g_array_new(FALSE, FALSE, sizeof(struct digest));
    gpointer value;
    if (!g_hash_table_lookup_extended(s->first_writers, id, NULL, &value))
        return found;
    int first = GPOINTER_TO_INT(value), last = n->v->number;
    if (first >= last)
        return found;
    g_autofree guint8 *seen = g_new0(guint8, last - first);
    g_autoptr(GPtrArray) stack = g_ptr_array_new();
    g_ptr_array_add(stack, n->v);
    while (stack->len > 0) {
        const struct vertex *v = g_ptr_array_steal_index_fast(stack, stack->len - 1);
        for (guint i = 0; i < v->n_inputs; i++) {
            struct vertex *in = v->inputs[i];
            if (in->number < first || seen[in->number - first])
                continue;
            seen[in->number - first] = TRUE;
            struct digest d;
            if (!writes(in, id)) {
                g_ptr_array_add(stack, in);
                continue;
            }
            imprint(s, node_of(s, in), &d);
            g_array_append_val(found, d);
        }
    }
    g_array_sort(found, by_digest);
    return found;
}

static void add_past(struct solver *s, struct node *n, const struct exec_mount *m)
{
    g_autoptr(GArray) found = imprints_above(s, n, m->cache_id);
    if (found->len == 0)
        return;
    g_autoptr(hasher) h = hasher_new();
    for (guint i = 0; i < found->len; i++)
        hasher_add_digest(h, &g_array_index(found, struct digest, i));
    struct volume_past past = {.mount = m};
    hasher_final(h, &past.digest);
    g_array_append_val(n->pasts, past);
}

void node_find_pasts(struct solver *s, struct node *n)
{
    const struct exec_op *e = &n->v->op.exec;
    g_array_set_size(n->pasts, 0);
    for (guint i = 0; n->v->op.type == OP_EXEC && i < e->n_mounts; i++)
        if (e->mounts[i].type == MOUNT_CACHE)
            add_past(s, n, &e->mounts[i]);
}
