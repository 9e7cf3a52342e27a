
#include "base/error.h"
#include "cli/commands.h"
#include "cli/outside.h"
#include "cli/report.h"
#include "cli/show.h"
#include "output/image.h"
#include "text/reference.h"

#include <string.h>

struct rmi_options {
    gboolean force;
};
const struct option_row rmi_option_rows[] = {
    {"force", 'f', OPTION_FLAG, G_STRUCT_OFFSET(struct rmi_options, force), NULL,
     "remove all names of an image given by its id; ignore missing images"},
    {0},
};

/* Whether text names r, rather than being its id. */
static gboolean names(const char *text, const struct image_row *r)
{
    g_autoptr(reference) ref = reference_parse(text, NULL);
    g_autofree char *canonical = ref ? reference_text(ref) : NULL;
    return canonical && g_str_equal(canonical, r->name);
}

static void add_name(GPtrArray *list, const char *name)
{
    if (!g_ptr_array_find_with_equal_func(list, name, g_str_equal, NULL))
        g_ptr_array_add(list, g_strdup(name));
}

/* The names to remove: the one that was given, or all of an id. */
static GPtrArray *names_of(struct store *s, const char *text, const struct image_row *r)
{
    GPtrArray *list = g_ptr_array_new_with_free_func(g_free);
    if (names(text, r)) {
        add_name(list, r->name);
        return list;
    }
    gboolean index = image_row_index_matches(r, text);
    g_autoptr(GPtrArray) all = store_image_list(s);
    for (guint i = 0; i < all->len; i++) {
        const struct image_row *other = g_ptr_array_index(all, i);
        if (*other->name && (index ? digest_cmp(&other->target, &r->target) == 0
                                   : digest_cmp(&other->config, &r->config) == 0))
            add_name(list, other->name);
    }
    return list;
}

static gboolean refuse_several(const char *text, GPtrArray *list, GError **err)
{
    GString *shown = g_string_new(NULL);
    for (guint i = 0; i < list->len; i++) {
        g_autofree char *name = shown_name(g_ptr_array_index(list, i));
        g_string_append_printf(shown, "%s%s", i ? ", " : "", name);
    }
    error_set(err, VARVE_ERROR_FAILED, "cannot remove %s: it has several names: %s", text,
              shown->str);
    error_add_next(err, "remove one by its name, or all of them with varve rmi -f %s", text);
    g_string_free(shown, TRUE);
    return FALSE;
}

static gboolean still_named(struct store *s, const struct digest *config)
{
    g_autoptr(GPtrArray) all = store_image_list(s);
    for (guint i = 0; i < all->len; i++)
        if (digest_cmp(&((struct image_row *)g_ptr_array_index(all, i))->config, config) == 0)
            return TRUE;
    return FALSE;
}

static gboolean remove_names(struct store *s, GPtrArray *list, GError **err)
{
    for (guint i = 0; i < list->len; i++) {
        const char *name = g_ptr_array_index(list, i);
        g_autofree char *shown = shown_name(name);
        if (!store_image_remove(s, name, NULL, err))
            return FALSE;
        printf("removed %s\n", shown);
    }
    return TRUE;
}

static gboolean remove_one(struct store *s, const char *text, gboolean force, gboolean *last,
                           GError **err)
{
    GError *why = NULL;
    g_autoptr(image_row) r = stored_image_any(s, text, NULL, &why);
    if (!r && force && g_error_matches(why, VARVE_ERROR, VARVE_ERROR_NOT_FOUND)) {
        report_note("no such image: %s", text);
        g_error_free(why);
        return TRUE;
    }
    if (!r) {
        g_propagate_error(err, why);
        return FALSE;
    }
    g_autoptr(GPtrArray) list = names_of(s, text, r);
    if (list->len == 0) {
        error_set(err, VARVE_ERROR_FAILED, "%s has no name to remove", text);
        error_add_next(err, "varve prune removes images without a name");
        return FALSE;
    }
    if (list->len > 1 && !force)
        return refuse_several(text, list, err);
    if (!remove_names(s, list, err))
        return FALSE;
    *last = *last || !still_named(s, &r->config);
    return TRUE;
}

static int remove_images(char **texts, gboolean force, GError **err)
{
    g_autoptr(store) s = open_store(err);
    gboolean last = FALSE;
    for (; s && *texts; texts++)
        if (!remove_one(s, *texts, force, &last, err))
            return 0;
    if (last)
        print_next("varve prune frees the space of unused layers");
    return 0;
}

int cmd_rmi(const struct command *c, int argc, char **argv, GError **err)
{
    struct rmi_options o = {0};
    int code = 0;
    if (command_begin(c, &o, &argc, &argv, 1, -1, err))
        code = remove_images(argv + 1, o.force, err);
    command_clear(c, &o);
    return code;
}
