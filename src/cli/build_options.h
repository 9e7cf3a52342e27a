/* The options of varve build, parsed and checked. */
#ifndef VARVE_CLI_BUILD_OPTIONS_H
#define VARVE_CLI_BUILD_OPTIONS_H

#include "cli/command.h"
#include "cli/limits.h"
#include "exec/resources.h"
#include "graph/lower.h"
#include "output/output.h"
#include "source/sources.h"
#include "ui/progress.h"

enum build_context_kind {
    BUILD_CONTEXT_DIR,
    BUILD_CONTEXT_STDIN,   /* a Dockerfile or an archive */
    BUILD_CONTEXT_ARCHIVE, /* a file */
    BUILD_CONTEXT_HTTP,    /* a Dockerfile or an archive */
    BUILD_CONTEXT_GIT,
};
enum build_call { CALL_BUILD, CALL_CHECK, CALL_OUTLINE, CALL_TARGETS };

/* As on the command line; fields that begin with raw_ are parsed into those below. */
struct build_options {
    char *file; /* -f, "-" for stdin, NULL: CONTEXT/Dockerfile */
    char **raw_tags, **raw_build_args, **labels, **raw_secrets, **raw_ssh, **raw_contexts,
        **raw_outputs;
    char **raw_add_hosts, **raw_ulimits, **raw_no_cache_filter, **raw_platforms, **raw_allow,
        **annotations;
    char *target, *raw_pull, *raw_network, *metadata_file, *iidfile, *raw_progress, *raw_shm_size;
    char *cgroup_parent, *raw_provenance, *raw_sbom, *raw_call;
    struct limit_options raw_limits;
    char **raw_cache_from, **raw_cache_to, **raw_attest;
    char *noted_compress, *noted_isolation, *noted_security_opt, *noted_squash, *noted_rm,
        *noted_force_rm, *noted_builder;
    char **words; /* the command line after "build", as given; borrowed */
    gboolean no_cache, quiet, push, load, explain, host_ca, check, debug_on_failure;

    enum build_context_kind context_kind;
    const char *context;    /* as given; borrowed from the command line */
    char *context_dir;      /* of BUILD_CONTEXT_DIR, else NULL */
    GPtrArray *tags;        /* char*: canonical names, NULL-terminated */
    GHashTable *build_args; /* char* → char* */
    GHashTable *secrets;    /* id → GBytes* */
    GHashTable *ssh;        /* id → path */
    GPtrArray *contexts;    /* struct named_context* */
    GPtrArray *outputs;     /* struct output* */
    GArray *hosts;          /* struct host_ip; strings borrowed from owned */
    GArray *ulimits;        /* struct ulimit; likewise */
    GPtrArray *owned;       /* char* */
    char **no_cache_filter;
    struct platform platform;
    enum net_mode network;
    enum pull_policy pull;
    const char *root; /* of the store; NULL: the command line's */
    enum progress_mode progress;
    guint64 shm_size; /* bytes, 0: default */
    struct resources resources;
    gboolean allow_insecure, allow_host_network;
    enum build_call call; /* --call and --check */
    gboolean call_json;   /* --call=…,format=json */
};

/* Checks and parses everything after command_parse(); argv holds the positional arguments. */
gboolean build_options_finish(struct build_options *o, int argc, char **argv, GError **err);
/* Frees all but what command_clear() frees. */
void build_options_clear(struct build_options *o);

/* build_values.c: single values */

/* "id=x,src=FILE" or "id=x,env=VAR" or "id=x" (the variable, else the file x) into secrets. */
gboolean build_parse_secret(const char *text, GHashTable *secrets, GError **err);
/* "default", "id=SOCKET" into ssh. */
gboolean build_parse_ssh(const char *text, GHashTable *ssh, GError **err);
/* "name=value" with docker-image://, oci-layout://, git and http URLs, or a directory. */
struct named_context *build_parse_context(const char *text, GError **err);
/* "key=value", "manifest:key=value" or "manifest[platform]:key=value": *rest is what follows the
 * prefix, or NULL when it is for other platforms than p only. */
gboolean build_check_annotation(const char *text, const struct platform *p, const char **rest,
                                GError **err);
/* raw_outputs, push and load into outputs (build_outputs.c). */
gboolean build_parse_outputs(struct build_options *o, GError **err);
/* The times of the image, and of its files. */
struct image_times {
    gint64 epoch;  /* an output's source-date-epoch=, else the build's; -1: none */
    gboolean keep; /* an output's rewrite-timestamp=false: files keep theirs */
};
/* What the outputs want of them; epoch is the build's. VARVE_ERROR_USAGE. */
gboolean build_settle_times(const struct build_options *o, gint64 epoch, struct image_times *out,
                            GError **err);
/* --call and --check (build_call.c). */
gboolean build_parse_call(struct build_options *o, GError **err);
void named_context_free(struct named_context *c);

#endif
