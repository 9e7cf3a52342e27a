/* Commits of git repositories, each with its tree as a layer. */
#include "source/remotework.h"

#include "base/error.h"
#include "base/fs.h"
#include "net/url.h"
#include "source/git.h"
#include "store/images.h"
#include "text/giturl.h"
#include "tree/scan.h"

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
    char *value = remote_secret(r, own);
    return value ? value : remote_secret(r, id);
}

/* GIT_AUTH_HEADER is a header's value; GIT_AUTH_TOKEN a password for any user. */
static char *make_auth(const struct remotes *r, const char *url)
{
    g_autofree char *host = url_host_of(url);
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
    g_autofree char *host = url_host_of(op->identifier);
    const struct trust_places *p = r->o.registry ? &r->o.registry->trust : NULL;
    struct trust_places general = {.bundle = p ? p->bundle : NULL, .folder = p ? p->folder : NULL};
    a->trust = trust_find(&general, host);
    a->auth = make_auth(r, op->identifier);
    a->remote = (struct git_remote){.url = op->identifier,
                                    .auth = a->auth,
                                    .ssh_agent = r->o.ssh_agent,
                                    .env = r->o.env,
                                    .ca_file = p && p->extra ? p->extra : a->trust->ca_file,
                                    .ca_path = a->trust->ca_path,
                                    .cancel = r->o.cancel};
}

static void hint_login(const struct remotes *all, const struct git_remote *r, GError **err)
{
    if (!err || !g_error_matches(*err, VARVE_ERROR, VARVE_ERROR_DENIED) || !giturl_is_web(r->url))
        return;
    g_autofree char *host = url_host_of(r->url);
    if (r->auth)
        error_add_next(err, "check that the secret for %s is right and has not expired", host);
    else if (all->o.token_option)
        error_add_next(err, "give a token for it: %s", all->o.token_option);
    else
        error_add_next(err, "give a token for it: --secret id=GIT_AUTH_TOKEN.%s,src=FILE", host);
}

static gboolean refuse_commit(const struct source_op *op, const char *got, GError **err)
{
    g_autofree char *shown = url_shown(op->identifier);
    error_set(err, VARVE_ERROR_INVALID,
              "checksum mismatch: %s of %s is commit %s, but the checksum wants %s",
              op->ref ? op->ref : "the default branch", shown, got, op->commit);
    error_add_next(err, "find out why it moved; if you want the new one, write --checksum=%s", got);
    return FALSE;
}

/* A checksum may be that of an annotated tag, which git rev-parse gives for its name. */
static gboolean resolve_now(struct remotes *r, const struct source_op *op, struct git_named *out,
                            GError **err)
{
    struct access a;
    access_init(&a, r, op);
    gboolean ok = git_resolve(&a.remote, op->ref, out, err);
    if (!ok)
        hint_login(r, &a.remote, err);
    access_clear(&a);
    if (!ok || !op->commit || g_str_has_prefix(out->commit, op->commit) ||
        (out->tag && g_str_has_prefix(out->tag, op->commit)))
        return ok;
    return refuse_commit(op, out->commit, err);
}

char *remote_git_ask(struct remotes *r, const struct source_op *op, GError **err)
{
    struct git_named named;
    if (!git_check(op->identifier, op->ref, err))
        return NULL;
    if (op->commit && giturl_is_commit(op->commit))
        return g_strdup(op->commit);
    gboolean ok = resolve_now(r, op, &named, err);
    char *commit = ok ? g_strdup(named.commit) : NULL;
    git_named_clear(&named);
    return commit;
}

/* The commit says what all files are, those of submodules too. Only a .git directory knows where it
 * came from, and by which name. */
void remote_git_key(const struct source_op *op, const char *holds, struct digest *key)
{
    g_autoptr(hasher) h = hasher_new();
    hasher_add_str(h, "git tree");
    hasher_add_str(h, holds);
    hasher_add_str(h, op->subdir);
    hasher_add_u64(h, (op->commit_times ? 4 : 0) | (op->keep_git_dir ? 2 : 0) |
                          (op->submodules ? 1 : 0));
    g_autofree char *shown = op->keep_git_dir ? url_shown(op->identifier) : NULL;
    hasher_add_str(h, shown);
    if (op->keep_git_dir)
        hasher_add_str(h, op->ref);
    hasher_final(h, key);
}

static void set_times(struct tree *t, gint64 seconds)
{
    for (guint i = 0; i < entry_list_len(t->entries); i++)
        entry_list_at(t->entries, i)->mtime_ns = seconds * G_GINT64_CONSTANT(1000000000);
}

