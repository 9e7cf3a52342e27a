#include "base/slots.h"

#include <stdatomic.h>

struct slots {
    atomic_uint left;
};

struct slots *slots_new(guint n)
{
    struct slots *s = g_new0(struct slots, 1);
    atomic_init(&s->left, n);
    return s;
}

void slots_free(struct slots *s)
{
    g_free(s);
}

gboolean slots_take(struct slots *s)
{
    unsigned left = s ? atomic_load(&s->left) : 0;
    while (left > 0)
        if (atomic_compare_exchange_weak(&s->left, &left, left - 1))
            return TRUE;
    return s == NULL;
}

void slots_give(struct slots *s)
{
    if (s)
        atomic_fetch_add(&s->left, 1);
}
