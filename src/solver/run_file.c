#include "solver/node.h"

#include "layer/fileop.h"

#include <string.h>

/* The trees that a file op's actions read, by input number. Those of local sources belong to env.
 */
struct inputs {
    struct tree **trees;
    gboolean *owned;
    guint n;
};

static void inputs_clear(struct inputs *in)
{
    for (guint i = 0; i < in->n; i++)
        if (in->owned[i])
            tree_free(in->trees[i]);
    g_free(in->trees);
    g_free(in->owned);
}

static struct tree *open_input(struct solver *s, struct node *n, guint i, gboolean *owned,
                               GError **err)
{
    struct vertex *input = n->v->inputs[i];
    if (node_is_local(input))
        return s->o.env->local(s->o.env, input->op.source.identifier, err);
    g_autoptr(chainview) view = chainview_new(s->o.store, node_of(s, input)->chain, s->stop, err);
    g_autoptr(GArray) sels = g_array_new(FALSE, FALSE, sizeof(struct selection));
    for (guint k = 0; k < n->reads->len; k++) {
        const struct read *r = &g_array_index(n->reads, struct read, k);
        if (r->input == i)
            g_array_append_val(sels, r->sel);
    }
    *owned = TRUE;
    return view ? chainview_tree_for(view, input->meta.name, (struct selection *)sels->data,
                                     sels->len, err)
                : NULL;
}

static gboolean inputs_open(struct solver *s, struct node *n, struct inputs *in, GError **err)
{
    in->n = n->v->n_inputs;
    in->trees = g_new0(struct tree *, in->n + 1);
    in->owned = g_new0(gboolean, in->n + 1);
    for (guint i = 0; i < n->reads->len; i++) {
        guint k = g_array_index(n->reads, struct read, i).input;
        if (in->trees[k])
            continue;
        in->trees[k] = open_input(s, n, k, &in->owned[k], err);
        if (!in->trees[k]) {
            in->owned[k] = FALSE;
            return FALSE;
        }
    }
    return TRUE;
}

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

static struct chain *run_over(struct solver *s, struct node *n, struct inputs *in, GError **err)
{
    struct node *base = node_base(s, n);
    g_autoptr(chainview) view = NULL;
    if (base && !(view = chainview_new(s->o.store, base->chain, s->stop, err)))
        return NULL;
    struct warned warned = {s, n};
    struct fileop_env env = {.base = view,
                             .inputs = in->trees,
                             .n_inputs = in->n,
                             .warn = node_warn,
                             .warn_ctx = &warned};
    struct layer_info info = {0};
    if (!make_layer(s, &n->v->op.file, &env, &info, err))
        return NULL;
    struct chain *c = chain_copy(base ? base->chain : NULL);
    chain_append(c, info.id);
    n->res.layer_bytes = info.size;
    return c;
}

struct chain *run_file(struct solver *s, struct node *n, GError **err)
{
    struct inputs in = {0};
    struct chain *c = inputs_open(s, n, &in, err) ? run_over(s, n, &in, err) : NULL;
    inputs_clear(&in);
    return c;
}

static struct chain *make_local_chain(struct solver *s, struct node *n, struct read *r,
                                      GError **err)
{
    const struct vertex *input = n->v->inputs[r->input];
    struct tree *t = s->o.env->local(s->o.env, input->op.source.identifier, err);
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
