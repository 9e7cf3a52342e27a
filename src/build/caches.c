/* Caches that are not on this machine: --cache-from is read, --cache-to is written during a build.
 */
#include "build/building.h"

#include "base/error.h"
#include "cache/describe.h"

static struct cache_env env_of(const struct batch *x)
{
    return (struct cache_env){.store = x->store,
                              .registry = x->config->registry,
                              .events = x->ports.events,
                              .cancel = x->ports.cancel};
}

static gboolean is_same_cache(gconstpointer a, gconstpointer b)
{
    return cache_spec_equal(a, b);
}

gboolean build_read_caches(struct batch *x, GError **err)
{
    const struct cache_env env = env_of(x);
    g_autoptr(GPtrArray) specs = g_ptr_array_new();
    for (guint i = 0; i < x->builds->len; i++) {
        const struct build *b = g_ptr_array_index(x->builds, i);
        for (guint k = 0; !b->error && k < b->r->cache_from->len; k++) {
            gpointer spec = g_ptr_array_index(b->r->cache_from, k);
            if (!g_ptr_array_find_with_equal_func(specs, spec, is_same_cache, NULL))
                g_ptr_array_add(specs, spec);
        }
    }
    if (specs->len > 0)
        x->cache_reader = cache_reader_new(specs, &env, err);
    return x->cache_reader || specs->len == 0;
}

/* The input whose layers the vertex keeps below its own, or NULL. */
static const struct vertex *base_of(const struct vertex *v)
{
    int input = -1;
    if (v->op.type == OP_EXEC)
        input = v->op.exec.mounts[0].input;
    if (v->op.type == OP_FILE && v->op.file.n_actions > 0)
        input = v->op.file.actions[0].input;
    return input >= 0 && (guint)input < v->n_inputs ? v->inputs[input] : NULL;
}

/* Marks the vertices whose layers the leg's image has. Inputs have lower numbers. */
static void mark_image(const struct build *b, struct build_leg *leg)
{
    const GPtrArray *all = b->result.graph->vertices;
    leg->of_image = g_new0(gboolean, all->len + 1);
    if (leg->lowered->result)
        leg->of_image[leg->lowered->result->number] = TRUE;
    for (guint i = all->len; i-- > 0;) {
        const struct vertex *v = g_ptr_array_index(all, i), *base = base_of(v);
        if (!leg->of_image[i])
            continue;
        if (base)
            leg->of_image[base->number] = TRUE;
        for (guint k = 0; v->op.type == OP_MERGE && k < v->n_inputs; k++)
            leg->of_image[v->inputs[k]->number] = TRUE;
    }
}

/* Whether v's layers are those of the image of any leg. */
static gboolean is_of_image(const struct build *b, const struct vertex *v)
{
    for (guint i = 0; i < b->result.legs->len; i++) {
        const struct build_leg *leg = g_ptr_array_index(b->result.legs, i);
        if (leg->of_image[v->number])
            return TRUE;
    }
    return FALSE;
}

static gboolean is_read(const struct build *b, const struct cache_spec *written)
{
    for (guint i = 0; i < b->r->cache_from->len; i++)
        if (cache_spec_same(g_ptr_array_index(b->r->cache_from, i), written))
            return TRUE;
    return FALSE;
}

/* Shares the work through spec, unless it cannot be done there. A batch shares through one. */
static gboolean share_cache(struct build *b, const struct cache_spec *spec,
                            const struct cache_env *env, GError **err)
{
    struct cache_share **share = &b->batch->cache_share;
    GError *why = NULL;
    if (!is_read(b, spec))
        event_note(b->ports.events, "share=true has no effect: no --cache-from reads %s",
                   spec->label);
    else if (*share && !g_str_equal(spec->label, cache_share_label(*share)))
        event_note(b->ports.events, "share=true has no effect for %s: %s is shared already",
                   spec->label, cache_share_label(*share));
    else if (*share || (*share = cache_share_open(spec, env, &why)))
        cache_writer_share(b->cache_writer, spec, *share);
    else if (!why)
        event_note(b->ports.events, "share=true has no effect for %s: it has no claims",
                   spec->label);
    if (why)
        g_propagate_error(err, why);
    return !why;
}

static gboolean share_caches(struct build *b, const struct cache_env *env, GError **err)
{
    for (guint i = 0; i < b->r->cache_to->len; i++) {
        const struct cache_spec *spec = g_ptr_array_index(b->r->cache_to, i);
        if (spec->share && !share_cache(b, spec, env, err))
            return FALSE;
    }
    return TRUE;
}

