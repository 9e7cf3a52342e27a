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
/* The merged file tree into a directory (created if missing; files are replaced, others kept), or
 * as one tar. */
gboolean tree_write_dir(struct store *s, struct tree *t, const char *dir, gint64 clamp_mtime,
                        guint64 *written, GError **err);
gboolean tree_write_tar(struct tree *t, int fd, gint64 clamp_mtime, guint64 *written, GError **err);
/* Sends the archive to a Docker engine (POST /images/load). host: "unix:///path",
 * "tcp://host:port", NULL: the usual socket. */
gboolean docker_load(const struct archived *image, const char *host, guint64 *sent, GError **err);

#endif
