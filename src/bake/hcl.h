/* HCL's native syntax: bytes → syntax tree (the HCL native syntax specification of hashicorp/hcl
 * 2). The JSON flavour (hcljson.h) yields the same tree. A tree belongs to its file and never
 * changes. Errors go to the file's diags; after one there is no tree.
 *
 * Limits: HCL_MAX_BYTES of a file, HCL_MAX_DEPTH of brackets, blocks and templates. */
#ifndef VARVE_BAKE_HCL_H
#define VARVE_BAKE_HCL_H

#include "bake/expr.h"

#define HCL_MAX_BYTES (8 << 20) /* of a file */
#define HCL_MAX_DEPTH 200       /* of what can be nested */

struct attribute {
    const char *name;         /* in the normal form C */
    struct place at;          /* of the name */
    const struct expr *value; /* what stands behind the '=' */
};

struct label {
    const char *text; /* without quotes */
    struct place at;  /* quotes included */
};

struct block {
    const char *type;           /* "target" */
    struct place at;            /* of the type */
    const struct label *labels; /* n_labels */
    guint n_labels;
    const struct body *body;
};

/* Of a file or a block; attributes and blocks each in the order of the text. In native syntax an
 * attribute occurs once. */
struct body {
    const struct attribute *attributes; /* n_attributes */
    guint n_attributes;
    const struct block *blocks; /* n_blocks */
    guint n_blocks;
    struct place end; /* where something missing could be added: the closing bracket, or the end */
};

/* A bake file. */
struct hclfile {
    char *name;              /* as the user knows it: "docker-bake.hcl" */
    GBytes *bytes;           /* the whole file */
    struct diags *diags;     /* what is wrong with it, also what is found during evaluation */
    struct heap *heap;       /* owns the tree; freed after all that uses its values */
    const struct body *body; /* or NULL after an error */
};

/* Parses; bytes are copied. Never NULL: diags_has_errors(f->diags) says whether it went wrong. */
struct hclfile *hclfile_parse(const char *name, const void *bytes, gsize len);
void hclfile_free(struct hclfile *f);

/* One expression or template as a text of its own (what JSON strings contain). at: the place of the
 * first byte in f, whose heap and diags are used; columns count on from there. NULL after an
 * error. The text may be anywhere; the tree does not point into it. */
const struct expr *hcl_parse_expr(struct hclfile *f, const char *text, gsize len, struct span at);
const struct expr *hcl_parse_template(struct hclfile *f, const char *text, gsize len,
                                      struct span at);

/* The attribute of that name, the last if there are several (JSON), or NULL. */
const struct attribute *body_attribute(const struct body *b, const char *name);

typedef struct hclfile hclfile;
G_DEFINE_AUTOPTR_CLEANUP_FUNC(hclfile, hclfile_free)

#endif
