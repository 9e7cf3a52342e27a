#include "tree/tree.h"

static void append_path(GString *out, const char *path)
{
    for (; *path; path++)
        g_string_append_c(out, *path == '\t' || *path == '\n' ? '?' : *path);
}

static void append_line(GString *out, const struct entry *e, struct hasher *h)
{
    struct entry copy = *e;
    struct digest d;
    char hex[DIGEST_HEX_LEN + 1];
    copy.hardlink = NULL; /* which of several names comes first says nothing of this one */
    entry_hash(&copy, "", h);
    hasher_final(h, &d);
    append_path(out, e->path);
    g_string_append_printf(out, "\t%s\n", digest_hex(&d, hex));
}

char *tree_selection_manifest(GPtrArray *selected, guint max)
{
    guint n = 0;
    g_autoptr(GString) out = g_string_new(NULL);
    g_autoptr(hasher) h = hasher_new();
    for (guint i = 0; i < selected->len; i++) {
        const struct selected *s = g_ptr_array_index(selected, i);
        for (guint k = 0; k < s->entries->len; k++) {
            const struct entry *e = g_ptr_array_index(s->entries, k);
            if (e->type == ENTRY_DIR)
                continue;
            if (++n > max)
                return NULL;
            append_line(out, e, h);
        }
    }
    return g_string_free(g_steal_pointer(&out), FALSE);
}
