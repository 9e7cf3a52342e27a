/* Manifests, indexes and descriptors (OCI image-spec 1.1; Docker schema 2). Parsing is strict about
 * types, digests and limits (4 MiB of JSON, 10,000 descriptors), lenient about unknown fields. */
#ifndef VARVE_IMAGE_MANIFEST_H
#define VARVE_IMAGE_MANIFEST_H

#include "base/digest.h"
#include "base/platform.h"
#include "store/store.h"

#define MEDIA_OCI_INDEX "application/vnd.oci.image.index.v1+json"
#define MEDIA_OCI_MANIFEST "application/vnd.oci.image.manifest.v1+json"
#define MEDIA_OCI_CONFIG "application/vnd.oci.image.config.v1+json"
#define MEDIA_OCI_LAYER "application/vnd.oci.image.layer.v1.tar"
#define MEDIA_DOCKER_LIST "application/vnd.docker.distribution.manifest.list.v2+json"
#define MEDIA_DOCKER_MANIFEST "application/vnd.docker.distribution.manifest.v2+json"
#define MEDIA_DOCKER_CONFIG "application/vnd.docker.container.image.v1+json"
#define MEDIA_DOCKER_LAYER "application/vnd.docker.image.rootfs.diff.tar"

/* Annotations of descriptors in an index.json: the tag, and containerd's full name. */
#define ANNOTATION_REF_NAME "org.opencontainers.image.ref.name"
#define ANNOTATION_IMAGE_NAME "io.containerd.image.name"

struct descriptor {
    char *media_type; /* of what it names */
    struct digest digest;
    guint64 size; /* bytes */
    gboolean has_platform;
    struct platform platform;
    GTree *annotations; /* char* → char*, or NULL */
    char **urls;        /* foreign layers, or NULL */
};
struct manifest {
    char *media_type;         /* of this document */
    gboolean is_index;        /* items are manifests; else layers */
    struct descriptor config; /* manifests only */
    GPtrArray *items;         /* struct descriptor* */
    GTree *annotations;       /* or NULL */
    char *artifact_type;      /* or NULL */
};
/* VARVE_ERROR_UNSUPPORTED for an artifact, whose config is not an image's. */
gboolean manifest_check_image(const struct manifest *m, GError **err);
void descriptor_free(struct descriptor *d);
struct descriptor *descriptor_copy(const struct descriptor *d);
struct manifest *manifest_new(const char *media_type);
void manifest_free(struct manifest *m);
/* media_type (from Content-Type, may be NULL) decides if the document itself has none; schema 1 and
 * unknown types are VARVE_ERROR_UNSUPPORTED naming what was found. */
struct manifest *manifest_parse(const void *json, gsize len, const char *media_type, GError **err);
/* The same of a blob of the store. */
struct manifest *manifest_load(struct store *s, const struct digest *d, GError **err);
/* Canonical JSON bytes: fixed key order as Docker and BuildKit write it, two-space indentation. */
GBytes *manifest_write(const struct manifest *m);
/* The item of an index that suits p best; NULL if none does. Attestation manifests
 * (unknown/unknown) never match. */
const struct descriptor *manifest_choose(const struct manifest *index, const struct platform *p);
/* "linux/amd64, linux/arm64": what an index offers, for messages: each once, and not more
 * than a few dozen. */
char *manifest_platforms(const struct manifest *index);

typedef struct manifest manifest;
G_DEFINE_AUTOPTR_CLEANUP_FUNC(manifest, manifest_free)
typedef struct descriptor descriptor;
G_DEFINE_AUTOPTR_CLEANUP_FUNC(descriptor, descriptor_free)

#endif
