
#include "base/error.h"
#include "cli/arguments.h"
#include "cli/commands.h"
#include "cli/outside.h"
#include "cli/prune_volumes.h"
#include "cli/report.h"
#include "store/gc.h"
#include "store/runs.h"
#include "ui/text.h"

#include <string.h>
#include <unistd.h>

struct prune_options {
    gboolean all, dry_run, force;
    char *volumes, *keep_storage, *older_than;
    char **filters;
};
#define AT(field) G_STRUCT_OFFSET(struct prune_options, field)

const struct option_row prune_option_rows[] = {
    {"all", 'a', OPTION_FLAG, AT(all), NULL,
     "also the build cache: everything that no named image needs"},
    {"volumes", 0, OPTION_OPTIONAL, AT(volumes), "NAME,...|all",
     "also unused cache mounts; with NAME or all also those named volumes"},
    {"keep-storage", 0, OPTION_STRING, AT(keep_storage), "SIZE",
     "--all, least recently used first, until SIZE is left (10GB)"},
    {"older-than", 0, OPTION_STRING, AT(older_than), "TIME",
     "--all, but only what was not used for TIME (7d, 12h)"},
    {"filter", 0, OPTION_LIST, AT(filters), "until=TIME", "same as --older-than TIME"},
    {"dry-run", 0, OPTION_FLAG, AT(dry_run), NULL, "only show what would be removed"},
    {"force", 'f', OPTION_FLAG, AT(force), NULL, "do not ask before named volumes are removed"},
    {0},
};

/* Docker's spelling of --older-than. */
static gboolean take_filters(struct prune_options *o, GError **err)
{
    for (char **f = o->filters; f && *f; f++) {
        if (!g_str_has_prefix(*f, "until=")) {
            error_set(err, VARVE_ERROR_USAGE, "--filter %s: only until=TIME is supported", *f);
            error_add_next(err, "for example --filter until=24h");
            return FALSE;
        }
        g_free(o->older_than);
        o->older_than = g_strdup(*f + strlen("until="));
    }
    return TRUE;
}

static gboolean gc_options_for(const struct prune_options *o, struct gc_options *gc, GError **err)
{
    *gc = (struct gc_options){.all = o->all || o->keep_storage || o->older_than,
                              .dry_run = o->dry_run};
    return age_option("--older-than", o->older_than, &gc->keep_seconds, err) &&
           size_option("--keep-storage", o->keep_storage, &gc->keep_bytes, err);
}

/* Named volumes are removed for good: only after a yes, now or with --force. */
static gboolean may_ask(const struct prune_options *o, const struct prune_volumes *v, GError **err)
{
    if ((!v->all_named && !v->names) || o->force || o->dry_run || isatty(STDIN_FILENO))
        return TRUE;
    error_set(err, VARVE_ERROR_USAGE, "--volumes=%s removes named volumes for good", o->volumes);
    error_add_next(err, "add -f in scripts, or --dry-run to see what would be removed");
    return FALSE;
}

static gboolean is_confirmed(const struct prune_options *o, const struct prune_volumes *v)
{
    g_autofree char *wanted = prune_volumes_wanted(v);
    if (!wanted || o->force || o->dry_run)
        return TRUE;
    char answer[16];
    fprintf(stderr, "This removes these volumes for good, with their data: %s\nGo on? [y/N] ",
            wanted);
    return fgets(answer, sizeof answer, stdin) && g_ascii_tolower(answer[0]) == 'y';
}

static void print_volumes(const struct prune_options *o, const struct prune_volumes *v)
{
    for (guint i = 0; i < v->taken->len; i++)
        printf("%s volume %s\n", o->dry_run ? "would remove" : "removed",
               (char *)g_ptr_array_index(v->taken, i));
    g_autofree char *kept = prune_volumes_kept(v);
    if (kept)
        report_note("named volumes stay: %s (--volumes=NAME or --volumes=all removes them)", kept);
    for (char **name = v->names; name && *name; name++)
        if (!g_ptr_array_find_with_equal_func(v->taken, *name, g_str_equal, NULL))
            report_note("the volume %s is in use and was kept", *name);
}

static void print_result(const struct prune_options *o, const struct gc_options *gc, guint64 freed,
                         guint64 removed)
{
    g_autofree char *size = text_size(freed);
    const char *plural = removed == 1 ? "" : "s";
    if (removed == 0)
        printf("nothing to remove\n");
    else if (o->dry_run)
        printf("would free %s (%" G_GUINT64_FORMAT " thing%s)\n", size, removed, plural);
    else
        printf("freed %s (%" G_GUINT64_FORMAT " thing%s removed)\n", size, removed, plural);
    if (!gc->all)
        print_next("varve du shows what is left · varve prune --all removes the build cache too");
    else
        print_next("varve du shows what is left");
}

static void prune_store(const struct prune_options *o, struct gc_options *gc,
                        struct prune_volumes *v, GError **err)
{
    guint64 freed, removed;
    g_autoptr(store) s = open_store(err);
    if (!s || !prune_volumes_load(v, s, err))
        return;
    if (!is_confirmed(o, v)) {
        fprintf(stderr, "nothing was removed\n");
        return;
    }
    gc->volume = prune_volumes_take;
    gc->ctx = v;
    gint64 since = gc->keep_seconds ? g_get_real_time() / G_USEC_PER_SEC - gc->keep_seconds : 0;
    if (!store_gc(s, gc, &freed, &removed, err) ||
        !store_run_trim(s, 0, since, o->dry_run, &freed, &removed, err))
        return;
    print_volumes(o, v);
    print_result(o, gc, freed, removed);
}

static int prune(struct prune_options *o, GError **err)
{
    struct gc_options gc;
    struct prune_volumes v;
    if (prune_volumes_init(&v, o->volumes, err) && take_filters(o, err) &&
        gc_options_for(o, &gc, err) && may_ask(o, &v, err))
        prune_store(o, &gc, &v, err);
    prune_volumes_clear(&v);
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
