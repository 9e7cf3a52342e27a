/* Images by name and platform: each is asked for once, those known from the start in parallel. */
#include "graph/lower_images.h"

#include "base/work.h"

#define MAX_AT_ONCE 8

/* An image that is asked for. */
struct asked {
    enum context_kind kind;
    char *reference;
    struct platform platform;
    struct resolved_image image;
    GError *refused; /* or NULL */
};

void lower_free_asked(gpointer p)
{
    struct asked *a = p;
    resolved_image_clear(&a->image);
    g_clear_error(&a->refused);
    g_free(a->reference);
    g_free(a);
}

static char *asked_key(enum context_kind kind, const char *reference, const struct platform *p)
{
    g_autofree char *platform = platform_text(p);
    return g_strdup_printf("%d %s %s", kind, platform, reference);
}

/* TRUE when it is new: *a is then to be asked for. */
static gboolean add_asked(struct lowering *lw, enum context_kind kind, const char *reference,
                          const struct platform *p, struct asked **a)
{
    g_autofree char *key = asked_key(kind, reference, p);
    *a = g_hash_table_lookup(lw->images, key);
    if (*a)
        return FALSE;
    *a = g_new0(struct asked, 1);
    (*a)->kind = kind;
    (*a)->reference = g_strdup(reference);
    (*a)->platform = *p;
    g_hash_table_insert(lw->images, g_steal_pointer(&key), *a);
    return TRUE;
}

static void ask_resolver(struct image_resolver *r, struct asked *a)
{
    r->resolve(r, a->kind, a->reference, &a->platform, &a->image, &a->refused);
}

const struct resolved_image *lower_image(struct lowering *lw, enum context_kind kind,
                                         const char *reference, const struct platform *p,
                                         GError **err)
{
    struct asked *a;
    if (add_asked(lw, kind, reference, p, &a))
        ask_resolver(lw->o->resolver, a);
    if (!a->refused)
        return &a->image;
    g_propagate_error(err, g_error_copy(a->refused));
    return NULL;
}

/* One pass over many. */
struct pass {
    struct image_resolver *resolver;
    GPtrArray *all; /* struct asked* */
    gint next;      /* atomic */
};

static gpointer ask_main(gpointer data)
{
    struct pass *p = data;
    for (;;) {
        gint i = g_atomic_int_add(&p->next, 1);
        if ((guint)i >= p->all->len)
            return NULL;
        ask_resolver(p->resolver, g_ptr_array_index(p->all, i));
    }
}

void lower_ask_images(struct lowering *lw, const GPtrArray *starts)
{
    g_autoptr(GPtrArray) all = g_ptr_array_new();
    for (guint i = 0; i < starts->len; i++) {
        struct build_stage *s = g_ptr_array_index(starts, i);
        enum context_kind kind;
        struct asked *a;
        g_autofree char *reference = lower_base_reference(lw, s, &kind);
        if (reference && add_asked(lw, kind, reference, &s->platform, &a))
            g_ptr_array_add(all, a);
    }
    struct pass p = {.resolver = lw->o->resolver, .all = all};
    GThread *threads[MAX_AT_ONCE] = {NULL};
    for (guint i = 1; i < MIN(all->len, MAX_AT_ONCE); i++)
        threads[i] = work_helper("varve-bases", ask_main, &p);
    ask_main(&p);
    for (guint i = 1; i < MAX_AT_ONCE; i++)
        if (threads[i])
            g_thread_join(threads[i]);
}
