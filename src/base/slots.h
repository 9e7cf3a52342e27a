/* How many helping threads all builds of a process may have together. Helpers are optional: whoever
 * wants some takes what is left, does the work alone when nothing is, and never waits; so builds
 * cannot block each other. Thread-safe. */
#ifndef VARVE_BASE_SLOTS_H
#define VARVE_BASE_SLOTS_H

#include <glib.h>

struct slots;
struct slots *slots_new(guint n);
void slots_free(struct slots *s);
/* Takes one, if there is one. NULL: there always is. */
gboolean slots_take(struct slots *s);
/* Gives one back. */
void slots_give(struct slots *s);

typedef struct slots slots;
G_DEFINE_AUTOPTR_CLEANUP_FUNC(slots, slots_free)

#endif
