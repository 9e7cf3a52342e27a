#include "layer/fileop.h"

#include "base/error.h"
#include "base/fs.h"
#include "layer/attrs.h"
#include "layer/filework.h"
#include "layer/index.h"
#include "text/pattern.h"
#include "tree/content.h"
#include "tree/resolve.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

/* An op being run: what each action's result is. Actions that follow one another share a dest. */
struct run {
    const struct file_op *op;
    const struct fileop_env *env;
    int tmpfd;           /* the layer directory */
    struct dest **dests; /* by action; shared ones repeat */
    int *fds;            /* by action: a second descriptor of a dest's directory; -1 */
    guint output;        /* action whose result is the op's */
};

/* Resolves where a new file or symlink goes; its parent must be a directory. */
static char *new_place(struct filework *w, gboolean follow, gboolean *exists, struct entry *there,
                       GError **err)
{
    g_autofree char *path = dest_resolve(w->dest, "", w->a->dest, follow, exists, there, err);
    if (!path)
        return NULL;
    const char *slash = strrchr(path, '/');
    g_autofree char *parent = g_strndup(path, slash ? slash - path : 0);
    struct entry e;
    if (!dest_lookup(w->dest, parent, &e)) {
        error_set(err, VARVE_ERROR_NOT_FOUND, "cannot create /%s: the directory /%s does not exist",
                  path, parent);
        return NULL;
    }
    return g_steal_pointer(&path);
}

static gboolean run_mkfile(struct filework *w, GError **err)
{
    gboolean exists;
    struct entry there, e = filework_made(w, ENTRY_FILE, w->a->mode);
    g_autofree char *path = new_place(w, TRUE, &exists, &there, err);
    if (!path)
        return FALSE;
    if (exists && there.type == ENTRY_DIR)
        return error_set(err, VARVE_ERROR_FAILED, "cannot replace the directory /%s with a file",
                         path);
    if (exists && !dest_clear(w->dest, path, err))
        return FALSE;
    fd_auto int fd = dest_create(w->dest, path, err);
    e.path = path;
    e.size = w->a->data_len;
    e.has_digest = TRUE;
    digest_of_bytes(&e.digest, w->a->data, w->a->data_len);
    if (fd < 0 || !fs_write_all(fd, w->a->data, w->a->data_len, err) ||
        !attrs_apply_fd(fd, &e, err))
        return FALSE;
    dest_note(w->dest, &e);
    return TRUE;
}

static gboolean run_mkdir(struct filework *w, GError **err)
{
    gboolean exists;
    struct entry there, e = filework_made(w, ENTRY_DIR, w->a->mode);
    g_autofree char *path = dest_resolve(w->dest, "", w->a->dest, TRUE, &exists, &there, err);
    if (!path)
        return FALSE;
    struct dest_made made = {.e = e, .owner_given = w->has_owner};
    if (w->a->make_parents)
        return dest_make_dirs(w->dest, path, &made, err);
    if (exists)
        return there.type == ENTRY_DIR ||
               error_set(err, VARVE_ERROR_FAILED,
                         "cannot make the directory /%s: it exists and is not a directory", path);
    g_autofree char *place = new_place(w, TRUE, &exists, &there, err);
    e.path = place;
    return place && dest_make_dir(w->dest, &e, err);
}

static gboolean run_symlink(struct filework *w, GError **err)
{
    gboolean exists;
    struct entry there, e = filework_made(w, ENTRY_SYMLINK, 0777);
    g_autofree char *path = new_place(w, FALSE, &exists, &there, err);
    if (!path)
        return FALSE;
    if (exists)
        return error_set(err, VARVE_ERROR_FAILED, "cannot make the symlink /%s: the name is taken",
                         path);
    e.path = path;
    e.target = w->a->target;
    e.size = strlen(w->a->target);
    return dest_put_special(w->dest, &e, err);
}

static gboolean run_rm(struct filework *w, GError **err)
{
    gboolean exists;
    struct entry there;
    if (w->a->allow_wildcard && pattern_has_wildcards(w->a->dest))
        return error_set(err, VARVE_ERROR_UNSUPPORTED,
                         "removing by a wildcard (%s) is not supported", w->a->dest);
    g_autofree char *path = dest_resolve(w->dest, "", w->a->dest, FALSE, &exists, &there, err);
    if (!path)
        return FALSE;
    if (*path == '\0')
        return error_set(err, VARVE_ERROR_INVALID, "cannot remove /");
    if (!exists)
        return w->a->allow_not_found ||
               error_set(err, VARVE_ERROR_NOT_FOUND, "/%s does not exist", path);
    return dest_remove(w->dest, path, err);
}

