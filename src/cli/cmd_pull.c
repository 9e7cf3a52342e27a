
#include "base/error.h"
#include "cli/arguments.h"
#include "cli/commands.h"
#include "cli/imagerow.h"
#include "cli/interrupt.h"
#include "cli/outside.h"
#include "cli/pulling.h"
#include "cli/report.h"
#include "cli/show.h"
#include "image/config.h"
#include "output/image.h"
#include "text/reference.h"
#include "ui/text.h"

struct pull_options {
    gboolean quiet;
    char *platform, *progress;
    char **insecure;
};
#define AT(field) G_STRUCT_OFFSET(struct pull_options, field)

const struct option_row pull_option_rows[] = {
    {"platform", 0, OPTION_STRING, AT(platform), "OS/ARCH",
     "pull for this platform (default: this machine's)"},
    {"progress", 0, OPTION_STRING, AT(progress), "MODE", "auto, tty, plain, quiet or rawjson"},
    {"quiet", 'q', OPTION_FLAG, AT(quiet), NULL, "print only the image's id"},
    {"insecure", 0, OPTION_LIST, AT(insecure), "HOST",
     "use http, or https without verification, for this registry"},
    {0},
};

static void print_pulled(struct store *s, const char *name, const struct image_row *before,
                         const struct image_row *r)
{
    g_autofree char *shown = shown_name(name);
    g_autofree char *digest = digest_text(&r->target);
    if (before && before->chain && digest_cmp(&before->target, &r->target) == 0) {
        fprintf(stderr, "%s is up to date   %.19s\n", shown, digest);
        return;
    }
    g_autofree char *size = text_size(image_bytes(s, r));
    fprintf(stderr, "pulled %s: %s in %u layer%s   %.19s\n", shown, size,
            r->chain ? r->chain->n : 0, r->chain && r->chain->n == 1 ? "" : "s", digest);
    print_next("varve run %s · varve inspect %s · FROM %s", shown, shown, shown);
}

static void warn_pulled(struct store *s, const char *name, const struct image_row *r,
                        const struct platform *want)
{
    g_autofree char *shown = shown_name(name);
    g_autoptr(image_conf) conf = image_conf_load(s, &r->config, NULL);
    if (conf)
        warn_platform(shown, &conf->platform, want);
}

static int pull_image(const struct pull_options *o, const char *text, GError **err)
{
    struct platform platform;
    const struct platform *p;
    g_autoptr(reference) ref = reference_argument(text, err);
    if (!ref || !platform_wanted(o->platform, &platform, &p, err))
        return 0;
    if (!p)
        platform_host(&platform);
    g_autofree char *name = reference_text(ref);
    g_autofree char *platform_name = platform_text(&platform);
    g_autoptr(store) s = open_store(err);
    if (!s)
        return 0;
    g_autoptr(image_row) before = store_image_find(s, name, platform_name);
    struct pulling how = {PULL_ALWAYS, o->quiet ? "quiet" : o->progress, o->insecure,
                          interrupt_watch()};
    if (!pulling_run(&how, s, ref, &platform, err))
        return 0;
    g_autoptr(image_row) r = stored_image_find(s, name, &platform, err);
    if (!r)
        return 0;
    warn_pulled(s, name, r, p);
    g_autofree char *id = digest_text(&r->config);
    if (o->quiet) {
        printf("%s\n", id);
    } else {
        print_pulled(s, name, before, r);
        report_single_id();
    }
    return 0;
}

int cmd_pull(const struct command *c, int argc, char **argv, GError **err)
{
    struct pull_options o = {0};
    int code = 0;
    if (command_begin(c, &o, &argc, &argv, 1, 1, err))
        code = pull_image(&o, argv[1], err);
    command_clear(c, &o);
    return code;
}
