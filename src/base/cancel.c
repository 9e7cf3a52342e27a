#include "base/cancel.h"

#include "base/error.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <sys/eventfd.h>
#include <unistd.h>

struct cancel {
    atomic_bool set; /* triggered */
    int fd;          /* eventfd, readable once triggered */
};

struct cancel *cancel_new(void)
{
    struct cancel *c = g_new0(struct cancel, 1);
    c->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    return c;
}

void cancel_free(struct cancel *c)
{
    if (!c)
        return;
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
