#include "solver/inputs.h"

#include "base/error.h"
#include "layer/fileop.h"

#include <string.h>

struct node *node_of(struct solver *s, const struct vertex *v)
{
    return g_ptr_array_index(s->nodes, v->number);
}

static void add_read(struct node *n, int input, guint part, const struct selection *sel)
{
    if (input < 0 || (guint)input >= n->v->n_inputs)
        return;
    struct read r = {.input = input, .part = part, .sel = *sel};
    g_array_append_val(n->reads, r);
}

/* What a mount shows of its input; for a cache mount the path is inside the cache, which starts as
 * a copy of the whole input. */
static const char *read_path(const struct exec_mount *m)
{
    return m->type == MOUNT_CACHE ? NULL : m->selector;
}

static void add_exec_reads(struct node *n, const struct exec_op *op)
{
    for (guint i = 0; i < op->n_mounts; i++) {
        const struct exec_mount *m = &op->mounts[i];
        const char *path = read_path(m);
        gboolean local = m->input >= 0 && node_is_local(n->v->inputs[m->input]);
        if (m->input < 0 || (!path && !local))
            continue;
        add_read(
            n, m->input, i,
            &(struct selection){.pattern = path ? path : "", .follow = TRUE, .required = TRUE});
    }
}

static void add_file_reads(struct node *n, const struct file_op *op)
{
    for (guint i = 0; i < op->n_actions; i++) {
        const struct file_action *a = &op->actions[i];
        if (a->type != FILE_COPY)
            continue;
        struct selection sel;
        fileop_selection(a, &sel);
        add_read(n, a->secondary, i, &sel);
    }
}

gboolean node_is_local(const struct vertex *v)
{
    return v->op.type == OP_SOURCE && v->op.source.kind == SOURCE_LOCAL;
}

int node_base_input(const struct node *n)
{
    int input = -1;
    if (n->v->op.type == OP_EXEC)
        input = n->v->op.exec.mounts[0].input;
    if (n->v->op.type == OP_FILE && n->v->op.file.n_actions > 0)
        input = n->v->op.file.actions[0].input;
    if (n->v->op.type == OP_MERGE)
        input = 0;
    return input >= 0 && (guint)input < n->v->n_inputs ? input : -1;
}

struct node *node_base(struct solver *s, const struct node *n)
{
    int input = node_base_input(n);
    return input >= 0 ? node_of(s, n->v->inputs[input]) : NULL;
}

void node_init_reads(struct node *n)
{
    n->reads = g_array_new(FALSE, TRUE, sizeof(struct read));
    n->pasts = g_array_new(FALSE, TRUE, sizeof(struct volume_past));
    n->local = node_is_local(n->v);
    if (n->v->op.type == OP_EXEC)
        add_exec_reads(n, &n->v->op.exec);
    if (n->v->op.type == OP_FILE)
        add_file_reads(n, &n->v->op.file);
}

/* Whether anything but directories is selected. */
static gboolean has_files(const GPtrArray *selected)
{
    for (guint i = 0; i < selected->len; i++) {
        const struct selected *s = g_ptr_array_index(selected, i);
        for (guint k = 0; k < s->entries->len; k++)
            if (((const struct entry *)g_ptr_array_index(s->entries, k))->type != ENTRY_DIR)
                return TRUE;
    }
    return FALSE;
}

static gboolean reads_nothing(const struct node *n)
{
    if (n->v->op.type != OP_FILE || n->v->op.file.n_actions != n->reads->len)
        return FALSE;
    for (guint i = 0; i < n->reads->len; i++) {
        const struct read *r = &g_array_index(n->reads, struct read, i);
        if (!r->selected || has_files(r->selected))
            return FALSE;
    }
    return TRUE;
}

static gboolean digest_read(struct node *n, struct tree *t, struct read *r, GError **err)
{
    n->res.missing = 0;
    g_clear_pointer(&r->selected, g_ptr_array_unref);
    GError *local = NULL;
    r->selected = tree_select(t, &r->sel, &local);
    if (g_error_matches(local, VARVE_ERROR, VARVE_ERROR_NOT_FOUND))
        n->res.missing = r->part + 1;
    if (local)
        g_propagate_error(err, local);
    n->res.nothing = reads_nothing(n);
    return r->selected && tree_selection_digest(t, r->selected, &r->digest, err);
}

/* Hashes what n's reads select from its local inputs. */
static gboolean digest_local_reads(struct solver *s, struct node *n, GError **err)
{
    for (guint i = 0; i < n->reads->len; i++) {
        struct read *r = &g_array_index(n->reads, struct read, i);
        struct vertex *input = n->v->inputs[r->input];
        if (!node_is_local(input))
            continue;
        struct tree *t = s->o.env->local(s->o.env, &input->op.source, err);
        if (!t || !digest_read(n, t, r, err))
            return FALSE;
    }
    return TRUE;
}

static void hash_op(struct node *n, const char *kind, struct hasher *h)
{
    hasher_add_str(h, kind);
    hasher_add_u64(h, KEY_EPOCH);
    if (n->resolved) /* its content counts, not its origin */
        hasher_add_str(h, n->resolved);
    else
        op_hash(&n->v->op, h);
}

/* Adds the digests of n's reads of local (or of all other) inputs. */
static void hash_reads(struct node *n, gboolean local, struct hasher *h)
{
    for (guint i = 0; i < n->reads->len; i++) {
        const struct read *r = &g_array_index(n->reads, struct read, i);
        if (node_is_local(n->v->inputs[r->input]) != local)
            continue;
        hasher_add_u64(h, r->input);
        hasher_add_digest(h, &r->digest);
    }
}

