#include "bake/plan.h"

#include "bake/contextpath.h"
#include "base/error.h"
#include "base/suggest.h"
#include "text/pattern.h"

#include <string.h>

#define MAX_DEPTH 500 /* of inherits, of groups in groups, of links */

enum { REACHING = 1, REACHED };

struct planning {
    const struct bake_defs *defs;
    const struct overrides *overrides;
    struct bake_plan *plan;
    struct bake_where *at; /* out: of the error */
    GPtrArray *targets;    /* const char *: asked for, through groups or not */
    GHashTable *seen;      /* the same as a set */
    GHashTable *groups;    /* name → REACHING or REACHED */
};

static void free_target(gpointer p)
{
    bake_target_free(p);
}

static void free_group(gpointer p)
{
    bake_group_free(p);
}

void bake_plan_free(struct bake_plan *p)
{
    if (!p)
        return;
    g_hash_table_unref(p->names);
    g_ptr_array_unref(p->targets);
    g_ptr_array_unref(p->groups);
    g_free(p);
}

static gboolean fail_at(struct planning *p, struct bake_where at, GError **err, const char *fmt,
                        ...) G_GNUC_PRINTF(4, 5);
static gboolean fail_at(struct planning *p, struct bake_where at, GError **err, const char *fmt,
                        ...)
{
    va_list ap;
    va_start(ap, fmt);
    g_autofree char *text = g_strdup_vprintf(fmt, ap);
    va_end(ap);
    *p->at = at;
    return error_set(err, at.diags ? VARVE_ERROR_INVALID : VARVE_ERROR_USAGE, "%s", text);
}

/* at: where the name stands; without diags it was asked for on the command line. */
static gboolean fail_unknown(struct planning *p, const char *name, struct bake_where at,
                             GError **err)
{
    g_autoptr(GPtrArray) names = g_ptr_array_new();
    for (guint i = 0; i < p->defs->targets->len; i++)
        g_ptr_array_add(names, ((struct bake_target *)p->defs->targets->pdata[i])->name);
    for (guint i = 0; i < p->defs->groups->len; i++)
        g_ptr_array_add(names, ((struct bake_group *)p->defs->groups->pdata[i])->name);
    const char *near = suggest_nearest(name, (const char *const *)names->pdata, names->len);
    fail_at(p, at, err, "there is no target %s%s%s%s", name, near ? "; did you mean " : "",
            near ? near : "", near ? "?" : "");
    if (!near && !at.diags && names->len > 0 && names->len <= 30) {
        g_ptr_array_add(names, NULL);
        g_autofree char *all = g_strjoinv(", ", (char **)names->pdata);
        error_add_next(err,
                       strcmp(name, "default") == 0 ? "name a target, or define a group "
                                                      "\"default\"; there are: %s"
                                                    : "there are: %s",
                       all);
    }
    return FALSE;
}

/* Groups. */

static gboolean has_name(const GPtrArray *names, const char *name)
{
    return g_ptr_array_find_with_equal_func((GPtrArray *)names, name, g_str_equal, NULL);
}

/* A name that a group has in itself is the target of that name, if there is one. */
static gboolean reach_again(struct planning *p, const struct bake_group *g, struct bake_where at,
                            GError **err)
{
    if (g_hash_table_contains(p->defs->target_names, g->name)) {
        if (g_hash_table_add(p->seen, g->name))
            g_ptr_array_add(p->targets, g->name);
        return TRUE;
    }
    return g_hash_table_lookup(p->groups, g->name) != GUINT_TO_POINTER(REACHING) ||
           fail_at(p, at, err, "group %s contains itself", g->name);
}

static gboolean reach(struct planning *p, const char *name, struct bake_where at, guint depth,
                      GError **err)
{
    struct bake_group *g = g_hash_table_lookup(p->defs->group_names, name);
    if (!g) {
        struct bake_target *t = g_hash_table_lookup(p->defs->target_names, name);
        if (t && g_hash_table_add(p->seen, t->name))
            g_ptr_array_add(p->targets, t->name);
        return t || fail_unknown(p, name, at, err);
    }
    if (g_hash_table_contains(p->groups, g->name))
        return depth == 0 || reach_again(p, g, at, err);
    if (depth > MAX_DEPTH)
        return fail_at(p, at, err, "more than %d groups within one another", MAX_DEPTH);
    g_hash_table_insert(p->groups, g->name, GUINT_TO_POINTER(REACHING));
    for (guint i = 0; i < g->targets->len; i++)
        if (!reach(p, g->targets->pdata[i], g->at, depth + 1, err))
            return FALSE;
    g_hash_table_insert(p->groups, g->name, GUINT_TO_POINTER(REACHED));
    return TRUE;
}

