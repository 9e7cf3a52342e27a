/* How a later Compose file changes an earlier one, and a service what it extends: maps by key,
 * lists appended, all else replaced, but for what the table says. */
#include "bake/composing.h"

#include <string.h>

enum level { LEVEL_ROOT, LEVEL_SERVICES, LEVEL_SERVICE, LEVEL_BUILD, LEVEL_OTHER };
enum rule {
    RULE_USUAL,
    RULE_PAIRS,   /* A=x and A: x are the same key */
    RULE_HOSTS,   /* the same, but all addresses of a name stay */
    RULE_APPEND,  /* a value alone counts as a list of one */
    RULE_REPLACE, /* the later value: nothing that bake reads */
};

struct merging {
    struct yaml_pool *pool;
    gboolean keep;
};

static const struct {
    enum level level;
    const char *key; /* NULL: any other */
    enum rule rule;
    enum level below;
} rules[] = {
    {LEVEL_ROOT, "services", RULE_USUAL, LEVEL_SERVICES},
    {LEVEL_ROOT, "secrets", RULE_USUAL, LEVEL_OTHER},
    {LEVEL_ROOT, NULL, RULE_REPLACE, LEVEL_OTHER},
    {LEVEL_SERVICES, NULL, RULE_USUAL, LEVEL_SERVICE},
    {LEVEL_SERVICE, "image", RULE_REPLACE, LEVEL_OTHER},
    {LEVEL_SERVICE, "build", RULE_USUAL, LEVEL_BUILD},
    {LEVEL_SERVICE, "environment", RULE_PAIRS, LEVEL_OTHER},
    {LEVEL_SERVICE, "env_file", RULE_APPEND, LEVEL_OTHER},
    {LEVEL_SERVICE, NULL, RULE_REPLACE, LEVEL_OTHER},
    {LEVEL_BUILD, "args", RULE_PAIRS, LEVEL_OTHER},
    {LEVEL_BUILD, "labels", RULE_PAIRS, LEVEL_OTHER},
    {LEVEL_BUILD, "additional_contexts", RULE_PAIRS, LEVEL_OTHER},
    {LEVEL_BUILD, "ssh", RULE_PAIRS, LEVEL_OTHER},
    {LEVEL_BUILD, "extra_hosts", RULE_HOSTS, LEVEL_OTHER},
    {LEVEL_BUILD, NULL, RULE_USUAL, LEVEL_OTHER},
    {LEVEL_OTHER, NULL, RULE_USUAL, LEVEL_OTHER},
};

static struct yaml *merge_value(struct merging *m, struct yaml *base, struct yaml *other,
                                enum rule rule, enum level level, GError **err);

static gsize rule_of(enum level level, const char *key)
{
    gsize i = 0;
    while (rules[i].level != level || (rules[i].key && strcmp(rules[i].key, key) != 0))
        i++;
    return i;
}

static gboolean append_pair(struct merging *m, struct yaml *list, const char *key,
                            struct bake_where at, const struct yaml *value, GError **err)
{
    g_autofree char *joined =
        value->kind == YAML_NULL ? g_strdup(key) : g_strconcat(key, "=", value->text, NULL);
    struct yaml *pair = yaml_new_text(m->pool, arena_strdup(m->pool->arena, joined), at, err);
    if (pair)
        yaml_append(m->pool, list, pair);
    return pair != NULL;
}

/* A map as a list of "key=value"; a list as it is. What is neither is shown as wrong later. */
static struct yaml *as_pairs(struct merging *m, struct yaml *v, GError **err)
{
    if (v->kind != YAML_MAP)
        return v;
    struct yaml *list = yaml_new(m->pool, YAML_LIST, v->at, err);
    for (guint i = 0; list && i < v->n; i++) {
        const struct yaml_entry *e = &v->entries[i];
        gboolean several = e->value->kind == YAML_LIST; /* addresses of a host */
        if (e->value->kind == YAML_MAP)
            return v; /* wrong, and shown as that later */
        for (guint n = 0; n < (several ? e->value->n : 1); n++)
            if (!append_pair(m, list, e->key, e->at, several ? e->value->items[n] : e->value, err))
                return NULL;
    }
    return list;
}

