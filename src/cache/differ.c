#include "cache/differ.h"

#include "cache/describe.h"
#include "layer/index.h"
#include "layer/indexfile.h"

#define MAX_NAMES 3

static void note_name(GString *names, guint *n, const char *path)
{
    if (++*n <= MAX_NAMES)
        g_string_append_printf(names, "%s/%s", names->len > 0 ? ", " : "", path);
}

/* Names the files in which two indexes differ. */
static char *name_differences(const struct layer_index *a, const struct layer_index *b)
{
    g_autoptr(GString) names = g_string_new(NULL);
    guint n = 0;
    struct entry e, o;
    for (guint i = 0; i < layer_index_len(a); i++) {
        layer_index_at(a, i, &e);
        gint64 at = layer_index_find(b, e.path);
        if (at >= 0)
            layer_index_at(b, (guint)at, &o);
        if (at < 0 || o.type != e.type || o.mode != e.mode ||
            digest_cmp(&o.digest, &e.digest) != 0 || g_strcmp0(o.target, e.target) != 0)
            note_name(names, &n, e.path);
    }
    for (guint i = 0; i < layer_index_len(b); i++) {
        layer_index_at(b, i, &e);
        if (layer_index_find(a, e.path) < 0)
            note_name(names, &n, e.path);
    }
    if (n > MAX_NAMES)
        g_string_append_printf(names, " and %u more", n - MAX_NAMES);
    return g_string_free(g_steal_pointer(&names), FALSE);
}

char *differing_files(struct cache_backend *b, struct store *s, const struct cache_layer *theirs,
                      const char *id, struct cancel *c)
{
    if (!theirs->index.media_type || !b->fetch(b, &theirs->index, NULL, NULL))
        return NULL;
    g_autoptr(GBytes) bytes = describe_unpack(s, &theirs->index.digest, NULL);
    gsize len = 0;
    const void *data = bytes ? g_bytes_get_data(bytes, &len) : NULL;
    g_autoptr(layer_index) other = data ? layer_index_of_bytes(data, len, NULL) : NULL;
    g_autoptr(layer_index) ours = other ? layer_index_open(s, id, c, NULL) : NULL;
    return ours ? name_differences(ours, other) : NULL;
}
