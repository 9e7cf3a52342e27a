#include "solver/inputs.h"

/* What running n reads of input i. */
static enum layer_need read_of(const struct node *n, guint i)
{
    switch (n->v->op.type) {
    case OP_EXEC:
        return NEED_FILES;
    case OP_FILE:
        for (guint a = 0; a < n->v->op.file.n_actions; a++)
            if (n->v->op.file.actions[a].secondary == (int)i)
                return NEED_FILES;
        return NEED_TREE;
    case OP_DIFF:
        return NEED_TREE;
    default: /* of a merge that is seen when it runs */
        return NEED_NOTHING;
    }
}

/* Whether n's result has layers of input i. */
static gboolean is_below(const struct node *n, guint i)
{
    return n->v->op.type == OP_MERGE || n->v->op.type == OP_DIFF || node_base_input(n) == (int)i;
}

/* Inputs have lower numbers than what depends on them. */
void mark_needs(struct solver *s)
{
    for (guint k = s->nodes->len; k-- > 0;) {
        const struct node *n = g_ptr_array_index(s->nodes, k);
        for (guint i = 0; n->queued && i < n->v->n_inputs; i++) {
            struct node *input = node_of(s, n->v->inputs[i]);
            input->need = MAX(input->need, read_of(n, i));
            if (is_below(n, i))
                input->need = MAX(input->need, n->need);
        }
    }
}
