/* A finished build as an image: config, manifest, blobs, made only if an output needs them.
 */
#ifndef VARVE_OUTPUT_IMAGE_H
#define VARVE_OUTPUT_IMAGE_H

#include "base/cancel.h"
#include "base/event.h"
#include "graph/imageconf.h"
#include "image/unpack.h"
#include "layer/export.h"
#include "store/images.h"
#include "store/record.h"

struct built_image {
    struct store *store;       /* borrowed */
    struct cancel *cancel;     /* borrowed, may be NULL */
    struct event_sink *events; /* borrowed, may be NULL */
    /* Borrowed, may be NULL: provides layers' blobs that the store lost (registry_origin_source).
     */
    struct blob_source *source;
    /* It goes to a registry, which can get the blobs of absent layers (store/absent.h) from where
     * they are: they need not come to the store. */
    gboolean to_registry;
    GHashTable *lost;        /* struct digest → char *: blobs that nobody has, and why */
    struct chain *chain;     /* owned */
    struct image_conf *conf; /* owned; built_image_config() sets diff_ids */
    gint64 epoch;            /* SOURCE_DATE_EPOCH in seconds, -1: none */
    gboolean keep_times;     /* files keep their times, whatever epoch is */
    gboolean has_config;     /* config is written */
    struct digest config;    /* its digest: Docker's image id */
    gboolean has_manifest;   /* manifest is written */
    struct digest manifest;
    const char *manifest_type; /* its media type; NULL when it was read, not made */
    struct digest index;       /* that joins it with those for other platforms; zero: none */
    guint64 manifest_size;     /* bytes */
    guint64 blob_bytes;        /* compressed size of all layers once the manifest is made */
    guint64 tree_bytes;        /* bytes of file content over the layers */
};
/* Takes copies of chain and conf. */
struct built_image *built_image_new(struct store *s, const struct chain *chain,
                                    const struct image_conf *conf);
void built_image_free(struct built_image *b);
/* Hashes the layers' tars that are not known yet (in parallel; none after an export) and writes the
 * config blob. With an epoch, it is used for "created" and history times. Does nothing if done
 * before. */
gboolean built_image_config(struct built_image *b, GError **err);

/* How blobs and manifests are made. */
struct image_options {
    struct export_options layers; /* compression, level, force, clamp */
    gboolean docker_types;        /* Docker's media types instead of OCI's (oci-mediatypes=false) */
    GPtrArray *annotations;       /* struct annotation*, or NULL */
};
/* Compresses layers that have no blob yet and writes the manifest; includes built_image_config().
 * Calling it again with other options makes another manifest. The layers of the image that it was
 * built from keep that image's blobs (unless layers.force): those that the store lacks are fetched
 * from source. One that cannot be had is compressed again, with a warning. */
gboolean built_image_manifest(struct built_image *b, const struct image_options *o, GError **err);

/* Makes only the blobs of built_image_manifest(). Called before built_image_config(), it saves that
 * from reading the layers: each is read and hashed once. */
gboolean built_image_export(struct built_image *b, const struct image_options *o, GError **err);

/* *whole: the store has all blobs of the manifest, after fetching from source what it lacks. FALSE
 * if that cannot be determined. */
gboolean built_image_is_whole(struct built_image *b, gboolean *whole, GError **err);

/* Tags it in the local image store (canonical names); without names it is kept by digest. */
gboolean built_image_store(struct built_image *b, const char *const *names, const char *origin,
                           GError **err);
/* The row of a stored image by name (tags default to latest; p NULL: as store_image_find()), id
 * prefix or digest (of an index: of its image for p), or NULL with a next line:
 * VARVE_ERROR_NOT_FOUND, or VARVE_ERROR_USAGE for an impossible name. */
struct image_row *stored_image_find(struct store *s, const char *name, const struct platform *p,
                                    GError **err);
/* The same, but with p NULL for whatever platform there is, this machine's before others. */
struct image_row *stored_image_any(struct store *s, const char *name, const struct platform *p,
                                   GError **err);
/* The same as these two, opened: it must have been unpacked. */
struct built_image *built_image_open(struct store *s, const char *name, const struct platform *p,
                                     GError **err);
struct built_image *built_image_open_any(struct store *s, const char *name,
                                         const struct platform *p, GError **err);
/* The image of a row that name led to. */
struct built_image *built_image_from_row(struct store *s, const char *name,
                                         const struct image_row *row, GError **err);

typedef struct built_image built_image;
G_DEFINE_AUTOPTR_CLEANUP_FUNC(built_image, built_image_free)

#endif
