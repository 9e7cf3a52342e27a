/* The implementations of the types of output; private to output/. */
#ifndef VARVE_OUTPUT_EXPORTERS_H
#define VARVE_OUTPUT_EXPORTERS_H

#include "output/output.h"
#include "tree/tree.h"

/* Writes an OCI layout to an open file as tar; docker adds manifest.json, which makes it a
 * docker-archive too. There is at least one image. */
gboolean archive_write(const struct archived *images, guint n, gboolean docker, int fd,
                       guint64 *written, GError **err);
/* One image as files in a directory, which is created if missing; existing blobs are kept, and so
 * are a layout's images of other tags. Without a name the tag is "latest". */
gboolean archive_write_dir(const struct archived *image, gboolean docker, const char *dir,
                           guint64 *written, GError **err);
/* The file tree of one platform's image. */
struct tree_part {
    struct tree *tree;
    char *platform; /* "linux/arm64" */
    char *dir;      /* where it goes, below the destination; NULL: the destination itself */
};
/* Parts without a dir share the destination: VARVE_ERROR_FAILED when two have the same file. */
gboolean tree_check_parts(const struct tree_part *parts, guint n, GError **err);
/* The merged file trees into a directory (created if missing; files are replaced, others kept), or
 * as one tar. */
gboolean tree_write_dir(struct store *s, const struct tree_part *part, const char *dest,
                        gint64 clamp_mtime, guint64 *written, GError **err);
gboolean tree_write_tar(const struct tree_part *parts, guint n, int fd, gint64 clamp_mtime,
                        guint64 *written, GError **err);
/* output.c: the names that an output goes by: the build's tags and its own name=, canonical; owned.
 */
char **output_names(const struct output *o, const struct output_env *env, GError **err);
/* output.c: a client for these; registry.insecure= applies to the registries of this output only.
 */
struct registry *output_registry(const struct output *o, const struct imageset *set,
                                 const struct output_env *env, char **names);
/* files.c: type=local and type=tar. */
gboolean files_run(const struct output *o, const struct imageset *set, const struct output_env *env,
                   struct output_result *r, GError **err);

/* place.c: where an archive goes. */
struct place {
    int fd;     /* to write to, -1: not open */
    char *path; /* the file, NULL for a stream and what is written in place */
    char *tmp;  /* the neighbour of path that becomes it, or NULL */
};
gboolean place_open(struct place *p, const char *dest, int stream, GError **err);
/* Makes the file appear when all of it is there; *written gets its size. Returns ok. */
gboolean place_close(struct place *p, gboolean ok, guint64 *written, GError **err);
/* Returns ok; when it is FALSE, *err names the place that was written to. */
gboolean place_named(const char *dest, gboolean ok, GError **err);

/* Sends the archive to a Docker engine (POST /images/load). host: "unix:///path",
 * "tcp://host:port", NULL: the usual socket. */
gboolean docker_load(const struct archived *image, const char *host, guint64 *sent, GError **err);
/* *yes: the engine keeps its images in containerd's store, and so loads an index (GET /info). */
gboolean docker_loads_index(const char *host, struct cancel *c, gboolean *yes, GError **err);

#endif
