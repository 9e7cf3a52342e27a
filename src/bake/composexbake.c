/* `x-bake` of a build section: what Compose has no words for, added to what `build` says. */
#include "bake/composing.h"

#include "bake/bakecsv.h"
#include "base/suggest.h"

#include <string.h>

static const struct {
    const char *key;
    enum bake_attr_id id;
} keys[] = {
    {"tags", BAKE_TAGS},         {"cache-from", BAKE_CACHE_FROM},
    {"cache-to", BAKE_CACHE_TO}, {"secret", BAKE_SECRET},
    {"ssh", BAKE_SSH},           {"platforms", BAKE_PLATFORMS},
    {"output", BAKE_OUTPUT},     {"pull", BAKE_PULL},
    {"no-cache", BAKE_NO_CACHE}, {"no-cache-filter", BAKE_NO_CACHE_FILTER},
    {"contexts", BAKE_CONTEXTS},
};

static gboolean xbake_wrong(struct composing_build *b, const char *key, const struct yaml *v,
                            const char *must, GError **err)
{
    g_autofree char *path = g_strconcat("build.x-bake", *key ? "." : "", key, NULL);
    return compose_wrong(b->c, b->service, path, v, must, err);
}

/* A list of texts, or one text that is split at blanks; places are those of the items. */
struct words {
    GPtrArray *texts; /* char * */
    GPtrArray *from;  /* const struct yaml *: where each text comes from */
};

static gboolean read_words(struct composing_build *b, const char *key, const struct yaml *v,
                           struct words *w, GError **err)
{
    if (yaml_is_scalar(v)) {
        g_auto(GStrv) parts = g_strsplit_set(v->text, " \t\r\n\v\f", -1);
        for (char **p = parts; *p; p++) {
            if (**p) {
                g_ptr_array_add(w->texts, g_strdup(*p));
                g_ptr_array_add(w->from, (gpointer)v);
            }
        }
        return TRUE;
    }
    if (v->kind == YAML_MAP)
        return xbake_wrong(b, key, v, "a list, or a string of words", err);
    for (guint i = 0; i < v->n; i++) {
        if (v->items[i]->kind >= YAML_LIST)
            return xbake_wrong(b, key, v->items[i], "a list of strings", err);
        if (!*v->items[i]->text)
            continue;
        g_ptr_array_add(w->texts, g_strdup(v->items[i]->text));
        g_ptr_array_add(w->from, v->items[i]);
    }
    return TRUE;
}

/* Adds what texts say to an attribute that is a list of texts, entries or ssh. */
static gboolean add_words(struct composing_build *b, enum bake_attr_id id, const struct words *w,
                          struct bake_target *to, GError **err)
{
    GPtrArray **list = (GPtrArray **)((char *)to + bake_attrs[id].offset);
    enum bake_kind kind = bake_attrs[id].kind;
    if (!*list)
        *list = kind == BAKE_KIND_LIST      ? bake_list_new()
                : kind == BAKE_KIND_ENTRIES ? bake_entries_new()
                                            : bake_sshs_new();
    for (guint i = 0; i < w->texts->len; i++) {
        const char *text = w->texts->pdata[i];
        const struct yaml *from = w->from->pdata[i];
        gboolean ok = TRUE;
        if (kind == BAKE_KIND_LIST)
            g_ptr_array_add(*list, g_strdup(text));
        else if (kind == BAKE_KIND_ENTRIES)
            ok = bakecsv_entry(*list, id, text, err);
        else
            ok = bakecsv_ssh(*list, text, err);
        if (!ok) {
            b->c->pool->at = from->at;
            return FALSE;
        }
    }
    return TRUE;
}

static gboolean read_xbake_list(struct composing_build *b, const struct yaml_entry *e,
                                enum bake_attr_id id, GError **err)
{
    g_autoptr(GPtrArray) texts = g_ptr_array_new_with_free_func(g_free);
    g_autoptr(GPtrArray) from = g_ptr_array_new();
    struct words w = {texts, from};
    return read_words(b, e->key, e->value, &w, err) &&
           (!texts->len || add_words(b, id, &w, b->target, err));
}

static gboolean read_xbake_bool(struct composing_build *b, const struct yaml_entry *e,
                                enum bake_attr_id id, GError **err)
{
    if (e->value->kind == YAML_NULL)
        return TRUE;
    if (e->value->kind != YAML_BOOL)
        return xbake_wrong(b, e->key, e->value, "true or false", err);
    enum bake_bool *to = (enum bake_bool *)((char *)b->target + bake_attrs[id].offset);
    *to = strcmp(e->value->text, "true") != 0 ? BAKE_FALSE : BAKE_TRUE;
    return TRUE;
}

static gboolean read_xbake_contexts(struct composing_build *b, const struct yaml_entry *e,
                                    GError **err)
{
    if (e->value->kind != YAML_MAP && e->value->kind != YAML_NULL)
        return xbake_wrong(b, e->key, e->value, "a map", err);
    if (!b->target->contexts)
        b->target->contexts = bake_map_new();
    for (guint i = 0; i < e->value->n; i++) {
        const struct yaml_entry *c = &e->value->entries[i];
        if (!yaml_is_scalar(c->value))
            return xbake_wrong(b, e->key, c->value, "a map of strings", err);
        g_hash_table_replace(b->target->contexts, g_strdup(c->key),
                             compose_context(c->value->text));
    }
    return TRUE;
}

static void warn_of_unknown(struct composing_build *b, const struct yaml_entry *e)
{
    const char *words[G_N_ELEMENTS(keys)];
    for (gsize i = 0; i < G_N_ELEMENTS(keys); i++)
        words[i] = keys[i].key;
    const char *near = suggest_nearest(e->key, words, G_N_ELEMENTS(words));
    compose_warn(b->c, e->at, "unknown key %s in x-bake is ignored%s%s%s", e->key,
                 near ? "; did you mean " : "", near ? near : "", near ? "?" : "");
}

static gboolean read_xbake_entry(struct composing_build *b, const struct yaml_entry *e,
                                 GError **err)
{
    gsize i = 0;
    while (i < G_N_ELEMENTS(keys) && strcmp(keys[i].key, e->key) != 0)
        i++;
    if (i == G_N_ELEMENTS(keys)) {
        warn_of_unknown(b, e);
        return TRUE;
    }
    enum bake_attr_id id = keys[i].id;
    b->target->where[id] = e->value->at;
    if (bake_attrs[id].kind == BAKE_KIND_BOOL)
        return read_xbake_bool(b, e, id, err);
    return id == BAKE_CONTEXTS ? read_xbake_contexts(b, e, err) : read_xbake_list(b, e, id, err);
}

gboolean compose_xbake(struct composing_build *b, const struct yaml *xbake, GError **err)
{
    if (xbake->kind != YAML_MAP)
        return xbake_wrong(b, "", xbake, "a map", err);
    for (guint i = 0; i < xbake->n; i++)
        if (xbake->entries[i].value->mark != YAML_RESET &&
            !read_xbake_entry(b, &xbake->entries[i], err))
            return FALSE;
    return TRUE;
}
