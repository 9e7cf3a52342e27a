/* A service's `build` section → attributes of a target. */
#include "bake/composing.h"

#include "bake/bakecsv.h"
#include "base/boolean.h"
#include "base/error.h"
#include "base/suggest.h"
#include "text/bytesize.h"

#include <stdlib.h>
#include <string.h>

/* Reads a key's value into the target's attribute. */
typedef gboolean (*build_reader)(struct composing_build *b, const struct yaml_entry *e,
                                 enum bake_attr_id id, GError **err);

static gpointer *attribute(struct composing_build *b, enum bake_attr_id id)
{
    return (gpointer *)((char *)b->target + bake_attrs[id].offset);
}

static gboolean build_wrong(struct composing_build *b, const char *key, const struct yaml *v,
                            const char *must, GError **err)
{
    g_autofree char *path = g_strconcat("build.", key, NULL);
    return compose_wrong(b->c, b->service, path, v, must, err);
}

static gboolean read_build_text(struct composing_build *b, const struct yaml_entry *e,
                                enum bake_attr_id id, GError **err)
{
    if (e->value->kind != YAML_TEXT)
        return build_wrong(b, e->key, e->value, "a string", err);
    if (*e->value->text)
        *attribute(b, id) = g_strdup(e->value->text);
    return TRUE;
}

/* A list of texts; those of caches are entries as `docker buildx build` takes them. */
static gboolean read_list(struct composing_build *b, const struct yaml_entry *e,
                          enum bake_attr_id id, GError **err)
{
    gboolean entries = bake_attrs[id].kind == BAKE_KIND_ENTRIES;
    GPtrArray *list = entries ? bake_entries_new() : bake_list_new();
    *attribute(b, id) = list;
    if (e->value->kind != YAML_LIST)
        return build_wrong(b, e->key, e->value, "a list", err);
    for (guint i = 0; i < e->value->n; i++) {
        const struct yaml *item = e->value->items[i];
        if (item->kind != YAML_TEXT)
            return build_wrong(b, e->key, item, "a list of strings", err);
        if (!entries) {
            g_ptr_array_add(list, g_strdup(item->text));
        } else if (!bakecsv_entry(list, id, item->text, err)) {
            b->c->pool->at = item->at;
            return FALSE;
        }
    }
    return TRUE;
}

/* Only what is true is set: false says nothing. Go's YAML reads more words here. */
static gboolean read_bool(struct composing_build *b, const struct yaml_entry *e,
                          enum bake_attr_id id, GError **err)
{
    static const char *const yes[] = {"y", "yes", "true", "on", NULL};
    static const char *const no[] = {"n", "no", "false", "off", NULL};
    g_autofree char *word = g_ascii_strdown(e->value->text, -1);
    gboolean known = e->value->kind == YAML_BOOL || e->value->kind == YAML_TEXT;
    if (!known || (!g_strv_contains(yes, word) && !g_strv_contains(no, word)))
        return build_wrong(b, e->key, e->value, "true or false", err);
    if (g_strv_contains(yes, word))
        *(enum bake_bool *)attribute(b, id) = BAKE_TRUE;
    return TRUE;
}

struct pairs {
    struct composing_build *b;
    GHashTable *map;
    const char *key; /* of the build section */
};

static gboolean set_arg(gpointer self, const char *name, const char *value, struct bake_where at,
                        GError **err)
{
    struct pairs *p = self;
    if (!*name)
        return yaml_fail(p->b->c->pool, at, err, "an arg without name");
    if (!value)
        value = g_hash_table_lookup(p->b->environment, name);
    if (!value)
        value = g_hash_table_lookup(p->b->c->env, name);
    if (value)
        g_hash_table_replace(p->map, g_strdup(name), g_strdup(value));
    else
        g_hash_table_remove(p->map, name);
    return TRUE;
}

