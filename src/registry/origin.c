#include "registry/origin.h"

#include "store/note.h"

#include <string.h>

#define MAX_ORIGINS 8

static void origin_free(struct origin *o)
{
    if (!o)
        return;
    g_free(o->host);
    g_free(o->repository);
    g_free(o);
}

GPtrArray *origin_list(struct store *s, const struct digest *blob)
{
    GPtrArray *list = g_ptr_array_new_with_free_func((GDestroyNotify)origin_free);
    g_autoptr(GBytes) bytes = store_origins_load(s, blob);
    g_auto(GStrv) lines = bytes ? g_strsplit(g_bytes_get_data(bytes, NULL), "\n", -1) : NULL;
    for (char **line = lines; line && *line && list->len < MAX_ORIGINS; line++) {
        char *blank = strchr(*line, ' ');
        if (!blank || blank == *line || !blank[1])
            continue;
        struct origin *o = g_new0(struct origin, 1);
        o->host = g_strndup(*line, blank - *line);
        o->repository = g_strdup(blank + 1);
        g_ptr_array_add(list, o);
    }
    return list;
}

static gboolean is_same(const struct origin *o, const char *host, const char *repository)
{
    return strcmp(o->host, host) == 0 && strcmp(o->repository, repository) == 0;
}

void origin_add(struct store *s, const struct digest *blob, const char *host,
                const char *repository)
{
    g_autoptr(GPtrArray) list = origin_list(s, blob);
    if (list->len > 0 && is_same(g_ptr_array_index(list, 0), host, repository))
        return;
    g_autoptr(GString) text = g_string_new(NULL);
    g_string_append_printf(text, "%s %s\n", host, repository);
    for (guint i = 0; i < MIN(list->len, MAX_ORIGINS - 1); i++) {
        const struct origin *o = g_ptr_array_index(list, i);
        if (!is_same(o, host, repository))
            g_string_append_printf(text, "%s %s\n", o->host, o->repository);
    }
    store_origins_save(s, blob, text->str, text->len);
}
