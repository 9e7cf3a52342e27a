/* The legs of a build: its Dockerfile for one platform each. They share the graph, so what is equal
 * in several of them is one step, and one run of the solver makes all of their results. */
#include "build/building.h"

#include "base/error.h"

#include <string.h>

static void leg_free(gpointer data)
{
    struct build_leg *leg = data;
    g_free(leg->slot_prefix);
    lowered_free(leg->lowered);
    chain_free(leg->chain);
    g_free(leg->of_image);
    g_clear_pointer(&leg->changes, g_ptr_array_unref);
    g_free(leg);
}

void build_make_legs(struct build *b)
{
    b->result.legs = g_ptr_array_new_with_free_func(leg_free);
    for (guint i = 0; i < b->r->platforms->len; i++) {
        struct build_leg *leg = g_new0(struct build_leg, 1);
        leg->platform = g_array_index(b->r->platforms, struct platform, i);
        g_ptr_array_add(b->result.legs, leg);
    }
}

char *build_platforms_text(const struct build_request *r, const char *separator)
{
    return platform_list_text((const struct platform *)r->platforms->data, r->platforms->len,
                              separator);
}

/* Builds are compared with earlier ones of the same tag, wherever their files were (a fresh clone);
 * without a tag, with those of the same Dockerfile, context and target of a bake file. */
static char *make_slot_prefix(const struct build *b, const struct build_leg *leg)
{
    g_autofree char *where = g_canonicalize_filename(b->input.dockerfile_path,
                                                     b->r->context_dir ? b->r->context_dir : "/");
    g_autofree char *platform = platform_text(&leg->platform);
    const char *tag = b->r->name;
    struct digest d;
    char hex[DIGEST_HEX_LEN + 1];
    g_autofree char *all =
        tag ? g_strjoin("\n", tag, platform, NULL)
            : g_strjoin("\n", where, b->input.context_name, platform, b->name, NULL);
    digest_of_bytes(&d, all, strlen(all));
    return g_strndup(digest_hex(&d, hex), 16);
}

static struct lower_options lower_options_for(struct build *b, const struct build_leg *leg)
{
    const struct build_request *r = b->r;
    struct lower_options l = {.build_args = r->build_args,
                              .labels = (const char *const *)r->labels,
                              .target = r->target,
                              .platform = leg->platform,
                              .network = r->network,
                              .hosts = (const struct host_ip *)r->hosts->data,
                              .n_hosts = r->hosts->len,
                              .ulimits = (const struct ulimit *)r->ulimits->data,
                              .n_ulimits = r->ulimits->len,
                              .shm_size = r->shm_size,
                              .cgroup_parent = r->cgroup_parent,
                              .contexts = r->contexts,
                              .context_source = b->input.context_source,
                              .no_cache = r->no_cache,
                              .no_cache_filter = (const char *const *)r->no_cache_filter,
                              .all_stages = r->call == CALL_CHECK,
                              .allow_insecure = r->allow_insecure,
                              .allow_host_network = r->allow_host_network,
                              .resolver = sources_resolver(b->batch->sources)};
    platform_host(&l.build_platform);
    l.slot_prefix = leg->slot_prefix;
    l.graph = b->batch->graph;
    l.context_id = b->batch->builds->len > 1 ? b->input.context_id : NULL;
    l.result_of = batch_result_of;
    l.result_ctx = b;
    l.several = b->result.legs->len > 1;
    return l;
}

/* The image of a leg is for the leg's platform, whatever its base says: an index must not have one
 * platform twice. */
static void set_platform(const struct build *b, struct build_leg *leg)
{
    if (build_makes_index(b->r))
        leg->lowered->conf->platform = leg->platform;
}

static gboolean lower_leg(struct build *b, struct build_leg *leg, GError **err)
{
    leg->slot_prefix = make_slot_prefix(b, leg);
    struct lower_options l = lower_options_for(b, leg);
    leg->lowered = lower(b->result.df, &l, b->result.diags, err);
    if (leg->lowered) {
        b->result.graph = leg->lowered->graph;
        if (!b->batch->graph)
            b->batch->graph = graph_ref(leg->lowered->graph);
        set_platform(b, leg);
        return TRUE;
    }
    gboolean several = b->result.legs->len > 1;
    g_autofree char *platform = platform_text(&leg->platform);
    b->result.wrong = several ? leg : NULL;
    if (err && !*err)
        error_set(err, diags_error_class(b->result.diags), "%u error%s%s%s; nothing was run",
                  b->result.diags->n_errors, b->result.diags->n_errors == 1 ? "" : "s",
                  several ? " for " : "", several ? platform : "");
    return FALSE;
}