static gboolean set_label(gpointer self, const char *name, const char *value, struct bake_where at,
                          GError **err)
{
    struct pairs *p = self;
    g_hash_table_replace(p->map, g_strdup(name), g_strdup(value ? value : ""));
    return TRUE;
}

static gboolean set_context(gpointer self, const char *name, const char *value,
                            struct bake_where at, GError **err)
{
    struct pairs *p = self;
    struct yaml_pool *pool = p->b->c->pool;
    if (!value)
        return yaml_fail(pool, at, err, "context %s has no value", name);
    if (g_str_has_prefix(value, "service:") && !yaml_get(p->b->services, value + 8))
        return yaml_fail(pool, at, err, "context %s: there is no service %s", name, value + 8);
    g_hash_table_replace(p->map, g_strdup(name), compose_context(value));
    return TRUE;
}

static gboolean read_pairs(struct composing_build *b, const struct yaml_entry *e,
                           enum bake_attr_id id, GError **err)
{
    compose_pair each = id == BAKE_ARGS ? set_arg : id == BAKE_LABELS ? set_label : set_context;
    struct pairs p = {b, bake_map_new(), e->key};
    *attribute(b, id) = p.map;
    g_autofree char *path = g_strconcat("build.", e->key, NULL);
    return compose_pairs(b->c, b->service, path, e->value, each, &p, err);
}

static gboolean add_host(struct pairs *p, const char *name, const char *address,
                         struct bake_where at, GError **err)
{
    gsize n = strlen(address);
    gboolean brackets = n > 1 && address[0] == '[' && address[n - 1] == ']';
    g_autofree char *plain = brackets ? g_strndup(address + 1, n - 2) : g_strdup(address);
    const char *old = g_hash_table_lookup(p->map, name);
    g_auto(GStrv) known = g_strsplit(old ? old : "", ",", -1);
    if (!*name || !*plain)
        return yaml_fail(p->b->c->pool, at, err, "extra_hosts are NAME=ADDRESS");
    if (g_strv_contains((const char *const *)known, plain))
        return TRUE;
    g_hash_table_replace(p->map, g_strdup(name),
                         old ? g_strconcat(old, ",", plain, NULL) : g_strdup(plain));
    return TRUE;
}

/* "name=address" or "name:address". */
static gboolean host_of_list(struct pairs *p, const struct yaml *item, GError **err)
{
    if (item->kind != YAML_TEXT)
        return build_wrong(p->b, p->key, item, "a list of strings", err);
    const char *mark = strchr(item->text, '=');
    mark = mark ? mark : strchr(item->text, ':');
    if (!mark)
        return yaml_fail(p->b->c->pool, item->at, err, "extra_hosts are NAME=ADDRESS, not %s",
                         item->text);
    g_autofree char *name = g_strndup(item->text, (gsize)(mark - item->text));
    return add_host(p, name, mark + 1, item->at, err);
}

static gboolean host_of_map(struct pairs *p, const struct yaml_entry *e, GError **err)
{
    gboolean several = e->value->kind == YAML_LIST;
    for (guint i = 0; i < (several ? e->value->n : 1); i++) {
        const struct yaml *address = several ? e->value->items[i] : e->value;
        if (address->kind != YAML_TEXT)
            return build_wrong(p->b, p->key, address, "names with addresses", err);
        if (!add_host(p, e->key, address->text, address->at, err))
            return FALSE;
    }
    return TRUE;
}

static gboolean read_hosts(struct composing_build *b, const struct yaml_entry *e,
                           enum bake_attr_id id, GError **err)
{
    struct pairs p = {b, bake_map_new(), e->key};
    *attribute(b, id) = p.map;
    if (e->value->kind != YAML_LIST && e->value->kind != YAML_MAP)
        return build_wrong(b, e->key, e->value, "a map or a list", err);
    for (guint i = 0; i < e->value->n; i++) {
        gboolean ok = e->value->kind == YAML_LIST ? host_of_list(&p, e->value->items[i], err)
                                                  : host_of_map(&p, &e->value->entries[i], err);
        if (!ok)
            return FALSE;
    }
    return TRUE;
}

