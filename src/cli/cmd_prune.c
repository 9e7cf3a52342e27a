#include "cli/shared.h"

#include "base/error.h"
#include "dockerfile/bytesize.h"
#include "dockerfile/duration.h"
#include "store/gc.h"
#include "ui/text.h"

#include <string.h>
#include <unistd.h>

struct prune_options {
    gboolean all, volumes, dry_run, force;
    char *keep_storage, *older_than;
};
#define AT(field) G_STRUCT_OFFSET(struct prune_options, field)

const struct option_row prune_option_rows[] = {
    {"all", 'a', OPTION_FLAG, AT(all), NULL,
     "also the build cache: everything that no named image needs"},
    {"volumes", 0, OPTION_FLAG, AT(volumes), NULL,
     "also volumes and cache mounts that nobody is using"},
    {"keep-storage", 0, OPTION_STRING, AT(keep_storage), "SIZE",
     "--all, least recently used first, until SIZE is left (10GB)"},
    {"older-than", 0, OPTION_STRING, AT(older_than), "TIME",
     "--all, but only what was not used for TIME (7d, 12h)"},
    {"dry-run", 0, OPTION_FLAG, AT(dry_run), NULL, "only tell what would go"},
    {"force", 'f', OPTION_FLAG, AT(force), NULL, "do not ask before volumes are removed"},
    {0},
};

/* "7d", "2w" and what Go's durations allow, in seconds. */
static gboolean parse_age(const char *text, gint64 *seconds, GError **err)
{
    static const struct {
        char unit;
        gint64 seconds;
    } units[] = {{'d', 86400}, {'w', 7 * 86400}};
    gsize len = strlen(text);
    for (guint i = 0; len > 1 && i < G_N_ELEMENTS(units); i++) {
        guint64 n;
        g_autofree char *digits = g_strndup(text, len - 1);
        if (text[len - 1] != units[i].unit ||
            !g_ascii_string_to_unsigned(digits, 10, 1, 36500, &n, NULL))
            continue;
        *seconds = (gint64)n * units[i].seconds;
        return TRUE;
    }
    gint64 ns;
    if (!duration_parse(text, &ns, NULL) || ns < 1000000000)
        return error_set(err, VARVE_ERROR_USAGE, "--older-than %s: write a time like 7d, 2w or 12h",
                         text);
    *seconds = ns / 1000000000;
    return TRUE;
}

static gboolean gc_options_for(const struct prune_options *o, struct gc_options *gc, GError **err)
{
    *gc = (struct gc_options){.all = o->all || o->keep_storage || o->older_than,
                              .volumes = o->volumes,
                              .dry_run = o->dry_run};
    if (o->older_than && !parse_age(o->older_than, &gc->keep_seconds, err))
        return FALSE;
    if (o->keep_storage && !bytesize_parse(o->keep_storage, &gc->keep_bytes, err)) {
        g_prefix_error(err, "--keep-storage: ");
        error_as_usage(err);
        return FALSE;
    }
    return TRUE;
}

/* Volumes of varve run may hold what nothing can make again. */
static gboolean may_remove_volumes(const struct prune_options *o)
{
    if (!o->volumes || o->force || o->dry_run || !isatty(STDIN_FILENO))
        return TRUE;
    char answer[16];
    fprintf(stderr,
            "This removes all volumes that nobody is using now, with their data. Go on? [y/N] ");
    return fgets(answer, sizeof answer, stdin) && g_ascii_tolower(answer[0]) == 'y';
}

static void print_result(const struct prune_options *o, guint64 freed, guint64 removed)
{
    g_autofree char *size = text_size(freed);
    const char *plural = removed == 1 ? "" : "s";
    if (removed == 0)
        printf("nothing to remove\n");
    else if (o->dry_run)
        printf("would free %s (%" G_GUINT64_FORMAT " thing%s)\n", size, removed, plural);
    else
        printf("freed %s (%" G_GUINT64_FORMAT " thing%s removed)\n", size, removed, plural);
    if (!o->all && !o->keep_storage && !o->older_than)
        print_next("varve du shows what is left · varve prune --all removes the build cache too");
    else
        print_next("varve du shows what is left");
}

static int prune(const struct prune_options *o, GError **err)
{
    struct gc_options gc;
    guint64 freed, removed;
    if (!gc_options_for(o, &gc, err))
        return 0;
    if (!may_remove_volumes(o)) {
        fprintf(stderr, "nothing was removed\n");
        return 0;
    }
    g_autoptr(store) s = open_store(err);
    if (s && store_gc(s, &gc, &freed, &removed, err))
        print_result(o, freed, removed);
    return 0;
}

int cmd_prune(const struct command *c, int argc, char **argv, GError **err)
{
    struct prune_options o = {0};
    int code = 0;
    if (command_begin(c, &o, &argc, &argv, 0, 0, err))
        code = prune(&o, err);
    command_clear(c, &o);
    return code;
}