static struct yaml *append_items(struct merging *m, struct yaml *base, const struct yaml *other)
{
    for (guint i = 0; i < other->n; i++)
        yaml_append(m->pool, base, other->items[i]);
    return base;
}

static struct yaml *as_list(struct merging *m, struct yaml *v, GError **err)
{
    if (v->kind == YAML_LIST)
        return v;
    struct yaml *list = yaml_new(m->pool, YAML_LIST, v->at, err);
    if (list)
        yaml_append(m->pool, list, v);
    return list;
}

/* One key of other put over base. */
static gboolean merge_entry(struct merging *m, struct yaml *base, const struct yaml_entry *o,
                            enum level level, GError **err)
{
    gsize rule = rule_of(level, o->key);
    const struct yaml_entry *b = yaml_entry(base, o->key);
    if (o->value->mark == YAML_RESET && !m->keep) {
        yaml_remove(base, o->key);
        return TRUE;
    }
    struct yaml *value = o->value;
    if (b && b->value->mark == YAML_RESET && value->mark == YAML_MERGED)
        value->mark = YAML_OVERRIDE; /* still takes the place of what earlier files say */
    gboolean alone = !b || value->mark != YAML_MERGED || b->value->mark == YAML_RESET;
    if (!alone && level == LEVEL_SERVICES && value->kind == YAML_NULL)
        return TRUE; /* "web:" alone adds nothing to web */
    if (alone && !m->keep && value->kind == YAML_MAP) {
        /* what it holds may be marked as well */
        struct yaml *empty = yaml_new(m->pool, YAML_MAP, value->at, err);
        value = empty ? merge_value(m, empty, value, RULE_USUAL, rules[rule].below, err) : NULL;
    } else if (!alone) {
        enum yaml_mark mark = b->value->mark;
        value = merge_value(m, b->value, value, rules[rule].rule, rules[rule].below, err);
        if (value && m->keep)
            value->mark = MAX(value->mark, mark);
    }
    if (value)
        yaml_set(m->pool, base, o->key, o->at, value);
    return value != NULL;
}

static struct yaml *merge_maps(struct merging *m, struct yaml *base, const struct yaml *other,
                               enum level level, GError **err)
{
    for (guint i = 0; i < other->n; i++)
        if (!merge_entry(m, base, &other->entries[i], level, err))
            return NULL;
    return base;
}

static struct yaml *merge_value(struct merging *m, struct yaml *base, struct yaml *other,
                                enum rule rule, enum level level, GError **err)
{
    gboolean pairs = rule == RULE_PAIRS || rule == RULE_HOSTS;
    if (pairs && (rule == RULE_HOSTS || base->kind != other->kind)) {
        base = as_pairs(m, base, err);
        other = base ? as_pairs(m, other, err) : NULL;
    } else if (rule == RULE_APPEND) {
        base = as_list(m, base, err);
        other = base ? as_list(m, other, err) : NULL;
    }
    if (!base || !other)
        return NULL;
    if (rule == RULE_REPLACE || base->kind != other->kind)
        return other; /* of another kind: whoever reads it says what is wrong */
    if (other->kind == YAML_MAP)
        return merge_maps(m, base, other, level, err);
    return other->kind == YAML_LIST ? append_items(m, base, other) : other;
}

struct yaml *compose_merge(struct yaml_pool *p, struct yaml *base, struct yaml *other,
                           gboolean keep, GError **err)
{
    struct merging m = {p, keep};
    return merge_value(&m, base, other, RULE_USUAL, LEVEL_ROOT, err);
}

struct yaml *compose_merge_service(struct yaml_pool *p, struct yaml *base, struct yaml *other,
                                   GError **err)
{
    struct merging m = {p, TRUE};
    return merge_value(&m, base, other, RULE_USUAL, LEVEL_SERVICE, err);
}