/* provenance and sbom, the key being the type: true, false, or attributes. */
static gboolean read_attest(struct composing_build *b, const struct yaml_entry *e,
                            enum bake_attr_id id, GError **err)
{
    GPtrArray **entries = (GPtrArray **)attribute(b, id);
    const char *text = e->value->text;
    gboolean on;
    if (e->value->kind != YAML_BOOL && e->value->kind != YAML_TEXT)
        return build_wrong(b, e->key, e->value, "true, false or a string", err);
    if (!*text)
        return TRUE;
    gboolean plain = boolean_parse(text, &on);
    g_autofree char *entry = plain
                                 ? g_strdup_printf("type=%s%s", e->key, on ? "" : ",disabled=true")
                                 : g_strdup_printf("type=%s,%s", e->key, text);
    if (!*entries)
        *entries = bake_entries_new();
    if (bakecsv_entry(*entries, id, entry, err))
        return TRUE;
    b->c->pool->at = e->value->at;
    return FALSE;
}

/* Bytes as Docker shows them: four digits and a unit, "1.5GiB". */
static char *shown_size(guint64 bytes)
{
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
    double size = (double)bytes;
    gsize i = 0;
    for (; size >= 1024 && i + 1 < G_N_ELEMENTS(units); i++)
        size /= 1024;
    return g_strdup_printf("%.4g%s", size, units[i]);
}

static gboolean read_size(struct composing_build *b, const struct yaml_entry *e,
                          enum bake_attr_id id, GError **err)
{
    const struct yaml *v = e->value;
    guint64 bytes = 0;
    if (v->kind != YAML_INT && v->kind != YAML_TEXT)
        return build_wrong(b, e->key, v, "a number of bytes or a string as \"64m\"", err);
    if (v->kind == YAML_INT && *v->text == '-')
        return TRUE; /* as if it were not there */
    if (!bytesize_parse(v->text, &bytes, err)) {
        b->c->pool->at = v->at;
        return FALSE;
    }
    if (bytes)
        *attribute(b, id) = shown_size(bytes);
    return TRUE;
}

static gboolean limit_number(const struct yaml *v, gint64 *number)
{
    char *end;
    if (!v || (v->kind != YAML_INT && v->kind != YAML_TEXT) || !*v->text)
        return FALSE;
    *number = g_ascii_strtoll(v->text, &end, 10);
    return !*end;
}

static gboolean add_limit(struct composing_build *b, const struct yaml_entry *e, GPtrArray *list,
                          GError **err)
{
    static const char *const names[] = {
        "core",   "cpu",   "data", "fsize",  "locks",  "memlock",    "msgqueue", "nice",
        "nofile", "nproc", "rss",  "rtprio", "rttime", "sigpending", "stack",    NULL};
    const struct yaml *v = e->value;
    gboolean map = v->kind == YAML_MAP;
    gint64 soft, hard;
    if (!g_strv_contains(names, e->key)) {
        const char *near = suggest_nearest(e->key, names, G_N_ELEMENTS(names) - 1);
        return yaml_fail(b->c->pool, e->at, err, "unknown ulimit %s%s%s%s", e->key,
                         near ? "; did you mean " : "", near ? near : "", near ? "?" : "");
    }
    if (!limit_number(map ? yaml_get(v, "soft") : v, &soft) ||
        !limit_number(map ? yaml_get(v, "hard") : v, &hard))
        return yaml_fail(b->c->pool, v->at, err,
                         "ulimit %s must be a number, or a map with the numbers soft and hard",
                         e->key);
    if (hard != -1 && (soft == -1 || soft > hard))
        return yaml_fail(b->c->pool, v->at, err,
                         "ulimit %s: the soft limit is greater than the hard one", e->key);
    g_ptr_array_add(
        list, g_strdup_printf("%s=%" G_GINT64_FORMAT ":%" G_GINT64_FORMAT, e->key, soft, hard));
    return TRUE;
}

