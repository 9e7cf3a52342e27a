/* An arena: memory for things that are freed together (a syntax tree, a graph). Not thread-safe. */
#ifndef VARVE_BASE_ARENA_H
#define VARVE_BASE_ARENA_H

#include <glib.h>

struct arena;
struct arena *arena_new(void);
void arena_free(struct arena *a);
/* Zeroed, suitably aligned for any type; never NULL (aborts when memory is exhausted, as GLib
 * does). */
gpointer arena_alloc(struct arena *a, gsize size);
/* A copy of n bytes, NUL-terminated. */
char *arena_strndup(struct arena *a, const char *s, gsize n);
/* NULL stays NULL. */
char *arena_strdup(struct arena *a, const char *s);
/* A copy of n elements of size bytes each; NULL when n is 0. */
gpointer arena_copy(struct arena *a, gconstpointer data, gsize n, gsize size);

#define arena_new_of(a, type) ((type *)arena_alloc((a), sizeof(type)))

typedef struct arena arena;
G_DEFINE_AUTOPTR_CLEANUP_FUNC(arena, arena_free)

#endif
