
#include "base/error.h"
#include "cli/arguments.h"
#include "cli/commands.h"
#include "cli/outside.h"
#include "cli/report.h"
#include "output/image.h"
#include "text/reference.h"

#include <stdio.h>
#include <string.h>

static gboolean put_as(struct store *s, const struct image_row *r, const char *name, GError **err)
{
    struct image_row copy = *r;
    copy.name = (char *)name;
    return store_image_put(s, &copy, err);
}

/* The rows that source stands for: all platforms of a name or an index; else an id's image. */
static GPtrArray *rows_of(struct store *s, const char *source, const struct image_row *found)
{
    g_autoptr(reference) ref = reference_parse(source, NULL);
    g_autofree char *canonical = ref ? reference_text(ref) : g_strdup("");
    if (!g_str_equal(canonical, found->name) || !*found->name)
        return image_row_index_matches(found, source) ? store_image_group(s, found) : NULL;
    g_autoptr(GPtrArray) all = store_image_list(s);
    GPtrArray *rows = g_ptr_array_new_with_free_func((GDestroyNotify)image_row_free);
    for (guint i = all->len; i-- > 0;)
        if (g_str_equal(((struct image_row *)g_ptr_array_index(all, i))->name, canonical))
            g_ptr_array_add(rows, g_ptr_array_steal_index(all, i));
    return rows;
}

static gboolean tag_platforms(struct store *s, const char *source, const char *name, GError **err)
{
    g_autoptr(image_row) r = stored_image_any(s, source, NULL, err);
    if (!r)
        return FALSE;
    g_autoptr(GPtrArray) rows = rows_of(s, source, r);
    for (guint i = 0; rows && i < rows->len; i++)
        if (!put_as(s, g_ptr_array_index(rows, i), name, err))
            return FALSE;
    return rows || put_as(s, r, name, err);
}

static int tag_image(const char *source, const char *target, GError **err)
{
    g_autoptr(reference) ref = name_parse(target, err);
    if (!ref)
        return 0;
    g_autofree char *name = reference_text(ref);
    g_autoptr(store) s = open_store(err);
    if (!s || !tag_platforms(s, source, name, err))
        return 0;
    g_autofree char *shown = reference_familiar(ref);
    fprintf(stderr, "%s is now also %s\n", source, shown);
    print_next("varve push %s · varve run %s", shown, shown);
    return 0;
}

int cmd_tag(const struct command *c, int argc, char **argv, GError **err)
{
    return command_begin(c, NULL, &argc, &argv, 2, 2, err) ? tag_image(argv[1], argv[2], err) : 0;
}
