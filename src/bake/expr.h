/* Expressions of HCL as a syntax tree, and what can be learned of one without evaluating it. */
#ifndef VARVE_BAKE_EXPR_H
#define VARVE_BAKE_EXPR_H

#include "bake/value.h"
#include "dockerfile/diag.h"

struct hclfile;
/* A place in a file, for errors (file->diags shows it). */
struct place {
    const struct hclfile *file;
    struct span span;
};

enum expr_kind {
    EXPR_LITERAL,     /* value */
    EXPR_TRAVERSAL,   /* a.b[0].c: name and steps; all steps are known without evaluation */
    EXPR_STEPS,       /* operand, then steps: f(x).b, "(…)[0]" */
    EXPR_INDEX,       /* operands 0[1] */
    EXPR_SPLAT,       /* operand 0 for each; operand 1 is applied to each (EXPR_ITEM in it) */
    EXPR_ITEM,        /* the element that the splat around it is at */
    EXPR_CALL,        /* name, operands; expand: the last one is a list of arguments */
    EXPR_CONDITIONAL, /* operands 0 ? 1 : 2 */
    EXPR_UNARY,       /* op ('!' or '-'), operand */
    EXPR_BINARY,      /* op, two operands */
    EXPR_TUPLE,       /* operands */
    EXPR_OBJECT,      /* operands: key, value, key, value … */
    EXPR_FOR,         /* see struct for_expr */
    EXPR_TEMPLATE,    /* operands joined to a string */
    EXPR_WRAP,        /* "${x}": operand 0 as it is */
    EXPR_JOIN,        /* %{for}: operand 0 yields a tuple of strings, joined */
    EXPR_PAREN,       /* operand 0 in round brackets: no keyword, no bare key */
};

enum expr_op {
    OP_NOT,
    OP_NEGATE,
    OP_ADD,
    OP_SUBTRACT,
    OP_MULTIPLY,
    OP_DIVIDE,
    OP_MODULO,
    OP_EQUAL,
    OP_NOT_EQUAL,
    OP_LESS,
    OP_LESS_EQUAL,
    OP_GREATER,
    OP_GREATER_EQUAL,
    OP_AND,
    OP_OR,
};

/* ".name" or "[key]" with a literal key. */
struct step {
    const struct value *key; /* string or number */
    gboolean attribute;      /* written as ".name" */
    struct place at;         /* from the dot or bracket on */
};

/* [for key, value in collection : result if condition], {for …: key_result => result...} */
struct for_expr {
    const char *key;               /* name of the first variable, or NULL */
    const char *value;             /* name of the variable that has the elements */
    const struct expr *collection; /* what is iterated */
    const struct expr *key_result; /* of objects, else NULL */
    const struct expr *result;     /* of each element */
    const struct expr *condition;  /* or NULL: all */
    gboolean group;                /* "...": results of a key are collected in a tuple */
};

#define EXPR_MAX_HEIGHT 800 /* of a tree: who walks it may recurse */

struct expr {
    enum expr_kind kind;
    struct place at;           /* the whole of it, at least its first line */
    const struct value *value; /* LITERAL */
    const char *name;          /* TRAVERSAL, CALL: the first name, the function */
    const struct step *steps;  /* TRAVERSAL, STEPS: n_steps */
    guint n_steps;
    enum expr_op op;                    /* UNARY, BINARY */
    gboolean expand;                    /* CALL with "..." */
    guint16 height;                     /* of the tree below, from 1 */
    gboolean json_string;               /* a whole string of the JSON flavour: source has it */
    const char *source;                 /* json_string: the text that was parsed as a template */
    const struct expr *const *operands; /* n_operands */
    guint n_operands;
    const struct for_expr *loop; /* FOR */
};

/* The names that evaluating e needs from outside, in order, with repetitions: e's traversals whose
 * first name no for-expression within e declares, and its calls. Each element is a const struct
 * expr * (EXPR_TRAVERSAL or EXPR_CALL). Either array may be NULL. */
void expr_references(const struct expr *e, GPtrArray *traversals, GPtrArray *calls);
/* The name that e consists of ("default" in targets, a parameter in params; in JSON the string's
 * content), or NULL. */
const char *expr_keyword(const struct expr *e);
/* The elements of a list that is written out ("params = [a, b]"), in n; NULL when e is none. */
const struct expr *const *expr_list(const struct expr *e, guint *n);
/* The type that e is the expression of: string, list(number), object({a = string}), in JSON a
 * string that holds one. NULL with an error; *at is where. optional(T) within object() is
 * understood. */
const struct type *expr_type(struct heap *h, const struct expr *e, struct place *at, GError **err);

#endif
