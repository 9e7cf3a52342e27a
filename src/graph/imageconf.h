/* The content of an image config (OCI image-spec "Image Configuration" with Docker's additions:
 * Healthcheck, OnBuild, Shell, ArgsEscaped). image/config.h reads and writes its JSON. */
#ifndef VARVE_GRAPH_IMAGECONF_H
#define VARVE_GRAPH_IMAGECONF_H

#include "base/digest.h"
#include "base/envlist.h"
#include "base/platform.h"

struct healthcheck {
    char **test; /* {"NONE"}, {"CMD", …}, {"CMD-SHELL", text} */
    gint64 interval, timeout, start_period, start_interval; /* nanoseconds, 0: default */
    int retries;                                            /* 0: default */
};
struct history {
    char *created;        /* RFC 3339 or NULL */
    char *created_by;     /* or NULL */
    char *comment;        /* or NULL */
    char *author;         /* or NULL */
    gboolean empty_layer; /* it made no layer */
};
struct image_conf {
    struct platform platform;
    char *author;               /* or NULL */
    char *created;              /* RFC 3339 or NULL */
    char *user;                 /* or NULL */
    GPtrArray *env;             /* char* "K=v", order kept; NULL-safe helpers below */
    char **entrypoint;          /* NULL: unset */
    char **cmd;                 /* NULL: unset; empty list: reset */
    char *workdir;              /* or NULL */
    char *stop_signal;          /* or NULL */
    char **shell;               /* NULL: default */
    GTree *labels;              /* char* → char*, sorted */
    GTree *volumes;             /* char* → char* "" (a set, sorted) */
    GTree *ports;               /* char* "80/tcp" → "" (a set, sorted) */
    GPtrArray *onbuild;         /* char* */
    struct healthcheck *health; /* NULL: unset */
    gboolean args_escaped;      /* ArgsEscaped, of images for Windows */
    GPtrArray *history;         /* struct history* */
    char *inline_cache;         /* the cache that it carries (cache/inline.h), base64; or NULL */
    GArray *diff_ids;           /* struct digest: the layers of history's non-empty entries */
    struct digest base; /* not part of the config: the manifest of the image that the lowest layers
                           came from, whose blobs they keep; zero: none, or unknown */
};
/* A new one has all lists and maps, empty; they never become NULL. */
struct image_conf *image_conf_new(const struct platform *p);
struct image_conf *image_conf_copy(const struct image_conf *c);
void image_conf_free(struct image_conf *c);
void healthcheck_free(struct healthcheck *h);
struct healthcheck *healthcheck_copy(const struct healthcheck *h);
/* Value of a variable or NULL. */
const char *image_conf_getenv(const struct image_conf *c, const char *name);
/* Sets in place (order of first appearance is kept). */
void image_conf_setenv(struct image_conf *c, const char *name, const char *value);
/* Appends an entry without a time (set when the image is written), with the comment that marks
 * created_by as following the Dockerfile frontend's conventions. */
void image_conf_add_history(struct image_conf *c, const char *created_by, gboolean empty_layer);

typedef struct image_conf image_conf;
G_DEFINE_AUTOPTR_CLEANUP_FUNC(image_conf, image_conf_free)

#endif