static gboolean read_ulimits(struct composing_build *b, const struct yaml_entry *e,
                             enum bake_attr_id id, GError **err)
{
    GPtrArray *list = bake_list_new();
    *attribute(b, id) = list;
    if (e->value->kind != YAML_MAP)
        return build_wrong(b, e->key, e->value, "a map", err);
    for (guint i = 0; i < e->value->n; i++)
        if (!add_limit(b, &e->value->entries[i], list, err))
            return FALSE;
    return TRUE;
}

static gint compare_ssh(gconstpointer a, gconstpointer b)
{
    const struct bake_ssh *const *x = a, *const *y = b;
    return strcmp((*x)->id, (*y)->id);
}

static gboolean add_ssh(gpointer self, const char *name, const char *value, struct bake_where at,
                        GError **err)
{
    GPtrArray *list = self;
    struct bake_ssh *s = bake_ssh_new(name);
    if (value && *value)
        g_ptr_array_add(s->paths, g_strdup(value));
    g_ptr_array_add(list, s);
    return TRUE;
}

static gboolean read_ssh(struct composing_build *b, const struct yaml_entry *e,
                         enum bake_attr_id id, GError **err)
{
    GPtrArray *list = bake_sshs_new();
    *attribute(b, id) = list;
    if (!compose_pairs(b->c, b->service, "build.ssh", e->value, add_ssh, list, err))
        return FALSE;
    g_ptr_array_sort(list, compare_ssh);
    return TRUE;
}

/* The secret's name in an item of `secrets`: "name", or a map. */
static const char *secret_source(struct composing_build *b, const struct yaml *item, GError **err)
{
    static const char *const keys[] = {"source", "target", "uid", "gid", "mode", NULL};
    if (item->kind == YAML_TEXT)
        return item->text;
    for (guint i = 0; item->kind == YAML_MAP && i < item->n; i++) {
        const struct yaml_entry *e = &item->entries[i];
        if (g_strv_contains(keys, e->key) || g_str_has_prefix(e->key, "x-"))
            continue;
        const char *near = suggest_nearest(e->key, keys, G_N_ELEMENTS(keys) - 1);
        yaml_fail(b->c->pool, e->at, err, "unknown key %s of a secret%s%s%s", e->key,
                  near ? "; did you mean " : "", near ? near : "", near ? "?" : "");
        return NULL;
    }
    const struct yaml *source = yaml_get(item, "source");
    if (!source || source->kind != YAML_TEXT) {
        build_wrong(b, "secrets", item, "names, or maps with `source`", err);
        return NULL;
    }
    return source->text;
}

static gboolean add_secret(struct composing_build *b, const struct yaml *item, GPtrArray *entries,
                           GError **err)
{
    const char *name = secret_source(b, item, err);
    if (!name)
        return FALSE;
    const struct yaml *secret = yaml_get(b->secrets, name);
    if (!secret) {
        yaml_fail(b->c->pool, item->at, err, "there is no secret %s", name);
        error_add_next(err,
                       "define it at the top level: `secrets:`, and below that `%s:` with "
                       "`file` or `environment`",
                       name);
        return FALSE;
    }
    const struct yaml *file = yaml_get(secret, "file"), *env = yaml_get(secret, "environment");
    const struct yaml *external = yaml_get(secret, "external");
    if (external && strcmp(external->text, "false") != 0)
        return yaml_fail(b->c->pool, item->at, err,
                         "secret %s is external: only `file` and `environment` are at hand in a "
                         "build",
                         name);
    GHashTable *entry = bake_map_new();
    g_hash_table_insert(entry, g_strdup("id"), g_strdup(name));
    if (file && *file->text)
        g_hash_table_insert(entry, g_strdup("src"), g_strdup(file->text));
    if (env && *env->text)
        g_hash_table_insert(entry, g_strdup("env"), g_strdup(env->text));
    g_ptr_array_add(entries, entry);
    return TRUE;
}

