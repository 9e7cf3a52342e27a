/* Numbers as Go's fmt writes them, for format(). */
#ifndef VARVE_BAKE_FORMATNUMBER_H
#define VARVE_BAKE_FORMATNUMBER_H

#include "bake/value.h"

/* A sequence of a format, "%-08.3f". */
struct format_verb {
    char mode;                                /* the letter */
    gboolean zero, sharp, plus, minus, space; /* the flags "0#+- " */
    gint width, precision;                    /* in characters, digits; -1: none */
};

/* Appends a whole number in base 2 (b), 8 (o), 10 (d) or 16 (x, X). */
gboolean format_whole(struct heap *h, const struct format_verb *verb, const struct value *v,
                      GString *out, GError **err);
/* Appends a number with e, E, f, g or G. */
gboolean format_float(struct heap *h, const struct format_verb *verb, const struct value *v,
                      GString *out, GError **err);

#endif
