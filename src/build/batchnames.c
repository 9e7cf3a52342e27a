#include "build/building.h"

#include "text/reference.h"

#include <string.h>

/* The build other than b that makes an image of this canonical name; or NULL. */
static const struct build *maker_of(const struct build *b, const char *canonical)
{
    for (guint i = 0; i < b->batch->builds->len; i++) {
        const struct build *other = g_ptr_array_index(b->batch->builds, i);
        for (guint t = 0; other != b && t + 1 < other->r->tags->len; t++)
            if (strcmp(g_ptr_array_index(other->r->tags, t), canonical) == 0)
                return other;
    }
    return NULL;
}

static void note_base(const struct build *b, const struct stage *s)
{
    const char *name = s->base->text;
    if (strchr(name, '$') || dockerfile_has_stage(b->result.df, name) ||
        named_context_find(b->r->contexts, name, build_first_platform(b->r)))
        return;
    g_autoptr(reference) ref = reference_parse(name, NULL);
    g_autofree char *canonical = ref ? reference_text(ref) : NULL;
    const struct build *maker = canonical ? maker_of(b, canonical) : NULL;
    if (maker)
        event_warn(b->ports.events,
                   "%s: FROM %s is the image of an earlier run, not the one that %s makes now: "
                   "contexts = { \"%s\" = \"target:%s\" } in target %s uses that",
                   b->name, name, maker->name, name, maker->name, b->name);
}

void batch_note_names(const struct batch *x)
{
    for (guint i = 0; x->builds->len > 1 && i < x->builds->len; i++) {
        const struct build *b = g_ptr_array_index(x->builds, i);
        for (guint k = 0; b->result.df && k < b->result.df->n_stages; k++)
            note_base(b, &b->result.df->stages[k]);
    }
}
