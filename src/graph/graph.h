/* The build graph: vertices with ordered inputs, inputs first. The graph owns all memory of its
 * vertices and ops. Lowering builds it from one Dockerfile or several (platforms, targets) and the
 * solver reads it; it may grow between the solver's runs, but existing vertices do not change,
 * except that a platform may be cleared, and that a batch of builds says whose they are. */
#ifndef VARVE_GRAPH_GRAPH_H
#define VARVE_GRAPH_GRAPH_H

#include "base/digest.h"
#include "graph/op.h"

/* Describes a vertex to readers; not part of any key. */
struct vertex_meta {
    const char *name;  /* "RUN npm ci": the instruction as written, one line */
    const char *stage; /* stage name, or its number as text; NULL for internal vertices */
    const char *slot;  /* stable place, to compare with earlier builds: "<stage>/<nth instruction>",
                          after the prefix of its Dockerfile and platform, if any */
    const char *platform; /* "linux/amd64": the platform it is made for; NULL: the same for all
                             users (contexts, steps that several platforms share) */
    const char
        *target; /* "linux/arm64": the platform of the image that it is needed for, where that
                    is another one and there are several; NULL: else, or several need it */
    /* how often it is expected to change (EVENT_VERTEX, base/event.h), or NULL */
    const char *level;
    const char *build; /* the build of a batch that it belongs to, "dev", or "dev, prod"; NULL: the
                          only one, or too many to name */
    int owner; /* of those in the batch that need it the first, by number: whose secrets it gets and
                  with whose logs its own is */
    int line, line_end; /* in the Dockerfile, from 1; 0: none */
    gboolean no_cache;  /* --no-cache(-filter): never look this one up */
    gboolean internal;  /* not counted as a step (local sources, merges) */
};
struct vertex {
    int number; /* position in graph->vertices */
    struct op op;
    struct vertex **inputs; /* n_inputs, borrowed from the graph */
    guint n_inputs;
    struct vertex_meta meta;
    struct digest id; /* hash of op and inputs' ids: equal vertices are one vertex */
};
struct graph {
    gint refs;             /* atomic */
    GPtrArray *vertices;   /* struct vertex*, inputs first */
    GHashTable *by_id;     /* struct digest* → struct vertex* */
    GStringChunk *strings; /* every text */
    GPtrArray *blocks;     /* every other allocation */
};
struct graph *graph_new(void);
struct graph *graph_ref(struct graph *g);
void graph_unref(struct graph *g); /* NULL: nothing happens */
/* Copies that live as long as the graph. NULL for NULL. */
const char *graph_str(struct graph *g, const char *s);
const char *const *graph_strv(struct graph *g, const char *const *v);
gpointer graph_alloc0(struct graph *g, gsize size);
/* Adds a vertex; op is copied shallowly: what it points to must come from graph_str or
 * graph_alloc0. If an equal one exists (same op, inputs, no_cache and context, and for a RUN the
 * same platform), returns that, and clears its platform if meta's is another. */
struct vertex *graph_add(struct graph *g, const struct op *op, struct vertex *const *inputs,
                         guint n_inputs, const struct vertex_meta *meta);
/* Says whose v is: vertex_meta.build and owner. Before the solver sees it. */
void graph_set_build(struct graph *g, struct vertex *v, const char *build, int owner);
/* "linux/amd64", or "linux/amd64->arm64" for a step that runs on one platform for an image of
 * another; NULL: it is for several. */
char *vertex_platform_text(const struct vertex *v);
/* Whether the steps of g are for more than one platform, so that output must name it. */
gboolean graph_has_platforms(const struct graph *g);
/* Text with a line per vertex, and graphviz dot. */
char *graph_dump_text(const struct graph *g);
char *graph_dump_dot(const struct graph *g);
/* The whole graph for tools, as indented JSON with an ordered list "vertices". Bytes that are not
 * UTF-8 are replaced. */
char *graph_dump_json(const struct graph *g);
/* "image", "local" … of a source, "exec", "file", "merge" or "diff". */
const char *op_kind_name(const struct op *op);

typedef struct graph graph;
G_DEFINE_AUTOPTR_CLEANUP_FUNC(graph, graph_unref)

#endif
