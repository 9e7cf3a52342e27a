/* A bake definition from the files that are there to a plan: what `varve bake` asks for first.
 *
 * Order of calls: bake_new(), bake_read(), then bake_make_plan() or bake->module for lists;
 * bake_free(). Errors and warnings have places in texts: after a failure bake_failed() puts the
 * error there. Nothing is printed. Not thread-safe. */
#ifndef VARVE_BAKE_BAKE_H
#define VARVE_BAKE_BAKE_H

#include "bake/compose.h"
#include "bake/module.h"
#include "bake/plan.h"
#include "bake/remote.h"

/* What the user asked for. Borrowed by the bake. */
struct bake_options {
    char **files;   /* -f: paths, "-", "cwd://PATH"; NULL: BUILDX_BAKE_FILE, or the usual names */
    char **targets; /* names and patterns; NULL: "default" */
    char **sets;    /* --set, and --push and the like as such texts */
    char **vars;    /* --var NAME=VALUE */
    GHashTable *environment;          /* char * → char * */
    int in_fd;                        /* what "-" is read from */
    const struct bake_remote *remote; /* where the files are; NULL: here */
    const char *cmd_context;          /* BAKE_CMD_CONTEXT; NULL: "cwd://" */
    gboolean strict;                  /* unknown attributes and blocks are errors */
    gboolean file_relative;           /* contexts count from the file that defines them */
};

struct bake {
    const struct bake_options *options; /* borrowed */
    GPtrArray *texts;        /* struct diags *, borrowed: those of all files, as they were read */
    GPtrArray *hcl;          /* struct hclfile * */
    struct compose *compose; /* or NULL: no Compose file */
    struct module_env env;   /* the module's */
    GHashTable *vars;        /* --var: name → value */
    struct module *module;   /* after bake_read() */
    struct bake_defs *defs;  /* likewise */
    struct overrides *settings; /* after bake_make_plan() */
    struct bake_plan *plan;     /* likewise */
    char *local_platform;       /* BAKE_LOCAL_PLATFORM */
    struct bake_where at;       /* of the error; without diags it has none */
};

struct bake *bake_new(const struct bake_options *options);
void bake_free(struct bake *b);
/* Finds, reads and evaluates the files. FALSE with *err: a file is missing or malformed, or what it
 * says is. */
gboolean bake_read(struct bake *b, GError **err);
/* Makes b->plan and checks it. */
gboolean bake_make_plan(struct bake *b, GError **err);
/* A target's context (name NULL), or its context of that name, as `varve build` takes it: with a
 * remote definition a path is inside that (bake_remote_context()). The caller's. */
char *bake_build_context(const struct bake *b, const struct bake_target *t, const char *name,
                         GError **err);
/* err, with which one of the above failed, at its place: the texts' diags then have all that is to
 * be shown. FALSE when it has none and is to be shown alone. */
gboolean bake_failed(struct bake *b, const GError *err);

/* Tables of --list: what is defined, sorted by name, as JSON or as text with a heading. */
char *bake_list_targets(const struct bake *b, gboolean json);
char *bake_list_variables(const struct bake *b, gboolean json);

typedef struct bake bake;
G_DEFINE_AUTOPTR_CLEANUP_FUNC(bake, bake_free)

#endif