gboolean node_definition_key(struct solver *s, struct node *n, GError **err)
{
    if (!digest_local_reads(s, n, err))
        return FALSE;
    g_autoptr(hasher) h = hasher_new();
    hash_op(n, "definition", h);
    hash_reads(n, TRUE, h);
    for (guint i = 0; i < n->v->n_inputs; i++)
        hasher_add_digest(h, &node_of(s, n->v->inputs[i])->res.key);
    hasher_final(h, &n->res.key);
    return TRUE;
}

gboolean chain_content(struct solver *s, const struct chain *c, struct digest *out, GError **err)
{
    g_autoptr(chainview) view = chainview_new(s->o.store, c, s->stop, err);
    if (!view)
        return FALSE;
    chainview_content(view, out);
    return TRUE;
}

gboolean node_content(struct solver *s, struct node *n, struct digest *out, GError **err)
{
    g_mutex_lock(&s->lock);
    *out = n->content;
    g_mutex_unlock(&s->lock);
    if (!digest_is_zero(out))
        return TRUE;
    if (!chain_content(s, n->chain, out, err))
        return FALSE;
    g_mutex_lock(&s->lock);
    n->content = *out;
    g_mutex_unlock(&s->lock);
    return TRUE;
}

gboolean node_content_here(struct solver *s, struct node *n, gboolean *known, GError **err)
{
    struct digest unused;
    gboolean missing;
    if (!store_chain_lacks(s->o.store, n->chain, NEED_TREE, &missing, err))
        return FALSE;
    *known = !missing;
    return missing || node_content(s, n, &unused, err);
}

/* Tells of a failed read of an input's part; for what was not found the whole is looked at, so that
 * the message can say what is there. */
static gboolean tell_missing(struct node *n, struct chainview *view, struct read *r, GError *error,
                             GError **err)
{
    const struct vertex *input = n->v->inputs[r->input];
    g_autofree char *name = node_shown_name(input);
    g_autoptr(tree) all = n->res.missing ? chainview_tree(view, name, NULL) : NULL;
    if (!all || digest_read(n, all, r, err)) {
        g_propagate_error(err, error);
        return FALSE;
    }
    g_error_free(error);
    return FALSE;
}

/* Hashes what n reads out of its solved inputs, part by part. */
static gboolean digest_chain_reads(struct solver *s, struct node *n, GError **err)
{
    for (guint i = 0; i < n->reads->len; i++) {
        struct read *r = &g_array_index(n->reads, struct read, i);
        if (node_of(s, n->v->inputs[r->input])->local)
            continue;
        struct tree *t = node_tree(s, n, r->input, err);
        GError *local = NULL;
        if (!t)
            return FALSE;
        if (!digest_read(n, t, r, &local))
            return tell_missing(n, node_view(s, n, r->input, NULL), r, local, err);
    }
    return TRUE;
}

/* TRUE if all of input i matters to n, not just the parts in reads. */
static gboolean reads_whole_input(struct node *n, guint i)
{
    if (node_is_local(n->v->inputs[i]))
        return FALSE;
    if (n->v->op.type == OP_EXEC) {
        for (guint m = 0; m < n->v->op.exec.n_mounts; m++)
            if (n->v->op.exec.mounts[m].input == (int)i && !read_path(&n->v->op.exec.mounts[m]))
                return TRUE;
        return FALSE;
    }
    if (n->v->op.type == OP_FILE) {
        for (guint a = 0; a < n->v->op.file.n_actions; a++)
            if (n->v->op.file.actions[a].input == (int)i)
                return TRUE;
        return FALSE;
    }
    return TRUE;
}

static void hash_pasts(struct node *n, struct hasher *h)
{
    hasher_add_u64(h, n->pasts->len);
    for (guint i = 0; i < n->pasts->len; i++) {
        const struct volume_past *p = &g_array_index(n->pasts, struct volume_past, i);
        hasher_add_u64(h, p->mount - n->v->op.exec.mounts);
        hasher_add_digest(h, &p->digest);
    }
}

/* Adds the contents of the inputs that matter as a whole. */
static gboolean hash_inputs(struct solver *s, struct node *n, struct hasher *h, GError **err)
{
    for (guint i = 0; i < n->v->n_inputs; i++) {
        struct digest content;
        if (!reads_whole_input(n, i))
            continue;
        if (!node_content(s, node_of(s, n->v->inputs[i]), &content, err))
            return FALSE;
        hasher_add_u64(h, i);
        hasher_add_digest(h, &content);
    }
    return TRUE;
}

/* *keyed: n has a content key. A merge whose inputs are not all here has none: nothing is fetched
 * for its sake. */
static gboolean is_keyed(struct solver *s, struct node *n, gboolean *keyed, GError **err)
{
    *keyed = TRUE;
    for (guint i = 0; *keyed && n->v->op.type == OP_MERGE && i < n->v->n_inputs; i++)
        if (!node_content_here(s, node_of(s, n->v->inputs[i]), keyed, err))
            return FALSE;
    return TRUE;
}

gboolean node_content_key(struct solver *s, struct node *n, GError **err)
{
    gboolean keyed;
    n->content_key = (struct digest){{0}};
    if (!is_keyed(s, n, &keyed, err) || !keyed)
        return !keyed;
    if (!digest_chain_reads(s, n, err))
        return FALSE;
    node_find_pasts(s, n);
    g_autoptr(hasher) h = hasher_new();
    hash_op(n, "content", h);
    hash_pasts(n, h);
    hash_reads(n, TRUE, h);
    hash_reads(n, FALSE, h);
    if (!hash_inputs(s, n, h, err) || !hash_merged(s, n, h, err))
        return FALSE;
    hasher_final(h, &n->content_key);
    return TRUE;
}
