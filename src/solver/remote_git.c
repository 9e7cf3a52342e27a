/* Commits of git repositories, each with its tree as a layer. */
#include "solver/remotework.h"

#include "base/error.h"
#include "base/fs.h"
#include "context/git.h"
#include "context/http.h"
#include "context/scan.h"
#include "store/images.h"

#include <string.h>

/* A remote with all that it borrows. */
struct access {
    struct git_remote remote;
    struct trust *trust;
    char *auth;
};

static void access_clear(struct access *a)
{
    trust_free(a->trust);
    g_free(a->auth);
}

/* The secret id.host, else id; newly allocated. */
static char *secret_for(const struct remotes *r, const char *id, const char *host)
{
    g_autofree char *own = g_strconcat(id, ".", host, NULL);
    GBytes *value = r->o.secrets ? g_hash_table_lookup(r->o.secrets, own) : NULL;
    if (!value && r->o.secrets)
        value = g_hash_table_lookup(r->o.secrets, id);
    if (!value)
        return NULL;
    return g_strstrip(g_strndup(g_bytes_get_data(value, NULL), g_bytes_get_size(value)));
}

/* GIT_AUTH_HEADER is a header's value; GIT_AUTH_TOKEN a password for any user. */
static char *make_auth(const struct remotes *r, const char *url)
{
    g_autofree char *host = http_host(url);
    g_autofree char *header = secret_for(r, "GIT_AUTH_HEADER", host);
    g_autofree char *token = secret_for(r, "GIT_AUTH_TOKEN", host);
    if (header)
        return g_steal_pointer(&header);
    if (!token)
        return NULL;
    g_autofree char *login = g_strconcat("x-access-token:", token, NULL);
    g_autofree char *coded = g_base64_encode((const guchar *)login, strlen(login));
    return g_strconcat("basic ", coded, NULL);
}

static void access_init(struct access *a, const struct remotes *r, const struct source_op *op)
{
    g_autofree char *host = http_host(op->identifier);
    a->trust = trust_find(NULL, host);
    a->auth = make_auth(r, op->identifier);
    const char *extra = r->o.registry ? r->o.registry->ca_file : NULL;
    a->remote = (struct git_remote){.url = op->identifier,
                                    .auth = a->auth,
                                    .ssh_agent = r->o.ssh_agent,
                                    .ca_file = extra ? extra : a->trust->ca_file,
                                    .ca_path = a->trust->ca_path,
                                    .cancel = r->o.cancel};
}

static gboolean refuse_commit(const struct source_op *op, const char *got, GError **err)
{
    g_autofree char *shown = http_shown(op->identifier);
    error_set(err, VARVE_ERROR_INVALID,
              "checksum mismatch: %s of %s is commit %s, but the checksum wants %s",
              op->ref ? op->ref : "the default branch", shown, got, op->checksum);
    error_add_next(err, "find out why it moved; if it is what you want now, write --checksum=%s",
                   got);
    return FALSE;
}

static char *resolve_now(struct remotes *r, const struct source_op *op, GError **err)
{
    struct access a;
    access_init(&a, r, op);
    char *commit = git_resolve(&a.remote, op->ref, err);
    access_clear(&a);
    if (commit && op->checksum && !g_str_has_prefix(commit, op->checksum)) {
        refuse_commit(op, commit, err);
        g_clear_pointer(&commit, g_free);
    }
    return commit;
}

char *remote_git_ask(struct remotes *r, const struct source_op *op, GError **err)
{
    if (!git_check(op->identifier, op->ref, err))
        return NULL;
    if (op->checksum && git_is_commit(op->checksum))
        return g_strdup(op->checksum);
    return resolve_now(r, op, err);
}

/* The commit says what all files are, those of submodules too. Only a .git directory knows where it
 * came from. */
