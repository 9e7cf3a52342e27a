/* Running an exec op: mounts are prepared, the sandbox runs, the upper becomes a layer. */
#include "solver/run.h"

#include "base/error.h"
#include "base/fs.h"
#include "exec/agentrelay.h"
#include "exec/hostca.h"
#include "exec/kernelview.h"
#include "exec/sandbox.h"
#include "layer/chainview.h"
#include "layer/fill.h"
#include "snapshot/snapshot.h"
#include "store/history.h"
#include "store/images.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

/* Less than this is a full disk. */
#define FULL_BYTES (1024 * 1024)
#define CACHE_MODE 0755 /* of a cache mount that names none */

/* Everything one run holds; released by exec_run_clear() in any state. */
struct run {
    struct solver *s;
    struct node *n;
    const struct exec_op *op;
    struct snapshot *root;
    GPtrArray *snapshots; /* struct snapshot* of bind mounts, discarded at the end */
    GPtrArray *volumes;   /* struct volume* */
    GPtrArray *relays;    /* struct agent_relay* */
    GPtrArray *tmp_dirs;  /* char*, where the relays' sockets are */
    GArray *mounts;       /* struct sandbox_mount; descriptors closed at the end */
    GPtrArray *files;     /* struct sandbox_file* */
    GPtrArray *held;      /* GBytes* of secrets */
    GPtrArray *env;       /* char*, NULL-terminated when run */
    int log_fd;
};

static void close_mount(gpointer p)
{
    fd_cleanup(&((struct sandbox_mount *)p)->fd);
}

static void run_init(struct run *r, struct solver *s, struct node *n)
{
    *r = (struct run){.s = s, .n = n, .op = &n->v->op.exec, .log_fd = -1};
    r->snapshots = g_ptr_array_new_with_free_func((GDestroyNotify)snapshot_discard);
    r->volumes = g_ptr_array_new_with_free_func((GDestroyNotify)store_volume_release);
    r->mounts = g_array_new(FALSE, TRUE, sizeof(struct sandbox_mount));
    g_array_set_clear_func(r->mounts, close_mount);
    r->relays = g_ptr_array_new_with_free_func((GDestroyNotify)agent_relay_stop);
    r->tmp_dirs = g_ptr_array_new_with_free_func(g_free);
    r->files = g_ptr_array_new_with_free_func(g_free);
    r->held = g_ptr_array_new_with_free_func((GDestroyNotify)g_bytes_unref);
    r->env = g_ptr_array_new_with_free_func(g_free);
}

static void exec_run_clear(struct run *r)
{
    g_array_unref(r->mounts);
    g_ptr_array_unref(r->snapshots);
    g_ptr_array_unref(r->volumes);
    g_ptr_array_unref(r->relays);
    for (guint i = 0; i < r->tmp_dirs->len; i++)
        store_tmp_discard(r->s->o.store, g_ptr_array_index(r->tmp_dirs, i));
    g_ptr_array_unref(r->tmp_dirs);
    g_ptr_array_unref(r->files);
    g_ptr_array_unref(r->held);
    g_ptr_array_unref(r->env);
    snapshot_discard(r->root);
    fd_cleanup(&r->log_fd);
}

static struct sandbox_mount *add_step_mount(struct run *r, const char *dest, int fd,
                                            gboolean readonly)
{
    struct sandbox_mount m = {.dest = dest, .fd = fd, .readonly = readonly};
    g_array_append_val(r->mounts, m);
    return &g_array_index(r->mounts, struct sandbox_mount, r->mounts->len - 1);
}

/* The part of its input that a mount reads; NULL: all of it. */
static struct read *read_of(const struct run *r, const struct exec_mount *m)
{
    const char *path = m->type == MOUNT_CACHE || !m->selector ? "" : m->selector;
    for (guint i = 0; i < r->n->reads->len; i++) {
        struct read *read = &g_array_index(r->n->reads, struct read, i);
        if ((int)read->input == m->input && g_strcmp0(read->sel.pattern, path) == 0)
            return read;
    }
    return NULL;
}

/* The chain a bind mount shows. */
static struct chain *mount_chain(struct run *r, const struct exec_mount *m, GError **err)
{
    if (m->input < 0)
        return chain_new();
    struct node *input = node_of(r->s, r->n->v->inputs[m->input]);
    if (!input->local)
        return chain_copy(input->chain);
    struct read *read = read_of(r, m);
    if (read)
        return local_chain(r->s, r->n, read, err);
    error_set(err, VARVE_ERROR_FAILED, "mount %s: its source was not selected", m->dest);
    return NULL;
}

