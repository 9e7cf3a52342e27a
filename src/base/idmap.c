#include "base/idmap.h"

#include <stdio.h>

GArray *idmap_read(const char *kind)
{
    GArray *ids = g_array_new(FALSE, FALSE, sizeof(struct id_range));
    g_autofree char *path = g_strconcat("/proc/self/", kind, NULL), *text = NULL;
    if (!g_file_get_contents(path, &text, NULL, NULL))
        return ids;
    g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
    for (char **line = lines; *line; line++) {
        struct id_range r;
        if (sscanf(*line, "%u %u %u", &r.inside, &r.outside, &r.count) == 3)
            g_array_append_val(ids, r);
    }
    return ids;
}

gboolean idmap_is_all(const GArray *ids)
{
    const struct id_range *first = (const struct id_range *)ids->data;
    return ids->len > 0 && first->inside == 0 && first->outside == 0 && first->count == G_MAXUINT32;
}

gboolean idmap_is_whole(void)
{
    g_autoptr(GArray) ids = idmap_read("uid_map");
    return idmap_is_all(ids);
}

char *idmap_same_text(const char *kind, guint32 most)
{
    g_autoptr(GArray) ids = idmap_read(kind);
    GString *out = g_string_new(NULL);
    for (guint i = 0; i < ids->len; i++) {
        const struct id_range *r = &g_array_index(ids, struct id_range, i);
        g_string_append_printf(out, "%u %u %u\n", r->inside, r->inside, MIN(r->count, most));
    }
    return g_string_free(out, FALSE);
}
