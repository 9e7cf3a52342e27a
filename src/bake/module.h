/* All HCL and JSON files of a bake definition as one body: variables, constants, functions, and the
 * blocks of targets and groups, evaluated on demand and attribute by attribute, so that order and
 * file do not matter and cycles are noticed.
 *
 * Order of calls: module_new(), module_add() for each file, module_load(). Blocks and constants of
 * later files come on top of those of earlier ones. Not thread-safe. */
#ifndef VARVE_BAKE_MODULE_H
#define VARVE_BAKE_MODULE_H

#include "bake/defs.h"
#include "bake/eval.h"
#include "bake/hcljson.h"

#define MODULE_MAX_TARGETS 20000 /* targets, those of all matrices together */
#define MODULE_MAX_DEPTH 1000    /* references that lead to one another */

/* What a definition gets from outside. Tables are borrowed: char * → char *. */
struct module_env {
    GHashTable *environment;    /* variables of the environment, or NULL: not to be looked at */
    GHashTable *variables;      /* --var: what beats the environment */
    const char *cmd_context;    /* BAKE_CMD_CONTEXT */
    const char *local_platform; /* BAKE_LOCAL_PLATFORM */
    gboolean strict;            /* unknown attributes and blocks are errors, not warnings */
};

struct module;
/* env must outlive the module. */
struct module *module_new(const struct module_env *env);
void module_free(struct module *m);
/* f must have been parsed without an error, and outlive the module. dir: what relative contexts of
 * its targets count from; NULL: the working directory. */
void module_add(struct module *m, const struct hclfile *f, const char *dir);
/* Evaluates everything; targets and groups go into defs, on top of what is there. FALSE with *err
 * and *at, the place of it (file NULL: none). Warnings go to the files' diags. */
gboolean module_load(struct module *m, struct bake_defs *defs, struct place *at, GError **err);

/* A variable, for --list. */
struct module_variable {
    const char *name;          /* borrowed */
    const char *description;   /* or NULL */
    char *type;                /* as it was declared, or NULL */
    const struct value *value; /* the module's; NULL while module_load() has not run */
};
/* In the order of the files; free with g_ptr_array_unref(). */
GPtrArray *module_variables(struct module *m);
/* For values of module_variables(). */
struct heap *module_heap(struct module *m);

/* What blocks a bake file of the JSON flavour has. */
extern const struct block_schema module_schema[];

typedef struct module module;
G_DEFINE_AUTOPTR_CLEANUP_FUNC(module, module_free)

#endif