/* Where in its chain a mount's source is: of a local context links are not there, only what they
 * lead to. */
static const char *mount_source(const struct run *r, const struct exec_mount *m)
{
    const struct read *read =
        m->input >= 0 && node_is_local(r->n->v->inputs[m->input]) ? read_of(r, m) : NULL;
    if (read && read->selected && read->selected->len > 0)
        return ((const struct selected *)g_ptr_array_index(read->selected, 0))->path;
    return m->selector ? m->selector : "";
}

/* A descriptor of selector inside sn's view. */
static int open_selected(struct run *r, struct snapshot *sn, const struct exec_mount *m,
                         GError **err)
{
    const char *source = mount_source(r, m);
    int fd = fs_open_in_root(sn->mount_fd, *source ? source : "/", O_PATH, 0);
    if (fd < 0)
        error_set_errno(err, errno, "cannot mount %s on %s", m->selector ? m->selector : "/",
                        m->dest);
    return fd;
}

static void warn_of_surroundings(struct run *r, const struct snapshot *sn)
{
    g_autofree char *text = snapshot_warning(sn), *shared = kernelview_warning();
    if (shared)
        event_emit(
            r->s->o.events,
            &(struct event){.type = EVENT_WARNING, .vertex = r->n->v->number, .text = shared});
    if (text && g_atomic_int_compare_and_exchange(&r->s->warned, FALSE, TRUE))
        event_emit(r->s->o.events,
                   &(struct event){.type = EVENT_WARNING, .vertex = r->n->v->number, .text = text});
}

static gboolean add_bind(struct run *r, const struct exec_mount *m, GError **err)
{
    g_autoptr(chain) c = mount_chain(r, m, err);
    if (!c)
        return FALSE;
    /* A mount from scratch, and a writable one, gets an upper that is discarded. */
    gboolean writable = !m->readonly || c->n == 0;
    struct snapshot *sn = snapshot_open(r->s->o.store, c, writable, r->s->o.snapshots, err);
    if (!sn)
        return FALSE;
    warn_of_surroundings(r, sn);
    g_ptr_array_add(r->snapshots, sn);
    int fd = open_selected(r, sn, m, err);
    if (fd < 0)
        return FALSE;
    add_step_mount(r, m->dest, fd, m->readonly)->tree_fd = sn->mount_fd;
    return TRUE;
}

static guint32 cache_mode(const struct exec_mount *m)
{
    return m->mode ? m->mode : CACHE_MODE;
}

/* In Docker's builder, owner and mode only apply if all of the cache is mounted. */
static gboolean is_owned(const struct exec_mount *m)
{
    return !m->selector && (m->uid || m->gid || cache_mode(m) != CACHE_MODE);
}

static GString *plain_volume_id(const struct exec_mount *m)
{
    GString *id = g_string_new(m->cache_id);
    if (is_owned(m))
        g_string_append_printf(id, " of %u:%u, mode %o", m->uid, m->gid, cache_mode(m));
    return id;
}

char *solver_volume_id(const struct exec_mount *m)
{
    return m->input >= 0 ? NULL : g_string_free(plain_volume_id(m), FALSE);
}

/* As in Docker's builder, caches of one id are different if they start differently: with another
 * owner or mode, or from other layers. So a user's cache is not the one that root filled.
 */
static char *volume_id(struct run *r, const struct exec_mount *m, GError **err)
{
    g_autoptr(chain) c = mount_chain(r, m, err);
    if (!c)
        return NULL;
    GString *id = plain_volume_id(m);
    for (guint i = 0; i < c->n; i++)
        g_string_append_printf(id, "%s%s", i ? "+" : " from ", c->ids[i]);
    return g_string_free(id, FALSE);
}

/* A fresh cache mount starts with the content of its source chain, with mode and owner, as in
 * Docker's builder. */
