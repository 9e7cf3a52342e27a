#include "cli/build_options.h"

#include "base/error.h"
#include "build/values.h"
#include "cli/arguments.h"
#include "cli/proxies.h"
#include "cli/outside.h"
#include "cli/report.h"
#include "cli/spec_values.h"
#include "text/reference.h"

#include <string.h>
#include <unistd.h>

#define AT(field) G_STRUCT_OFFSET(struct build_options, field)

const struct option_row build_options_rows[] = {
    {"file", 'f', OPTION_STRING, AT(file), "PATH",
     "the Dockerfile (default: CONTEXT/Dockerfile; - is stdin)"},
    {"tag", 't', OPTION_LIST, AT(raw_tags), "NAME", "name the image (repeatable)"},
    {"target", 0, OPTION_STRING, AT(raw_target), "STAGE", "build this stage instead of the last"},
    {"build-arg", 0, OPTION_LIST, AT(raw_build_args), "KEY[=VALUE]", "set an ARG (repeatable)"},
    {"build-context", 0, OPTION_LIST, AT(raw_contexts), "NAME=VALUE",
     "an additional context: directory, docker-image://, oci-layout://, git or http URL"},
    {"secret", 0, OPTION_LIST, AT(raw_secrets), "id=ID,src=FILE",
     "a secret for RUN --mount=type=secret"},
    {"ssh", 0, OPTION_LIST, AT(raw_ssh), "ID[=SOCKET]", "an ssh agent for RUN --mount=type=ssh"},
    {"label", 0, OPTION_LIST, AT(raw_labels), "KEY=VALUE", "add a label (repeatable)"},
    {"platform", 0, OPTION_LIST, AT(raw_platforms), "OS/ARCH",
     "build for these platforms, separated by commas (repeatable)"},
    {"output", 'o', OPTION_LIST, AT(raw_outputs), "SPEC",
     "type=TYPE,dest=PATH: image, oci, docker, local, tar or cacheonly"},
    {"push", 0, OPTION_FLAG, AT(push), NULL, "push the tags to their registries"},
    {"load", 0, OPTION_FLAG, AT(load), NULL, "also load the image into the Docker engine"},
    {"no-cache", 0, OPTION_FLAG, AT(no_cache), NULL, "run every step, with empty cache mounts"},
    {"no-cache-filter", 0, OPTION_LIST, AT(raw_no_cache_filter), "STAGE",
     "run every step of these stages"},
    {"pull", 0, OPTION_OPTIONAL, AT(raw_pull), "always|missing|never",
     "when to pull base images (default missing)"},
    {"network", 0, OPTION_STRING, AT(raw_network), "MODE",
     "network of RUN: default (its own), host or none"},
    {"add-host", 0, OPTION_LIST, AT(raw_add_hosts), "HOST:IP",
     "add a line to RUN's /etc/hosts; host-gateway is this machine (repeatable)"},
    {"host-ca", 0, OPTION_FLAG, AT(host_ca), NULL,
     "make this host's CA certificates usable inside RUN"},
    {"allow", 0, OPTION_LIST, AT(raw_allow), "WHAT", "allow network.host or security.insecure"},
    {"shm-size", 0, OPTION_STRING, AT(raw_shm_size), "BYTES", "size of /dev/shm in RUN"},
    {"ulimit", 0, OPTION_LIST, AT(raw_ulimits), "NAME=SOFT[:HARD]",
     "set a limit for RUN's processes (repeatable)"},
    LIMIT_ROWS(AT(raw_limits)),
    {"parallel", 0, OPTION_STRING, AT(raw_parallel), "N",
     "steps at the same time (default: twice the CPUs, at least 4)"},
    {"cgroup-parent", 0, OPTION_STRING, AT(raw_cgroup_parent), "PATH",
     "cgroup to create RUN's cgroups in"},
    {"progress", 0, OPTION_STRING, AT(raw_progress), "MODE",
     "auto, tty, plain, quiet, none or rawjson"},
    {"quiet", 'q', OPTION_FLAG, AT(quiet), NULL, "print only the image's digest"},
    {"explain", 0, OPTION_FLAG, AT(explain), NULL, "say why each step ran or did not"},
    {"metadata-file", 0, OPTION_STRING, AT(metadata_file), "FILE",
     "write the result's digests to FILE, as JSON"},
    {"iidfile", 0, OPTION_STRING, AT(iidfile), "FILE", "write the image's id to FILE"},
    {"summary-file", 0, OPTION_STRING, AT(summary_file), "FILE",
     "append a report to FILE, as Markdown"},
    {"annotation", 0, OPTION_LIST, AT(raw_annotations), "KEY=VALUE",
     "annotate the manifest; index:KEY=VALUE the index (repeatable)"},
    {"debug-on-failure", 0, OPTION_FLAG, AT(debug_on_failure), NULL,
     "open a shell where a RUN failed (on a terminal)"},
    {"check", 0, OPTION_FLAG, AT(check), NULL,
     "check the Dockerfile instead of building; exit code 3 when something is found"},
    {"call", 0, OPTION_STRING, AT(raw_call), "WHAT[,format=json]",
     "instead of building: check, outline (what the target accepts) or targets"},
    {"compress", 0, OPTION_NOTED, AT(noted_compress), NULL, NULL},
    {"isolation", 0, OPTION_NOTED, AT(noted_isolation), "MODE", NULL},
    {"security-opt", 0, OPTION_NOTED, AT(noted_security_opt), "OPTION", NULL},
    {"squash", 0, OPTION_NOTED, AT(noted_squash), NULL, NULL},
    {"rm", 0, OPTION_NOTED, AT(noted_rm), NULL, NULL},
    {"force-rm", 0, OPTION_NOTED, AT(noted_force_rm), NULL, NULL},
    {"builder", 0, OPTION_NOTED, AT(noted_builder), "NAME", NULL},
    {"cache-from", 0, OPTION_LIST, AT(raw_cache_from), "type=TYPE,…",
     "use the results of other machines: registry, local, gha, s3, azblob (repeatable)"},
    {"cache-to", 0, OPTION_LIST, AT(raw_cache_to), "type=TYPE,…",
     "give this build's results to other machines: likewise, and inline (repeatable)"},
    {"attest", 0, OPTION_LIST, AT(raw_attest), NULL, NULL},
    {"provenance", 0, OPTION_STRING, AT(raw_provenance), NULL, NULL},
    {"sbom", 0, OPTION_STRING, AT(raw_sbom), NULL, NULL},
    {0},
};

