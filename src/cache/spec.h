/* --cache-from and --cache-to: what is said of a cache that is not on this machine, as values. */
#ifndef VARVE_CACHE_SPEC_H
#define VARVE_CACHE_SPEC_H

#include "layer/export.h"

enum cache_type { CACHE_REGISTRY, CACHE_LOCAL, CACHE_INLINE, CACHE_GHA, CACHE_S3, CACHE_AZBLOB };
enum cache_use { CACHE_READ, CACHE_WRITE }; /* --cache-from, --cache-to */

struct cache_spec {
    enum cache_type type;
    enum cache_use use;
    GHashTable *attributes; /* char* → char*: what was said, came from the environment, or is usual;
                               names in lower case */
    char *label;  /* for people, and never with a secret: "registry example.org/app:cache" */
    gboolean max; /* mode=max: also the steps whose layers the image does not have */
    gboolean ignore_error;        /* a failure is a warning */
    gboolean share;               /* share=true: builders that run at once share the work */
    gboolean prefer_hit;          /* prefer=hit: fetch a layer even if making it would be faster */
    gboolean all_mounts;          /* mounts=true */
    char **mounts;                /* mounts=npm,pip: ids of cache mounts; or NULL */
    guint64 mounts_max;           /* mounts-max=: bytes of files, 0: no limit */
    struct export_options layers; /* compression, compression-level, force-compression */
};
/* Parses "type=registry,ref=example.org/app:cache,mode=max" (CSV, as Docker's), or a bare image
 * name, which means type=registry. env ("NAME=value", may be NULL) gives what a type takes from its
 * environment and was not said (ACTIONS_RESULTS_URL and ACTIONS_RUNTIME_TOKEN, AWS_*, AZURE_*);
 * notes (char*) gets a sentence for each attribute that has no meaning here. VARVE_ERROR_USAGE
 * names what is wrong and what there is. */
struct cache_spec *cache_spec_parse(enum cache_use use, const char *text, char **env,
                                    GPtrArray *notes, GError **err);
void cache_spec_free(struct cache_spec *s);
/* Whether they say the same: one will do. */
gboolean cache_spec_equal(const struct cache_spec *a, const struct cache_spec *b);
/* The attribute's value; NULL: there is none. */
const char *cache_spec_get(const struct cache_spec *s, const char *name);
/* Whether both name the same reference, whatever is done with it. */
gboolean cache_spec_same(const struct cache_spec *a, const struct cache_spec *b);

typedef struct cache_spec cache_spec;
G_DEFINE_AUTOPTR_CLEANUP_FUNC(cache_spec, cache_spec_free)

#endif
