#include "solver/inputs.h"

struct opened {
    struct chainview *view; /* of the input's chain; NULL: not needed yet, or a local source */
    struct tree *tree;      /* what n's reads select of it, owned; NULL likewise */
};

static struct opened *opened_of(struct node *n, guint i)
{
    if (!n->opened)
        n->opened = g_new0(struct opened, n->v->n_inputs);
    return &n->opened[i];
}

struct chainview *node_view(struct solver *s, struct node *n, guint i, GError **err)
{
    struct opened *o = opened_of(n, i);
    if (!o->view)
        o->view = chainview_new(s->o.store, node_of(s, n->v->inputs[i])->chain, s->stop, err);
    return o->view;
}

char *node_shown_name(const struct vertex *input)
{
    const char *stage = input->meta.stage;
    const struct op *op = &input->op;
    if (!stage)
        return g_strdup(input->meta.name);
    gboolean image = op->type == OP_SOURCE &&
                     (op->source.kind == SOURCE_IMAGE || op->source.kind == SOURCE_OCI_LAYOUT);
    if (image && g_ascii_isdigit(*stage) && g_str_has_prefix(input->meta.name, "FROM "))
        return g_strconcat("the image ", input->meta.name + strlen("FROM "), NULL);
    return g_ascii_isdigit(*stage) ? event_stage_label(stage) : g_strconcat("stage ", stage, NULL);
}

struct tree *node_tree(struct solver *s, struct node *n, guint i, GError **err)
{
    const struct vertex *input = n->v->inputs[i];
    if (node_is_local(input))
        return s->o.env->local(s->o.env, &input->op.source, err);
    struct opened *o = opened_of(n, i);
    struct chainview *view = o->tree ? NULL : node_view(s, n, i, err);
    if (!view)
        return o->tree;
    g_autofree char *name = node_shown_name(input);
    g_autoptr(GArray) sels = g_array_new(FALSE, FALSE, sizeof(struct selection));
    for (guint k = 0; k < n->reads->len; k++) {
        const struct read *r = &g_array_index(n->reads, struct read, k);
        if (r->input == i)
            g_array_append_val(sels, r->sel);
    }
    o->tree = chainview_tree_for(view, name, (const struct selection *)sels->data, sels->len, err);
    return o->tree;
}

void node_close_inputs(struct node *n)
{
    for (guint i = 0; n->opened && i < n->reads->len; i++) {
        struct read *r = &g_array_index(n->reads, struct read, i);
        if (n->opened[r->input].tree)
            g_clear_pointer(&r->selected, g_ptr_array_unref);
    }
    for (guint i = 0; n->opened && i < n->v->n_inputs; i++) {
        tree_free(n->opened[i].tree);
        chainview_free(n->opened[i].view);
    }
    g_clear_pointer(&n->opened, g_free);
}
