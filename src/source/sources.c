#include "source/sources.h"

#include "base/error.h"
#include "base/fs.h"
#include "base/suggest.h"
#include "source/baseimage.h"
#include "source/remote.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

/* A local source: scanned at its first use. */
struct local {
    char *name;            /* "context" or the named context's name */
    char *context;         /* source_op.context: which one of that name; or NULL */
    char *dir;             /* on this machine */
    gboolean archive;      /* an archive was unpacked there */
    struct ignore *ignore; /* borrowed (the context's) or owned, see owned */
    gboolean owned;
    struct tree *tree; /* NULL until scanned */
};

struct sources {
    struct sources_options o;
    struct image_resolver resolver; /* first handed out; container_of by offset */
    struct solver_env env;
    GMutex lock;       /* guards locals */
    GPtrArray *locals; /* struct local* */
    GArray *keys;      /* struct source_keys, by owner */
    struct baseimages *images;
    struct remotes *remotes;
};

static struct sources *from_resolver(struct image_resolver *r)
{
    return (struct sources *)((char *)r - G_STRUCT_OFFSET(struct sources, resolver));
}

static struct sources *from_env(struct solver_env *e)
{
    return (struct sources *)((char *)e - G_STRUCT_OFFSET(struct sources, env));
}

static void local_free(gpointer p)
{
    struct local *l = p;
    g_free(l->name);
    g_free(l->context);
    g_free(l->dir);
    if (l->owned)
        ignore_free(l->ignore);
    tree_free(l->tree);
    g_free(l);
}

static gboolean resolve_image(struct image_resolver *self, enum context_kind kind,
                              const char *reference, const struct platform *p,
                              struct resolved_image *out, GError **err)
{
    return baseimages_resolve(from_resolver(self)->images, kind, reference, p, out, err);
}

static gboolean time_of(struct image_resolver *self, const struct source_op *op, gint64 *seconds,
                        GError **err)
{
    return remotes_time(from_resolver(self)->remotes, op, seconds, err);
}

/* A named context has its own .dockerignore, as for Docker's builder. */
static gboolean load_ignore(struct local *l, GError **err)
{
    if (l->ignore)
        return TRUE;
    g_autofree char *path = g_build_filename(l->dir, ".dockerignore", NULL);
    GError *local = NULL;
    g_autoptr(GBytes) bytes = fs_read(AT_FDCWD, path, 1 << 20, &local);
    if (!bytes && (g_error_matches(local, VARVE_ERROR, VARVE_ERROR_NOT_FOUND) ||
                   g_file_test(path, G_FILE_TEST_IS_DIR))) { /* a directory counts as none */
        g_error_free(local);
        return TRUE;
    }
    if (!bytes) {
        g_propagate_error(err, local);
        return FALSE;
    }
    l->ignore = ignore_parse(g_bytes_get_data(bytes, NULL), g_bytes_get_size(bytes), err);
    l->owned = l->ignore != NULL;
    return l->ignore != NULL;
}

static struct local *find_local(const struct sources *s, const char *name, const char *context)
{
    for (guint i = 0; i < s->locals->len; i++) {
        struct local *l = g_ptr_array_index(s->locals, i);
        if (g_str_equal(l->name, name) && g_strcmp0(l->context, context) == 0)
            return l;
    }
    return NULL;
}

/* The one that Dockerfiles may have in common is held once. */
static struct local *add_local(struct sources *s, const char *name, const char *context,
                               const char *dir)
{
    struct local *l = find_local(s, name, context);
    if (l)
        return l;
    l = g_new0(struct local, 1);
    l->name = g_strdup(name);
    l->context = g_strdup(context);
    l->dir = g_strdup(dir);
    g_ptr_array_add(s->locals, l);
    return l;
}

void sources_add_contexts(struct sources *s, const struct source_contexts *c)
{
    g_mutex_lock(&s->lock);
    struct local *l = c->dir ? add_local(s, "context", c->id, c->dir) : NULL;
    if (l) {
        l->archive = c->archive;
        l->ignore = c->ignore;
    }
    for (guint i = 0; c->named && i < c->named->len; i++) {
        const struct named_context *n = g_ptr_array_index(c->named, i);
        if (n->kind == CONTEXT_LOCAL)
            add_local(s, n->name, c->id ? n->value : NULL, n->value);
    }
    g_mutex_unlock(&s->lock);
}

static struct tree *scan_local(struct sources *s, struct local *l, GError **err)
{
    if (l->tree)
        return l->tree;
    gboolean main_context = g_str_equal(l->name, "context");
    if (!main_context && !load_ignore(l, err))
        return NULL;
    g_autofree char *name =
        main_context ? g_strdup("the build context") : g_strdup_printf("the context %s", l->name);
    l->tree = l->archive ? scan_unpacked(l->dir, l->ignore, name, s->o.cancel, err)
                         : scan_dir(s->o.store, l->dir, l->ignore, name, s->o.cancel, err);
    return l->tree;
}

