/* What a push replaces at its registry: the sizes of the images that the name stands for now. */
#include "image/manifest.h"
#include "output/exporters.h"

/* Compressed bytes of all layers; 0: its manifest cannot be read. */
static guint64 layers_bytes(struct store *s, const struct digest *digest)
{
    guint64 bytes = 0;
    g_autoptr(manifest) m = manifest_load(s, digest, NULL);
    for (guint i = 0; m && i < m->items->len; i++)
        bytes += ((const struct descriptor *)g_ptr_array_index(m->items, i))->size;
    return bytes;
}

void output_replaced_bytes(const struct output *o, const struct imageset *set,
                           const struct output_env *env, guint64 *bytes)
{
    g_auto(GStrv) names = o->push && !o->push_by_digest ? output_names(o, env, NULL) : NULL;
    g_autoptr(reference) ref = names && names[0] ? reference_parse(names[0], NULL) : NULL;
    g_autoptr(registry) client = ref ? output_registry(o, set, env, names) : NULL;
    for (guint i = 0; i < set->images->len; i++) {
        struct resolved r;
        gboolean there =
            client && registry_resolve(client, ref, &imageset_at(set, i)->conf->platform, &r, NULL);
        bytes[i] = there ? layers_bytes(set->store, &r.manifest) : 0;
    }
}
