#include "cli/build_options.h"

#include "base/error.h"
#include "cli/report.h"
#include "cli/shared.h"
#include "cli/spec_values.h"
#include "text/giturl.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define AT(field) G_STRUCT_OFFSET(struct build_options, field)

const struct option_row build_options_rows[] = {
    {"file", 'f', OPTION_STRING, AT(file), "PATH",
     "the Dockerfile (default: CONTEXT/Dockerfile; - is stdin)"},
    {"tag", 't', OPTION_LIST, AT(raw_tags), "NAME", "name the image (repeatable)"},
    {"target", 0, OPTION_STRING, AT(target), "STAGE", "build this stage instead of the last"},
    {"build-arg", 0, OPTION_LIST, AT(raw_build_args), "KEY[=VALUE]", "set an ARG (repeatable)"},
    {"build-context", 0, OPTION_LIST, AT(raw_contexts), "NAME=VALUE",
     "an additional context: directory, docker-image://, oci-layout://, git or http URL"},
    {"secret", 0, OPTION_LIST, AT(raw_secrets), "id=ID,src=FILE",
     "a secret for RUN --mount=type=secret"},
    {"ssh", 0, OPTION_LIST, AT(raw_ssh), "ID[=SOCKET]", "an ssh agent for RUN --mount=type=ssh"},
    {"label", 0, OPTION_LIST, AT(labels), "KEY=VALUE", "add a label (repeatable)"},
    {"platform", 0, OPTION_LIST, AT(raw_platforms), "OS/ARCH", "build for this platform"},
    {"output", 'o', OPTION_LIST, AT(raw_outputs), "SPEC",
     "type=TYPE,dest=PATH: image, oci, docker, local, tar or cacheonly"},
    {"push", 0, OPTION_FLAG, AT(push), NULL, "push the tags to their registries"},
    {"load", 0, OPTION_FLAG, AT(load), NULL, "also load the image into the Docker engine"},
    {"no-cache", 0, OPTION_FLAG, AT(no_cache), NULL, "run every step, with empty cache mounts"},
    {"no-cache-filter", 0, OPTION_LIST, AT(raw_no_cache_filter), "STAGE",
     "run every step of these stages"},
    {"pull", 0, OPTION_OPTIONAL, AT(raw_pull), "always|missing|never",
     "when to ask registries for base images (default missing)"},
    {"network", 0, OPTION_STRING, AT(raw_network), "MODE",
     "of RUN: default (one of its own), host or none"},
    {"add-host", 0, OPTION_LIST, AT(raw_add_hosts), "HOST:IP",
     "a line for /etc/hosts of RUN; host-gateway is this machine (repeatable)"},
    {"host-ca", 0, OPTION_FLAG, AT(host_ca), NULL,
     "make this host's CA certificates usable inside RUN"},
    {"allow", 0, OPTION_LIST, AT(raw_allow), "WHAT", "permit network.host or security.insecure"},
    {"shm-size", 0, OPTION_STRING, AT(raw_shm_size), "BYTES", "size of /dev/shm in RUN"},
    {"ulimit", 0, OPTION_LIST, AT(raw_ulimits), "NAME=SOFT[:HARD]", "limits of RUN (repeatable)"},
    LIMIT_ROWS(AT(raw_limits)),
    {"cgroup-parent", 0, OPTION_STRING, AT(cgroup_parent), "PATH", "cgroup that RUN's are made in"},
    {"progress", 0, OPTION_STRING, AT(raw_progress), "MODE",
     "auto, tty, plain, quiet, none or rawjson"},
    {"quiet", 'q', OPTION_FLAG, AT(quiet), NULL, "print nothing but the image's digest"},
    {"explain", 0, OPTION_FLAG, AT(explain), NULL, "tell why each step ran or did not"},
    {"metadata-file", 0, OPTION_STRING, AT(metadata_file), "FILE",
     "write the result's digests as JSON"},
    {"iidfile", 0, OPTION_STRING, AT(iidfile), "FILE", "write the image's id"},
    {"annotation", 0, OPTION_LIST, AT(annotations), "KEY=VALUE",
     "annotate the manifest (repeatable)"},
    {"debug-on-failure", 0, OPTION_FLAG, AT(debug_on_failure), NULL,
     "open a shell where a RUN failed (on a terminal)"},
    {"check", 0, OPTION_FLAG, AT(check), NULL,
     "check the Dockerfile instead of building; exit code 3 when something is found"},
    {"call", 0, OPTION_STRING, AT(raw_call), "WHAT[,format=json]",
     "instead of building: check, outline (what the target takes) or targets"},
    {"compress", 0, OPTION_NOTED, AT(noted_compress), NULL, NULL},
    {"isolation", 0, OPTION_NOTED, AT(noted_isolation), "MODE", NULL},
    {"security-opt", 0, OPTION_NOTED, AT(noted_security_opt), "OPTION", NULL},
    {"squash", 0, OPTION_NOTED, AT(noted_squash), NULL, NULL},
    {"rm", 0, OPTION_NOTED, AT(noted_rm), NULL, NULL},
    {"force-rm", 0, OPTION_NOTED, AT(noted_force_rm), NULL, NULL},
    {"builder", 0, OPTION_NOTED, AT(noted_builder), "NAME", NULL},
    {"cache-from", 0, OPTION_LIST, AT(raw_cache_from), NULL, NULL},
    {"cache-to", 0, OPTION_LIST, AT(raw_cache_to), NULL, NULL},
    {"attest", 0, OPTION_LIST, AT(raw_attest), NULL, NULL},
    {"provenance", 0, OPTION_STRING, AT(raw_provenance), NULL, NULL},
    {"sbom", 0, OPTION_STRING, AT(raw_sbom), NULL, NULL},
    {0},
};

