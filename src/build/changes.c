/* Compares a build's image with the one that had its name: whether it is the same, and which parts
 * of its config differ. */
#include "build/building.h"

#include "image/config.h"
#include "text/reference.h"
#include "text/fit.h"

#include <string.h>

#define MAX_BUILDS 50 /* looked through for the build before, of an image without a name */

static void build_change_free(gpointer data)
{
    struct build_change *c = data;
    g_free(c->name);
    g_free(c->how);
    g_free(c);
}

static void add_change(GPtrArray *list, const char *field, const char *name, char *how)
{
    struct build_change *c = g_new(struct build_change, 1);
    *c = (struct build_change){field, g_strdup(name), how};
    g_ptr_array_add(list, c);
}

static void compare_text(GPtrArray *list, const char *field, const char *old, const char *now)
{
    if (g_strcmp0(old ? old : "", now ? now : "") == 0)
        return;
    g_autofree char *from = text_fit(old && *old ? old : "(none)", 60);
    g_autofree char *to = text_fit(now && *now ? now : "(none)", 60);
    add_change(list, field, NULL, g_strdup_printf("was %s, is %s", from, to));
}

/* A list of words as the JSON form of an instruction, newly allocated; NULL for NULL. */
static char *words_text(char **words)
{
    if (!words)
        return NULL;
    GString *out = g_string_new("[");
    for (char **w = words; *w; w++)
        g_string_append_printf(out, "%s\"%s\"", w == words ? "" : ", ", *w);
    g_string_append_c(out, ']');
    return g_string_free(out, FALSE);
}

static void compare_words(GPtrArray *list, const char *field, char **old, char **now)
{
    g_autofree char *from = words_text(old), *to = words_text(now);
    compare_text(list, field, from, to);
}

static void compare_health(GPtrArray *list, const struct healthcheck *old,
                           const struct healthcheck *now)
{
    static const struct healthcheck none;
    const struct healthcheck *a = old ? old : &none, *b = now ? now : &none;
    guint before = list->len;
    compare_words(list, "HEALTHCHECK", a->test, b->test);
    if (list->len == before &&
        (a->interval != b->interval || a->timeout != b->timeout || a->retries != b->retries ||
         a->start_period != b->start_period || a->start_interval != b->start_interval))
        add_change(list, "HEALTHCHECK", NULL, g_strdup("its times or retries changed"));
}

/* Two sets of names with values being compared: those of now, then those that are gone. */
struct comparison {
    GPtrArray *list;
    const char *field;
    GTree *other; /* the other side */
    gboolean gone;
};

static gboolean compare_pair(gpointer key, gpointer value, gpointer data)
{
    const struct comparison *c = data;
    const char *other = g_tree_lookup(c->other, key);
    if (!other)
        add_change(c->list, c->field, key, g_strdup(c->gone ? "is gone" : "is new"));
    else if (!c->gone && strcmp(other, value) != 0)
        add_change(c->list, c->field, key, g_strdup("changed"));
    return FALSE;
}

static void compare_maps(GPtrArray *list, const char *field, GTree *old, GTree *now)
{
    g_tree_foreach(now, compare_pair, &(struct comparison){list, field, old, FALSE});
    g_tree_foreach(old, compare_pair, &(struct comparison){list, field, now, TRUE});
}

static int compare_change_keys(gconstpointer a, gconstpointer b, gpointer unused)
{
    (void)unused;
    return strcmp(a, b);
}

static GTree *env_map(const struct image_conf *c)
{
    GTree *map = g_tree_new_full(compare_change_keys, NULL, g_free, g_free);
    for (guint i = 0; i < c->env->len; i++) {
        const char *pair = g_ptr_array_index(c->env, i), *eq = strchr(pair, '=');
        if (eq)
            g_tree_insert(map, g_strndup(pair, eq - pair), g_strdup(eq + 1));
    }
    return map;
}

static void compare_env(GPtrArray *list, const struct image_conf *old, const struct image_conf *now)
{
    GTree *a = env_map(old), *b = env_map(now);
    compare_maps(list, "ENV", a, b);
    g_tree_unref(a);
    g_tree_unref(b);
}

static void compare_triggers(GPtrArray *list, const GPtrArray *old, const GPtrArray *now)
{
    gboolean same = old->len == now->len;
    for (guint i = 0; same && i < old->len; i++)
        same = strcmp(g_ptr_array_index(old, i), g_ptr_array_index(now, i)) == 0;
    if (!same)
        add_change(list, "ONBUILD", NULL, g_strdup("its triggers changed"));
}

