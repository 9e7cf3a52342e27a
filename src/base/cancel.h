/* A cancellation flag shared by everything that works on one command. Thread-safe; cancel_trigger()
 * is also async-signal-safe. */
#ifndef VARVE_BASE_CANCEL_H
#define VARVE_BASE_CANCEL_H

#include <glib.h>

struct cancel;
struct cancel *cancel_new(void);
/* A flag that is also set when parent is; triggering it does not affect parent. A parent may have
 * any number of children, made and freed by any thread at any time; it must outlive them. parent
 * may be NULL. Never NULL. */
struct cancel *cancel_new_child(struct cancel *parent);
void cancel_free(struct cancel *c);
/* Sets it permanently. Changes errno: a signal handler must save it. */
void cancel_trigger(struct cancel *c);
/* NULL is never cancelled. */
gboolean cancel_is_set(const struct cancel *c);
/* A descriptor that polls readable once c is set; -1 for NULL (and if the process has no free
 * descriptor; its waits then end later). Not to be read from. Owned by c. */
int cancel_fd(const struct cancel *c);
/* FALSE with VARVE_ERROR_CANCELLED when triggered, TRUE otherwise. */
gboolean cancel_check(const struct cancel *c, GError **err);
/* Waits for so many milliseconds: FALSE with VARVE_ERROR_CANCELLED as soon as it is triggered. */
gboolean cancel_wait(const struct cancel *c, gint64 ms, GError **err);

/* The flag of the whole command (SIGINT, SIGTERM): used by threads that have no work of their own
 * (base/work.h). c must stay valid. */
void cancel_set_command(struct cancel *c);
/* cancel_check() of that flag; TRUE if none was set. */
gboolean cancel_check_command(GError **err);

typedef struct cancel cancel;
G_DEFINE_AUTOPTR_CLEANUP_FUNC(cancel, cancel_free)

#endif