/* A tree over what a chain of actions on scratch made. */
static int made_open(struct tree *t, const struct entry *e, GError **err)
{
    return content_open(GPOINTER_TO_INT(t->data), e->path, t->name, err);
}

static gboolean made_ensure(struct tree *t, GPtrArray *entries, GError **err)
{
    return TRUE;
}

static struct tree *tree_of_dest(struct dest *d, int fd, GError **err)
{
    struct entry_list *l = dest_finish(d, err);
    if (!l)
        return NULL;
    if (!entry_list_find(l, "")) {
        entry_list_add(l, &(struct entry){.path = "", .type = ENTRY_DIR, .mode = 0755});
        entry_list_sort(l);
    }
    struct tree *t = tree_new(l, "an earlier file action");
    t->data = GINT_TO_POINTER(fd);
    t->open = made_open;
    t->ensure_digests = made_ensure;
    return t;
}

/* Number of the action whose result n is, or -1. */
static int result_of(const struct file_op *op, int n)
{
    return n >= (int)op->n_inputs ? n - (int)op->n_inputs : -1;
}

/* The first of the actions that led to i's result, each changing that of the one before. */
static guint first_action(const struct file_op *op, guint i)
{
    for (int k; (k = result_of(op, op->actions[i].input)) >= 0;)
        i = k;
    return i;
}

/* No action reads the result of a later one. */
static gboolean check_order(const struct file_op *op, GError **err)
{
    for (guint i = 0; i < op->n_actions; i++) {
        const struct file_action *a = &op->actions[i];
        if (result_of(op, a->input) >= (int)i ||
            (a->type == FILE_COPY && result_of(op, a->secondary) >= (int)i))
            return error_set(err, VARVE_ERROR_INVALID,
                             "file action %u reads the result of a later one", i);
    }
    return TRUE;
}

static gboolean check_action(const struct run *r, guint i, GError **err)
{
    const struct file_action *a = &r->op->actions[i];
    int before = result_of(r->op, a->input), source = result_of(r->op, a->secondary);
    if (a->type == FILE_COPY && source < 0 &&
        (a->secondary < 0 || (guint)a->secondary >= r->env->n_inputs ||
         !r->env->inputs[a->secondary]))
        return error_set(err, VARVE_ERROR_INVALID, "file action %u has no source", i);
    if (a->input >= 0 && before < 0 && first_action(r->op, r->output) != i)
        return error_set(err, VARVE_ERROR_UNSUPPORTED,
                         "file action %u changes another chain than the result's", i);
    for (guint k = i + 1; before >= 0 && k < r->op->n_actions; k++)
        if (result_of(r->op, r->op->actions[k].input) == before)
            return error_set(err, VARVE_ERROR_UNSUPPORTED,
                             "file actions %u and %u change the same result", i, k);
    return TRUE;
}

/* Opens the directory that action i's result goes to: fs for the op's own. */
static struct dest *open_dest(struct run *r, guint i, GError **err)
{
    int before = result_of(r->op, r->op->actions[i].input);
    if (before >= 0)
        return r->dests[before];
    gboolean own = first_action(r->op, r->output) == i;
    g_autofree char *name = own ? g_strdup("fs") : g_strdup_printf("side-%u", i);
    if (mkdirat(r->tmpfd, name, 0755) < 0) {
        error_set_errno(err, errno, "cannot create %s of a layer", name);
        return NULL;
    }
    fd_auto int fd = fs_open_dir(r->tmpfd, name, err);
    if (fd < 0)
        return NULL;
    r->fds[i] = fcntl(fd, F_DUPFD_CLOEXEC, 0);
    if (r->fds[i] < 0) {
        error_set_errno(err, errno, "cannot keep %s of a layer open", name);
        return NULL;
    }
    struct chainview *base = own && r->op->actions[i].input >= 0 ? r->env->base : NULL;
    return dest_new(r->env->store, base, fd_steal(&fd), r->env->cancel);
}

/* A directory for a user whom the image does not know (WORKDIR after USER) is root's; the first RUN
 * will say that there is no such user. */
