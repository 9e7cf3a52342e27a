#include "base/cancel.h"

#include "base/error.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define MAX_CHILDREN 16

struct cancel {
    atomic_bool set;                                 /* triggered */
    int fd;                                          /* eventfd, readable once triggered */
    struct cancel *parent;                           /* or NULL */
    _Atomic(struct cancel *) children[MAX_CHILDREN]; /* triggered along; NULL: a free slot */
};

static _Atomic(struct cancel *) command;

void cancel_set_command(struct cancel *c)
{
    atomic_store(&command, c);
}

gboolean cancel_check_command(GError **err)
{
    return cancel_check(atomic_load(&command), err);
}

struct cancel *cancel_new(void)
{
    struct cancel *c = g_new0(struct cancel, 1);
    c->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    return c;
}

struct cancel *cancel_new_child(struct cancel *parent)
{
    g_autoptr(cancel) c = cancel_new();
    if (!parent)
        return g_steal_pointer(&c);
    for (guint i = 0; i < MAX_CHILDREN; i++) {
        struct cancel *empty = NULL;
        if (!atomic_compare_exchange_strong(&parent->children[i], &empty, c))
            continue;
        c->parent = parent;
        if (cancel_is_set(parent))
            cancel_trigger(c);
        return g_steal_pointer(&c);
    }
    return NULL;
}

static void leave_parent(struct cancel *c)
{
    for (guint i = 0; c->parent && i < MAX_CHILDREN; i++) {
        struct cancel *self = c;
        atomic_compare_exchange_strong(&c->parent->children[i], &self, NULL);
    }
}

void cancel_free(struct cancel *c)
{
    if (!c)
        return;
    leave_parent(c);
    if (c->fd >= 0)
        close(c->fd);
    g_free(c);
}

void cancel_trigger(struct cancel *c)
{
    atomic_store(&c->set, true);
    guint64 one = 1;
    ssize_t n = write(c->fd, &one, sizeof one);
    (void)n; /* the counter can only be full, which is readable too */
    for (guint i = 0; i < MAX_CHILDREN; i++) {
        struct cancel *child = atomic_load(&c->children[i]);
        if (child)
            cancel_trigger(child);
    }
}

gboolean cancel_is_set(const struct cancel *c)
{
    return c && atomic_load(&c->set);
}

int cancel_fd(const struct cancel *c)
{
    return c ? c->fd : -1;
}

gboolean cancel_check(const struct cancel *c, GError **err)
{
    if (!cancel_is_set(c))
        return TRUE;
    return error_set(err, VARVE_ERROR_CANCELLED, "interrupted");
}
