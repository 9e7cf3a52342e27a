#include "output/output.h"

#include "base/error.h"
#include "output/exporters.h"

#include <string.h>

char **output_names(const struct output *o, const struct output_env *env, GError **err)
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

struct registry *output_registry(const struct output *o, const struct imageset *set,
                                 const struct output_env *env, char **names)
{
    const struct built_image *b = imageset_at(set, 0);
    struct registry *r = registry_new(set->store, env->registry, b->events, b->cancel);
    for (char **n = names; o->insecure && *n; n++) {
        g_autoptr(reference) ref = reference_parse(*n, NULL);
        if (ref)
            registry_allow_insecure(r, ref->domain);
    }
    return r;
}

static gboolean push_all(const struct output *o, const struct imageset *set,
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
        g_autoptr(registry) client = output_registry(o, set, env, names);
        if (!registry_push(client, imageset_target(set), ref, o->push_by_digest, &r->push, err))
            return FALSE;
    }
    return TRUE;
}

static void set_to_registry(const struct imageset *set, gboolean on)
{
    for (guint i = 0; i < set->images->len; i++)
        imageset_at(set, i)->to_registry = on;
}

/* An index names manifests, so these are made even when nothing is pushed. */
static gboolean run_image(const struct output *o, struct imageset *set,
                          const struct output_env *env, char **names, struct output_result *r,
                          GError **err)
{
    gboolean manifests = o->push || set->is_index;
    set_to_registry(set, manifests);
    if (manifests && !imageset_make(set, &o->image, err))
        return FALSE;
    set_to_registry(set, FALSE);
    if (!imageset_store(set, (const char *const *)names, "build", err))
        return FALSE;
    const struct digest *target = imageset_target(set);
    r->digest = target ? *target : *imageset_id(set);
    return !o->push || push_all(o, set, env, names, r, err);
}

static gboolean write_archive(const struct archived *images, guint n, gboolean docker,
                              const char *dest, int stream, guint64 *written, GError **err)
{
    struct place p;
    gboolean ok = place_open(&p, dest, stream, err) &&
                  place_named(dest, archive_write(images, n, docker, p.fd, written, err), err);
    return place_close(&p, ok, written, err);
}

gboolean output_save(const struct archived *images, guint n, const char *dest, int stream,
                     guint64 *written, GError **err)
{
    return write_archive(images, n, TRUE, dest, stream, written, err);
}

static gboolean run_archive(const struct output *o, struct imageset *set,
                            const struct output_env *env, char **names, struct output_result *r,
                            GError **err)
{
    gboolean docker = o->type == OUTPUT_DOCKER;
    const char *const *n = (const char *const *)names;
    if (!imageset_make(set, &o->image, err) || !imageset_store(set, n, "build", err))
        return FALSE;
    r->digest = *imageset_target(set);
    struct archived a = {set, n, o->image.annotations};
    if (docker && !o->dest)
        return docker_load(&a, env->docker_host, &r->bytes_written, err);
    if (o->as_directory)
        return place_named(o->dest, archive_write_dir(&a, docker, o->dest, &r->bytes_written, err),
                           err);
    return write_archive(&a, 1, docker, o->dest, env->stream, &r->bytes_written, err);
}

static gboolean run_output(const struct output *o, struct imageset *set,
                           const struct output_env *env, char **names, struct output_result *result,
                           GError **err)
{
    switch (o->type) {
    case OUTPUT_IMAGE:
        return run_image(o, set, env, names, result, err);
    case OUTPUT_OCI:
    case OUTPUT_DOCKER:
        return run_archive(o, set, env, names, result, err);
    case OUTPUT_LOCAL:
    case OUTPUT_TAR:
        return files_run(o, set, env, result, err);
    case OUTPUT_CACHEONLY:
        break;
    }
    return TRUE;
}

/* Where layers' blobs that the store lost come from, for all images. */
static void set_source(const struct imageset *set, struct blob_source *source)
{
    for (guint i = 0; i < set->images->len; i++)
        imageset_at(set, i)->source = source;
}

gboolean output_run(const struct output *o, struct imageset *set, const struct output_env *env,
                    struct output_result *result, GError **err)
{
    memset(result, 0, sizeof *result);
    g_auto(GStrv) names = output_names(o, env, err);
    if (!names)
        return FALSE;
    g_autoptr(registry) client = output_registry(o, set, env, names);
    struct blob_source *source = registry_origin_source(client);
    set_source(set, source);
    gboolean ok = run_output(o, set, env, names, result, err);
    set_source(set, NULL);
    registry_blob_source_free(source);
    return ok;
}

static gboolean needs_blobs(const struct output *o, const struct imageset *set)
{
    return o->type == OUTPUT_OCI || o->type == OUTPUT_DOCKER ||
           (o->type == OUTPUT_IMAGE && (o->push || set->is_index));
}

gboolean output_export(const struct output *o, struct imageset *set, const struct output_env *env,
                       GError **err)
{
    if (!needs_blobs(o, set))
        return TRUE;
    g_auto(GStrv) names = output_names(o, env, err);
    if (!names)
        return FALSE;
    g_autoptr(registry) client = output_registry(o, set, env, names);
    struct blob_source *source = registry_origin_source(client);
    gboolean ok = TRUE;
    set_source(set, source);
    set_to_registry(set, o->type == OUTPUT_IMAGE);
    for (guint i = 0; ok && i < set->images->len; i++)
        ok = built_image_export(imageset_at(set, i), &o->image, err);
    set_to_registry(set, FALSE);
    set_source(set, NULL);
    registry_blob_source_free(source);
    return ok;
}

static gboolean refuse_index(const struct output *o, const struct output_platforms *p, GError **err)
{
    g_autofree char *all = platform_list_text(p->all, p->n, ", ");
    error_set(err, VARVE_ERROR_USAGE,
              o->dest ? "--output: an archive of type=docker has images of one platform only, and "
                        "this build makes an index for %s"
                      : "the Docker engine cannot load an image for several platforms (%s): it "
                        "does not keep its images in containerd's store",
              all);
    error_add_next(err, o->dest ? "write type=oci, or build one platform at a time"
                                : "turn on its feature containerd-snapshotter, push with --push, "
                                  "or load one platform at a time");
    return FALSE;
}

static gboolean check_index(const struct output *o, const struct output_platforms *p,
                            const struct output_env *env, struct cancel *c, GError **err)
{
    gboolean loads = FALSE;
    if (o->type != OUTPUT_DOCKER)
        return TRUE;
    if (!o->dest && !docker_loads_index(env->docker_host, c, &loads, err))
        return FALSE;
    return loads || refuse_index(o, p, err);
}

gboolean output_check_platforms(const struct output *o, const struct output_platforms *p,
                                const struct output_env *env, struct cancel *c, GError **err)
{
    const struct annotation *a = annotations_of_index(o->image.annotations);
    if (p->is_index)
        return check_index(o, p, env, c, err);
    if (!a)
        return TRUE;
    g_autofree char *kind = annotation_kind(a);
    error_set(err, VARVE_ERROR_USAGE,
              "the annotation %s:%s needs an index, and an image for one platform has none", kind,
              a->key);
    error_add_next(err, "annotate the manifest, or add --build-arg BUILDKIT_MULTI_PLATFORM=1 for "
                        "an index");
    return FALSE;
}
