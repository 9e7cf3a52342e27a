#include "graph/graph.h"

const char *op_kind_name(const struct op *op)
{
    static const char *const sources[] = {"image", "local", "http", "git", "oci-layout"};
    static const char *const ops[] = {"source", "exec", "file", "merge", "diff"};
    return op->type == OP_SOURCE ? sources[op->source.kind] : ops[op->type];
}

char *graph_dump_text(const struct graph *g)
{
    GString *out = g_string_new(NULL);
    for (guint i = 0; i < g->vertices->len; i++) {
        const struct vertex *v = g_ptr_array_index(g->vertices, i);
        g_string_append_printf(out, "%3d  %-10s  %-12s  %s", v->number, op_kind_name(&v->op),
                               v->meta.stage ? v->meta.stage : "-", v->meta.name);
        for (guint k = 0; k < v->n_inputs; k++)
            g_string_append_printf(out, "%s%d", k == 0 ? "  <- " : " ", v->inputs[k]->number);
        g_string_append_c(out, '\n');
    }
    return g_string_free(out, FALSE);
}

/* Escapes text for a double-quoted dot string. */
static void append_dot_text(GString *out, const char *text)
{
    for (const char *p = text; *p; p++) {
        if (*p == '"' || *p == '\\')
            g_string_append_c(out, '\\');
        g_string_append_c(out, (guchar)*p < 0x20 ? ' ' : *p);
    }
}

char *graph_dump_dot(const struct graph *g)
{
    GString *out = g_string_new("digraph build {\n  rankdir=LR;\n  node [shape=box];\n");
    for (guint i = 0; i < g->vertices->len; i++) {
        const struct vertex *v = g_ptr_array_index(g->vertices, i);
        g_string_append_printf(out, "  v%d [label=\"", v->number);
        append_dot_text(out, v->meta.name);
        g_string_append(out, "\"];\n");
        for (guint k = 0; k < v->n_inputs; k++)
            g_string_append_printf(out, "  v%d -> v%d;\n", v->inputs[k]->number, v->number);
    }
    g_string_append(out, "}\n");
    return g_string_free(out, FALSE);
}
