#include "output/output.h"

#include "base/error.h"
#include "base/fs.h"
#include "layer/chainview.h"
#include "output/exporters.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* The names an output goes by: the build's tags and its own name=, canonical; owned. */
static char **names_for(const struct output *o, const struct output_env *env, GError **err)
{
    g_autoptr(GStrvBuilder) all = g_strv_builder_new();
    if (env->tags)
        g_strv_builder_addv(all, (const char **)env->tags);
    for (char **n = o->names; n && *n; n++) {
        g_autoptr(reference) ref = reference_parse(*n, err);
        if (!ref)
            return NULL;
        g_autofree char *name = reference_text(ref);
        if (!env->tags || !g_strv_contains(env->tags, name))
            g_strv_builder_add(all, name);
    }
    return g_strv_builder_end(all);
}

/* registry.insecure= applies to the registry of this output only. */
static struct registry *client_for(const struct output *o, const struct built_image *b,
                                   const struct output_env *env, char **names)
{
    struct registry *r = registry_new(b->store, env->registry, b->events, b->cancel);
    for (char **n = names; o->insecure && *n; n++) {
        g_autoptr(reference) ref = reference_parse(*n, NULL);
        if (ref)
            registry_allow_insecure(r, ref->domain);
    }
    return r;
}

static gboolean push_all(const struct output *o, struct built_image *b,
                         const struct output_env *env, char **names, struct output_result *r,
                         GError **err)
{
    if (!names || !names[0]) {
        error_set(err, VARVE_ERROR_USAGE, "there is no name to push to");
        error_add_next(err, "add -t REGISTRY/NAME:TAG");
        return FALSE;
    }
    for (char **n = names; *n; n++) {
        g_autoptr(reference) ref = reference_parse(*n, err);
        if (!ref)
            return FALSE;
        g_autoptr(registry) client = client_for(o, b, env, names);
        if (!registry_push(client, &b->manifest, ref, o->push_by_digest, &r->push, err))
            return FALSE;
    }
    return TRUE;
}

static gboolean run_image(const struct output *o, struct built_image *b,
                          const struct output_env *env, char **names, struct output_result *r,
                          GError **err)
{
    b->to_registry = o->push;
    if (o->push && !built_image_manifest(b, &o->image, err))
        return FALSE;
    b->to_registry = FALSE;
    if (!built_image_store(b, (const char *const *)names, "build", err))
        return FALSE;
    r->digest = b->has_manifest ? b->manifest : b->config;
    return !o->push || push_all(o, b, env, names, r, err);
}

/* Puts the place before an error that happened on writing to it. */
static gboolean name_dest(const char *dest, gboolean ok, GError **err)
{
    if (!ok)
        g_prefix_error(err, "writing %s: ", g_str_equal(dest, "-") ? "to stdout" : dest);
    return ok;
}

/* Where an archive goes. */
struct place {
    int fd;
    char *path; /* the file, NULL for a stream and what is written in place */
    char *tmp;  /* the neighbour of path that becomes it, or NULL */
};

static gboolean place_open(struct place *p, const char *dest, int stream, GError **err)
{
    gboolean in_place = FALSE;
    *p = (struct place){.fd = -1};
    if (g_str_equal(dest, "-")) {
        p->fd = fcntl(stream, F_DUPFD_CLOEXEC, 0);
        return p->fd >= 0 || error_set_errno(err, errno, "cannot write to stdout");
    }
    g_autofree char *path = fs_destination(dest, &in_place);
    if (in_place) {
        p->fd = open(path, O_WRONLY | O_CLOEXEC);
        return p->fd >= 0 || error_set_errno(err, errno, "cannot write %s", path);
    }
    p->fd = fs_create_beside(AT_FDCWD, path, 0644, &p->tmp, err);
    p->path = g_steal_pointer(&path);
    return p->fd >= 0;
}

/* Makes the file appear when all of it is there; *written gets its size. */
static gboolean place_close(struct place *p, gboolean ok, guint64 *written, GError **err)
{
    struct stat st;
    if (p->tmp && ok && fstat(p->fd, &st) == 0)
        *written = (guint64)st.st_size;
    if (p->tmp && ok && rename(p->tmp, p->path) < 0)
        ok = error_set_errno(err, errno, "cannot rename %s to %s", p->tmp, p->path);
    if (p->tmp && !ok)
        unlink(p->tmp);
    fd_cleanup(&p->fd);
    g_free(p->path);
    g_free(p->tmp);
    return ok;
}

static gboolean write_archive(const struct archived *images, guint n, gboolean docker,
                              const char *dest, int stream, guint64 *written, GError **err)
{
    struct place p;
    gboolean ok = place_open(&p, dest, stream, err) &&
                  name_dest(dest, archive_write(images, n, docker, p.fd, written, err), err);
    return place_close(&p, ok, written, err);
}

