
#include "base/error.h"
#include "cli/arguments.h"
#include "cli/commands.h"
#include "cli/imagerow.h"
#include "cli/interrupt.h"
#include "cli/outside.h"
#include "cli/report.h"
#include "cli/show.h"
#include "image/load.h"
#include "text/reference.h"
#include "ui/progress.h"
#include "ui/text.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

struct load_command_options {
    gboolean quiet;
    char *input, *platform, *progress;
    char **tags;
};
#define AT(field) G_STRUCT_OFFSET(struct load_command_options, field)
#define STDIN_PATH "/dev/stdin"

const struct option_row load_option_rows[] = {
    {"input", 'i', OPTION_STRING, AT(input), "FILE", "the archive or layout (default: stdin)"},
    {"tag", 't', OPTION_LIST, AT(tags), "NAME", "name the image, if it is the only one"},
    {"platform", 0, OPTION_STRING, AT(platform), "OS/ARCH", "only images for this platform"},
    {"progress", 0, OPTION_STRING, AT(progress), "MODE", "auto, tty, plain, quiet or rawjson"},
    {"quiet", 'q', OPTION_FLAG, AT(quiet), NULL, "print only the images' ids"},
    {0},
};

/* The path to read; NULL with *err. */
static const char *input_path(const struct load_command_options *o, const char *file, GError **err)
{
    if (o->input && file) {
        error_set(err, VARVE_ERROR_USAGE, "%s and --input %s: only one can be loaded", file,
                  o->input);
        return NULL;
    }
    const char *path = o->input ? o->input : file;
    if (path && !g_str_equal(path, "-") && access(path, F_OK) < 0) {
        error_set_errno(err, errno, "cannot open %s", path);
        error_add_next(err, "give an archive made by docker save or varve save, or an OCI layout");
        return NULL;
    }
    if (path && !g_str_equal(path, "-"))
        return path;
    if (!isatty(STDIN_FILENO))
        return STDIN_PATH;
    error_set(err, VARVE_ERROR_USAGE, "stdin is a terminal, and no file was given");
    error_add_next(err, "varve load image.tar, or docker save IMAGE | varve load");
    return NULL;
}

static const struct loaded_image *image_at(const GPtrArray *images, guint i)
{
    return g_ptr_array_index(images, i);
}

/* Whether image i is of the same index as the one before. */
static gboolean continues_index(const GPtrArray *images, guint i)
{
    return i > 0 && digest_cmp(&image_at(images, i)->top, &image_at(images, i - 1)->top) == 0;
}

static gboolean add_tags(GPtrArray *images, char **tags, GError **err)
{
    guint n = 0;
    for (guint i = 0; i < images->len; i++)
        n += !continues_index(images, i);
    if (tags && n > 1)
        return error_set(err, VARVE_ERROR_USAGE, "--tag names one image, but the file contains %u",
                         n);
    for (; tags && *tags; tags++) {
        g_autoptr(reference) ref = name_parse(*tags, err);
        if (!ref)
            return FALSE;
        for (guint i = 0; i < images->len; i++)
            loaded_image_add_name(g_ptr_array_index(images, i), *tags);
    }
    return TRUE;
}

static void print_loaded(struct store *s, const struct image_row *r)
{
    g_autofree char *digest = digest_text(&r->config);
    g_autofree char *shown = *r->name ? shown_name(r->name) : g_strdup_printf("%.19s", digest);
    g_autofree char *size = text_size(image_bytes(s, r));
    fprintf(stderr, "loaded %s (%s): %s in %u layer%s   %.19s\n", shown, r->platform, size,
            r->chain->n, r->chain->n == 1 ? "" : "s", digest);
}

/* One row for each name; without any it is kept by its id. */
static gboolean keep_image(struct store *s, const struct loaded_image *image, gboolean quiet,
                           GError **err)
{
    g_autofree char *platform = platform_text(&image->platform);
    struct image_row r = {.manifest = image->manifest,
                          .target = image->top,
                          .config = image->config,
                          .platform = platform,
                          .origin = (char *)"load",
                          .chain = image->chain,
                          .created = g_get_real_time() / G_USEC_PER_SEC};
    for (guint i = 0; i < MAX(image->names->len, 1); i++) {
        r.name = image->names->len ? g_ptr_array_index(image->names, i) : (char *)"";
        if (!store_image_put(s, &r, err))
            return FALSE;
        if (!quiet)
            print_loaded(s, &r);
    }
    return TRUE;
}

/* An index is known by its own id. */
static void print_loaded_ids(const GPtrArray *images)
{
    for (guint i = 0; i < images->len; i++) {
        gboolean index = i + 1 < images->len && continues_index(images, i + 1);
        g_autofree char *id =
            digest_text(index ? &image_at(images, i)->top : &image_at(images, i)->config);
        if (!continues_index(images, i))
            printf("%s\n", id);
    }
}

static void print_next_load(const GPtrArray *images)
{
    const struct loaded_image *first = g_ptr_array_index(images, 0);
    if (first->names->len) {
        g_autofree char *shown = shown_name(g_ptr_array_index(first->names, 0));
        print_next("varve run %s · FROM %s", shown, shown);
        return;
    }
    g_autofree char *hex = short_hex(&first->config);
    print_next("it has no name yet: varve tag %s NAME", hex);
}

static GPtrArray *load_shown(const struct load_command_options *o, struct store *s,
                             const char *path, const struct platform *p, GError **err)
{
    enum progress_mode mode;
    const char *progress = o->quiet ? "quiet" : o->progress ? o->progress : "auto";
    if (!progress_mode_parse(progress, &mode, err))
        return NULL;
    g_autoptr(progress) shown = progress_new(stderr, mode, path);
    struct load_options lo = {s, p, progress_sink(shown), interrupt_watch()};
    GPtrArray *images = load_images(&lo, path, err);
    progress_finish(shown);
    return images;
}

static int load(const struct load_command_options *o, const char *file, GError **err)
{
    struct platform wanted;
    const struct platform *p;
    const char *path = input_path(o, file, err);
    if (!path || !platform_option(o->platform, &wanted, &p, err))
        return 0;
    g_autoptr(store) s = open_store(err);
    g_autoptr(GPtrArray) images = s ? load_shown(o, s, path, p, err) : NULL;
    if (!images || !add_tags(images, o->tags, err))
        return 0;
    for (guint i = 0; i < images->len; i++)
        if (!keep_image(s, g_ptr_array_index(images, i), o->quiet, err))
            return 0;
    if (o->quiet) {
        print_loaded_ids(images);
    } else {
        print_next_load(images);
        report_single_id();
    }
    return 0;
}

int cmd_load(const struct command *c, int argc, char **argv, GError **err)
{
    struct load_command_options o = {0};
    int code = 0;
    if (command_begin(c, &o, &argc, &argv, 0, 1, err))
        code = load(&o, argc > 1 ? argv[1] : NULL, err);
    command_clear(c, &o);
    return code;
}