/* Adds a name unless it is there. set: names as a set, which borrows them. */
static void add_name(GPtrArray *names, GHashTable *set, const char *name)
{
    if (g_hash_table_contains(set, name))
        return;
    g_ptr_array_add(names, g_strdup(name));
    g_hash_table_add(set, names->pdata[names->len - 1]);
}

/* The names that one word of the command line means: itself, or what a pattern matches. set: names
 * as a set. */
static gboolean expand_word(struct planning *p, const char *word, GPtrArray *names, GHashTable *set,
                            GError **err)
{
    g_autofree char *name = g_strdelimit(g_strdup(word), ".", '_');
    gboolean found = FALSE;
    if (!pattern_has_wildcards(name)) {
        add_name(names, set, name);
        return TRUE;
    }
    if (!pattern_check(name, err))
        return FALSE;
    for (guint i = 0; i < p->defs->groups->len; i++) {
        const struct bake_group *g = p->defs->groups->pdata[i];
        if (pattern_match(name, g->name)) {
            add_name(names, set, g->name);
            found = TRUE;
        }
    }
    for (guint i = 0; i < p->defs->targets->len; i++) {
        const struct bake_target *t = p->defs->targets->pdata[i];
        if (pattern_match(name, t->name)) {
            add_name(names, set, t->name);
            found = TRUE;
        }
    }
    return found || error_set(err, VARVE_ERROR_USAGE, "no target or group matches %s", word);
}

