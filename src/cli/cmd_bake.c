#include "bake/bake.h"
#include "base/boolean.h"
#include "base/csv.h"
#include "base/error.h"
#include "base/suggest.h"
#include "build/request.h"
#include "cli/arguments.h"
#include "cli/bake_allow.h"
#include "cli/bake_build.h"
#include "cli/bake_env.h"
#include "cli/bake_remote.h"
#include "cli/commands.h"
#include "cli/report.h"
#include "ui/text.h"

#include <string.h>
#include <unistd.h>

struct bake_flags {
    char **files, **sets, **vars, **allow, **env_files;
    gboolean print, push, load, check, strict, file_relative, explain, fail_fast;
    char *progress, *parallel, *metadata_file, *summary_file;
    char *list, *no_cache, *pull, *sbom, *provenance, *call;
};
#define AT(field) G_STRUCT_OFFSET(struct bake_flags, field)

const struct option_row bake_option_rows[] = {
    {"file", 'f', OPTION_LIST, AT(files), "PATH",
     "a bake or Compose file (repeatable; default: docker-bake.hcl and others; - is stdin)"},
    {"print", 0, OPTION_FLAG, AT(print), NULL, "print what would be built, as JSON"},
    {"list", 0, OPTION_STRING, AT(list), "targets|variables",
     "list what is defined; type=targets,format=json prints JSON"},
    {"set", 0, OPTION_LIST, AT(sets), "TARGET.KEY[+]=VALUE",
     "override an attribute of targets (patterns match several)"},
    {"var", 0, OPTION_LIST, AT(vars), "NAME=VALUE", "set a variable, before the environment"},
    {"env-file", 0, OPTION_LIST, AT(env_files), "PATH",
     "more variables of the environment, as in .env (repeatable)"},
    {"push", 0, OPTION_FLAG, AT(push), NULL, "push all images"},
    {"load", 0, OPTION_FLAG, AT(load), NULL, "load all images into Docker"},
    {"no-cache", 0, OPTION_OPTIONAL, AT(no_cache), NULL, "do not reuse results"},
    {"pull", 0, OPTION_OPTIONAL, AT(pull), NULL, "look for newer base images"},
    {"sbom", 0, OPTION_STRING, AT(sbom), "ATTRIBUTES", "as --set *.attest=type=sbom"},
    {"provenance", 0, OPTION_STRING, AT(provenance), "ATTRIBUTES",
     "as --set *.attest=type=provenance"},
    {"call", 0, OPTION_STRING, AT(call), "METHOD", "check, outline or targets instead of a build"},
    {"check", 0, OPTION_FLAG, AT(check), NULL, "as --call=check"},
    {"allow", 0, OPTION_LIST, AT(allow), "WHAT",
     "allow targets what files may not take on their own: network.host, ssh, fs.read=PATH, ..."},
    {"progress", 0, OPTION_STRING, AT(progress), "MODE",
     "auto, tty, plain, quiet, none or rawjson"},
    {"explain", 0, OPTION_FLAG, AT(explain), NULL, "say why each step ran or did not"},
    {"fail-fast", 0, OPTION_FLAG, AT(fail_fast), NULL,
     "the first target that fails stops the others, and nothing is pushed or written"},
    {"parallel", 0, OPTION_STRING, AT(parallel), "N",
     "steps at the same time (default: twice the CPUs, at least 4)"},
    {"metadata-file", 0, OPTION_STRING, AT(metadata_file), "FILE",
     "write the targets' digests to FILE, as JSON"},
    {"summary-file", 0, OPTION_STRING, AT(summary_file), "FILE",
     "append a report of each target to FILE, as Markdown"},
    {"strict", 0, OPTION_FLAG, AT(strict), NULL, "unknown attributes and blocks are errors"},
    {"file-relative", 0, OPTION_FLAG, AT(file_relative), NULL,
     "relative contexts count from the file that defines them"},
    {0},
};

/* What --list asks for. */
struct list_choice {
    gboolean variables, json;
};

static gboolean set_list_choice(struct list_choice *l, const char *key, const char *value,
                                GError **err)
{
    static const char *const types[] = {"targets", "variables", NULL};
    static const char *const formats[] = {"text", "table", "json", NULL};
    gboolean format = strcmp(key, "format") == 0;
    if (!format && strcmp(key, "type") != 0)
        return error_set(err, VARVE_ERROR_USAGE, "--list %s=%s: must be type= or format=", key,
                         value);
    if (!g_strv_contains(format ? formats : types, value))
        return suggest_choice(format ? "--list format=" : "--list ", value,
                              format ? formats : types, err);
    if (format)
        l->json = strcmp(value, "json") == 0;
    else
        l->variables = strcmp(value, "variables") == 0;
    return TRUE;
}

/* "targets", "type=variables,format=json" */
static gboolean read_list_choice(const char *text, struct list_choice *l, GError **err)
{
    g_auto(GStrv) fields = csv_split(text, err);
    for (char **f = fields; f && *f; f++) {
        char *eq = strchr(*f, '=');
        if (eq)
            *eq = 0;
        if (!set_list_choice(l, eq ? *f : "type", eq ? eq + 1 : *f, err))
            return FALSE;
    }
    return fields != NULL;
}

/* A shorthand as a --set of all targets. */
static void add_set(GPtrArray *sets, const char *key, const char *value)
{
    g_ptr_array_add(sets, g_strdup_printf("*.%s=%s", key, value));
}

/* true and false are about the attestation as a whole. */
static void add_attest(GPtrArray *sets, const char *type, const char *value)
{
    gboolean on;
    g_autofree char *text = boolean_parse(value, &on) ? g_strdup_printf("type=%s,disabled=%s", type,
                                                                        on ? "false" : "true")
                                                      : g_strdup_printf("type=%s,%s", type, value);
    add_set(sets, "attest", text);
}