static struct tree *env_local(struct solver_env *self, const struct source_op *op, GError **err)
{
    struct sources *s = from_env(self);
    g_mutex_lock(&s->lock);
    struct local *l = find_local(s, op->identifier, op->context);
    struct tree *t = l ? scan_local(s, l, err) : NULL;
    g_mutex_unlock(&s->lock);
    if (!l) {
        error_set(err, VARVE_ERROR_NOT_FOUND, "this build has no context to copy from");
        error_add_next(err, "give a directory as the last argument: varve build .");
    }
    return t;
}

static struct chain *env_image(struct solver_env *self, const struct source_op *op,
                               enum layer_need need, GError **err)
{
    if (op->kind == SOURCE_IMAGE || op->kind == SOURCE_OCI_LAYOUT)
        return baseimages_chain(from_env(self)->images, op, need, err);
    return remotes_chain(from_env(self)->remotes, op, err);
}

static char *env_resolve(struct solver_env *self, const struct source_op *op, GError **err)
{
    return remotes_resolve(from_env(self)->remotes, op, err);
}

void sources_add_keys(struct sources *s, const struct source_keys *k)
{
    g_array_append_val(s->keys, *k);
}

static const struct source_keys *keys_of(struct solver_env *self, int owner)
{
    static const struct source_keys none;
    const GArray *all = from_env(self)->keys;
    return (guint)owner < all->len ? &g_array_index(all, struct source_keys, owner) : &none;
}

static GBytes *env_secret(struct solver_env *self, int owner, const char *id, GError **err)
{
    GHashTable *secrets = keys_of(self, owner)->secrets;
    GBytes *value = secrets ? g_hash_table_lookup(secrets, id) : NULL;
    if (value)
        return g_bytes_ref(value);
    error_set(err, VARVE_ERROR_NOT_FOUND, "the secret \"%s\" was not given", id);
    error_add_next(err, "add --secret id=%s,src=FILE (or ,env=VARIABLE) to the command", id);
    return NULL;
}

static char *env_ssh(struct solver_env *self, int owner, const char *id, GError **err)
{
    GHashTable *ssh = keys_of(self, owner)->ssh;
    const char *path = ssh ? g_hash_table_lookup(ssh, id) : NULL;
    if (path)
        return g_strdup(path);
    error_set(err, VARVE_ERROR_NOT_FOUND, "no ssh agent was given for \"%s\"", id);
    error_add_next(
        err, "add --ssh %s to the command, with SSH_AUTH_SOCK set (start one: eval $(ssh-agent))",
        id);
    return NULL;
}

gboolean pull_policy_parse(const char *option, const char *text, enum pull_policy *out,
                           GError **err)
{
    static const char *const words[] = {"always", "missing", "never", NULL};
    static const struct {
        const char *word;
        enum pull_policy policy;
    } meanings[] = {{"always", PULL_ALWAYS},   {"", PULL_ALWAYS},       {"true", PULL_ALWAYS},
                    {"missing", PULL_MISSING}, {"false", PULL_MISSING}, {"never", PULL_NEVER}};
    for (guint i = 0; i < G_N_ELEMENTS(meanings); i++) {
        if (!g_str_equal(text ? text : "missing", meanings[i].word))
            continue;
        *out = meanings[i].policy;
        return TRUE;
    }
    return suggest_choice(option, text, words, err);
}

struct sources *sources_new(const struct sources_options *o)
{
    struct sources *s = g_new0(struct sources, 1);
    s->o = *o;
    s->resolver = (struct image_resolver){resolve_image, time_of};
    s->env = (struct solver_env){env_local, env_image, env_secret, env_ssh, env_resolve};
    g_mutex_init(&s->lock);
    s->locals = g_ptr_array_new_with_free_func(local_free);
    s->keys = g_array_new(FALSE, FALSE, sizeof(struct source_keys));
    s->images = baseimages_new(o);
    struct remotes_options ro = {.store = o->store,
                                 .registry = o->registry,
                                 .env = o->env,
                                 .events = o->events,
                                 .cancel = o->cancel,
                                 .secrets = o->secrets,
                                 .ssh_agent = o->ssh_agent};
    s->remotes = remotes_new(&ro);
    return s;
}

void sources_free(struct sources *s)
{
    if (!s)
        return;
    g_ptr_array_unref(s->locals);
    g_array_unref(s->keys);
    baseimages_free(s->images);
    remotes_free(s->remotes);
    g_mutex_clear(&s->lock);
    g_free(s);
}

struct image_resolver *sources_resolver(struct sources *s)
{
    return &s->resolver;
}

struct solver_env *sources_env(struct sources *s)
{
    return &s->env;
}

void sources_save(struct sources *s)
{
    for (guint i = 0; i < s->locals->len; i++) {
        struct local *l = g_ptr_array_index(s->locals, i);
        if (l->tree)
            scan_save(l->tree);
    }
}

struct chain *sources_pull(struct sources *s, const struct reference *ref, const struct platform *p,
                           GError **err)
{
    g_autofree char *name = reference_text(ref);
    struct resolved_image image = {0};
    if (!baseimages_resolve(s->images, CONTEXT_IMAGE, name, p, &image, err))
        return NULL;
    struct source_op op = {
        .kind = SOURCE_IMAGE, .identifier = image.canonical, .digest = image.digest};
    struct chain *c = baseimages_chain(s->images, &op, NEED_FILES, err);
    resolved_image_clear(&image);
    return c;
}