/* The tree, or the part of it that is wanted, becomes a layer. seconds: the commit's time. */
static struct chain *keep_tree(struct remotes *r, const struct source_op *op, const char *holds,
                               const char *dir, gint64 seconds, GError **err)
{
    static const char *const excludes[] = {".git", "**/.git", NULL};
    const char *sub = op->subdir ? op->subdir : "";
    g_autofree char *shown = url_shown(op->identifier);
    g_autoptr(tree) t = scan_dir(NULL, dir, NULL, shown, r->o.cancel, err);
    const struct entry *top = NULL;
    g_autofree char *path = t ? tree_resolve(t, sub, TRUE, &top, err) : NULL;
    if (!path)
        return NULL;
    if (op->commit_times)
        set_times(t, seconds);
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

/* A commit on its way into the store. */
struct getting {
    struct remotes *r;
    const struct source_op *op;
    const char *holds;      /* the commit, or an annotated tag of it */
    struct git_named named; /* what op's ref is now, where that matters: else empty */
};

/* What is fetched: with a .git directory to keep, the tag too. */
static const char *wanted(const struct getting *g)
{
    return g->op->keep_git_dir && g->named.tag ? g->named.tag : g->holds;
}

/* Looks what the ref is: it must agree with a checksum that was taken for the answer, and it is
 * what a kept .git directory calls the commit. With by_commit the user vouches for both. */
static gboolean getting_init(struct getting *g, struct remotes *r, const struct source_op *op,
                             const char *holds, GError **err)
{
    *g = (struct getting){.r = r, .op = op, .holds = holds};
    gboolean unchecked =
        op->commit && giturl_is_commit(op->commit) && g_strcmp0(op->ref, op->commit) != 0;
    if (op->by_commit) {
        gboolean whole = op->ref && g_str_has_prefix(op->ref, "refs/");
        g->named = (struct git_named){g_strdup(holds), whole ? g_strdup(op->ref) : NULL, NULL};
        return TRUE;
    }
    if ((unchecked || op->keep_git_dir) && !resolve_now(r, op, &g->named, err))
        return FALSE;
    gboolean moved = g_strcmp0(g->named.commit, holds) != 0 && g_strcmp0(g->named.tag, holds) != 0;
    if (moved) /* since the keys were made: then it has no name */
        git_named_clear(&g->named);
    return TRUE;
}

static void getting_clear(struct getting *g)
{
    git_named_clear(&g->named);
}

/* with_cache_fn: out is a struct chain**. */
static gboolean check_out(const struct getting *g, const struct git_remote *remote,
                          const char *cache, gpointer out, GError **err)
{
    struct store *s = g->r->o.store;
    g_autofree char *tmp = store_tmp_dir(s, err);
    if (!tmp)
        return FALSE;
    g_autofree char *dir = g_build_filename(store_root(s), tmp, "tree", NULL);
    gint64 seconds = 0;
    struct chain **c = out;
    gboolean timed =
        !g->op->commit_times || git_commit_time(remote, cache, g->holds, &seconds, err);
    if (timed && git_checkout(remote, cache, wanted(g), g->named.ref, g->op->submodules, dir, err))
        *c = keep_tree(g->r, g->op, g->holds, dir, seconds, err);
    store_tmp_discard(s, tmp);
    return *c != NULL;
}

/* What to do with a commit once the bare repository at cache has it. */
typedef gboolean (*with_cache_fn)(const struct getting *g, const struct git_remote *remote,
                                  const char *cache, gpointer out, GError **err);

/* Fetches into the bare repository kept for this URL, then calls fn. */
static gboolean with_cache(const struct getting *g, with_cache_fn fn, gpointer out, GError **err)
{
    struct store *s = g->r->o.store;
    g_autofree char *shown = url_shown(g->op->identifier); /* ids are listed and kept */
    g_autofree char *id = g_strconcat("git ", shown, NULL);
    struct volume *v = store_volume_take(s, id, SHARING_LOCKED, g->r->o.cancel, err);
    if (!v)
        return FALSE;
    struct access a;
    access_init(&a, g->r, g->op);
    g_autofree char *cache = g_build_filename(store_root(s), v->dir, NULL);
    gboolean ok = git_fetch(&a.remote, cache, g->op->ref, wanted(g), err) &&
                  store_volume_ready(v, err) && fn(g, &a.remote, cache, out, err);
    if (!ok)
        hint_login(g->r, &a.remote, err);
    access_clear(&a);
    if (ok || !v->fresh)
        store_volume_release(v);
    else
        store_volume_discard(v);
    return ok;
}

struct chain *remote_git_get(struct remotes *r, const struct source_op *op, const char *holds,
                             GError **err)
{
    struct getting g;
    struct chain *c = NULL;
    if (getting_init(&g, r, op, holds, err))
        with_cache(&g, check_out, &c, err);
    getting_clear(&g);
    return c;
}

/* with_cache_fn: out is a gint64*. */
static gboolean read_time(const struct getting *g, const struct git_remote *remote,
                          const char *cache, gpointer out, GError **err)
{
    return git_commit_time(remote, cache, g->holds, out, err);
}

gboolean remote_git_time(struct remotes *r, const struct source_op *op, const char *holds,
                         gint64 *seconds, GError **err)
{
    struct getting g;
    gboolean ok = getting_init(&g, r, op, holds, err) && with_cache(&g, read_time, seconds, err);
    getting_clear(&g);
    return ok;
}
