/* HCL's JSON flavour: the same tree as native syntax (HCL JSON syntax specification). Strings are
 * templates, which keep their type when they consist of one "${…}"; a property that the schema
 * calls a block is one or more of them, an array of objects several; duplicate properties all
 * count; "//" is a comment. Numbers are exact. */
#ifndef VARVE_BAKE_HCLJSON_H
#define VARVE_BAKE_HCLJSON_H

#include "bake/hcl.h"

/* What properties of a body are blocks; everything else is an attribute. */
struct block_schema {
    const char *type;                  /* NULL ends an array of these */
    guint n_labels;                    /* levels of objects whose keys are labels */
    const struct block_schema *blocks; /* within it, or NULL: none */
};

/* As hclfile_parse(), with the depth and size limits of it. */
struct hclfile *hcljson_parse(const char *name, const void *bytes, gsize len,
                              const struct block_schema *schema);

#endif
