/* A template's tree and its functions; private to template*.c. */
#ifndef VARVE_CLI_TEMPLATE_TREE_H
#define VARVE_CLI_TEMPLATE_TREE_H

#include "base/arena.h"
#include "base/error.h"
#include "cli/template.h"

/* Each "at" is a place in the template's text. */
struct field {
    const char *name, *at; /* name: without the dot */
    struct field *next;    /* behind it: ".B" of ".A.B", or NULL */
};
enum operand_kind {
    OPERAND_LITERAL,
    OPERAND_DOT,      /* what the block is about */
    OPERAND_VARIABLE, /* "$" itself has the name "" */
    OPERAND_PIPE,     /* in brackets */
};
struct operand {
    enum operand_kind kind;
    const char *at;          /* where it begins */
    json_t *literal;         /* owned by the template */
    const char *name;        /* of a variable, without $ */
    const struct pipe *pipe; /* what stands in the brackets */
    struct field *fields;    /* ".A.B" behind it, or NULL */
    struct operand *next;    /* of the same call */
};
struct call {
    const char *at;                           /* where it begins */
    const struct template_function *function; /* NULL: the only argument is the value */
    struct operand *args;                     /* the first one, or NULL */
    struct call *next;                        /* takes the value as its last argument, or NULL */
};
struct pipe {
    const char *vars[2]; /* variables that are set, without $; a range may set two. Else NULL. */
    gboolean assign;     /* to one that is there: "=" */
    struct call *calls;  /* the first one */
};
enum node_kind { NODE_TEXT, NODE_VALUE, NODE_IF, NODE_WITH, NODE_RANGE };
struct node {
    enum node_kind kind;
    const char *text;              /* of NODE_TEXT */
    struct pipe *pipe;             /* of all others */
    struct node *body, *otherwise; /* of a block */
    struct node *next;             /* behind it in the same block, or NULL */
};
struct template
{
    char *text;
    struct arena *arena; /* holds the nodes */
    GPtrArray *literals; /* json_t* */
    struct node *first;
};

/* Says what is wrong at a place in the text. Returns FALSE. */
gboolean template_wrong(const struct template *t, const char *at, enum varve_error code,
                        GError **err, const char *fmt, ...) G_GNUC_PRINTF(5, 6);

/* A function's arguments; an element is NULL where there is no value. */
struct template_args {
    json_t **values; /* their values, borrowed */
    guint n;         /* how many there are */
    /* set by a function that fails for another cause than a wrong template */
    enum varve_error code;
};
enum function_kind {
    FUNCTION_PLAIN,
    FUNCTION_LAZY, /* and, or: later arguments count only when the first do not decide */
    FUNCTION_TEXT, /* print and the like: a heading is made as a row is */
    FUNCTION_TEST, /* its value is true or false */
};
struct template_function {
    const char *name; /* as templates write it */
    guint min, max;   /* arguments */
    enum function_kind kind;
    /* Sets *out to a new reference (NULL: no value). Else returns what is wrong, as a literal. */
    const char *(*call)(struct template_args *a, json_t **out);
};
/* NULL when there is none of this name. */
const struct template_function *template_function_find(const char *name);
/* Their names, borrowed; ends with NULL. */
const char *const *template_function_names(void);

gboolean template_truth(const json_t *v);
/* Appends v as Go prints it. */
void template_print(GString *out, json_t *v);

#endif
