/* The parts of a module, shared by the files that evaluate it (module.h). What is here lives in the
 * module's heap and arena of names, unless it says otherwise. Each evaluation has a state, by which
 * cycles are noticed. */
#ifndef VARVE_BAKE_MODULING_H
#define VARVE_BAKE_MODULING_H

#include "bake/module.h"

enum state { STATE_NEW, STATE_RUNNING, STATE_DONE };

/* A variable, or a constant of the top level. */
struct binding {
    const char *name;                  /* as expressions use it */
    const struct block *block;         /* of the variable; NULL: a constant */
    const struct attribute *attribute; /* default or constant; NULL: none */
    struct place at;                   /* of its name */
    enum state state;
    const struct type *type;   /* declared, or NULL */
    const struct value *value; /* when done */
};

/* A function block. */
struct definition {
    const struct block *block;
    enum state state;
    struct user_function user; /* when done */
    struct function function;  /* likewise */
};

/* An attribute of an instance. */
struct cell {
    const struct attribute *attribute;
    enum state state;
    const struct value *value; /* when done */
};

/* A block of a target or a group, of a matrix one of its combinations. */
struct instance {
    const char *name; /* its own in a matrix, else the label */
    const struct block *block;
    const char *dir;          /* of its file, as module_add() was told */
    gboolean group;           /* else a target */
    struct bake_scope scope;  /* with the combination's values */
    struct cell *cells;       /* as many as the body has attributes */
    const char *matrix_label; /* of the block with the matrix; else NULL */
};

struct module {
    const struct module_env *env; /* borrowed */
    struct heap *heap;            /* owns all that is evaluated */
    struct eval eval;
    struct bake_scope root; /* of all files: bindings, functions, blocks */
    guint depth;            /* of references that lead to one another */

    GPtrArray *files;       /* const struct hclfile *, borrowed */
    GPtrArray *bindings;    /* struct binding *, in the order of the files */
    GHashTable *by_name;    /* name → struct binding * */
    GPtrArray *functions;   /* struct definition * */
    GHashTable *by_call;    /* name → struct definition * */
    GPtrArray *blocks;      /* struct instance *: target and group blocks before their matrices */
    GPtrArray *instances;   /* struct instance *, after */
    GHashTable *targets;    /* name → GPtrArray * of struct instance *, borrowed */
    GHashTable *groups;     /* likewise */
    const char *unresolved; /* the last name that nobody knew, for hints; or NULL */
};

/* All return FALSE or NULL with *err and m->eval.at. */

/* Sets *err and the place. Returns FALSE. */
gboolean module_fail(struct module *m, const struct place *at, GError **err, const char *fmt, ...)
    G_GNUC_PRINTF(4, 5);
/* Evaluates what e refers to. */
gboolean module_load_references(struct module *m, const struct expr *e,
                                const struct bake_scope *scope, GError **err);
/* The value of e in scope, after all that it refers to. */
const struct value *module_eval(struct module *m, const struct expr *e,
                                const struct bake_scope *scope, GError **err);
/* The same for an attribute as a value of a type; NULL value of it when it is not there. */
const struct value *module_eval_as(struct module *m, const struct attribute *a,
                                   const struct bake_scope *scope, const struct type *type,
                                   GError **err);
/* variable.c: the value of a variable or constant. */
const struct value *binding_value(struct module *m, struct binding *b, const struct place *from,
                                  GError **err);
/* The validation blocks of a variable. */
gboolean binding_validate(struct module *m, const struct binding *b, GError **err);
/* userfunction.c: makes d->function. */
gboolean definition_prepare(struct module *m, struct definition *d, const struct place *from,
                            GError **err);
/* matrix.c: m->blocks → m->instances, their names checked. */
gboolean module_expand(struct module *m, GError **err);
/* blocks.c: the value of target.NAME.ATTRIBUTE or group.NAME.targets; without attribute (NULL) all
 * of them as an object. all: the instances of that name. */
const struct value *instances_value(struct module *m, GPtrArray *all, const char *attribute,
                                    const struct place *from, GError **err);
gboolean instance_to_defs(struct module *m, struct instance *in, struct bake_defs *defs,
                          GError **err);
/* names.c: complains about attributes and blocks that nobody reads. FALSE when strict. */
gboolean module_check_names(struct module *m, GError **err);
/* decode.c: v, not null, as attribute id of t. The error has no place. */
gboolean decode_value(struct module *m, enum bake_attr_id id, const struct value *v,
                      struct bake_target *t, GError **err);
/* Attribute id of t as a value, null when it is not set. */
const struct value *decode_back(struct module *m, enum bake_attr_id id,
                                const struct bake_target *t);

#endif
