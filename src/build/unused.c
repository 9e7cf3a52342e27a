/* A --build-arg that no ARG of the Dockerfile uses, most often because of a typing error. */
#include "build/building.h"

#include "base/suggest.h"
#include "dockerfile/autoargs.h"
#include "text/fit.h"

#include <string.h>

#define NAME_MAX_SHOWN 100

/* What the builder takes without an ARG: proxies, its own settings, the time of the build. */
static gboolean is_builtin(const char *name)
{
    return g_str_has_prefix(name, "BUILDKIT_") || g_str_equal(name, "SOURCE_DATE_EPOCH") ||
           (strlen(name) > 6 && g_ascii_strcasecmp(name + strlen(name) - 6, "_PROXY") == 0);
}

static void add_automatic(gpointer names, const char *name, const char *value)
{
    (void)value;
    g_ptr_array_add(names, g_strdup(name));
}

/* The names of all ARGs, also those that ONBUILD keeps for later. */
static GPtrArray *declared(const struct build *b)
{
    GPtrArray *names = g_ptr_array_new();
    for (guint i = 0; i < b->result.df->n_instructions; i++) {
        const struct instruction *ins = b->result.df->instructions[i];
        ins = ins->trigger ? ins->trigger : ins;
        for (guint p = 0; ins->kind == INSTRUCTION_ARG && p < ins->n_pairs; p++)
            g_ptr_array_add(names, (gpointer)ins->pairs[p].key);
    }
    return names;
}

void build_note_unused_args(const struct build *b)
{
    struct platform host;
    platform_host(&host);
    g_autoptr(GPtrArray) names = declared(b), automatic = g_ptr_array_new_with_free_func(g_free);
    autoargs_each(b->result.df, &host, build_first_platform(b->r), NULL, add_automatic, automatic);
    for (guint i = 0; i < b->r->given_args->len; i++) {
        const char *name = g_ptr_array_index(b->r->given_args, i);
        if (is_builtin(name) || g_ptr_array_find_with_equal_func(names, name, g_str_equal, NULL) ||
            g_ptr_array_find_with_equal_func(automatic, name, g_str_equal, NULL))
            continue;
        const char *near = suggest_nearest(name, (const char *const *)names->pdata, names->len);
        g_autofree char *shown = text_fit(name, NAME_MAX_SHOWN);
        g_autofree char *meant = near ? text_fit(near, NAME_MAX_SHOWN) : NULL;
        event_note(b->ports.events, "--build-arg %s: %s has no ARG %s%s%s%s", shown,
                   b->result.df->name, shown, near ? "; did you mean " : "", near ? meant : "",
                   near ? "?" : "");
    }
}