static gboolean init_volume(struct run *r, const struct exec_mount *m, int dir, GError **err)
{
    g_autoptr(chain) c = mount_chain(r, m, err);
    if (!c)
        return FALSE;
    if (c->n > 0)
        return fill_from_chain(r->s->o.store, c, "", dir, r->s->stop, err);
    gboolean owned = is_owned(m);
    if (fchmod(dir, owned ? cache_mode(m) : CACHE_MODE) < 0 ||
        fchown(dir, owned ? m->uid : 0, owned ? m->gid : 0) < 0)
        return error_set_errno(err, errno, "cannot prepare the cache mount for %s", m->dest);
    return TRUE;
}

/* Adds the part of a cache that m shows. Links in it cannot lead out of it; what is opened here is
 * mounted, whatever other steps do to the path meanwhile. */
static gboolean add_cache_part(struct run *r, const struct exec_mount *m, int dir, GError **err)
{
    int fd = fs_open_in_root(dir, m->selector ? m->selector : "", O_PATH, 0);
    if (fd < 0) {
        error_set_errno(err, errno, "cannot mount source=/%s of the cache on %s",
                        m->selector ? m->selector : "", m->dest);
        error_add_next(err, "create it in an earlier RUN that mounts this cache without source=");
        return FALSE;
    }
    add_step_mount(r, m->dest, fd, m->readonly);
    return TRUE;
}

/* A step that must not use what earlier builds left starts with an empty cache mount, which later
 * steps of the same build share. */
static gboolean renew_volume(struct run *r, const char *id, GError **err)
{
    struct solver *s = r->s;
    if (!r->n->v->meta.no_cache)
        return TRUE;
    g_mutex_lock(&s->renewing);
    gboolean ok =
        !g_hash_table_add(s->renewed, g_strdup(id)) || store_volume_forget(s->o.store, id, err);
    g_mutex_unlock(&s->renewing);
    return ok;
}

static gboolean add_cache(struct run *r, const struct exec_mount *m, GError **err)
{
    g_autofree char *id = volume_id(r, m, err);
    if (!id || !renew_volume(r, id, err))
        return FALSE;
    struct volume *v = store_volume_take(r->s->o.store, id, m->sharing, r->s->stop, err);
    if (!v)
        return FALSE;
    g_ptr_array_add(r->volumes, v);
    fd_auto int dir = fs_open_dir(store_fd(r->s->o.store), v->dir, err);
    if (dir < 0)
        return FALSE;
    if (v->fresh && !init_volume(r, m, dir, err)) {
        store_volume_discard(v);
        g_ptr_array_steal_index(r->volumes, r->volumes->len - 1);
        return FALSE;
    }
    if (r->s->o.cache && m->input < 0)
        cache_reader_fill_mount(r->s->o.cache, id, m->cache_id, r->n->v->meta.platform, dir,
                                v->dir);
    return store_volume_ready(v, err) && add_cache_part(r, m, dir, err);
}

static void add_tmpfs(struct run *r, const struct exec_mount *m)
{
    struct sandbox_mount t = {.dest = m->dest, .fd = -1, .size = m->size};
    g_array_append_val(r->mounts, t);
}

static gboolean missing_is_fine(const struct exec_mount *m, GError **err, GError *local)
{
    if (m->optional && g_error_matches(local, VARVE_ERROR, VARVE_ERROR_NOT_FOUND)) {
        g_error_free(local);
        return TRUE;
    }
    g_propagate_error(err, local);
    return FALSE;
}

static gboolean add_secret(struct run *r, const struct exec_mount *m, GError **err)
{
    GError *local = NULL;
    GBytes *value = r->s->o.env->secret(r->s->o.env, r->n->v->meta.owner, m->id, &local);
    if (!value && m->env && m->optional) /* set anyway, as in BuildKit */
        g_ptr_array_add(r->env, g_strconcat(m->env, "=", NULL));
    if (!value)
        return missing_is_fine(m, err, local);
    g_ptr_array_add(r->held, value);
    gsize len;
    const char *bytes = g_bytes_get_data(value, &len);
    if (m->env)
        g_ptr_array_add(r->env, g_strdup_printf("%s=%.*s", m->env, (int)len, bytes ? bytes : ""));
    if (m->dest) {
        struct sandbox_file *f = g_new(struct sandbox_file, 1);
        *f = (struct sandbox_file){bytes, len, m->mode ? m->mode : 0400, m->uid, m->gid};
        g_ptr_array_add(r->files, f);
        add_step_mount(r, m->dest, -1, TRUE)->file = f;
    }
    return TRUE;
}

/* A socket with the mount's mode and owner. Its name must exist: a socket without one cannot be
 * mounted. */