/* "type=sbom,disabled=true" asks for nothing. */
static gboolean wants_attestation(char **attests)
{
    for (char **a = attests; a && *a; a++) {
        g_auto(GStrv) fields = g_strsplit(*a, ",", -1);
        if (!g_strv_contains((const char *const *)fields, "disabled=true"))
            return TRUE;
    }
    return FALSE;
}

static gboolean parse_caches(struct build_options *o, char **env, GError **err)
{
    for (char **c = o->raw_cache_from; c && *c; c++)
        if (!build_add_cache(o->request, CACHE_READ, *c, env, report_sink(), err))
            return FALSE;
    for (char **c = o->raw_cache_to; c && *c; c++)
        if (!build_add_cache(o->request, CACHE_WRITE, *c, env, report_sink(), err))
            return FALSE;
    return TRUE;
}

/* Options of other builders that varve does not support yet: always an error. */
static gboolean refuse_unsupported(const struct build_options *o, GError **err)
{
    const struct {
        const char *flag;
        gboolean given;
    } flags[] = {{"--attest", wants_attestation(o->raw_attest)},
                 {"--provenance", !build_is_off(o->raw_provenance)},
                 {"--sbom", !build_is_off(o->raw_sbom)}};
    for (guint i = 0; i < G_N_ELEMENTS(flags); i++) {
        if (!flags[i].given)
            continue;
        error_set(err, VARVE_ERROR_UNSUPPORTED, "%s is not supported by this version",
                  flags[i].flag);
        error_add_next(err, "leave it out; varve build --help lists what is supported");
        return FALSE;
    }
    return TRUE;
}

/* What one list of words is taken with. */
typedef gboolean (*add_fn)(struct build_request *r, const char *text, GError **err);

static gboolean add_each(struct build_request *r, char **list, add_fn add, GError **err)
{
    for (char **s = list; s && *s; s++)
        if (!add(r, *s, err))
            return FALSE;
    return TRUE;
}

static gboolean parse_build_args(struct build_options *o, char **env, GError **err)
{
    g_auto(GStrv) proxies = NULL;
    for (char **a = o->raw_build_args; a && *a; a++)
        if (!build_add_arg(o->request, *a, env, err))
            return FALSE;
    build_inherit_epoch(o->request, env);
    proxies = configured_proxies();
    build_inherit_proxies(o->request, proxies);
    build_note_ignored_args(o->request, report_sink());
    return TRUE;
}

