/* Parsing the options of a build, for command lines and files alike: each function adds one option,
 * written as in buildx, to a request. Messages name the flag. VARVE_ERROR_USAGE, or
 * VARVE_ERROR_UNSUPPORTED. env: the caller's "NAME=value" strings (g_get_environ()). events: gets
 * notes; may be NULL. */
#ifndef VARVE_BUILD_VALUES_H
#define VARVE_BUILD_VALUES_H

#include "build/request.h"

/* choices.c */

/* A name of the image; output uses the first one. */
gboolean build_add_tag(struct build_request *r, const char *text, GError **err);
/* "KEY=VALUE", or "KEY" with env's value, if it has one. */
gboolean build_add_arg(struct build_request *r, const char *text, char **env, GError **err);
/* Adds SOURCE_DATE_EPOCH of env, which acts like a --build-arg. After build_add_arg(). */
void build_inherit_epoch(struct build_request *r, char **env);
/* The same for proxies: both spellings as "name=value", one after the other (proxies_load()),
 * unless r already has that proxy in either. */
void build_inherit_proxies(struct build_request *r, char **lines);
/* Notes arguments that only have a meaning for Docker's builder. */
void build_note_ignored_args(const struct build_request *r, struct event_sink *events);
/* Whether a flag's value is missing, "false" or "0". */
gboolean build_is_off(const char *value);
/* "KEY=VALUE"s; NULL: none. */
gboolean build_set_labels(struct build_request *r, char **labels, GError **err);
/* "default", "none", "host"; NULL and "" are the default. */
gboolean build_set_network(struct build_request *r, const char *text, GError **err);
/* "always", "missing", "never", or a boolean; NULL: missing. */
gboolean build_set_pull(struct build_request *r, const char *text, GError **err);
/* "network.host" or "security.insecure". */
gboolean build_allow(struct build_request *r, const char *text, GError **err);
/* "check", "outline", "targets" or "build", optionally with ",format=json"; NULL: build. */
gboolean build_set_call(struct build_request *r, const char *text, GError **err);
/* The lists of stages, each with commas; NULL: none. */
void build_set_filters(struct build_request *r, char **lists);
/* The lists of platforms, each with commas; "local" is this machine's. platforms NULL: those of
 * env's DOCKER_DEFAULT_PLATFORM, or unchanged. option is how messages call it, "--platform". After
 * build_add_arg(). */
gboolean build_choose_platforms(struct build_request *r, const char *option, char **platforms,
                                char **env, GError **err);
/* Where env says that certificates, an ssh agent and Docker's engine are. */
void build_inherit_places(struct build_request *r, char **env);
/* A directory, "-", a file or a URL. After the Dockerfile was set. */
gboolean build_set_context(struct build_request *r, const char *text, GError **err);

/* values.c */

/* "id=x,src=FILE", "id=x,env=VAR" or "id=x" (the variable, else the file x). Reads it. */
gboolean build_add_secret(struct build_request *r, const char *text, char **env,
                          struct event_sink *events, GError **err);
/* "default", "id=SOCKET". */
gboolean build_add_ssh(struct build_request *r, const char *text, char **env, GError **err);
/* "name=value" with docker-image://, oci-layout://, git and http URLs, or a directory. */
gboolean build_add_context(struct build_request *r, const char *text, GError **err);
/* The context name is the result of another build of the batch (CONTEXT_BUILD). */
gboolean build_add_link(struct build_request *r, const char *name, const char *build, GError **err);
/* "key=value", "KIND:key=value" or "KIND,KIND:key=value" (output/annotation.h). */
gboolean build_add_annotation(struct build_request *r, const char *text, GError **err);

/* One --cache-from or --cache-to (cache/spec.h). */
gboolean build_add_cache(struct build_request *r, enum cache_use use, const char *text, char **env,
                         struct event_sink *events, GError **err);

/* outputs.c: -o, --push and --load together. specs may be NULL. After the tags and the annotations.
 * The front end must check whether out_fd can take an archive. */
gboolean build_set_outputs(struct build_request *r, char **specs, gboolean push, gboolean load,
                           GError **err);

#endif
