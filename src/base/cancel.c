#include "base/cancel.h"

#include "base/error.h"

#include <poll.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

/* A child checks its parent; a parent does not know its children. So a signal handler never walks a
 * list that another thread changes. */
struct cancel {
    atomic_bool set;       /* triggered itself; see cancel_is_set() */
    int event;             /* eventfd, readable once triggered itself */
    int any;               /* epoll over event and those of all its ancestors; -1 without parent */
    struct cancel *parent; /* or NULL; outlives this */
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
    c->event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    c->any = -1;
    return c;
}

/* Each ancestor's own eventfd, not its epoll: those may be nested only a few levels deep. */
static int watch_all(const struct cancel *c)
{
    int fd = epoll_create1(EPOLL_CLOEXEC);
    for (; fd >= 0 && c; c = c->parent) {
        struct epoll_event e = {.events = EPOLLIN};
        if (epoll_ctl(fd, EPOLL_CTL_ADD, c->event, &e) == 0)
            continue;
        close(fd);
        return -1;
    }
    return fd;
}

struct cancel *cancel_new_child(struct cancel *parent)
{
    struct cancel *c = cancel_new();
    c->parent = parent;
    if (parent)
        c->any = watch_all(c);
    return c;
}

void cancel_free(struct cancel *c)
{
    if (!c)
        return;
    if (c->any >= 0)
        close(c->any);
    if (c->event >= 0)
        close(c->event);
    g_free(c);
}

void cancel_trigger(struct cancel *c)
{
    atomic_store(&c->set, true);
    guint64 one = 1;
    ssize_t n = write(c->event, &one, sizeof one);
    (void)n; /* the counter can only be full, which is also readable */
}

gboolean cancel_is_set(const struct cancel *c)
{
    for (; c; c = c->parent)
        if (atomic_load(&c->set))
            return TRUE;
    return FALSE;
}

int cancel_fd(const struct cancel *c)
{
    return !c ? -1 : c->any >= 0 ? c->any : c->event;
}

gboolean cancel_wait(const struct cancel *c, gint64 ms, GError **err)
{
    gint64 end = g_get_monotonic_time() + ms * 1000;
    while (cancel_check(c, err)) {
        gint64 left_ms = (end - g_get_monotonic_time() + 999) / 1000;
        if (left_ms <= 0)
            return TRUE;
        struct pollfd fd = {cancel_fd(c), POLLIN, 0};
        poll(&fd, 1, MIN(left_ms, 1000));
    }
    return FALSE;
}

gboolean cancel_check(const struct cancel *c, GError **err)
{
    if (!cancel_is_set(c))
        return TRUE;
    return error_set(err, VARVE_ERROR_CANCELLED, "interrupted");
}
