/* Chains of layers. */
#include "store/internal.h"

#include <string.h>

struct chain *chain_new(void)
{
    return g_new0(struct chain, 1);
}

struct chain *chain_copy(const struct chain *c)
{
    struct chain *copy = chain_new();
    if (!c || c->n == 0)
        return copy;
    copy->n = c->n;
    copy->ids = g_malloc_n(c->n, sizeof *c->ids);
    memcpy(copy->ids, c->ids, c->n * sizeof *c->ids);
    return copy;
}

void chain_free(struct chain *c)
{
    if (!c)
        return;
    g_free(c->ids);
    g_free(c);
}

void chain_append(struct chain *c, const char *layer_id)
{
    c->ids = g_realloc_n(c->ids, c->n + 1, sizeof *c->ids);
    g_strlcpy(c->ids[c->n++], layer_id, sizeof *c->ids);
}

gboolean chain_equal(const struct chain *a, const struct chain *b)
{
    guint na = a ? a->n : 0, nb = b ? b->n : 0;
    if (na != nb)
        return FALSE;
    for (guint i = 0; i < na; i++)
        if (strcmp(a->ids[i], b->ids[i]) != 0)
            return FALSE;
    return TRUE;
}

char *chain_text(const struct chain *c)
{
    GString *text = g_string_new(NULL);
    for (guint i = 0; c && i < c->n; i++)
        g_string_append(text, c->ids[i]);
    return g_string_free(text, FALSE);
}

struct chain *chain_from_text(const char *text)
{
    if (!text)
        return NULL;
    struct chain *c = chain_new();
    for (gsize left = strlen(text); left >= LAYER_ID_LEN;
         left -= LAYER_ID_LEN, text += LAYER_ID_LEN) {
        char id[LAYER_ID_LEN + 1];
        g_strlcpy(id, text, sizeof id);
        chain_append(c, id);
    }
    return c;
}