static struct agent_relay *start_relay(struct run *r, const struct exec_mount *m, const char *agent,
                                       GError **err)
{
    struct store *store = r->s->o.store;
    const struct agent_relay_spec spec = {agent, m->mode, m->uid, m->gid};
    char *tmp = store_tmp_dir(store, err);
    if (!tmp)
        return NULL;
    g_ptr_array_add(r->tmp_dirs, tmp);
    fd_auto int dir = fs_open_dir(store_fd(store), tmp, err);
    return dir < 0 ? NULL : agent_relay_start(dir, &spec, err);
}

static gboolean add_ssh(struct run *r, const struct exec_mount *m, GError **err)
{
    GError *local = NULL;
    g_autofree char *path = r->s->o.env->ssh(r->s->o.env, r->n->v->meta.owner, m->id, &local);
    if (!path)
        return missing_is_fine(m, err, local);
    struct agent_relay *relay = start_relay(r, m, path, err);
    if (!relay)
        return FALSE;
    g_ptr_array_add(r->relays, relay);
    int fd = fcntl(agent_relay_fd(relay), F_DUPFD_CLOEXEC, 0);
    if (fd < 0)
        return error_set_errno(err, errno, "cannot mount the ssh agent's socket");
    add_step_mount(r, m->dest, fd, FALSE);
    g_ptr_array_add(r->env, g_strconcat("SSH_AUTH_SOCK=", m->dest, NULL));
    return TRUE;
}

static gboolean add_one(struct run *r, const struct exec_mount *m, GError **err)
{
    switch (m->type) {
    case MOUNT_BIND:
        return add_bind(r, m, err);
    case MOUNT_CACHE:
        return add_cache(r, m, err);
    case MOUNT_TMPFS:
        add_tmpfs(r, m);
        return TRUE;
    case MOUNT_SECRET:
        return add_secret(r, m, err);
    case MOUNT_SSH:
        return add_ssh(r, m, err);
    }
    return error_set(err, VARVE_ERROR_UNSUPPORTED, "unknown kind of mount on %s", m->dest);
}

static gboolean add_host_ca(struct run *r, GError **err)
{
    if (!r->s->o.host_ca)
        return TRUE;
    int fd = open(r->s->o.host_ca, O_PATH | O_CLOEXEC);
    if (fd < 0)
        return error_set_errno(err, errno, "--host-ca: cannot open %s", r->s->o.host_ca);
    add_step_mount(r, HOSTCA_DEST, fd, TRUE);
    return TRUE;
}

/* Mount 0 is the root. */
static gboolean add_mounts(struct run *r, GError **err)
{
    for (guint i = 1; i < r->op->n_mounts; i++)
        if (!add_one(r, &r->op->mounts[i], err))
            return FALSE;
    return add_host_ca(r, err);
}

static char **step_env(struct run *r)
{
    GPtrArray *env = g_ptr_array_new();
    for (guint i = 0; r->op->env && r->op->env[i]; i++)
        g_ptr_array_add(env, g_strdup(r->op->env[i]));
    for (guint i = 0; r->op->proxy_env && r->op->proxy_env[i]; i++)
        g_ptr_array_add(env, g_strdup(r->op->proxy_env[i]));
    for (guint i = 0; i < r->env->len; i++)
        g_ptr_array_add(env, g_strdup(g_ptr_array_index(r->env, i)));
    g_ptr_array_add(env, NULL);
    g_auto(GStrv) plain = (char **)g_ptr_array_free(env, FALSE);
    return r->s->o.host_ca ? hostca_env((const char *const *)plain) : g_steal_pointer(&plain);
}

static void on_output(gpointer ctx, int fd, const void *bytes, gsize len)
{
    struct run *r = ctx;
    if (r->log_fd >= 0)
        fs_write_all(r->log_fd, bytes, len, NULL);
    event_emit(r->s->o.events, &(struct event){.type = EVENT_LOG,
                                               .vertex = r->n->v->number,
                                               .fd = fd,
                                               .bytes = bytes,
                                               .n_bytes = len});
}

/* What the step wrote still exists: if the disk is full now, it was full for the program. */
static gboolean disk_is_full(const struct run *r)
{
    struct statvfs v;
    return fstatvfs(store_fd(r->s->o.store), &v) == 0 &&
           (guint64)v.f_bavail * v.f_frsize < FULL_BYTES;
}