static gboolean find_owner(struct filework *w, struct chainview *base, GError **err)
{
    const struct fileop_env *env = w->env;
    gboolean workdir = w->a->type == FILE_MKDIR;
    GError *local = NULL;
    g_autofree char *unknown = NULL;
    w->has_owner = TRUE;
    if (fileop_owner(base, w->a->owner, &w->uid, &w->gid, &unknown, &local)) {
        if (unknown && !workdir && env->warn)
            env->warn(env->warn_ctx, unknown);
        return TRUE;
    }
    if (!workdir || !g_error_matches(local, VARVE_ERROR, VARVE_ERROR_NOT_FOUND)) {
        g_propagate_error(err, local);
        return FALSE;
    }
    g_error_free(local);
    w->uid = w->gid = 0;
    return TRUE;
}

static gboolean parse_options(struct filework *w, struct chainview *base, GError **err)
{
    if (w->a->owner && *w->a->owner && !find_owner(w, base, err))
        return FALSE;
    if (w->a->mode_text && *w->a->mode_text) {
        w->has_mode = TRUE;
        return chmod_parse(&w->chmod, w->a->mode_text, err);
    }
    return TRUE;
}

static gboolean apply(struct filework *w, GError **err)
{
    switch (w->a->type) {
    case FILE_COPY:
        return filework_copy(w, err);
    case FILE_MKFILE:
        return run_mkfile(w, err);
    case FILE_MKDIR:
        return run_mkdir(w, err);
    case FILE_RM:
        return run_rm(w, err);
    case FILE_SYMLINK:
        return run_symlink(w, err);
    }
    return error_set(err, VARVE_ERROR_UNSUPPORTED, "unknown file action %d", w->a->type);
}

static gboolean run_action(struct run *r, guint i, GError **err)
{
    const struct file_action *a = &r->op->actions[i];
    if (!check_action(r, i, err) || !(r->dests[i] = open_dest(r, i, err)))
        return FALSE;
    struct filework w = {.env = r->env, .a = a, .dest = r->dests[i]};
    if (!parse_options(&w, r->env->base, err))
        return FALSE;
    if (a->type != FILE_COPY)
        return apply(&w, err);
    int source = result_of(r->op, a->secondary);
    if (source < 0) {
        w.tree = r->env->inputs[a->secondary];
        w.selected = r->env->selected ? r->env->selected[i] : NULL;
        return apply(&w, err);
    }
    guint first = first_action(r->op, source);
    if (r->op->actions[first].input >= 0)
        return error_set(err, VARVE_ERROR_UNSUPPORTED,
                         "file action %u copies from a result that is not on scratch", i);
    g_autoptr(tree) made = tree_of_dest(r->dests[source], r->fds[first], err);
    w.tree = made;
    return made && apply(&w, err);
}

static gboolean finish_layer(struct run *r, struct layer_info *info, GError **err)
{
    g_autoptr(entry_list) l = dest_finish(r->dests[r->output], err);
    return l && layer_index_write(r->tmpfd, l, info, err);
}

static gboolean run_init(struct run *r, const char *tmp, GError **err)
{
    r->dests = g_new0(struct dest *, r->op->n_actions + 1);
    r->fds = g_new(int, r->op->n_actions + 1);
    for (guint i = 0; i < r->op->n_actions; i++) {
        r->fds[i] = -1;
        if (r->op->actions[i].output)
            r->output = i;
    }
    r->tmpfd = fs_open_dir(store_fd(r->env->store), tmp, err);
    return r->tmpfd >= 0;
}

static void fileop_run_clear(struct run *r)
{
    for (guint i = 0; i < r->op->n_actions; i++) {
        if (r->fds[i] < 0)
            continue; /* shares the dest of an earlier one */
        dest_free(r->dests[i]);
        close(r->fds[i]);
        g_autofree char *side = g_strdup_printf("side-%u", i);
        fs_remove_tree(r->tmpfd, side, NULL);
    }
    fd_cleanup(&r->tmpfd);
    g_free(r->dests);
    g_free(r->fds);
}

gboolean fileop_run(const struct file_op *op, const struct fileop_env *env, const char *tmp,
                    struct layer_info *info, GError **err)
{
    struct run r = {.op = op, .env = env, .tmpfd = -1};
    if (op->n_actions == 0)
        return error_set(err, VARVE_ERROR_INVALID, "a file op has no actions");
    r.output = op->n_actions - 1;
    gboolean ok = run_init(&r, tmp, err) && check_order(op, err);
    for (guint i = 0; ok && i < op->n_actions; i++)
        ok = run_action(&r, i, err);
    ok = ok && finish_layer(&r, info, err);
    fileop_run_clear(&r);
    return ok;
}
