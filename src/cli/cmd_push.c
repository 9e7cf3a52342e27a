
#include "base/error.h"
#include "cli/arguments.h"
#include "cli/commands.h"
#include "cli/interrupt.h"
#include "cli/outside.h"
#include "cli/pulling.h"
#include "cli/report.h"
#include "output/imageset.h"
#include "registry/registry.h"
#include "text/reference.h"
#include "ui/progress.h"
#include "ui/text.h"

struct push_options {
    gboolean quiet, force;
    char *platform, *progress, *compression;
    int level;
    char **insecure;
};
#define AT(field) G_STRUCT_OFFSET(struct push_options, field)
#define DEFAULT_LEVEL (-1)

const struct option_row push_option_rows[] = {
    {"platform", 0, OPTION_STRING, AT(platform), "OS/ARCH",
     "push only the image for this platform, without its index"},
    {"compression", 0, OPTION_STRING, AT(compression), "KIND",
     "gzip, zstd or uncompressed, for layers not compressed yet"},
    {"compression-level", 0, OPTION_INT, AT(level), "N", "level of compression"},
    {"force-compression", 0, OPTION_FLAG, AT(force), NULL,
     "recompress pulled layers that have another compression"},
    {"progress", 0, OPTION_STRING, AT(progress), "MODE", "auto, tty, plain, quiet or rawjson"},
    {"quiet", 'q', OPTION_FLAG, AT(quiet), NULL, "print only the pushed digest"},
    {"insecure", 0, OPTION_LIST, AT(insecure), "HOST",
     "use http, or https without verification, for this registry"},
    {0},
};

/* The manifests to push: the existing ones (a pulled image stays as it is), unless the options ask
 * for another form. */
static gboolean make_manifests(struct imageset *set, const struct push_options *o, GError **err)
{
    struct image_options io = {.layers = EXPORT_DEFAULTS};
    io.layers.level = o->level;
    io.layers.force = o->force;
    if (o->compression && !compression_parse(o->compression, &io.layers.compression, err))
        return FALSE;
    if (!compression_check_level(io.layers.compression, o->level, err))
        return FALSE;
    gboolean as_is = !o->compression && !o->force && o->level == DEFAULT_LEVEL;
    return (as_is && imageset_target(set)) || imageset_make(set, &io, err);
}

/* The name in the store gets the manifest that was made for it. */
static gboolean keep_manifest(struct store *s, const char *name, const struct imageset *set,
                              const struct platform *p, GError **err)
{
    g_autoptr(image_row) r = set->is_index ? NULL : stored_image_find(s, name, p, err);
    if (!r || !digest_is_zero(&r->manifest))
        return r || set->is_index;
    r->manifest = r->target = *imageset_target(set);
    return store_image_put(s, r, err);
}

static void print_pushed(const struct reference *ref, const struct imageset *set,
                         const struct push_stats *stats)
{
    g_autofree char *shown = reference_familiar(ref);
    g_autofree char *sent = text_size(stats->bytes_sent);
    g_autofree char *digest = digest_text(imageset_target(set));
    guint there = stats->blobs_there + stats->blobs_mounted;
    fprintf(stderr, "pushed %s: %s sent in %u blob%s, %u %s there already   %.19s\n", shown, sent,
            stats->blobs_sent, stats->blobs_sent == 1 ? "" : "s", there,
            there == 1 ? "was" : "were", digest);
    print_next("varve pull %s elsewhere; for a FROM that never changes, its digest is %s", shown,
               digest);
}

struct push_one_name {
    const struct push_options *o;
    struct store *store;
    const char *name; /* of the image, or its id */
    const struct platform *platform;
    struct imageset *set;
    struct reference *ref; /* where to */
};

static void watch_pushed(struct imageset *set, struct event_sink *events,
                         struct blob_source *source)
{
    for (guint i = 0; i < set->images->len; i++) {
        struct built_image *b = imageset_at(set, i);
        b->events = events;
        b->cancel = interrupt_watch();
        b->source = source;
        b->to_registry = source != NULL;
    }
}

static gboolean transfer(struct push_one_name *p, struct push_stats *stats, GError **err)
{
    enum progress_mode mode;
    const char *progress = p->o->quiet ? "quiet" : p->o->progress ? p->o->progress : "auto";
    if (!progress_mode_parse(progress, &mode, err))
        return FALSE;
    g_autoptr(registry_config) config = registry_config_for(p->o->insecure, err);
    if (!config)
        return FALSE;
    g_autofree char *title = reference_familiar(p->ref);
    g_autoptr(progress) shown = progress_new(stderr, mode, title);
    struct event_sink *events = progress_sink(shown);
    g_autoptr(registry) client = registry_new(p->store, config, events, interrupt_watch());
    struct blob_source *source = registry_origin_source(client);
    watch_pushed(p->set, events, source);
    gboolean ok = make_manifests(p->set, p->o, err) &&
                  keep_manifest(p->store, p->name, p->set, p->platform, err) &&
                  registry_push(client, imageset_target(p->set), p->ref, FALSE, stats, err);
    progress_finish(shown);
    watch_pushed(p->set, NULL, NULL);
    registry_blob_source_free(source);
    return ok;
}

/* Where the image goes when no other name was given: the name that it was found by. */
static struct reference *own_name(const struct push_one_name *p, GError **err)
{
    g_autoptr(image_row) r = stored_image_any(p->store, p->name, p->platform, err);
    if (!r)
        return NULL;
    if (*r->name)
        return reference_argument(r->name, err);
    error_set(err, VARVE_ERROR_USAGE, "%s has no name to push to", p->name);
    error_add_next(err, "varve push %s REGISTRY/NAME:TAG", p->name);
    return NULL;
}

static void push_one_name(struct push_one_name *p, const char *target, GError **err)
{
    struct push_stats stats = {0};
    p->set = imageset_open(p->store, p->name, p->platform, err);
    if (!p->set)
        return;
    p->ref = target ? reference_argument(target, err) : own_name(p, err);
    if (!p->ref || !transfer(p, &stats, err))
        return;
    g_autofree char *digest = digest_text(imageset_target(p->set));
    if (p->o->quiet)
        printf("%s\n", digest);
    else
        print_pushed(p->ref, p->set, &stats);
}

static int push_image(const struct push_options *o, const char *name, const char *target,
                      GError **err)
{
    struct platform wanted;
    const struct platform *platform;
    if (!platform_option(o->platform, &wanted, &platform, err))
        return 0;
    struct push_one_name p = {.o = o, .store = open_store(err), .name = name, .platform = platform};
    if (p.store)
        push_one_name(&p, target, err);
    reference_free(p.ref);
    imageset_free(p.set);
    store_close(p.store);
    return 0;
}

int cmd_push(const struct command *c, int argc, char **argv, GError **err)
{
    struct push_options o = {.level = DEFAULT_LEVEL};
    int code = 0;
    if (command_begin(c, &o, &argc, &argv, 1, 2, err))
        code = push_image(&o, argv[1], argc > 2 ? argv[2] : NULL, err);
    command_clear(c, &o);
    return code;
}
