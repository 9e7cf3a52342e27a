#include "net/retry.h"

#define DEFAULT_TRIES 5
#define UNREACHABLE_TRIES 3
#define DEFAULT_MAX_WAIT_S 60
#define FIRST_DELAY_MS 400
#define PROGRESS (64 * 1024)

static guint chosen(guint value, guint otherwise)
{
    return value ? value : otherwise;
}

static guint max_tries(const struct http_patience *p, gboolean unreachable)
{
    guint tries = chosen(p->tries, DEFAULT_TRIES);
    return unreachable ? MIN(tries, chosen(p->unreachable_tries, UNREACHABLE_TRIES)) : tries;
}

/* How long to wait before the next try; -1 when there shall be none. */
static gint64 next_delay_ms(struct http_effort *e, const struct http_patience *p,
                            const struct http_response *a)
{
    gint64 max_ms = chosen(p->max_wait_s, DEFAULT_MAX_WAIT_S) * 1000LL;
    if (e->there >= e->before + PROGRESS)
        e->tries = 0;
    e->before = e->there;
    e->tries++;
    if (e->tries >= max_tries(p, a->unreachable))
        return -1;
    gint64 doubled = (gint64)chosen(p->first_delay_ms, FIRST_DELAY_MS) << MIN(e->tries - 1, 10);
    gint64 delay = (gint64)(doubled * g_random_double_range(0.75, 1.25));
    delay = MAX(delay, a->retry_after_s * 1000);
    return e->waited_ms + delay > max_ms ? -1 : delay;
}

gboolean http_effort_run(struct http_effort *e, const struct http_patience *p, struct cancel *c,
                         struct http_response *a, GError **err)
{
    static const struct http_patience usual;
    for (;;) {
        GError *why = NULL;
        gboolean came = e->run(e, a, &why);
        gboolean again = came ? http_status_is_temporary(a->status) : a->temporary;
        gint64 delay_ms = again ? next_delay_ms(e, p ? p : &usual, a) : -1;
        if (delay_ms < 0) {
            if (!came)
                g_propagate_error(err, why);
            return came;
        }
        g_clear_error(&why);
        if (!cancel_wait(c, delay_ms, err)) {
            a->temporary = FALSE;
            return FALSE;
        }
        e->waited_ms += delay_ms;
    }
}
