/* Outputs: -o/--output specifications and what they do with a build's result. */
#ifndef VARVE_OUTPUT_OUTPUT_H
#define VARVE_OUTPUT_OUTPUT_H

#include "output/image.h"
#include "registry/registry.h"

enum output_type {
    OUTPUT_IMAGE,  /* local image store; with push also the registry; "registry" is image with push
                    */
    OUTPUT_OCI,    /* OCI layout as a tar, or a directory with tar=false */
    OUTPUT_DOCKER, /* docker-archive tar for docker load; without dest: into a Docker engine */
    OUTPUT_LOCAL,  /* the file tree into a directory */
    OUTPUT_TAR,    /* the file tree as one tar */
    OUTPUT_CACHEONLY, /* nothing */
};
struct output {
    enum output_type type;
    char *dest;              /* path, "-" for the stream of whoever asks, or NULL */
    char **names;            /* name=, list: beside the build's tags */
    gboolean push;           /* to the registries of the names */
    gboolean push_by_digest; /* to the registries, under no tag */
    gboolean insecure;       /* registry.insecure */
    gboolean as_directory;   /* tar=false */
    struct image_options image;
    gboolean split;        /* platform-split: local into a directory named after the platform */
    gint64 epoch;          /* source-date-epoch=, -1: the build's */
    gboolean keep_times;   /* source-date-epoch= with nothing: files keep theirs */
    int rewrite_timestamp; /* 0 or 1; -1: not given, which is 1 when there is an epoch */
};
/* Parses "type=oci,dest=x.tar,…" (CSV, as Docker's), or a bare path (type=local), or "-" (type=tar
 * to stdout). Unknown types, and keys that are unknown or mean nothing for the type, are
 * VARVE_ERROR_USAGE naming them, with what the type takes. */
struct output *output_parse(const char *text, GError **err);
/* What can be known before a build: values that fit together, a place that can be written to
 * (whether what "-" means can take an archive is not looked at). VARVE_ERROR_USAGE. */
gboolean output_check(const struct output *o, GError **err);
void output_free(struct output *o);
/* Whether it is an image, with a config, and not files alone. */
gboolean output_makes_image(const struct output *o);

/* What an output did, for the summary and --metadata-file. */
struct output_result {
    struct digest digest; /* manifest (or config, when no manifest was needed) */
    struct push_stats push;
    guint64 bytes_written; /* into files: their contents, or all of an archive */
    guint files;           /* type=local, tar: regular files, a link to one as another; else 0 */
};
struct output_env {
    const struct registry_config *registry; /* for pushes */
    const char *const *tags;                /* canonical names of -t */
    const char *docker_host;                /* DOCKER_HOST or NULL: unix:///var/run/docker.sock */
    int stream;                             /* what "-" is, borrowed (it stays open); -1: none */
};
/* Carries one output out. Files appear only when complete (written beside and renamed). */
gboolean output_run(const struct output *o, struct built_image *b, const struct output_env *env,
                    struct output_result *result, GError **err);

/* Makes the blobs of layers that output_run() will need, if it will. Whoever makes the config
 * before the output calls it first, so that no layer is read twice. */
gboolean output_export(const struct output *o, struct built_image *b, const struct output_env *env,
                       GError **err);

/* An image and the names that an archive gives it. */
struct archived {
    struct built_image *image; /* its manifest is made already */
    const char *const *names;  /* canonical references, NULL-terminated, or NULL */
};
/* Writes one archive, as docker save makes them, of n images (at least 1) to the file dest ("-":
 * stream); files as in output_run(). */
gboolean output_save(const struct archived *images, guint n, const char *dest, int stream,
                     guint64 *written, GError **err);

typedef struct output output;
G_DEFINE_AUTOPTR_CLEANUP_FUNC(output, output_free)

#endif
