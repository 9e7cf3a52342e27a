#include "output/annotation.h"

#include "base/error.h"

#include <string.h>

static const char *const kinds[] = {[ANNOTATED_MANIFEST] = "manifest",
                                    [ANNOTATED_MANIFEST_DESCRIPTOR] = "manifest-descriptor",
                                    [ANNOTATED_INDEX] = "index",
                                    [ANNOTATED_INDEX_DESCRIPTOR] = "index-descriptor",
                                    NULL};

void annotation_free(struct annotation *a)
{
    if (!a)
        return;
    g_free(a->key);
    g_free(a->value);
    g_free(a);
}

struct annotation *annotation_copy(const struct annotation *a)
{
    struct annotation *copy = g_memdup2(a, sizeof *a);
    copy->key = g_strdup(a->key);
    copy->value = g_strdup(a->value);
    return copy;
}

static gboolean needs_index(const struct annotation *a)
{
    return a->what == ANNOTATED_INDEX || a->what == ANNOTATED_INDEX_DESCRIPTOR;
}

static gboolean parse_what(const char *word, enum annotated *what, GError **err)
{
    for (guint i = 0; kinds[i]; i++) {
        *what = i;
        if (g_str_equal(word, kinds[i]))
            return TRUE;
    }
    error_set(err, VARVE_ERROR_USAGE, "there is no kind of annotation \"%s\"", word);
    error_add_next(err, "the kinds are manifest, manifest-descriptor, index and index-descriptor");
    return FALSE;
}

/* "[linux/arm64]", or nothing. */
static gboolean parse_annotated_platform(const char *text, struct annotation *a, GError **err)
{
    gsize len = strlen(text);
    if (len == 0)
        return TRUE;
    if (len < 3 || text[len - 1] != ']')
        return error_set(err, VARVE_ERROR_USAGE, "the platform %s does not end in ]", text);
    if (needs_index(a))
        return error_set(err, VARVE_ERROR_USAGE, "%s%s: the index is not for one platform",
                         kinds[a->what], text);
    g_autofree char *platform = g_strndup(text + 1, len - 2);
    return platform_parse_known(&a->platform, platform, err);
}

struct annotation *annotation_new(const char *kind, const char *key, const char *value,
                                  GError **err)
{
    gsize len = strcspn(kind, "[");
    g_autofree char *word = g_strndup(kind, len);
    g_autoptr(annotation) a = g_new0(struct annotation, 1);
    if (!parse_what(word, &a->what, err) || !parse_annotated_platform(kind + len, a, err))
        return NULL;
    a->key = g_strdup(key);
    a->value = g_strdup(value);
    return g_steal_pointer(&a);
}

char *annotation_kind(const struct annotation *a)
{
    g_autofree char *platform = *a->platform.os ? platform_text(&a->platform) : NULL;
    return platform ? g_strdup_printf("%s[%s]", kinds[a->what], platform)
                    : g_strdup(kinds[a->what]);
}

static gint compare_keys(gconstpointer a, gconstpointer b, gpointer unused)
{
    (void)unused;
    return strcmp(a, b);
}

GTree *annotations_of(const GPtrArray *all, enum annotated what, const struct platform *p)
{
    GTree *out = NULL;
    for (int own = FALSE; own <= TRUE; own++)
        for (guint i = 0; all && i < all->len; i++) {
            const struct annotation *a = g_ptr_array_index(all, i);
            gboolean one = *a->platform.os != '\0';
            if (a->what != what || one != own || (one && !platform_equal(&a->platform, p)))
                continue;
            if (!out)
                out = g_tree_new_full(compare_keys, NULL, g_free, g_free);
            g_tree_replace(out, g_strdup(a->key), g_strdup(a->value));
        }
    return out;
}

const struct annotation *annotations_of_index(const GPtrArray *all)
{
    for (guint i = 0; all && i < all->len; i++)
        if (needs_index(g_ptr_array_index(all, i)))
            return g_ptr_array_index(all, i);
    return NULL;
}

const struct annotation *annotations_astray(const GPtrArray *all, const struct platform *platforms,
                                            guint n)
{
    for (guint i = 0; all && i < all->len; i++) {
        const struct annotation *a = g_ptr_array_index(all, i);
        gboolean found = !*a->platform.os;
        for (guint k = 0; !found && k < n; k++)
            found = platform_equal(&a->platform, &platforms[k]);
        if (!found)
            return a;
    }
    return NULL;
}
