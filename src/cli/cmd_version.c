#include "base/jsonset.h"
#include "base/platform.h"
#include "cli/commands.h"
#include "cli/format.h"
#include "cli/root.h"
#include "store/store.h"

struct version_options {
    char *format;
};
const struct option_row version_option_rows[] = {
    {"format", 'f', OPTION_STRING, G_STRUCT_OFFSET(struct version_options, format), FORMAT_ARG,
     "json (one object), or a template as in docker: '{{.FIELD}}'"},
    {0},
};

/* For scripts that ask for Docker's client and server version: varve is both. */
static json_t *make_side(const struct platform *host)
{
    json_t *o = json_object();
    jsonset_text(o, "Version", VARVE_VERSION);
    jsonset_text(o, "Os", host->os);
    jsonset_text(o, "Arch", host->arch);
    return o;
}

static json_t *version_object(const struct platform *host, const char *platform, const char *root)
{
    json_t *o = json_object();
    jsonset_text(o, "Version", VARVE_VERSION);
    jsonset_text(o, "Platform", platform);
    jsonset_text(o, "Store", root);
    json_object_set_new(o, "Client", make_side(host));
    json_object_set_new(o, "Server", make_side(host));
    return o;
}

static void show_version(struct format *f, GError **err)
{
    struct platform host;
    platform_host(&host);
    g_autofree char *platform = platform_text(&host);
    const char *root = root_path();
    if (f->kind == FORMAT_TABLE)
        printf("varve %s\nplatform  %s\nstore     %s\n", VARVE_VERSION, platform, root);
    else if (format_row(f, version_object(&host, platform, root), err))
        format_end(f, NULL, err);
}

int cmd_version(const struct command *c, int argc, char **argv, GError **err)
{
    struct version_options o = {0};
    struct format f = {0};
    if (command_begin(c, &o, &argc, &argv, 0, 0, err) && format_parse(&f, o.format, err))
        show_version(&f, err);
    format_clear(&f);
    command_clear(c, &o);
    return 0;
}
