/* Reading an image archive (a tar, compressed or not, of an OCI layout or from docker save) in one
 * pass: blobs go into the store as they are read, verified if their name is their digest, and small
 * files are kept in memory. */
#ifndef VARVE_IMAGE_ARCHIVE_H
#define VARVE_IMAGE_ARCHIVE_H

#include "base/digest.h"
#include "store/store.h"

struct image_archive {
    GHashTable *small; /* name → GBytes: files that are not blobs (index.json, manifest.json, …) */
    GHashTable *blobs; /* name → struct digest: files that are in the store now */
    GHashTable *links; /* name → name: symlinks and hard links inside */
};
/* Reads path. At most 100,000 entries and 64 MiB of small files. */
struct image_archive *image_archive_read(struct store *s, const char *path, GError **err);
void image_archive_free(struct image_archive *a);
/* A small file by name; NULL when there is none. */
GBytes *image_archive_small(const struct image_archive *a, const char *name);
/* The digest of a file in the store (a small one is put there); links are followed. FALSE if there
 * is none. */
gboolean image_archive_blob(struct store *s, const struct image_archive *a, const char *name,
                            struct digest *out, GError **err);

typedef struct image_archive image_archive;
G_DEFINE_AUTOPTR_CLEANUP_FUNC(image_archive, image_archive_free)

#endif