static gboolean read_secrets(struct composing_build *b, const struct yaml_entry *e,
                             enum bake_attr_id id, GError **err)
{
    GPtrArray *entries = bake_entries_new();
    *attribute(b, id) = entries;
    if (e->value->kind != YAML_LIST)
        return build_wrong(b, e->key, e->value, "a list", err);
    for (guint i = 0; i < e->value->n; i++)
        if (!add_secret(b, e->value->items[i], entries, err))
            return FALSE;
    return TRUE;
}

static const struct {
    const char *key;
    build_reader read; /* NULL: bake has nothing like it */
    enum bake_attr_id id;
} keys[] = {
    {"context", read_build_text, BAKE_CONTEXT},
    {"additional_contexts", read_pairs, BAKE_CONTEXTS},
    {"dockerfile", read_build_text, BAKE_DOCKERFILE},
    {"dockerfile_inline", read_build_text, BAKE_DOCKERFILE_INLINE},
    {"args", read_pairs, BAKE_ARGS},
    {"labels", read_pairs, BAKE_LABELS},
    {"tags", read_list, BAKE_TAGS},
    {"cache_from", read_list, BAKE_CACHE_FROM},
    {"cache_to", read_list, BAKE_CACHE_TO},
    {"target", read_build_text, BAKE_TARGET},
    {"secrets", read_secrets, BAKE_SECRET},
    {"ssh", read_ssh, BAKE_SSH},
    {"platforms", read_list, BAKE_PLATFORMS},
    {"pull", read_bool, BAKE_PULL},
    {"no_cache", read_bool, BAKE_NO_CACHE},
    {"network", read_build_text, BAKE_NETWORK},
    {"shm_size", read_size, BAKE_SHM_SIZE},
    {"ulimits", read_ulimits, BAKE_ULIMITS},
    {"extra_hosts", read_hosts, BAKE_EXTRA_HOSTS},
    {"sbom", read_attest, BAKE_ATTEST},
    {"provenance", read_attest, BAKE_ATTEST},
    {"entitlements", NULL, BAKE_N_ATTRS},
    {"isolation", NULL, BAKE_N_ATTRS},
    {"privileged", NULL, BAKE_N_ATTRS},
};

static gboolean unknown_key(struct composing_build *b, const struct yaml_entry *e, GError **err)
{
    const char *words[G_N_ELEMENTS(keys)];
    for (gsize i = 0; i < G_N_ELEMENTS(keys); i++)
        words[i] = keys[i].key;
    const char *near = suggest_nearest(e->key, words, G_N_ELEMENTS(words));
    return yaml_fail(b->c->pool, e->at, err, "unknown key %s in services.%s.build%s%s%s", e->key,
                     b->service, near ? "; did you mean " : "", near ? near : "", near ? "?" : "");
}

static gboolean known_key(const char *key)
{
    for (gsize i = 0; i < G_N_ELEMENTS(keys); i++)
        if (!strcmp(key, keys[i].key))
            return TRUE;
    return g_str_has_prefix(key, "x-");
}

gboolean compose_build(struct composing_build *b, const struct yaml *build, GError **err)
{
    for (guint i = 0; i < build->n; i++)
        if (!known_key(build->entries[i].key))
            return unknown_key(b, &build->entries[i], err);
    /* in the table's order, so that attest has the order that buildx gives it */
    for (gsize i = 0; i < G_N_ELEMENTS(keys); i++) {
        const struct yaml_entry *e =
            yaml_get(build, keys[i].key) ? yaml_entry(build, keys[i].key) : NULL;
        if (!e || !keys[i].read)
            continue;
        b->target->where[keys[i].id] = e->value->at;
        if (!keys[i].read(b, e, keys[i].id, err))
            return FALSE;
    }
    const struct yaml *xbake = yaml_get(build, "x-bake");
    return !xbake || xbake->kind == YAML_NULL || compose_xbake(b, xbake, err);
}