static void add_call(GPtrArray *sets, const char *call)
{
    g_autofree char *method = g_strndup(call, strcspn(call, ","));
    if (strcmp(method, "build") != 0)
        add_set(sets, "call", strcmp(method, "check") == 0 ? "lint" : method);
}

static char **all_sets(const struct bake_flags *f)
{
    GPtrArray *sets = g_ptr_array_new();
    for (char **s = f->sets; s && *s; s++)
        g_ptr_array_add(sets, g_strdup(*s));
    if (f->push)
        add_set(sets, "push", "true");
    if (f->load)
        add_set(sets, "load", "true");
    if (f->no_cache)
        add_set(sets, "no-cache", *f->no_cache ? f->no_cache : "true");
    if (f->pull)
        add_set(sets, "pull", *f->pull ? f->pull : "true");
    if (f->sbom)
        add_attest(sets, "sbom", f->sbom);
    if (f->provenance)
        add_attest(sets, "provenance", f->provenance);
    if (f->check || f->call)
        add_call(sets, f->check ? "check" : f->call);
    g_ptr_array_add(sets, NULL);
    return (char **)g_ptr_array_free(sets, FALSE);
}

static GHashTable *environment_table(void)
{
    GHashTable *table = bake_map_new();
    g_auto(GStrv) list = g_get_environ();
    for (char **e = list; *e; e++) {
        const char *eq = strchr(*e, '=');
        if (eq)
            g_hash_table_insert(table, g_strndup(*e, (gsize)(eq - *e)), g_strdup(eq + 1));
    }
    return table;
}

/* Warnings and errors of all files. */
static void show_texts(const struct bake *b)
{
    for (guint i = 0; i < b->texts->len; i++) {
        struct diags *d = b->texts->pdata[i];
        d->columns = (guint)text_columns(stderr);
        g_autofree char *text =
            diags_render(d, DIAG_RENDER_CONTEXT | (text_colours(stderr) ? DIAG_RENDER_COLOR : 0));
        fputs(text, stderr);
    }
}

static gboolean asks_json(const char *call)
{
    g_auto(GStrv) parts = g_strsplit(call ? call : "", ",", -1);
    return g_strv_contains((const char *const *)parts, "format=json");
}

/* What the command line says of the run; before any file is read. */
static gboolean read_run(const struct bake_flags *f, struct bake_run *how, GError **err)
{
    *how = (struct bake_run){.explain = f->explain,
                             .fail_fast = f->fail_fast,
                             .metadata_file = f->metadata_file,
                             .summary_file = f->summary_file,
                             .call_json = asks_json(f->call)};
    return progress_option(f->progress, &how->progress, err) &&
           count_option("--parallel", f->parallel, BUILD_MAX_PARALLEL, &how->parallel, err);
}

/* Lists and plans go to stdout. */
static gboolean read_all(struct bake *b, const struct bake_flags *f, const struct list_choice *l,
                         GError **err)
{
    g_autofree char *out = NULL;
    if (!bake_read(b, err))
        return FALSE;
    if (f->list)
        out = l->variables ? bake_list_variables(b, l->json) : bake_list_targets(b, l->json);
    else if (!bake_make_plan(b, err))
        return FALSE;
    else if (f->print)
        out = bake_plan_json(b->plan);
    if (out)
        fputs(out, stdout);
    return TRUE;
}

/* secrets: for all builds; or NULL. words: the command line from "bake" on. */
static int bake_with(const struct bake_flags *f, const struct bake_options *o, GHashTable *secrets,
                     char **words, GError **err)
{
    struct list_choice l = {FALSE, FALSE};
    struct bake_run how;
    if (f->list && f->print)
        return error_set(err, VARVE_ERROR_USAGE, "--print and --list exclude one another");
    if (!read_run(f, &how, err) || (f->list && !read_list_choice(f->list, &l, err)))
        return 0;
    how.secrets = secrets;
    g_autoptr(bake) b = bake_new(o);
    g_autoptr(GError) why = NULL;
    gboolean ok = read_all(b, f, &l, &why);
    gboolean shown = !ok && bake_failed(b, why);
    show_texts(b);
    if (ok && !f->list && !f->print)
        return bake_ask_allowed(b, f->allow, words, err) ? bake_build(b, &how, err) : 0;
    if (ok)
        return 0;
    if (shown)
        return varve_error_exit_code(why);
    g_propagate_error(err, g_steal_pointer(&why));
    return 1;
}

int cmd_bake(const struct command *c, int argc, char **argv, GError **err)
{
    struct bake_flags f = {0};
    int code = 0;
    g_auto(GStrv) words = g_strdupv(argv);
    if (command_begin(c, &f, &argc, &argv, 0, -1, err)) {
        g_autoptr(GHashTable) environment = environment_table();
        g_auto(GStrv) sets = all_sets(&f);
        struct bake_place place = {0};
        if (bake_read_env_files(environment, f.env_files, err) &&
            bake_place_open(&place, argv + 1, f.files, environment, err)) {
            struct bake_options o = {.files = f.files,
                                     .targets = place.targets,
                                     .remote = place.remote,
                                     .cmd_context = place.cmd_context,
                                     .sets = sets,
                                     .vars = f.vars,
                                     .environment = environment,
                                     .in_fd = STDIN_FILENO,
                                     .strict = f.strict,
                                     .file_relative = f.file_relative};
            code = bake_with(&f, &o, place.secrets, words, err);
        }
        bake_place_close(&place);
    }
    command_clear(c, &f);
    return code;
}