gboolean output_save(const struct archived *images, guint n, const char *dest, int stream,
                     guint64 *written, GError **err)
{
    return write_archive(images, n, TRUE, dest, stream, written, err);
}

static gboolean run_archive(const struct output *o, struct built_image *b,
                            const struct output_env *env, char **names, struct output_result *r,
                            GError **err)
{
    gboolean docker = o->type == OUTPUT_DOCKER;
    const char *const *n = (const char *const *)names;
    if (!built_image_manifest(b, &o->image, err) || !built_image_store(b, n, "build", err))
        return FALSE;
    r->digest = b->manifest;
    struct archived a = {b, n};
    if (docker && !o->dest)
        return docker_load(&a, env->docker_host, &r->bytes_written, err);
    if (o->as_directory)
        return name_dest(o->dest, archive_write_dir(&a, docker, o->dest, &r->bytes_written, err),
                         err);
    return write_archive(&a, 1, docker, o->dest, env->stream, &r->bytes_written, err);
}

/* dest, or the directory of the image's platform in it. A tar of one platform is never split. */
static char *local_dest(const struct output *o, const struct built_image *b)
{
    if (!o->split)
        return g_strdup(o->dest);
    g_autofree char *platform = g_strdelimit(platform_text(&b->conf->platform), "/", '_');
    return g_build_filename(o->dest, platform, NULL);
}

static guint count_files(const struct tree *t)
{
    guint n = 0;
    for (guint i = 0; i < entry_list_len(t->entries); i++)
        n += entry_list_at(t->entries, i)->type == ENTRY_FILE;
    return n;
}

static gboolean run_tree(const struct output *o, struct built_image *b,
                         const struct output_env *env, struct output_result *r, GError **err)
{
    g_autoptr(chainview) view = chainview_new(b->store, b->chain, b->cancel, err);
    g_autoptr(tree) t = view ? chainview_tree(view, "the result", err) : NULL;
    if (!t)
        return FALSE;
    r->files = count_files(t);
    gint64 clamp = o->keep_times ? -1 : o->epoch >= 0 ? o->epoch : b->epoch;
    if (o->type == OUTPUT_LOCAL) {
        g_autofree char *dir = local_dest(o, b);
        return name_dest(dir, tree_write_dir(b->store, t, dir, clamp, &r->bytes_written, err), err);
    }
    struct place p;
    gboolean ok = place_open(&p, o->dest, env->stream, err) &&
                  name_dest(o->dest, tree_write_tar(t, p.fd, clamp, &r->bytes_written, err), err);
    return place_close(&p, ok, &r->bytes_written, err);
}

static gboolean run_output(const struct output *o, struct built_image *b,
                           const struct output_env *env, char **names, struct output_result *result,
                           GError **err)
{
    switch (o->type) {
    case OUTPUT_IMAGE:
        return run_image(o, b, env, names, result, err);
    case OUTPUT_OCI:
    case OUTPUT_DOCKER:
        return run_archive(o, b, env, names, result, err);
    case OUTPUT_LOCAL:
    case OUTPUT_TAR:
        return run_tree(o, b, env, result, err);
    case OUTPUT_CACHEONLY:
        break;
    }
    return TRUE;
}

gboolean output_run(const struct output *o, struct built_image *b, const struct output_env *env,
                    struct output_result *result, GError **err)
{
    memset(result, 0, sizeof *result);
    g_auto(GStrv) names = names_for(o, env, err);
    if (!names)
        return FALSE;
    g_autoptr(registry) client = client_for(o, b, env, names);
    b->source = registry_origin_source(client);
    gboolean ok = run_output(o, b, env, names, result, err);
    registry_blob_source_free(g_steal_pointer(&b->source));
    return ok;
}

static gboolean needs_blobs(const struct output *o)
{
    return o->type == OUTPUT_OCI || o->type == OUTPUT_DOCKER ||
           (o->type == OUTPUT_IMAGE && o->push);
}

gboolean output_export(const struct output *o, struct built_image *b, const struct output_env *env,
                       GError **err)
{
    if (!needs_blobs(o))
        return TRUE;
    g_auto(GStrv) names = names_for(o, env, err);
    if (!names)
        return FALSE;
    g_autoptr(registry) client = client_for(o, b, env, names);
    b->source = registry_origin_source(client);
    b->to_registry = o->type == OUTPUT_IMAGE;
    gboolean ok = built_image_export(b, &o->image, err);
    b->to_registry = FALSE;
    registry_blob_source_free(g_steal_pointer(&b->source));
    return ok;
}