static gboolean publishes(const struct build *b, const struct vertex *v)
{
    for (guint i = 0; i < b->r->cache_to->len; i++) {
        const struct cache_spec *spec = g_ptr_array_index(b->r->cache_to, i);
        if (spec->share && g_str_equal(spec->label, cache_share_label(b->batch->cache_share)))
            return spec->max || is_of_image(b, v);
    }
    return FALSE;
}

gboolean build_publishes(gpointer batch, const struct vertex *v)
{
    const struct batch *x = batch;
    for (guint i = 0; i < x->builds->len; i++) {
        const struct build *b = g_ptr_array_index(x->builds, i);
        if (b->cache_writer && build_needs(b, v) && publishes(b, v))
            return TRUE;
    }
    return FALSE;
}

gboolean build_write_caches(struct build *b, GError **err)
{
    g_autoptr(GPtrArray) specs = g_ptr_array_new();
    for (guint i = 0; i < b->r->cache_to->len; i++) {
        struct cache_spec *s = g_ptr_array_index(b->r->cache_to, i);
        if (s->type != CACHE_INLINE)
            g_ptr_array_add(specs, s);
    }
    for (guint i = 0; b->r->cache_to->len > 0 && i < b->result.legs->len; i++)
        mark_image(b, g_ptr_array_index(b->result.legs, i));
    if (specs->len == 0)
        return TRUE;
    const struct cache_env env = env_of(b->batch);
    b->cache_writer = cache_writer_new(specs, &env, err);
    return b->cache_writer && share_caches(b, &env, err);
}

/* What is recorded of v goes to the caches. Sources are found by their own names. */
static void write_vertex(struct build *b, const struct vertex *v, gboolean ran)
{
    const struct vertex_result *r = solver_result(b->batch->solver, v);
    struct solver_step step;
    if (v->op.type == OP_SOURCE || digest_is_zero(&r->key))
        return;
    solver_step(b->batch->solver, v, &step);
    g_autofree char *slot = solver_slot(b->batch->solver, v);
    struct cache_step s = {.definition = r->key,
                           .content_key = step.content_key,
                           .name = v->meta.name,
                           .platform = v->meta.platform,
                           .slot = slot,
                           .of_image = is_of_image(b, v),
                           .ran = ran,
                           .from = r->from};
    g_autoptr(record) rec = store_record_peek(b->batch->store, &r->key);
    if (!rec && b->batch->cache_reader && !step.chain)
        cache_writer_add_unseen(b->cache_writer, &s, b->batch->cache_reader);
    if (!rec)
        return;
    if (digest_is_zero(&s.content_key))
        s.content_key = rec->content_key;
    s.chain = rec->chain;
    s.content = rec->content;
    s.created = rec->created;
    s.duration_us = rec->duration_us;
    s.inputs = rec->inputs;
    cache_writer_add(b->cache_writer, &s);
}

void build_step_finished(gpointer batch, const struct vertex *v, const struct chain *c)
{
    const struct batch *x = batch;
    const struct vertex_result *r = solver_result(x->solver, v);
    for (guint i = 0; i < x->builds->len; i++) {
        struct build *b = g_ptr_array_index(x->builds, i);
        if (b->cache_writer && build_needs(b, v))
            write_vertex(b, v, r->started_us && r->outcome == OUTCOME_RAN);
    }
}

/* Steps below hits are no part of the build, but of a cache that is to have all of them. */
static void write_rest(struct build *b)
{
    const GPtrArray *all = b->result.graph->vertices;
    for (guint i = 0; i < all->len; i++) {
        const struct vertex *v = g_ptr_array_index(all, i);
        struct solver_step step;
        solver_step(b->batch->solver, v, &step);
        if (build_needs(b, v) && !step.chain)
            write_vertex(b, v, FALSE);
    }
}

/* Cache mounts of the steps of the build, each once. */
static void write_mounts(struct build *b)
{
    const GPtrArray *all = b->result.graph->vertices;
    g_autoptr(GHashTable) seen = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    for (guint i = 0; i < all->len; i++) {
        const struct vertex *v = g_ptr_array_index(all, i);
        const struct exec_op *e = &v->op.exec;
        gboolean run = v->op.type == OP_EXEC && build_needs(b, v);
        for (guint k = 0; run && k < e->n_mounts; k++) {
            const struct exec_mount *m = &e->mounts[k];
            g_autofree char *id = m->type == MOUNT_CACHE ? solver_volume_id(m) : NULL;
            if (id && g_hash_table_add(seen, g_strconcat(id, "\n", v->meta.platform, NULL)))
                cache_writer_add_mount(b->cache_writer, id, m->cache_id, v->meta.platform,
                                       b->batch->cache_reader);
        }
    }
}

