/* Annotations of an image's manifest, of its index, and of the descriptors that name these (OCI
 * image-spec "annotations"; the kinds are BuildKit's). */
#ifndef VARVE_OUTPUT_ANNOTATION_H
#define VARVE_OUTPUT_ANNOTATION_H

#include "base/platform.h"

enum annotated {
    ANNOTATED_MANIFEST,            /* the manifests */
    ANNOTATED_MANIFEST_DESCRIPTOR, /* what names them: in the index, or in a layout's index.json */
    ANNOTATED_INDEX,               /* the index */
    ANNOTATED_INDEX_DESCRIPTOR,    /* what names it in a layout's index.json */
};
struct annotation {
    enum annotated what;      /* it is of */
    struct platform platform; /* of the manifest meant; os "": all */
    char *key, *value;        /* owned */
};
void annotation_free(struct annotation *a);
struct annotation *annotation_copy(const struct annotation *a);
/* kind is "manifest", "manifest[linux/arm64]", "manifest-descriptor", "index" or
 * "index-descriptor". VARVE_ERROR_USAGE. */
struct annotation *annotation_new(const char *kind, const char *key, const char *value,
                                  GError **err);
/* Those of what for the platform p, char* → char*; what is said of p comes before what is said of
 * all, and the last before the first. all (struct annotation*) may be NULL. NULL: there are none.
 */
GTree *annotations_of(const GPtrArray *all, enum annotated what, const struct platform *p);
/* The first one that only an index can have, or NULL. */
const struct annotation *annotations_of_index(const GPtrArray *all);
/* The first one whose platform is none of n, or NULL. */
const struct annotation *annotations_astray(const GPtrArray *all, const struct platform *platforms,
                                            guint n);
/* "index", "manifest[linux/arm64]". */
char *annotation_kind(const struct annotation *a);

typedef struct annotation annotation;
G_DEFINE_AUTOPTR_CLEANUP_FUNC(annotation, annotation_free)

#endif
