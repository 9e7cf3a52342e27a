/* Outputs: -o/--output specifications, and carrying them out. */
#ifndef VARVE_OUTPUT_OUTPUT_H
#define VARVE_OUTPUT_OUTPUT_H

#include "output/annotation.h"
#include "output/imageset.h"
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
    char *dest;              /* path, "-" for the caller's stream, or NULL */
    char **names;            /* name=, list: in addition to the build's tags */
    gboolean push;           /* to a registry */
    gboolean push_by_digest; /* without a tag */
    gboolean insecure;       /* registry.insecure */
    gboolean as_directory;   /* tar=false */
    struct image_options image;
    int split;    /* platform-split, files into directories named after their platforms: 0 or 1; -1:
                     not given, which means 1 for several platforms */
    gint64 epoch; /* source-date-epoch=, -1: the build's */
    gboolean keep_times;   /* empty source-date-epoch=: files keep their times */
    int rewrite_timestamp; /* 0 or 1; -1: not given, which means 1 if there is an epoch */
};
/* Parses "type=oci,dest=x.tar,…" (CSV, as Docker's), or a bare path (type=local), or "-" (type=tar
 * to stdout). Unknown types, and keys that are unknown or do not apply to the type, are
 * VARVE_ERROR_USAGE naming them and the keys of the type. */
struct output *output_parse(const char *text, GError **err);
/* Checks what is known before a build: consistent values, a writable destination (not whether the
 * stream of "-" can take an archive). VARVE_ERROR_USAGE. */
gboolean output_check(const struct output *o, GError **err);
void output_free(struct output *o);
/* Whether it is an image, with a config, and not files alone. */
gboolean output_makes_image(const struct output *o);

/* Takes a: one more annotation of the image. */
void output_annotate(struct output *o, struct annotation *a);

/* The result of an output, for the summary and --metadata-file. */
struct output_result {
    struct digest digest; /* index or manifest (or config, when no manifest was needed) */
    struct push_stats push;
    guint64 bytes_written; /* to files: their contents, or all of an archive */
    guint files;           /* type=local, tar: regular files, counting hard links; else 0 */
};
struct output_env {
    const struct registry_config *registry; /* for pushes */
    const char *const *tags;                /* canonical names of -t */
    const char *docker_host;                /* DOCKER_HOST or NULL: unix:///var/run/docker.sock */
    int stream;                             /* what "-" is, borrowed (it stays open); -1: none */
};
/* The build's platforms. */
struct output_platforms {
    const struct platform *all; /* n, borrowed */
    guint n;                    /* at least 1 */
    gboolean is_index; /* images are joined by an index: there are several, or it was asked for */
};
/* Checks what depends on the platforms, before anything runs; asks the Docker engine when it is to
 * load an index. VARVE_ERROR_USAGE, or what the engine answered. */
gboolean output_check_platforms(const struct output *o, const struct output_platforms *p,
                                const struct output_env *env, struct cancel *c, GError **err);
/* Carries out one output. Files appear only when complete (written next to the destination and
 * renamed). */
gboolean output_run(const struct output *o, struct imageset *set, const struct output_env *env,
                    struct output_result *result, GError **err);

/* bytes: for each image of the set the compressed size of the layers of the image for its platform
 * that o's first name stands for at its registry; asks for manifests and configs only, call it
 * before the push. 0: o pushes to no name, there is no such image, or it cannot be had. */
void output_replaced_bytes(const struct output *o, const struct imageset *set,
                           const struct output_env *env, guint64 *bytes);

/* Makes the blobs of layers that output_run() will need, if any. Call it before the config is made,
 * so that no layer is read twice. */
gboolean output_export(const struct output *o, struct imageset *set, const struct output_env *env,
                       GError **err);

/* An image, or several of an index, and the names that an archive gives it. */
struct archived {
    struct imageset *set;     /* its manifests are already made */
    const char *const *names; /* canonical references, NULL-terminated, or NULL */
    GPtrArray *annotations;   /* struct annotation* of its descriptor, borrowed, or NULL */
};
/* Writes one archive, like docker save, of n images (at least 1) to the file dest ("-": stream);
 * files as in output_run(). */
gboolean output_save(const struct archived *images, guint n, const char *dest, int stream,
                     guint64 *written, GError **err);

typedef struct output output;
G_DEFINE_AUTOPTR_CLEANUP_FUNC(output, output_free)

#endif
