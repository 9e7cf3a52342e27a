/* Where the values of one evaluation live, and its limits. All values are allocated from one arena,
 * never change once they are made, and are freed together by heap_free(). A bake file is hostile:
 * what it makes the program allocate, how long it makes it work, and how deep, is counted here.
 *
 * Small things are allocated without asking: heap_alloc() never fails, and once the limit has been
 * passed the next heap_reserve() or heap_step() fails. Who makes something whose size is not
 * proportional to the size of values that exist already (a product of lists, text by repetition,
 * replacements) asks with heap_reserve() before; who loops more than in proportion counts steps.
 * A heap that failed once (heap->over) fails from then on, so that can() and try() do not go on.
 * Not thread-safe. */
#ifndef VARVE_BAKE_HEAP_H
#define VARVE_BAKE_HEAP_H

#include "base/arena.h"

#define HEAP_MAX_BYTES ((gsize)256 << 20) /* of all values of an evaluation, garbage included */
#define HEAP_MAX_STRING ((gsize)16 << 20) /* bytes of one string */
#define HEAP_MAX_STEPS 20000000           /* expressions evaluated, elements looked at */
#define HEAP_MAX_DEPTH 1000               /* expressions within expressions, values within values */

struct heap {
    struct arena *arena; /* owns all values */
    GHashTable *types;   /* struct type: those that are not constants, each once (type.c) */
    gsize bytes;         /* allocated or reserved so far */
    guint64 steps;       /* counted so far */
    guint depth;         /* of the expression that is being evaluated */
    const char *over;    /* the limit that was passed, as a message; NULL: none was */
    gsize max_bytes;     /* the limits: as above, smaller in tests */
    guint64 max_steps;   /* likewise */
};

struct heap *heap_new(void);
void heap_free(struct heap *h);
/* Zeroed memory for any type, counted; never NULL. */
gpointer heap_alloc(struct heap *h, gsize size);
/* An array of n elements of a type. */
#define heap_array(h, type, n) ((type *)heap_alloc((h), sizeof(type) * (gsize)(n)))
/* Whether size more bytes may be allocated; does not count them. FALSE with VARVE_ERROR_INVALID
 * says that the evaluation takes too much memory. */
gboolean heap_reserve(struct heap *h, gsize size, GError **err);
/* The same for one string. */
gboolean heap_reserve_string(struct heap *h, gsize len, GError **err);
/* Fails with why (a constant) from now on, if h did not before. FALSE, with *err. */
gboolean heap_fail(struct heap *h, const char *why, GError **err);
/* Counts n steps. FALSE with VARVE_ERROR_INVALID: too many, or a limit was passed before. */
gboolean heap_step(struct heap *h, guint64 n, GError **err);

typedef struct heap heap;
G_DEFINE_AUTOPTR_CLEANUP_FUNC(heap, heap_free)

#endif
