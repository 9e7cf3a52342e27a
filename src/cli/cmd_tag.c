
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

/* All platforms that the name stands for; an id stands for one image. */
static gboolean tag_platforms(struct store *s, const char *source, const char *name, GError **err)
{
    g_autoptr(image_row) found = stored_image_find(s, source, NULL, err);
    if (!found)
        return FALSE;
    g_autoptr(reference) ref = reference_parse(source, NULL);
    g_autofree char *canonical = ref ? reference_text(ref) : g_strdup("");
    if (!g_str_equal(canonical, found->name))
        return put_as(s, found, name, err);
    g_autoptr(GPtrArray) all = store_image_list(s);
    for (guint i = 0; i < all->len; i++) {
        const struct image_row *r = g_ptr_array_index(all, i);
        if (g_str_equal(r->name, canonical) && !put_as(s, r, name, err))
            return FALSE;
    }
    return TRUE;
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