static gboolean parse_lists(struct build_options *o, char **env, GError **err)
{
    struct build_request *r = o->request;
    for (char **s = o->raw_secrets; s && *s; s++)
        if (!build_add_secret(r, *s, env, report_sink(), err))
            return FALSE;
    for (char **s = o->raw_ssh; s && *s; s++)
        if (!build_add_ssh(r, *s, env, err))
            return FALSE;
    if (!add_each(r, o->raw_contexts, build_add_context, err))
        return FALSE;
    for (char **s = o->raw_add_hosts; s && *s; s++)
        if (!host_option(*s, r->hosts, r->owned, err))
            return FALSE;
    for (char **s = o->raw_ulimits; s && *s; s++)
        if (!ulimit_option(*s, r->ulimits, r->owned, err))
            return FALSE;
    return build_set_labels(r, o->raw_labels, err);
}

/* An archive must not go to a terminal. */
static gboolean check_stdout(const struct build_options *o, GError **err)
{
    for (guint i = 0; i < o->request->outputs->len; i++) {
        const struct output *out = g_ptr_array_index(o->request->outputs, i);
        if (g_strcmp0(out->dest, "-") == 0 && !stdout_takes_archive(err)) {
            g_prefix_error(err, "--output: ");
            return FALSE;
        }
    }
    return TRUE;
}

static gboolean parse_outputs(struct build_options *o, GError **err)
{
    return build_set_outputs(o->request, o->raw_outputs, o->push, o->load, err) &&
           check_stdout(o, err);
}

static gboolean parse_context(struct build_options *o, int argc, char **argv, GError **err)
{
    if (argc == 2)
        return build_set_context(o->request, argv[1], err);
    if (argc < 2)
        error_set(err, VARVE_ERROR_USAGE, "varve build: no context given");
    else
        error_set(err, VARVE_ERROR_USAGE, "varve build: more than one context given: %s and %s",
                  argv[1], argv[2]);
    error_add_next(err, argc < 2 ? "varve build . builds the directory you are in"
                                 : "give only one; quote values that contain blanks");
    return FALSE;
}

static gboolean check_files(const struct build_options *o, GError **err)
{
    return destination_option("--iidfile", o->iidfile, err) &&
           destination_option("--summary-file", o->summary_file, err) &&
           destination_option("--metadata-file", o->metadata_file, err);
}

/* What needs no parsing. */
static void take_values(struct build_options *o, char **env)
{
    struct build_request *r = o->request;
    r->file = g_strdup(o->file);
    r->target = g_strdup(o->raw_target);
    r->cgroup_parent = g_strdup(o->raw_cgroup_parent);
    r->no_cache = o->no_cache;
    r->host_ca = o->host_ca;
    r->keep_failed = o->debug_on_failure;
    r->wants_id = o->iidfile != NULL;
    r->wants_sizes = o->summary_file != NULL;
    r->in_fd = STDIN_FILENO;
    r->out_fd = STDOUT_FILENO;
    build_set_filters(r, o->raw_no_cache_filter);
    build_inherit_places(r, env);
}

static gboolean parse_progress(struct build_options *o, GError **err)
{
    return progress_option(o->quiet ? "quiet" : o->raw_progress, &o->progress, err);
}

static gboolean parse_all(struct build_options *o, char **env, int argc, char **argv, GError **err)
{
    struct build_request *r = o->request;
    const char *call = o->raw_call ? o->raw_call : o->check ? "check" : NULL;
    return refuse_unsupported(o, err) && parse_caches(o, env, err) &&
           build_set_call(r, call, err) && parse_progress(o, err) &&
           add_each(r, o->raw_tags, build_add_tag, err) && parse_build_args(o, env, err) &&
           parse_lists(o, env, err) &&
           build_choose_platforms(r, "--platform", o->raw_platforms, env, err) &&
           add_each(r, o->raw_annotations, build_add_annotation, err) &&
           build_set_network(r, o->raw_network, err) && build_set_pull(r, o->raw_pull, err) &&
           add_each(r, o->raw_allow, build_allow, err) &&
           size_option("--shm-size", o->raw_shm_size, &r->shm_size, err) &&
           count_option("--parallel", o->raw_parallel, BUILD_MAX_PARALLEL, &r->parallel, err) &&
           limit_options(&o->raw_limits, &r->resources, err) && parse_outputs(o, err) &&
           check_files(o, err) && parse_context(o, argc, argv, err);
}

gboolean build_options_finish(struct build_options *o, int argc, char **argv, GError **err)
{
    g_auto(GStrv) env = g_get_environ();
    o->request = build_request_new();
    take_values(o, env);
    if (parse_all(o, env, argc, argv, err))
        return TRUE;
    error_words_as_usage(err);
    return FALSE;
}

void build_options_clear(struct build_options *o)
{
    build_request_free(o->request);
}