/* How the image's own layers become blobs. */
static struct export_options image_exports(const struct build *b)
{
    struct export_options o = EXPORT_DEFAULTS;
    for (guint i = 0; i < b->r->outputs->len; i++) {
        const struct output *out = g_ptr_array_index(b->r->outputs, i);
        if (!output_makes_image(out))
            continue;
        o = out->image.layers;
        break;
    }
    if (o.clamp_mtime < 0 && !b->times.keep)
        o.clamp_mtime = b->times.epoch;
    return o;
}

/* A record of v, whose layers are the image's: they are known by its blobs alone. */
static gboolean inline_record(struct build *b, const struct vertex *v,
                              const struct export_options *o, struct cache_segment *s, GError **err)
{
    struct solver_step step;
    const struct vertex_result *r = solver_result(b->batch->solver, v);
    g_autoptr(record) rec = store_record_peek(b->batch->store, &r->key);
    if (!rec && b->batch->cache_reader)
        rec = cache_reader_peek(b->batch->cache_reader, &r->key);
    if (v->op.type == OP_SOURCE || !rec)
        return TRUE;
    g_autoptr(cache_record) out = g_new0(struct cache_record, 1);
    solver_step(b->batch->solver, v, &step);
    out->definition = r->key;
    out->content_key = digest_is_zero(&step.content_key) ? rec->content_key : step.content_key;
    out->content = rec->content;
    out->created = out->used = rec->created;
    out->duration_us = rec->duration_us;
    out->step = g_strdup(v->meta.name);
    out->platform = g_strdup(v->meta.platform);
    out->layers = g_new0(guint, rec->chain->n + 1);
    for (guint i = 0; i < rec->chain->n; i++) {
        g_autoptr(cache_layer) l =
            describe_inline(b->batch->store, rec->chain->ids[i], o, b->ports.cancel, err);
        if (!l)
            return FALSE;
        out->layers[out->n_layers++] = segment_add_layer(s, l);
    }
    segment_add_record(s, g_steal_pointer(&out));
    return TRUE;
}

static gboolean wants_inline(const struct build *b)
{
    for (guint i = 0; i < b->r->cache_to->len; i++)
        if (((const struct cache_spec *)g_ptr_array_index(b->r->cache_to, i))->type == CACHE_INLINE)
            return TRUE;
    return FALSE;
}

static gboolean add_inline_cache(struct build *b, guint leg, const struct export_options *o,
                                 GError **err)
{
    const GPtrArray *all = b->result.graph->vertices;
    const struct build_leg *l = g_ptr_array_index(b->result.legs, leg);
    struct image_conf *conf = imageset_at(b->result.images, leg)->conf;
    g_autoptr(cache_segment) s = segment_new();
    for (guint i = 0; i < all->len; i++)
        if (l->of_image[i] && !inline_record(b, g_ptr_array_index(all, i), o, s, err))
            return FALSE;
    g_autoptr(GBytes) bytes = segment_write(s);
    g_free(conf->inline_cache);
    conf->inline_cache = g_base64_encode(g_bytes_get_data(bytes, NULL), g_bytes_get_size(bytes));
    return TRUE;
}

gboolean build_add_inline_cache(struct build *b, GError **err)
{
    const struct export_options o = image_exports(b);
    for (guint i = 0; wants_inline(b) && i < b->result.legs->len; i++)
        if (!add_inline_cache(b, i, &o, err))
            return FALSE;
    return TRUE;
}

gboolean build_finish_caches(struct build *b, GError **err)
{
    if (!b->cache_writer)
        return TRUE;
    write_rest(b);
    write_mounts(b);
    gboolean ok = cache_writer_finish(b->cache_writer, err);
    b->result.cache_writes = g_array_new(FALSE, FALSE, sizeof(struct cache_write_report));
    for (guint i = 0; i < cache_writer_count(b->cache_writer); i++) {
        struct cache_write_report r;
        cache_writer_report(b->cache_writer, i, &r);
        g_array_append_val(b->result.cache_writes, r);
    }
    return ok;
}

void build_report_caches(struct build *b)
{
    if (!b->batch->cache_reader || b->result.cache_reads)
        return;
    b->result.cache_reads = g_array_new(FALSE, FALSE, sizeof(struct cache_read_report));
    for (guint i = 0; i < cache_reader_count(b->batch->cache_reader); i++) {
        struct cache_read_report r;
        cache_reader_report(b->batch->cache_reader, i, &r);
        g_array_append_val(b->result.cache_reads, r);
    }
}