static gboolean program_failed(const struct run *r, int exit_code, GError **err)
{
    const char *name = r->n->v->meta.name;
    if (!disk_is_full(r))
        return error_set(err, VARVE_ERROR_FAILED, "%s failed with exit code %d", name, exit_code);
    error_set(err, VARVE_ERROR_OUTSIDE, "%s failed with exit code %d: the disk of %s is full", name,
              exit_code, store_root(r->s->o.store));
    error_add_next(
        err, "make room (varve prune, or varve du to see what is large), then run the same command "
             "again; finished steps are kept");
    return FALSE;
}

/* What all processes in the step's sandbox share; the caller adds env and output. */
static struct sandbox_spec make_spec(struct run *r)
{
    const struct exec_op *op = r->op;
    return (struct sandbox_spec){.root_fd = r->root->mount_fd,
                                 .root_readonly = op->mounts[0].readonly,
                                 .args = op->args,
                                 .platform = &op->platform,
                                 .cwd = op->cwd,
                                 .user = op->user,
                                 .hostname = op->hostname,
                                 .network = op->network,
                                 .nets = r->s->o.nets,
                                 .insecure = op->insecure,
                                 .hosts = op->hosts,
                                 .n_hosts = op->n_hosts,
                                 .ulimits = op->ulimits,
                                 .n_ulimits = op->n_ulimits,
                                 .shm_size = op->shm_size,
                                 .cgroup_parent = op->cgroup_parent,
                                 .resources = r->s->o.resources,
                                 .mounts = (struct sandbox_mount *)r->mounts->data,
                                 .n_mounts = r->mounts->len,
                                 .stdin_fd = -1};
}

static void tidy_store(gpointer store)
{
    store_tmp_tidy(store);
}

static gboolean run_sandbox(struct run *r, GError **err)
{
    g_auto(GStrv) env = step_env(r);
    g_autoptr(GPtrArray) touched = g_ptr_array_new_with_free_func(g_free);
    struct sandbox_spec spec = make_spec(r);
    spec.env = (const char *const *)env;
    spec.touched = touched;
    spec.output = on_output;
    spec.output_ctx = r;
    spec.meanwhile = tidy_store;
    spec.meanwhile_ctx = r->s->o.store;
    struct sandbox_result res;
    if (!sandbox_run(&spec, r->s->stop, &res, err))
        return FALSE;
    snapshot_forget(r->root, touched);
    r->n->res.exit_code = res.exit_code;
    r->n->res.cpu_us = res.cpu_us;
    r->n->res.memory_peak = res.memory_peak;
    r->n->res.emulated = res.emulated;
    return res.exit_code == 0 || program_failed(r, res.exit_code, err);
}

/* What the root mount is made of; NULL for scratch. */
static const struct chain *root_chain(const struct run *r)
{
    struct node *base = node_base(r->s, r->n);
    return base ? base->chain : NULL;
}

static struct chain *commit_step(struct run *r, GError **err)
{
    struct layer_info info = {0};
    const struct chain *base = root_chain(r);
    if (!snapshot_commit(g_steal_pointer(&r->root), r->s->stop, &info, err))
        return NULL;
    r->n->res.layer_bytes = info.size;
    struct chain *c = chain_copy(base);
    chain_append(c, info.id);
    return c;
}

static gboolean make_floor(struct solver *s, GError **err)
{
    g_autofree char *path = store_tmp_dir(s->o.store, err);
    fd_auto int dir = path ? fs_open_dir(store_fd(s->o.store), path, err) : -1;
    if (dir < 0 || !sandbox_floor(dir, err))
        return FALSE;
    s->floor = g_steal_pointer(&path);
    return TRUE;
}

/* Made once per build, owned by s; NULL on error. */
static const char *floor_of(struct solver *s, GError **err)
{
    g_autoptr(GMutexLocker) locker G_GNUC_UNUSED = g_mutex_locker_new(&s->floor_lock);
    return s->floor || make_floor(s, err) ? s->floor : NULL;
}