gboolean build_lower_legs(struct build *b, GError **err)
{
    for (guint i = 0; i < b->result.legs->len; i++)
        if (!lower_leg(b, g_ptr_array_index(b->result.legs, i), err))
            return FALSE;
    return TRUE;
}

/* What the solver is to make, each once, and which of it belongs to each leg. */
struct goals {
    GPtrArray *vertices; /* struct vertex* */
    GPtrArray *legs;     /* struct build_leg*, which need one */
    GHashTable *known;   /* vertex → its place in vertices */
};

static void collect_goals(const struct build *b, struct goals *g)
{
    for (guint i = 0; i < b->result.legs->len; i++) {
        struct build_leg *leg = g_ptr_array_index(b->result.legs, i);
        g_clear_pointer(&leg->chain, chain_free);
        if (!leg->lowered->result) {
            leg->chain = chain_new();
            continue;
        }
        g_ptr_array_add(g->legs, leg);
        if (!g_hash_table_contains(g->known, leg->lowered->result)) {
            g_hash_table_insert(g->known, leg->lowered->result, GUINT_TO_POINTER(g->vertices->len));
            g_ptr_array_add(g->vertices, leg->lowered->result);
        }
    }
}

static gboolean solve_goals(struct solver *s, const struct goals *g, GError **err)
{
    g_autofree struct chain **chains = g_new0(struct chain *, g->vertices->len);
    gboolean ok =
        solver_run(s, (struct vertex *const *)g->vertices->pdata, g->vertices->len, chains, err);
    for (guint i = 0; i < g->legs->len; i++) {
        struct build_leg *leg = g_ptr_array_index(g->legs, i);
        guint at = GPOINTER_TO_UINT(g_hash_table_lookup(g->known, leg->lowered->result));
        leg->chain = chains[at] ? chain_copy(chains[at]) : NULL;
    }
    for (guint i = 0; i < g->vertices->len; i++)
        chain_free(chains[i]);
    return ok;
}

gboolean build_solve_legs(const GPtrArray *builds, GError **err)
{
    g_autoptr(GPtrArray) vertices = g_ptr_array_new(), legs = g_ptr_array_new();
    g_autoptr(GHashTable) known = g_hash_table_new(NULL, NULL);
    struct goals g = {vertices, legs, known};
    const struct build *any = builds->len > 0 ? g_ptr_array_index(builds, 0) : NULL;
    for (guint i = 0; i < builds->len; i++)
        collect_goals(g_ptr_array_index(builds, i), &g);
    return vertices->len == 0 || solve_goals(any->batch->solver, &g, err);
}

void build_mark_needs(struct build *b)
{
    const GPtrArray *all = b->result.graph->vertices;
    b->n_needs = all->len;
    b->needs = g_new0(gboolean, all->len + 1);
    for (guint i = 0; i < b->result.legs->len; i++) {
        const struct build_leg *leg = g_ptr_array_index(b->result.legs, i);
        if (leg->lowered->result)
            b->needs[leg->lowered->result->number] = TRUE;
    }
    for (guint i = all->len; i-- > 0;) {
        const struct vertex *v = g_ptr_array_index(all, i);
        for (guint k = 0; b->needs[i] && k < v->n_inputs; k++)
            b->needs[v->inputs[k]->number] = TRUE;
    }
}

gboolean build_needs(const struct build *b, const struct vertex *v)
{
    return (guint)v->number < b->n_needs && b->needs[v->number];
}

void build_make_images(struct build *b)
{
    g_clear_pointer(&b->result.images, imageset_free);
    b->result.images = imageset_new(b->batch->store, build_makes_index(b->r));
    for (guint i = 0; i < b->result.legs->len; i++) {
        struct build_leg *leg = g_ptr_array_index(b->result.legs, i);
        struct built_image *image =
            built_image_new(b->batch->store, leg->chain, leg->lowered->conf);
        image->cancel = b->ports.cancel;
        image->events = b->ports.events;
        image->epoch = b->times.epoch;
        image->keep_times = b->times.keep;
        imageset_add(b->result.images, image);
        leg->image = image;
    }
}
