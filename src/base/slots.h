/* Limits the helper threads of all builds of a process together. Helpers are optional: a caller
 * takes what slots are left, does the work alone if there are none, and never waits, so builds
 * cannot block each other. Thread-safe. */
#ifndef VARVE_BASE_SLOTS_H
#define VARVE_BASE_SLOTS_H

#include <glib.h>

struct slots;
struct slots *slots_new(guint n);
void slots_free(struct slots *s);
/* Takes a slot, if one is free; with NULL there always is one. */
gboolean slots_take(struct slots *s);
/* Gives a slot back. */
void slots_give(struct slots *s);

typedef struct slots slots;
G_DEFINE_AUTOPTR_CLEANUP_FUNC(slots, slots_free)

#endif