static gboolean is_off(const char *value)
{
    return !value || g_str_equal(value, "false") || g_str_equal(value, "0");
}

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

/* "type=registry,ref=x" or a reference. A cache only makes builds faster: a note is enough. */
static gboolean note_caches(const struct build_options *o, GError **err)
{
    for (char **c = o->raw_cache_from; c && *c; c++) {
        g_autoptr(reference) ref = strchr(*c, '=') ? NULL : reference_parse(*c, NULL);
        if (!ref && !g_str_has_prefix(*c, "type=") && !strstr(*c, ",type=")) {
            error_set(err, VARVE_ERROR_USAGE, "--cache-from %s: neither an image nor type=…", *c);
            error_add_next(err, "for example --cache-from type=registry,ref=example.org/app:cache");
            return FALSE;
        }
    }
    if (o->raw_cache_from)
        report_note(
            "--cache-from has no effect in this version: only the cache of this machine is used");
    return TRUE;
}

/* What other builders have and this one does not, yet: an error, never silence. */
static gboolean refuse_unsupported(const struct build_options *o, GError **err)
{
    const struct {
        const char *flag;
        gboolean given;
    } flags[] = {{"--cache-to", o->raw_cache_to != NULL},
                 {"--attest", wants_attestation(o->raw_attest)},
                 {"--provenance", !is_off(o->raw_provenance)},
                 {"--sbom", !is_off(o->raw_sbom)}};
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

static gboolean parse_tags(struct build_options *o, GError **err)
{
    o->tags = g_ptr_array_new_with_free_func(g_free);
    for (char **t = o->raw_tags; t && *t; t++) {
        g_autoptr(reference) ref = reference_parse(*t, err);
        if (ref && ref->digest)
            error_set(err, VARVE_ERROR_USAGE, "%s: a tag cannot hold a digest", *t);
        if (!ref || ref->digest) {
            g_prefix_error(err, "-t %s: ", *t);
            error_as_usage(err);
            return FALSE;
        }
        g_ptr_array_add(o->tags, reference_text(ref));
    }
    g_ptr_array_add(o->tags, NULL);
    return TRUE;
}

/* Built-in arguments of Docker's builder that change its output in ways this version cannot. */
static void note_ignored_args(const struct build_options *o)
{
    static const char *const names[] = {"BUILDKIT_INLINE_CACHE", "BUILDKIT_MULTI_PLATFORM"};
    for (guint i = 0; i < G_N_ELEMENTS(names); i++) {
        const char *value = g_hash_table_lookup(o->build_args, names[i]);
        if (value && *value && !is_off(value))
            report_note("--build-arg %s=%s has no effect in this version", names[i], value);
    }
}

/* The environment's SOURCE_DATE_EPOCH is an argument like any other. */
static void inherit_epoch(struct build_options *o)
{
    static const char name[] = "SOURCE_DATE_EPOCH";
    const char *text = g_getenv(name);
    if (text && *text && !g_hash_table_contains(o->build_args, name))
        g_hash_table_insert(o->build_args, g_strdup(name), g_strdup(text));
}

/* The proxies of Docker's config.json (both spellings, one after the other), unless the command
 * line has that proxy in either. */
static void inherit_proxies(struct build_options *o)
{
    g_auto(GStrv) lines = configured_proxies();
    for (char **l = lines; *l; l += 2) {
        gsize len = strcspn(*l, "=");
        g_autofree char *upper = g_strndup(l[0], len), *lower = g_strndup(l[1], len);
        if (g_hash_table_contains(o->build_args, upper) ||
            g_hash_table_contains(o->build_args, lower))
            continue;
        g_hash_table_insert(o->build_args, g_steal_pointer(&upper), g_strdup(l[0] + len + 1));
        g_hash_table_insert(o->build_args, g_steal_pointer(&lower), g_strdup(l[1] + len + 1));
    }
}

static gboolean parse_build_args(struct build_options *o, GError **err)
{
    o->build_args = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    for (char **a = o->raw_build_args; a && *a; a++) {
        const char *eq = strchr(*a, '=');
        if (eq == *a || !**a)
            return error_set(err, VARVE_ERROR_USAGE, "--build-arg %s: no name", *a);
        if (eq)
            g_hash_table_insert(o->build_args, g_strndup(*a, eq - *a), g_strdup(eq + 1));
        else if (g_getenv(*a))
            g_hash_table_insert(o->build_args, g_strdup(*a), g_strdup(g_getenv(*a)));
    }
    inherit_epoch(o);
    inherit_proxies(o);
    note_ignored_args(o);
    return TRUE;
}

/* Leaves "key=value" of those that are for this platform, nothing of others. */
static gboolean parse_annotations(struct build_options *o, GError **err)
{
    for (char **s = o->annotations; s && *s; s++) {
        const char *rest;
        if (!build_check_annotation(*s, &o->platform, &rest, err))
            return FALSE;
        if (!rest) {
            report_note("--annotation %s is for another platform than this build's", *s);
            **s = '\0';
            continue;
        }
        memmove(*s, rest, strlen(rest) + 1);
    }
    return TRUE;
}

static gboolean check_labels(const struct build_options *o, GError **err)
{
    for (char **l = o->labels; l && *l; l++)
        if (!**l || **l == '=')
            return error_set(err, VARVE_ERROR_USAGE, "--label \"%s\": no name", *l);
    return TRUE;
}

static gboolean parse_lists(struct build_options *o, GError **err)
{
    o->secrets =
        g_hash_table_new_full(g_str_hash, g_str_equal, g_free, (GDestroyNotify)g_bytes_unref);
    o->ssh = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    o->contexts = g_ptr_array_new_with_free_func((GDestroyNotify)named_context_free);
    o->hosts = g_array_new(FALSE, TRUE, sizeof(struct host_ip));
    o->ulimits = g_array_new(FALSE, TRUE, sizeof(struct ulimit));
    o->owned = g_ptr_array_new_with_free_func(g_free);
    for (char **s = o->raw_secrets; s && *s; s++)
        if (!build_parse_secret(*s, o->secrets, err))
            return FALSE;
    for (char **s = o->raw_ssh; s && *s; s++)
        if (!build_parse_ssh(*s, o->ssh, err))
            return FALSE;
    for (char **s = o->raw_contexts; s && *s; s++) {
        struct named_context *c = build_parse_context(*s, err);
        if (!c)
            return FALSE;
        g_ptr_array_add(o->contexts, c);
    }
    for (char **s = o->raw_add_hosts; s && *s; s++)
        if (!host_option(*s, o->hosts, o->owned, err))
            return FALSE;
    for (char **s = o->raw_ulimits; s && *s; s++)
        if (!ulimit_option(*s, o->ulimits, o->owned, err))
            return FALSE;
    return check_labels(o, err);
}

static gboolean parse_platform(struct build_options *o, GError **err)
{
    const struct platform *preset;
    struct platform store;
    platform_host(&o->platform);
    if (!o->raw_platforms) {
        gboolean ok = platform_wanted(NULL, &store, &preset, err);
        o->platform = ok && preset ? store : o->platform;
        return ok;
    }
    g_autofree char *all = g_strjoinv(",", o->raw_platforms);
    if (strchr(all, ',')) {
        error_set(err, VARVE_ERROR_UNSUPPORTED,
                  "--platform %s: several platforms at once are not supported yet", all);
        error_add_next(err, "build one at a time");
        return FALSE;
    }
    if (g_ascii_strcasecmp(all, "local") == 0)
        return TRUE;
    if (platform_parse_known(&o->platform, all, err))
        return TRUE;
    g_prefix_error(err, "--platform: ");
    return FALSE;
}

static gboolean parse_network(struct build_options *o, GError **err)
{
    static const char *const names[] = {"default", "none", "host", NULL};
    static const enum net_mode modes[] = {NET_DEFAULT, NET_NONE, NET_HOST};
    for (guint i = 0; names[i]; i++) {
        if (o->raw_network && *o->raw_network && !g_str_equal(o->raw_network, names[i]))
            continue;
        o->network = modes[i];
        return TRUE;
    }
    error_set(err, VARVE_ERROR_USAGE, "--network %s: not default, host or none", o->raw_network);
    return FALSE;
}

static gboolean parse_pull(struct build_options *o, GError **err)
{
    const char *p = o->raw_pull ? o->raw_pull : "missing";
    if (g_str_equal(p, "") || g_str_equal(p, "true") || g_str_equal(p, "always"))
        o->pull = PULL_ALWAYS;
    else if (g_str_equal(p, "missing") || g_str_equal(p, "false"))
        o->pull = PULL_MISSING;
    else if (g_str_equal(p, "never"))
        o->pull = PULL_NEVER;
    else
        return error_set(err, VARVE_ERROR_USAGE, "--pull=%s: not always, missing or never", p);
    return TRUE;
}

static gboolean parse_allow(struct build_options *o, GError **err)
{
    for (char **a = o->raw_allow; a && *a; a++) {
        if (g_str_equal(*a, "security.insecure"))
            o->allow_insecure = TRUE;
        else if (g_str_equal(*a, "network.host"))
            o->allow_host_network = TRUE;
        else
            return error_set(err, VARVE_ERROR_USAGE,
                             "--allow %s: not network.host or security.insecure", *a);
    }
    return TRUE;
}

static gboolean parse_filters(struct build_options *o)
{
    g_autofree char *all = o->raw_no_cache_filter ? g_strjoinv(",", o->raw_no_cache_filter) : NULL;
    o->no_cache_filter = all ? g_strsplit(all, ",", -1) : NULL;
    return TRUE;
}

/* What the argument is. An archive is only told from other files when it is read. */
static gboolean context_kind_of(const char *context, enum build_context_kind *kind, GError **err)
{
    g_autoptr(giturl) git = NULL;
    gboolean dir = g_file_test(context, G_FILE_TEST_IS_DIR);
    enum giturl_result r = dir ? GITURL_NONE : giturl_parse(context, &git, err);
    if (r == GITURL_BAD)
        return FALSE;
    if (dir)
        *kind = BUILD_CONTEXT_DIR;
    else if (g_str_equal(context, "-"))
        *kind = BUILD_CONTEXT_STDIN;
    else if (r == GITURL_OK)
        *kind = BUILD_CONTEXT_GIT;
    else if (giturl_is_web(context))
        *kind = BUILD_CONTEXT_HTTP;
    else if (g_file_test(context, G_FILE_TEST_IS_REGULAR))
        *kind = BUILD_CONTEXT_ARCHIVE;
    else {
        error_set(err, VARVE_ERROR_USAGE, "the context %s is not a directory", context);
        error_add_next(err,
                       "varve build . builds the directory you are in; -f names the Dockerfile");
        return FALSE;
    }
    return TRUE;
}

static gboolean parse_context(struct build_options *o, int argc, char **argv, GError **err)
{
    if (argc != 2) {
        if (argc < 2)
            error_set(err, VARVE_ERROR_USAGE, "varve build: no context given");
        else
            error_set(err, VARVE_ERROR_USAGE, "varve build: more than one context given: %s and %s",
                      argv[1], argv[2]);
        error_add_next(err, argc < 2 ? "varve build . builds the directory you are in"
                                     : "give one; a value with blanks in it stands in quotes");
        return FALSE;
    }
    o->context = argv[1];
    if (!context_kind_of(o->context, &o->context_kind, err))
        return FALSE;
    if (o->context_kind == BUILD_CONTEXT_STDIN && g_strcmp0(o->file, "-") == 0)
        return error_set(err, VARVE_ERROR_USAGE,
                         "the context and the Dockerfile cannot both be stdin");
    if (o->context_kind == BUILD_CONTEXT_DIR)
        o->context_dir = realpath(o->context, NULL);
    return TRUE;
}

static gboolean check_files(const struct build_options *o, GError **err)
{
    return destination_option("--iidfile", o->iidfile, err) &&
           destination_option("--metadata-file", o->metadata_file, err);
}

static gboolean parse_all(struct build_options *o, int argc, char **argv, GError **err)
{
    if (o->quiet) {
        g_free(o->raw_progress);
        o->raw_progress = g_strdup("quiet");
    }
    const char *progress = o->raw_progress                 ? o->raw_progress
                           : g_getenv("BUILDKIT_PROGRESS") ? g_getenv("BUILDKIT_PROGRESS")
                                                           : "auto";
    return refuse_unsupported(o, err) && note_caches(o, err) && build_parse_call(o, err) &&
           progress_mode_parse(progress, &o->progress, err) && parse_tags(o, err) &&
           parse_build_args(o, err) && parse_lists(o, err) && parse_platform(o, err) &&
           parse_annotations(o, err) && parse_network(o, err) && parse_pull(o, err) &&
           parse_allow(o, err) && size_option("--shm-size", o->raw_shm_size, &o->shm_size, err) &&
           limit_options(&o->raw_limits, &o->resources, err) && build_parse_outputs(o, err) &&
           parse_filters(o) && check_files(o, err) && parse_context(o, argc, argv, err);
}

gboolean build_options_finish(struct build_options *o, int argc, char **argv, GError **err)
{
    if (parse_all(o, argc, argv, err))
        return TRUE;
    error_words_as_usage(err);
    return FALSE;
}

void build_options_clear(struct build_options *o)
{
    free(o->context_dir);
    g_clear_pointer(&o->tags, g_ptr_array_unref);
    g_clear_pointer(&o->build_args, g_hash_table_unref);
    g_clear_pointer(&o->secrets, g_hash_table_unref);
    g_clear_pointer(&o->ssh, g_hash_table_unref);
    g_clear_pointer(&o->contexts, g_ptr_array_unref);
    g_clear_pointer(&o->outputs, g_ptr_array_unref);
    g_clear_pointer(&o->hosts, g_array_unref);
    g_clear_pointer(&o->ulimits, g_array_unref);
    g_clear_pointer(&o->owned, g_ptr_array_unref);
    g_strfreev(o->no_cache_filter);
    resources_clear(&o->resources);
}
