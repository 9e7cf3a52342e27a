/* The options of varve build as given on the command line, and the resulting request. */
#ifndef VARVE_CLI_BUILD_OPTIONS_H
#define VARVE_CLI_BUILD_OPTIONS_H

#include "build/request.h"
#include "cli/command.h"
#include "cli/limits.h"
#include "ui/progress.h"

/* As on the command line; fields that begin with raw_ become fields of the request. */
struct build_options {
    char *file; /* -f, "-" for stdin, NULL: CONTEXT/Dockerfile */
    char **raw_tags, **raw_build_args, **raw_labels, **raw_secrets, **raw_ssh, **raw_contexts,
        **raw_outputs; /* repeatable */
    char **raw_add_hosts, **raw_ulimits, **raw_no_cache_filter, **raw_platforms, **raw_allow,
        **raw_annotations; /* repeatable */
    char *raw_target, *raw_pull, *raw_network, *metadata_file, *iidfile, *summary_file,
        *raw_progress, *raw_shm_size;                               /* NULL: not given */
    char *raw_cgroup_parent, *raw_provenance, *raw_sbom, *raw_call; /* NULL: not given */
    char *raw_parallel;                                             /* likewise */
    struct limit_options raw_limits;                                /* --memory and the like */
    char **raw_cache_from, **raw_cache_to;                          /* --cache-from, --cache-to */
    char **raw_attest; /* only tells what is not supported */
    char *noted_compress, *noted_isolation, *noted_security_opt, *noted_squash, *noted_rm,
        *noted_force_rm, *noted_builder; /* have no effect, and are noted */
    char **words;                        /* the command line after "build", as given; borrowed */
    gboolean no_cache, quiet, push, load, explain, host_ca, check,
        debug_on_failure; /* flags of the same names */

    struct build_request *request; /* the resulting request */
    enum progress_mode progress;
};

/* Checks and parses everything after command_parse(); argv holds the positional arguments. */
gboolean build_options_finish(struct build_options *o, int argc, char **argv, GError **err);
/* Frees everything but what command_clear() frees. */
void build_options_clear(struct build_options *o);

#endif