static gint name_order(gconstpointer a, gconstpointer b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* A group's names, each once; those asked for behind them when it is "default", which is sorted. */
static struct bake_group *plan_group(const struct bake_group *from, const char *name,
                                     const GPtrArray *asked)
{
    struct bake_group *g = bake_group_new(name);
    g_autoptr(GHashTable) set = g_hash_table_new(g_str_hash, g_str_equal);
    if (from) {
        g->at = from->at;
        g->description = g_strdup(from->description);
        g->unlisted = from->unlisted;
    }
    for (guint i = 0; from && i < from->targets->len; i++)
        add_name(g->targets, set, from->targets->pdata[i]);
    if (strcmp(name, "default") != 0)
        return g;
    /* As Docker's: "default" itself is listed if it comes first, and is no group. */
    for (guint i = 0; i < asked->len; i++)
        if ((i == 0 && !from) || strcmp(asked->pdata[i], "default") != 0)
            add_name(g->targets, set, asked->pdata[i]);
    g_ptr_array_sort(g->targets, name_order);
    return g;
}

static void list_groups(struct planning *p, const GPtrArray *asked)
{
    GHashTableIter it;
    gpointer name;
    g_hash_table_iter_init(&it, p->groups);
    while (g_hash_table_iter_next(&it, &name, NULL))
        g_ptr_array_add(p->plan->groups,
                        plan_group(g_hash_table_lookup(p->defs->group_names, name), name, asked));
    if (!g_hash_table_contains(p->groups, "default"))
        g_ptr_array_add(p->plan->groups, plan_group(NULL, "default", asked));
}

/* Inheritance. */

static struct bake_target *resolve_target(struct planning *p, const char *name,
                                          struct bake_where at, GHashTable *done, guint depth,
                                          GError **err);

/* parents on top of one another, in t. */
static gboolean inherit_parents(struct planning *p, const struct bake_target *own,
                                struct bake_target *t, GHashTable *done, guint depth, GError **err)
{
    for (guint i = 0; own->inherits && i < own->inherits->len; i++) {
        const char *name = own->inherits->pdata[i];
        struct bake_target *parent =
            g_hash_table_contains(done, name)
                ? g_hash_table_lookup(done, name)
                : resolve_target(p, name, own->where[BAKE_INHERITS], done, depth + 1, err);
        if (!parent && err && *err)
            return FALSE;
        if (parent)
            bake_target_merge(t, parent);
    }
    return TRUE;
}

/* Leaves out of t, which inherited, what own says. */
static gboolean drop_inherited(struct planning *p, const struct bake_target *own,
                               struct bake_target *t, GError **err)
{
    for (guint i = 0; own->without && i < own->without->len; i++)
        if (!bake_target_drop(t, own->without->pdata[i], err)) {
            *p->at = own->where[BAKE_WITHOUT];
            return FALSE;
        }
    return TRUE;
}

/* The target with what it inherits and is set, not yet with defaults. Belongs to done, where NULL
 * stands for those that are being resolved: a cycle of inherits ends there. */
static struct bake_target *resolve_target(struct planning *p, const char *name,
                                          struct bake_where at, GHashTable *done, guint depth,
                                          GError **err)
{
    const struct bake_target *own = g_hash_table_lookup(p->defs->target_names, name);
    if (!own) {
        fail_unknown(p, name, at, err);
        return NULL;
    }
    if (depth > MAX_DEPTH) {
        fail_at(p, own->at, err, "more than %d targets inherit from one another", MAX_DEPTH);
        return NULL;
    }
    g_autoptr(bake_target) t = bake_target_new(name);
    g_hash_table_insert(done, own->name, NULL);
    if (!inherit_parents(p, own, t, done, depth, err) || !drop_inherited(p, own, t, err))
        return NULL;
    bake_target_merge(t, own);
    bake_target_unset(t, BAKE_WITHOUT);
    t->at = own->at;
    *p->at = (struct bake_where){0};
    if (!overrides_apply(p->overrides, t, name, err))
        return NULL;
    bake_target_normalise(t);
    g_hash_table_insert(done, own->name, t);
    return g_steal_pointer(&t);
}

static void set_defaults(struct bake_target *t)
{
    bake_target_unset(t, BAKE_INHERITS);
    if (!t->context || !*t->context) {
        g_free(t->context);
        t->context = g_strdup(t->dir ? t->dir : ".");
    }
    if (!t->dockerfile || !*t->dockerfile) {
        g_free(t->dockerfile);
        t->dockerfile = g_strdup("Dockerfile");
    }
}

/* A target of the plan. */
static struct bake_target *plan_target(struct planning *p, const char *name, struct bake_where at,
                                       GError **err)
{
    g_autoptr(GHashTable) done = g_hash_table_new_full(g_str_hash, g_str_equal, NULL, free_target);
    struct bake_target *resolved = resolve_target(p, name, at, done, 0, err);
    if (!resolved)
        return NULL;
    struct bake_target *t = resolved;
    g_hash_table_steal(done, t->name);
    set_defaults(t);
    g_ptr_array_add(p->plan->targets, t);
    g_hash_table_insert(p->plan->names, t->name, t);
    return t;
}

/* Links. */

static gboolean platforms_fit(struct planning *p, const struct bake_target *user,
                              const struct bake_target *base, GError **err)
{
    if (!user->platforms || !base->platforms || user->platforms->len < 2 ||
        base->platforms->len < 2)
        return TRUE;
    for (guint i = 0; i < user->platforms->len; i++)
        if (!has_name(base->platforms, user->platforms->pdata[i]))
            return fail_at(p, user->where[BAKE_PLATFORMS], err,
                           "target %s is for %s, but target %s, which it uses, is not", user->name,
                           (char *)user->platforms->pdata[i], base->name);
    return TRUE;
}

static void pass_entitlements(struct bake_target *user, const struct bake_target *base)
{
    for (guint i = 0; base->entitlements && i < base->entitlements->len; i++) {
        const char *name = base->entitlements->pdata[i];
        if (!user->entitlements)
            user->entitlements = bake_list_new();
        if (!has_name(user->entitlements, name))
            g_ptr_array_add(user->entitlements, g_strdup(name));
    }
}

static gboolean link_all(struct planning *p, struct bake_target *t, GPtrArray *path,
                         GHashTable *linked, GError **err);

static gboolean link_one(struct planning *p, struct bake_target *t, const char *name,
                         GPtrArray *path, GHashTable *linked, GError **err)
{
    struct bake_where at = t->where[BAKE_CONTEXTS];
    struct bake_target *base = g_hash_table_lookup(p->plan->names, name);
    if (strcmp(name, t->name) == 0)
        return fail_at(p, at, err, "target %s cannot use itself as a context", name);
    if (has_name(path, name))
        return fail_at(p, at, err, "targets %s and %s use one another as contexts", t->name, name);
    if (path->len > MAX_DEPTH)
        return fail_at(p, at, err, "more than %d targets use one another as contexts", MAX_DEPTH);
    if (!base) {
        if (!(base = plan_target(p, name, at, err)))
            return FALSE;
        base->linked = TRUE;
        bake_target_unset(base, BAKE_OUTPUT);
        base->output = bake_entries_new();
        GHashTable *entry = bake_map_new();
        g_hash_table_insert(entry, g_strdup("type"), g_strdup("cacheonly"));
        g_ptr_array_add(base->output, entry);
    }
    if (!link_all(p, base, path, linked, err) || !platforms_fit(p, t, base, err))
        return FALSE;
    pass_entitlements(t, base);
    return TRUE;
}

/* Adds the targets that t's contexts name. path: names of those that led here. */
static gboolean link_all(struct planning *p, struct bake_target *t, GPtrArray *path,
                         GHashTable *linked, GError **err)
{
    gboolean ok = TRUE;
    if (!t->contexts || g_hash_table_contains(linked, t->name))
        return TRUE;
    g_autoptr(GList) keys = bake_map_names(t->contexts);
    g_ptr_array_add(path, t->name);
    for (GList *l = keys; ok && l; l = l->next) {
        const char *value = g_hash_table_lookup(t->contexts, l->data);
        if (g_str_has_prefix(value, BAKE_LINK))
            ok = link_one(p, t, value + strlen(BAKE_LINK), path, linked, err);
    }
    g_ptr_array_set_size(path, (gint)path->len - 1);
    g_hash_table_add(linked, t->name);
    return ok;
}

static gboolean link_targets(struct planning *p, GError **err)
{
    g_autoptr(GHashTable) linked = g_hash_table_new(g_str_hash, g_str_equal);
    g_autoptr(GPtrArray) path = g_ptr_array_new();
    guint asked = p->plan->targets->len;
    for (guint i = 0; i < asked; i++)
        if (!link_all(p, p->plan->targets->pdata[i], path, linked, err))
            return FALSE;
    return TRUE;
}

/* All together. */

static gint target_order(gconstpointer a, gconstpointer b)
{
    return strcmp((*(struct bake_target *const *)a)->name, (*(struct bake_target *const *)b)->name);
}

static gint group_order(gconstpointer a, gconstpointer b)
{
    return strcmp((*(struct bake_group *const *)a)->name, (*(struct bake_group *const *)b)->name);
}

static void set_epoch(struct bake_target *t, const char *epoch)
{
    if (!t->args)
        t->args = bake_map_new();
    if (!g_hash_table_contains(t->args, "SOURCE_DATE_EPOCH"))
        g_hash_table_insert(t->args, g_strdup("SOURCE_DATE_EPOCH"), g_strdup(epoch));
}

static gboolean plan_words(struct planning *p, char **words, GError **err)
{
    static char *dflt[] = {(char *)"default", NULL};
    g_autoptr(GPtrArray) names = g_ptr_array_new_with_free_func(g_free);
    g_autoptr(GHashTable) set = g_hash_table_new(g_str_hash, g_str_equal);
    for (char **w = words && *words ? words : dflt; *w; w++)
        if (!expand_word(p, *w, names, set, err))
            return FALSE;
    for (guint i = 0; i < names->len; i++)
        if (!reach(p, names->pdata[i], (struct bake_where){0}, 0, err))
            return FALSE;
    list_groups(p, names);
    for (guint i = 0; i < p->targets->len; i++)
        if (!plan_target(p, p->targets->pdata[i], (struct bake_where){0}, err))
            return FALSE;
    return link_targets(p, err);
}

/* Whether an output is an archive that goes to stdout unless said otherwise. */
static gboolean is_archive(GHashTable *entry)
{
    const char *type = g_hash_table_lookup(entry, "type");
    return g_strcmp0(type, "tar") == 0 ||
           (g_strcmp0(type, "oci") == 0 &&
            g_strcmp0(g_hash_table_lookup(entry, "tar"), "false") != 0);
}

static void set_dest(const struct bake_target *t)
{
    for (guint i = 0; t->output && i < t->output->len; i++) {
        GHashTable *entry = t->output->pdata[i];
        if (is_archive(entry) && !g_hash_table_contains(entry, "dest"))
            g_hash_table_insert(entry, g_strdup("dest"), g_strdup("-"));
    }
}

static void finish_plan(struct bake_plan *plan, const char *epoch)
{
    for (guint i = 0; i < plan->targets->len; i++) {
        struct bake_target *t = plan->targets->pdata[i];
        char *context = bake_context_clean(t->context);
        t->cwd = g_str_has_prefix(t->context, "cwd://");
        g_free(t->context);
        t->context = context;
        set_dest(t);
        if (epoch && *epoch)
            set_epoch(t, epoch);
    }
    g_ptr_array_sort(plan->targets, target_order);
    g_ptr_array_sort(plan->groups, group_order);
}

struct bake_plan *bake_plan_new(const struct bake_defs *defs, const struct overrides *overrides,
                                char **asked, const char *epoch, struct bake_where *at,
                                GError **err)
{
    g_autoptr(bake_plan) plan = g_new0(struct bake_plan, 1);
    g_autoptr(GHashTable) groups = g_hash_table_new(g_str_hash, g_str_equal);
    g_autoptr(GHashTable) seen = g_hash_table_new(g_str_hash, g_str_equal);
    g_autoptr(GPtrArray) targets = g_ptr_array_new();
    plan->targets = g_ptr_array_new_with_free_func(free_target);
    plan->groups = g_ptr_array_new_with_free_func(free_group);
    plan->names = g_hash_table_new(g_str_hash, g_str_equal);
    *at = (struct bake_where){0};
    struct planning p = {defs, overrides, plan, at, targets, seen, groups};
    if (!plan_words(&p, asked, err))
        return NULL;
    finish_plan(plan, epoch);
    return g_steal_pointer(&plan);
}
