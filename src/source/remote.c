#include "source/remotework.h"

#include "base/error.h"
#include "layer/fileop.h"

#include <string.h>

struct remotes *remotes_new(const struct remotes_options *o)
{
    struct remotes *r = g_new0(struct remotes, 1);
    r->o = *o;
    struct http_options ho = {.trust = o->registry ? &o->registry->trust : NULL,
                              .proxies = o->registry ? &o->registry->proxies : NULL};
    r->http = http_client_new(&ho);
    g_mutex_init(&r->lock);
    r->known = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    return r;
}

void remotes_free(struct remotes *r)
{
    if (!r)
        return;
    g_hash_table_unref(r->known);
    http_client_free(r->http);
    g_mutex_clear(&r->lock);
    g_free(r);
}

char *remote_secret(const struct remotes *r, const char *id)
{
    GBytes *value = r->o.secrets ? g_hash_table_lookup(r->o.secrets, id) : NULL;
    if (!value)
        return NULL;
    return g_strstrip(g_strndup(g_bytes_get_data(value, NULL), g_bytes_get_size(value)));
}

/* Names op among all others; newly allocated. */
static char *remote_name(const struct source_op *op)
{
    struct op whole = {.type = OP_SOURCE, .source = *op};
    struct digest d;
    g_autoptr(hasher) h = hasher_new();
    op_hash(&whole, h);
    hasher_final(h, &d);
    return digest_text(&d);
}

struct chain *remote_find(struct remotes *r, const struct digest *key)
{
    g_autoptr(record) known = store_record_find(r->o.store, key);
    return known ? g_steal_pointer(&known->chain) : NULL;
}

struct chain *remote_keep(struct remotes *r, const struct digest *key, const char *tmp,
                          struct layer_info *info, GError **err)
{
    if (!store_layer_commit(r->o.store, tmp, info, err))
        return NULL;
    g_autoptr(chain) c = chain_new();
    chain_append(c, info->id);
    struct record made = {
        .chain = c, .content = info->content, .created = g_get_real_time() / G_USEC_PER_SEC};
    return store_record_put(r->o.store, key, &made, err) ? g_steal_pointer(&c) : NULL;
}

char *remotes_holds(struct remotes *r, const struct source_op *op, GError **err)
{
    g_autofree char *name = remote_name(op);
    g_mutex_lock(&r->lock);
    char *known = g_strdup(g_hash_table_lookup(r->known, name));
    g_mutex_unlock(&r->lock);
    if (known)
        return known;
    char *holds = op->kind == SOURCE_GIT ? remote_git_ask(r, op, err) : remote_http_ask(r, op, err);
    if (!holds)
        return NULL;
    g_mutex_lock(&r->lock);
    g_hash_table_replace(r->known, g_steal_pointer(&name), g_strdup(holds));
    g_mutex_unlock(&r->lock);
    return holds;
}

static void remote_key(const struct source_op *op, const char *holds, struct digest *key)
{
    if (op->kind == SOURCE_GIT)
        remote_git_key(op, holds, key);
    else
        remote_http_key(op, holds, key);
}

char *remotes_resolve(struct remotes *r, const struct source_op *op, GError **err)
{
    struct digest key;
    g_autofree char *holds = remotes_holds(r, op, err);
    if (!holds)
        return NULL;
    remote_key(op, holds, &key);
    return digest_text(&key);
}

struct chain *remotes_chain(struct remotes *r, const struct source_op *op, GError **err)
{
    struct digest key;
    char lock_name[DIGEST_HEX_LEN + 1];
    g_autofree char *holds = remotes_holds(r, op, err);
    if (!holds)
        return NULL;
    remote_key(op, holds, &key);
    g_autoptr(store_lock) lock =
        store_lock_take(r->o.store, digest_hex(&key, lock_name), r->o.cancel, NULL, err);
    if (!lock)
        return NULL;
    struct chain *c = remote_find(r, &key);
    if (c)
        return c;
    return op->kind == SOURCE_GIT ? remote_git_get(r, op, holds, err)
                                  : remote_http_get(r, op, holds, err);
}

gboolean remotes_time(struct remotes *r, const struct source_op *op, gint64 *seconds, GError **err)
{
    if (op->kind != SOURCE_GIT)
        return remote_http_time(r, op, seconds, err);
    g_autofree char *holds = remotes_holds(r, op, err);
    return holds && remote_git_time(r, op, holds, seconds, err);
}

gboolean remote_fill(struct store *s, struct cancel *c, struct tree *t, const char *pattern,
                     gboolean unpack, const char *const *excludes, const char *tmp,
                     struct layer_info *info, GError **err)
{
    struct file_action copy = {.type = FILE_COPY,
                               .input = -1,
                               .secondary = 0,
                               .output = TRUE,
                               .src = pattern,
                               .dest = "/",
                               .follow_symlink = TRUE,
                               .dir_contents = TRUE,
                               .create_dest_path = TRUE,
                               .attempt_unpack = unpack,
                               .excludes = excludes};
    struct file_op op = {.actions = &copy, .n_actions = 1, .n_inputs = 1};
    struct fileop_env env = {
        .store = s, .inputs = &t, .n_inputs = 1, .cancel = c, .now_ns = g_get_real_time() * 1000};
    return fileop_run(&op, &env, tmp, info, err);
}
