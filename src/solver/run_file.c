#include "solver/inputs.h"
#include "solver/run.h"

#include "layer/fileop.h"

#include <string.h>

/* Applies op over base into a new committed layer. */
static gboolean make_layer(struct solver *s, const struct file_op *op, struct fileop_env *env,
                           struct layer_info *info, GError **err)
{
    g_autofree char *tmp = store_tmp_dir(s->o.store, err);
    if (!tmp)
        return FALSE;
    env->store = s->o.store;
    env->cancel = s->stop;
    env->now_ns = s->o.now_ns;
    if (!fileop_run(op, env, tmp, info, err)) {
        store_tmp_discard(s->o.store, tmp);
        return FALSE;
    }
    return store_layer_commit(s->o.store, tmp, info, err);
}

void node_warn(gpointer ctx, const char *text)
{
    const struct warned *w = ctx;
    event_emit(w->s->o.events,
               &(struct event){.type = EVENT_WARNING, .vertex = w->n->v->number, .text = text});
}

/* The trees that n's actions read, by input number, and what each action selects. */
static gboolean open_inputs(struct solver *s, struct node *n, struct fileop_env *env, GError **err)
{
    env->n_inputs = n->v->n_inputs;
    for (guint i = 0; i < n->reads->len; i++) {
        const struct read *r = &g_array_index(n->reads, struct read, i);
        if (!(env->inputs[r->input] = node_tree(s, n, r->input, err)))
            return FALSE;
        env->selected[r->part] = r->selected;
    }
    return TRUE;
}

static struct chain *run_over(struct solver *s, struct node *n, struct fileop_env *env,
                              GError **err)
{
    struct layer_info info = {0};
    int base = node_base_input(n);
    if (base >= 0 && !(env->base = node_view(s, n, base, err)))
        return NULL;
    if (!make_layer(s, &n->v->op.file, env, &info, err))
        return NULL;
    struct chain *c = chain_copy(base >= 0 ? node_of(s, n->v->inputs[base])->chain : NULL);
    chain_append(c, info.id);
    n->res.layer_bytes = info.size;
    return c;
}

struct chain *run_file(struct solver *s, struct node *n, GError **err)
{
    struct warned warned = {s, n};
    g_autofree struct tree **trees = g_new0(struct tree *, n->v->n_inputs + 1);
    g_autofree GPtrArray **selected = g_new0(GPtrArray *, n->v->op.file.n_actions + 1);
    struct fileop_env env = {
        .inputs = trees, .selected = selected, .warn = node_warn, .warn_ctx = &warned};
    return open_inputs(s, n, &env, err) ? run_over(s, n, &env, err) : NULL;
}

static struct chain *make_local_chain(struct solver *s, struct node *n, struct read *r,
                                      GError **err)
{
    const struct vertex *input = n->v->inputs[r->input];
    struct tree *t = s->o.env->local(s->o.env, &input->op.source, err);
    if (!t)
        return NULL;
    const char *path = r->selected && r->selected->len > 0
                           ? ((struct selected *)g_ptr_array_index(r->selected, 0))->path
                           : "";
    struct file_action copy = {.type = FILE_COPY,
                               .input = -1,
                               .secondary = 0,
                               .output = TRUE,
                               .src = r->sel.pattern,
                               .follow_symlink = TRUE,
                               .dir_contents = !*path, /* below the root it keeps its mode */
                               .create_dest_path = TRUE};
    g_autofree char *dest = g_strconcat("/", path, NULL);
    copy.dest = dest;
    struct file_op op = {.actions = &copy, .n_actions = 1, .n_inputs = 1};
    struct fileop_env env = {.inputs = &t, .n_inputs = 1};
    struct layer_info info = {0};
    if (!make_layer(s, &op, &env, &info, err))
        return NULL;
    struct chain *c = chain_new();
    chain_append(c, info.id);
    return c;
}

struct chain *local_chain(struct solver *s, struct node *n, struct read *r, GError **err)
{
    struct digest key;
    char name[DIGEST_HEX_LEN + 1];
    g_autoptr(hasher) h = hasher_new();
    hasher_add_str(h, "local");
    hasher_add_u64(h, KEY_EPOCH);
    hasher_add_str(h, r->sel.pattern);
    hasher_add_digest(h, &r->digest);
    hasher_final(h, &key);
    g_autoptr(store_lock) lock =
        store_lock_take(s->o.store, digest_hex(&key, name), s->stop, NULL, err);
    if (!lock)
        return NULL;
    g_autoptr(record) known = store_record_find(s->o.store, &key);
    if (known)
        return g_steal_pointer(&known->chain);
    g_autoptr(chain) c = make_local_chain(s, n, r, err);
    struct record made = {.chain = c, .created = g_get_real_time() / G_USEC_PER_SEC};
    if (!c || !chain_content(s, c, &made.content, err) ||
        !store_record_put(s->o.store, &key, &made, err))
        return NULL;
    return g_steal_pointer(&c);
}