/* struct build_change*: what now has other than old. */
static GPtrArray *compare(const struct image_conf *old, const struct image_conf *now)
{
    GPtrArray *list = g_ptr_array_new_with_free_func(build_change_free);
    g_autofree char *from = platform_text(&old->platform), *to = platform_text(&now->platform);
    compare_words(list, "CMD", old->cmd, now->cmd);
    compare_words(list, "ENTRYPOINT", old->entrypoint, now->entrypoint);
    compare_env(list, old, now);
    compare_maps(list, "LABEL", old->labels, now->labels);
    compare_text(list, "USER", old->user, now->user);
    compare_text(list, "WORKDIR", old->workdir, now->workdir);
    compare_maps(list, "EXPOSE", old->ports, now->ports);
    compare_maps(list, "VOLUME", old->volumes, now->volumes);
    compare_text(list, "STOPSIGNAL", old->stop_signal, now->stop_signal);
    compare_words(list, "SHELL", old->shell, now->shell);
    compare_health(list, old->health, now->health);
    compare_triggers(list, old->onbuild, now->onbuild);
    compare_text(list, "MAINTAINER", old->author, now->author);
    compare_text(list, "platform", from, to);
    return list;
}

/* The leg's image of the newest build of the same name, which has no tag; NULL: there was none. */
static struct image_row *find_untagged(const struct build *b, const char *platform)
{
    g_autoptr(GPtrArray) builds = store_build_list(b->batch->store, MAX_BUILDS);
    for (guint i = 0; i < builds->len; i++) {
        const struct build_row *r = g_ptr_array_index(builds, i);
        if (r->id != b->row.id && r->image && g_strcmp0(r->name, b->row.name) == 0 &&
            g_strcmp0(r->target, b->row.target) == 0 &&
            g_strcmp0(r->platform, b->row.platform) == 0)
            return store_image_find_id(b->batch->store, r->image, platform, NULL);
    }
    return NULL;
}

static gboolean stands_for(const struct build *b, const struct build_leg *leg, const char *name,
                           const char *platform)
{
    g_autoptr(image_row) row = store_image_find(b->batch->store, name, platform);
    return row && digest_gequal(&row->config, &leg->image->config) &&
           (g_strcmp0(row->origin, "build") != 0 ||
            image_row_in_index(row) == b->result.images->is_index);
}

/* Whether all names, those of outputs too, stand for the image already. */
static gboolean all_stand(const struct build *b, const struct build_leg *leg, const char *platform)
{
    for (guint i = 1; i < b->r->tags->len && g_ptr_array_index(b->r->tags, i); i++)
        if (!stands_for(b, leg, g_ptr_array_index(b->r->tags, i), platform))
            return FALSE;
    for (guint i = 0; i < b->r->outputs->len; i++) {
        const struct output *o = g_ptr_array_index(b->r->outputs, i);
        for (char **n = o->names; n && *n; n++) {
            g_autoptr(reference) ref = reference_parse(*n, NULL);
            g_autofree char *name = ref ? reference_text(ref) : NULL;
            if (name && !stands_for(b, leg, name, platform))
                return FALSE;
        }
    }
    return TRUE;
}

static gboolean same_layers(const struct image_conf *a, const struct image_conf *b)
{
    return a->diff_ids->len == b->diff_ids->len &&
           (a->diff_ids->len == 0 || memcmp(a->diff_ids->data, b->diff_ids->data,
                                            a->diff_ids->len * sizeof(struct digest)) == 0);
}

/* TRUE: all names stand for the leg's image already. */
static gboolean compare_leg(const struct build *b, struct build_leg *leg)
{
    g_autofree char *platform = platform_text(&leg->image->conf->platform);
    const char *tag = b->r->tags->len > 0 ? g_ptr_array_index(b->r->tags, 0) : NULL;
    g_autoptr(image_row) before =
        tag ? store_image_find(b->batch->store, tag, platform) : find_untagged(b, platform);
    g_clear_pointer(&leg->changes, g_ptr_array_unref);
    if (!before)
        return FALSE;
    leg->before_bytes = before->size;
    if (digest_gequal(&before->config, &leg->image->config))
        return (!tag || stands_for(b, leg, tag, platform)) && all_stand(b, leg, platform);
    g_autoptr(image_conf) old = image_conf_load(b->batch->store, &before->config, NULL);
    if (!old)
        return FALSE;
    leg->changes = compare(old, leg->image->conf);
    leg->same_layers = same_layers(old, leg->image->conf);
    return FALSE;
}

void build_compare(struct build *b)
{
    b->result.unchanged = TRUE;
    for (guint i = 0; i < b->result.legs->len; i++) {
        struct build_leg *leg = g_ptr_array_index(b->result.legs, i);
        b->result.unchanged &= leg->image->has_config && compare_leg(b, leg);
    }
}

char *build_changed_fields(const struct build_leg *leg)
{
    if (!leg->changes || !leg->same_layers)
        return NULL;
    GString *out = g_string_new(NULL);
    const char *last = NULL;
    for (guint i = 0; i < leg->changes->len; i++) {
        const struct build_change *c = g_ptr_array_index(leg->changes, i);
        if (g_strcmp0(last, c->field) != 0)
            g_string_append_printf(out, "%s%s", out->len > 0 ? ", " : "", c->field);
        last = c->field;
    }
    if (out->len == 0)
        g_string_append(out, "its history or times");
    return g_string_free(out, FALSE);
}
