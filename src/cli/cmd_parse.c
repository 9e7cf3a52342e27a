#include "cli/build_shown.h"

#include "base/error.h"
#include "base/error.h"
#include "cli/commands.h"
#include "cli/interrupt.h"
#include "cli/show.h"
#include "dockerfile/dump.h"
#include "ui/text.h"

/* The build's options come first: the rows below and build_options_finish() share them. */
struct parse_options {
    struct build_options build;
    char *format;
};
#define AT(field) G_STRUCT_OFFSET(struct parse_options, field)

const struct option_row parse_option_rows[] = {
    {"format", 0, OPTION_STRING, AT(format), "json|text|dot|graph-json",
     "what to print (default json)"},
    {"file", 'f', OPTION_STRING, AT(build.file), "PATH",
     "the Dockerfile (default: CONTEXT/Dockerfile; - is stdin)"},
    {"target", 0, OPTION_STRING, AT(build.raw_target), "STAGE",
     "the graph of this stage instead of the last"},
    {"build-arg", 0, OPTION_LIST, AT(build.raw_build_args), "KEY[=VALUE]",
     "set an ARG (repeatable)"},
    {"build-context", 0, OPTION_LIST, AT(build.raw_contexts), "NAME=VALUE",
     "an additional context, as in varve build"},
    {"platform", 0, OPTION_LIST, AT(build.raw_platforms), "OS/ARCH", "the graph for this platform"},
    {0},
};

static const struct {
    const char *name;
    char *(*dump)(const struct graph *g); /* NULL: the syntax tree */
} formats[] = {{"json", NULL},
               {"text", graph_dump_text},
               {"dot", graph_dump_dot},
               {"graph-json", graph_dump_json}};

static int format_number(const char *name, GError **err)
{
    for (guint i = 0; i < G_N_ELEMENTS(formats); i++)
        if (!name || g_str_equal(name, formats[i].name))
            return (int)i;
    error_set(err, VARVE_ERROR_USAGE, "--format %s: must be json, text, dot or graph-json", name);
    return -1;
}

/* Base images are resolved as in a build: their ONBUILD triggers are part of the graph. */
static gboolean print_graph(struct shown_build *b, int format, GError **err)
{
    if (!build_prepare(b->build, err))
        return FALSE;
    g_autofree char *text = formats[format].dump(b->res->graph);
    fputs(text, stdout);
    return TRUE;
}

static gboolean print_tree(struct shown_build *b, GError **err)
{
    if (!build_read(b->build, err))
        return FALSE;
    print_json(dockerfile_json(b->res->df), TRUE);
    return TRUE;
}

static int parse_with(const struct build_options *o, int format)
{
    struct shown_build b;
    shown_init(&b, o);
    GError *why = NULL;
    int code = 0;
    if (!(formats[format].dump ? print_graph(&b, format, &why) : print_tree(&b, &why)))
        code = build_report_failure(&b, why);
    g_clear_error(&why);
    shown_clear(&b);
    return code;
}

/* varve parse FILE: its directory is the context; of "-", the standard input, this one. argv[1]
 * gets the context's name, which *dir owns.
 */
static void take_file(struct build_options *o, int argc, char **argv, char **dir)
{
    if (argc == 2 && !o->file && g_str_equal(argv[1], "-")) {
        o->file = g_strdup("-");
        argv[1] = *dir = g_strdup(".");
        return;
    }
    if (argc != 2 || o->file || !g_file_test(argv[1], G_FILE_TEST_EXISTS) ||
        g_file_test(argv[1], G_FILE_TEST_IS_DIR))
        return;
    o->file = g_strdup(argv[1]);
    argv[1] = *dir = g_path_get_dirname(argv[1]);
}

int cmd_parse(const struct command *c, int argc, char **argv, GError **err)
{
    struct parse_options o = {0};
    g_autofree char *dir = NULL;
    int code = 0, format;
    if (command_begin(c, &o, &argc, &argv, 1, 1, err) &&
        (format = format_number(o.format, err)) >= 0) {
        take_file(&o.build, argc, argv, &dir);
        o.build.raw_progress = g_strdup("quiet");
        if (build_options_finish(&o.build, argc, argv, err))
            code = parse_with(&o.build, format);
    }
    build_options_clear(&o.build);
    g_free(o.build.raw_progress);
    command_clear(c, &o);
    return code;
}
