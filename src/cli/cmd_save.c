
#include "base/error.h"
#include "base/shellword.h"
#include "cli/arguments.h"
#include "cli/commands.h"
#include "cli/interrupt.h"
#include "cli/outside.h"
#include "cli/pulling.h"
#include "cli/report.h"
#include "output/output.h"
#include "registry/registry.h"
#include "text/reference.h"
#include "ui/progress.h"
#include "ui/text.h"

struct save_options {
    char *dest, *platform, *progress;
};
#define AT(field) G_STRUCT_OFFSET(struct save_options, field)

const struct option_row save_option_rows[] = {
    {"output", 'o', OPTION_STRING, AT(dest), "FILE", "where to write it (default: stdout)"},
    {"platform", 0, OPTION_STRING, AT(platform), "OS/ARCH", "use the image for this platform"},
    {"progress", 0, OPTION_STRING, AT(progress), "MODE", "auto, tty, plain, quiet or rawjson"},
    {0},
};

/* The images to save; each has one entry in both. */
struct saving {
    struct store *store;
    GPtrArray *images; /* struct imageset* */
    GPtrArray *names;  /* GPtrArray* of char*, NULL-terminated */
};

/* Where the set that first is the first image of stands, or after the last. */
static guint find_saved(const struct saving *s, const struct imageset *set)
{
    for (guint i = 0; i < s->images->len; i++) {
        const struct imageset *other = g_ptr_array_index(s->images, i);
        if (other->is_index == set->is_index &&
            digest_cmp(imageset_id(other), imageset_id(set)) == 0)
            return i;
    }
    return s->images->len;
}

/* Whether text names an image, rather than being its id. */
static char *name_in_store(struct store *s, const char *text)
{
    g_autoptr(reference) ref = reference_parse(text, NULL);
    g_autofree char *name = ref ? reference_text(ref) : NULL;
    g_autofree char *platforms = name ? store_image_platforms(s, name) : NULL;
    return platforms ? g_steal_pointer(&name) : NULL;
}

/* An image asked for by another of its names is saved once; by its id it has no name. */
static gboolean add_archived(struct saving *s, const char *text, const struct platform *p,
                             GError **err)
{
    g_autoptr(imageset) set = imageset_open(s->store, text, p, err);
    if (!set)
        return FALSE;
    guint at = find_saved(s, set);
    if (at == s->images->len) {
        g_ptr_array_add(s->images, g_steal_pointer(&set));
        g_ptr_array_add(s->names, g_ptr_array_new_with_free_func(g_free));
        g_ptr_array_add(g_ptr_array_index(s->names, at), NULL);
    }
    char *name = name_in_store(s->store, text);
    if (name)
        g_ptr_array_insert(g_ptr_array_index(s->names, at), 0, name);
    return TRUE;
}

/* A pulled image stays what it is, unless a blob of it is lost for good. */
static gboolean make_set(struct imageset *set, GError **err)
{
    static const struct image_options io = {.layers = EXPORT_DEFAULTS};
    gboolean whole = TRUE;
    for (guint i = 0; whole && i < set->images->len; i++)
        if (!built_image_is_whole(imageset_at(set, i), &whole, err))
            return FALSE;
    return whole || imageset_make(set, &io, err);
}

static void watch_saved(struct imageset *set, struct event_sink *events, struct blob_source *source)
{
    for (guint i = 0; i < set->images->len; i++) {
        struct built_image *b = imageset_at(set, i);
        b->events = events;
        b->cancel = interrupt_watch();
        b->source = source;
    }
}

static gboolean make_manifests(struct saving *s, struct event_sink *events, GError **err)
{
    g_autoptr(registry_config) config = registry_config_for(NULL, err);
    if (!config)
        return FALSE;
    g_autoptr(registry) client = registry_new(s->store, config, events, interrupt_watch());
    struct blob_source *source = registry_origin_source(client);
    gboolean ok = TRUE;
    for (guint i = 0; ok && i < s->images->len; i++) {
        struct imageset *set = g_ptr_array_index(s->images, i);
        watch_saved(set, events, source);
        ok = make_set(set, err);
        watch_saved(set, NULL, NULL);
    }
    registry_blob_source_free(source);
    return ok;
}

static gboolean write_out(const struct saving *s, const char *dest, guint64 *written, GError **err)
{
    g_autofree struct archived *all = g_new0(struct archived, s->images->len);
    for (guint i = 0; i < s->images->len; i++) {
        const GPtrArray *names = g_ptr_array_index(s->names, i);
        all[i] = (struct archived){g_ptr_array_index(s->images, i),
                                   (const char *const *)names->pdata, NULL};
    }
    if (g_str_equal(dest, "-") && !stdout_takes_archive(err))
        return FALSE;
    return output_save(all, s->images->len, dest, STDOUT_FILENO, written, err);
}

static gboolean save(const struct save_options *o, struct saving *s, char **images,
                     const struct platform *p, GError **err)
{
    enum progress_mode mode;
    guint64 written = 0;
    if (!progress_mode_parse(o->progress ? o->progress : "auto", &mode, err))
        return FALSE;
    for (; *images; images++)
        if (!add_archived(s, *images, p, err))
            return FALSE;
    g_autoptr(progress) shown = progress_new(stderr, mode, "saving");
    gboolean ok = make_manifests(s, progress_sink(shown), err) &&
                  write_out(s, o->dest ? o->dest : "-", &written, err);
    progress_finish(shown);
    if (!ok || !o->dest || g_str_equal(o->dest, "-"))
        return ok;
    g_autofree char *size = text_size(written);
    fprintf(stderr, "saved %u image%s to %s: %s\n", s->images->len, s->images->len == 1 ? "" : "s",
            o->dest, size);
    g_autofree char *word = shell_path(o->dest);
    print_next("varve load %s elsewhere, or docker load -i %s", word, word);
    return TRUE;
}

int cmd_save(const struct command *c, int argc, char **argv, GError **err)
{
    struct save_options o = {0};
    struct platform wanted;
    const struct platform *p;
    if (command_begin(c, &o, &argc, &argv, 1, -1, err) &&
        platform_option(o.platform, &wanted, &p, err) && destination_option("-o", o.dest, err)) {
        struct saving s = {open_store(err),
                           g_ptr_array_new_with_free_func((GDestroyNotify)imageset_free),
                           g_ptr_array_new_with_free_func((GDestroyNotify)g_ptr_array_unref)};
        if (s.store)
            save(&o, &s, argv + 1, p, err);
        g_ptr_array_unref(s.images);
        g_ptr_array_unref(s.names);
        store_close(s.store);
    }
    command_clear(c, &o);
    return 0;
}