void remote_git_key(const struct source_op *op, const char *holds, struct digest *key)
{
    g_autoptr(hasher) h = hasher_new();
    hasher_add_str(h, "git tree");
    hasher_add_str(h, holds);
    hasher_add_str(h, op->subdir);
    hasher_add_u64(h, (op->keep_git_dir ? 2 : 0) | (op->submodules ? 1 : 0));
    g_autofree char *shown = op->keep_git_dir ? http_shown(op->identifier) : NULL;
    hasher_add_str(h, shown);
    hasher_final(h, key);
}

/* The tree, or the part of it that is wanted, becomes a layer. */
static struct chain *keep_tree(struct remotes *r, const struct source_op *op, const char *holds,
                               const char *dir, GError **err)
{
    static const char *const excludes[] = {".git", "**/.git", NULL};
    const char *sub = op->subdir ? op->subdir : "";
    g_autofree char *shown = http_shown(op->identifier);
    g_autoptr(tree) t = scan_dir(NULL, dir, NULL, shown, r->o.cancel, err);
    const struct entry *top = NULL;
    g_autofree char *path = t ? tree_resolve(t, sub, TRUE, &top, err) : NULL;
    if (!path)
        return NULL;
    if (!top || top->type != ENTRY_DIR) {
        error_set(err, VARVE_ERROR_NOT_FOUND, "%s has no directory \"%s\" in commit %.12s", shown,
                  sub, holds);
        return NULL;
    }
    g_autofree char *tmp = store_tmp_dir(r->o.store, err);
    struct layer_info info = {0};
    struct digest key;
    if (!tmp || !remote_fill(r->o.store, r->o.cancel, t, path, FALSE,
                             op->keep_git_dir ? NULL : excludes, tmp, &info, err)) {
        if (tmp)
            store_tmp_discard(r->o.store, tmp);
        return NULL;
    }
    remote_git_key(op, holds, &key);
    return remote_keep(r, &key, tmp, &info, err);
}

static struct chain *check_out(struct remotes *r, const struct source_op *op,
                               const struct git_remote *remote, const char *cache,
                               const char *holds, GError **err)
{
    g_autofree char *tmp = store_tmp_dir(r->o.store, err);
    if (!tmp)
        return NULL;
    g_autofree char *dir = g_build_filename(store_root(r->o.store), tmp, "tree", NULL);
    struct chain *c = NULL;
    if (git_checkout(remote, cache, holds, op->submodules, dir, err))
        c = keep_tree(r, op, holds, dir, err);
    store_tmp_discard(r->o.store, tmp);
    return c;
}

/* Fetches into the bare repository kept for this URL, then takes the tree out of it. */
static struct chain *fetch_tree(struct remotes *r, const struct source_op *op,
                                const struct git_remote *remote, const char *holds, GError **err)
{
    g_autofree char *shown = http_shown(op->identifier); /* ids are listed and kept */
    g_autofree char *id = g_strconcat("git ", shown, NULL);
    struct volume *v = store_volume_take(r->o.store, id, VOLUME_LOCKED, r->o.cancel, err);
    if (!v)
        return NULL;
    g_autofree char *cache = g_build_filename(store_root(r->o.store), v->dir, NULL);
    struct chain *c = NULL;
    if (git_fetch(remote, cache, op->ref, holds, err) && store_volume_ready(v, err))
        c = check_out(r, op, remote, cache, holds, err);
    if (c || !v->fresh)
        store_volume_release(v);
    else
        store_volume_discard(v);
    return c;
}

/* A ref that was not asked about, because the checksum is a whole commit id, must agree with it. */
static gboolean check_ref(struct remotes *r, const struct source_op *op, GError **err)
{
    if (!op->checksum || !git_is_commit(op->checksum) || g_strcmp0(op->ref, op->checksum) == 0)
        return TRUE;
    g_autofree char *commit = resolve_now(r, op, err);
    return commit != NULL;
}

struct chain *remote_git_get(struct remotes *r, const struct source_op *op, const char *holds,
                             GError **err)
{
    struct access a;
    if (!check_ref(r, op, err))
        return NULL;
    access_init(&a, r, op);
    struct chain *c = fetch_tree(r, op, &a.remote, holds, err);
    access_clear(&a);
    return c;
}