static struct chain *run_all(struct run *r, GError **err)
{
    const struct chain *base = root_chain(r);
    g_autoptr(chain) empty = chain_new();
    const char *floor = floor_of(r->s, err);
    if (!floor)
        return NULL;
    r->root =
        snapshot_open_floor(r->s->o.store, base ? base : empty, floor, r->s->o.snapshots, err);
    if (!r->root)
        return NULL;
    warn_of_surroundings(r, r->root);
    if (!add_mounts(r, err))
        return NULL;
    gint64 build = r->s->o.build_ids ? r->s->o.build_ids[r->n->v->meta.owner] : 0;
    if (build)
        r->log_fd = store_log_create(r->s->o.store, build, r->n->res.step, NULL);
    return run_sandbox(r, err) ? commit_step(r, err) : NULL;
}

/* Keeps what a failed run holds, for solver_debug(); the first one only. */
static gboolean keep_failed_run(struct run *r)
{
    struct solver *s = r->s;
    if (!s->o.keep_failed || r->n->res.exit_code == 0)
        return FALSE;
    g_mutex_lock(&s->lock);
    gboolean first = !s->kept;
    if (first)
        s->kept = r;
    g_mutex_unlock(&s->lock);
    return first;
}

static void run_free(struct run *r)
{
    exec_run_clear(r);
    g_free(r);
}

struct chain *run_exec(struct solver *s, struct node *n, GError **err)
{
    struct run *r = g_new(struct run, 1);
    run_init(r, s, n);
    struct chain *c = run_all(r, err);
    if (c || !keep_failed_run(r))
        run_free(r);
    return c;
}

const struct vertex *solver_kept(const struct solver *s)
{
    return s->kept ? s->kept->n->v : NULL;
}

void run_release_kept(struct solver *s)
{
    if (s->kept)
        run_free(g_steal_pointer(&s->kept));
}

/* The shell of the shell form ("/bin/bash" of "/bin/bash -o pipefail -c …"), else /bin/sh. */
static const char *shell_of(const char *const *args)
{
    guint n = g_strv_length((char **)args);
    if (n >= 3 && *args[0] == '/' && *args[n - 2] == '-' && g_str_has_suffix(args[n - 2], "c"))
        return args[0];
    return "/bin/sh";
}

/* The part of the op that a mount of the sandbox was made for. */
static const struct exec_mount *origin_of(const struct run *r, const struct sandbox_mount *sm)
{
    for (guint i = 1; i < r->op->n_mounts; i++)
        if (r->op->mounts[i].dest == sm->dest)
            return &r->op->mounts[i];
    return NULL;
}

static gboolean remount_bind(struct run *r, struct snapshot *sn, GError **err)
{
    for (guint i = 0; i < r->mounts->len; i++) {
        struct sandbox_mount *sm = &g_array_index(r->mounts, struct sandbox_mount, i);
        if (sm->tree_fd != sn->mount_fd)
            continue;
        fd_cleanup(&sm->fd);
        if (!snapshot_remount(sn, err))
            return FALSE;
        sm->tree_fd = sn->mount_fd;
        sm->fd = open_selected(r, sn, origin_of(r, sm), err);
        return sm->fd >= 0;
    }
    return TRUE;
}

/* The failed sandbox had the mounts of layers: another one gets new ones, including what was
 * written to them. */
static gboolean remount(struct run *r, GError **err)
{
    for (guint i = 0; i < r->snapshots->len; i++)
        if (!remount_bind(r, g_ptr_array_index(r->snapshots, i), err))
            return FALSE;
    return snapshot_remount(r->root, err);
}

gboolean solver_debug(struct solver *s, void (*terminal)(gpointer ctx, int master_fd), gpointer ctx,
                      const char *term, int *exit_code, GError **err)
{
    struct run *r = s->kept;
    const char *args[] = {shell_of(r->op->args), NULL};
    if (!remount(r, err)) {
        g_prefix_error(err, "cannot open a shell in the failed step: ");
        return FALSE;
    }
    g_auto(GStrv) plain = step_env(r);
    g_auto(GStrv) env =
        g_environ_setenv(g_steal_pointer(&plain), "TERM", term ? term : "dumb", FALSE);
    struct sandbox_spec spec = make_spec(r);
    spec.args = args;
    spec.env = (const char *const *)env;
    spec.terminal = terminal;
    spec.terminal_ctx = ctx;
    struct sandbox_result res;
    if (!sandbox_run(&spec, s->o.cancel, &res, err)) {
        g_prefix_error(err, "cannot open a shell in the failed step: ");
        return FALSE;
    }
    *exit_code = res.exit_code;
    return TRUE;
}
