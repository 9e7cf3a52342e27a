#include "cli/bake_request.h"

#include "base/error.h"
#include "build/values.h"
#include "cli/arguments.h"
#include "cli/proxies.h"
#include "cli/spec_values.h"

#include <string.h>
#include <unistd.h>

/* A target on its way to a request. */
struct asking {
    const struct bake_target *t;
    const struct bake_common *c;
    struct build_request *r;
};
typedef gboolean (*ask_fn)(const struct asking *a, GError **err);

/* "key=value", quoted where a comma or a quote would end it. */
static void append_word(GString *out, const char *key, const char *value)
{
    g_autofree char *field = g_strdup_printf("%s=%s", key, value);
    g_auto(GStrv) parts = g_strsplit(field, "\"", -1);
    g_autofree char *quoted = g_strjoinv("\"\"", parts);
    gboolean plain = !strpbrk(field, ",\"\n");
    g_string_append_printf(out, "%s%s%s%s", out->len ? "," : "", plain ? "" : "\"",
                           plain ? field : quoted, plain ? "" : "\"");
}

/* An entry as the command line has it, "type=local,dest=out": its type first. */
static char *entry_words(GHashTable *entry)
{
    g_autoptr(GList) names = bake_map_names(entry);
    GString *out = g_string_new(NULL);
    const char *type = g_hash_table_lookup(entry, "type");
    if (type)
        append_word(out, "type", type);
    for (GList *l = names; l; l = l->next)
        if (strcmp(l->data, "type") != 0)
            append_word(out, l->data, g_hash_table_lookup(entry, l->data));
    return g_string_free(out, FALSE);
}

/* What one text of a list is taken with. */
typedef gboolean (*add_fn)(struct build_request *r, const char *text, GError **err);

static gboolean add_all(const struct asking *a, const GPtrArray *list, add_fn add, GError **err)
{
    for (guint i = 0; list && i < list->len; i++)
        if (!add(a->r, g_ptr_array_index(list, i), err))
            return FALSE;
    return TRUE;
}

/* The texts of a list or the pairs of a map as a vector; NULL for none. */
static char **list_vector(const GPtrArray *list)
{
    char **v = list && list->len > 0 ? g_new0(char *, list->len + 1) : NULL;
    for (guint i = 0; v && i < list->len; i++)
        v[i] = g_strdup(g_ptr_array_index(list, i));
    return v;
}

static char **map_vector(GHashTable *map)
{
    g_autoptr(GList) names = bake_map_names(map);
    char **v = names ? g_new0(char *, g_list_length(names) + 1) : NULL;
    guint n = 0;
    for (GList *l = names; l; l = l->next)
        if (g_hash_table_lookup(map, l->data))
            v[n++] = g_strdup_printf("%s=%s", (char *)l->data,
                                     (char *)g_hash_table_lookup(map, l->data));
    return v;
}

static gboolean ask_args(const struct asking *a, GError **err)
{
    g_auto(GStrv) args = map_vector(a->t->args), labels = map_vector(a->t->labels),
                  proxies = configured_proxies();
    for (char **p = args; p && *p; p++)
        if (!build_add_arg(a->r, *p, a->c->env, err))
            return FALSE;
    build_inherit_proxies(a->r, proxies);
    return build_set_labels(a->r, labels, err);
}

/* Dockerfiles count from the context; where that is elsewhere, they are in it. */
static void ask_file(const struct asking *a, const char *context)
{
    const char *file = a->t->dockerfile;
    const char *inside = a->t->dockerfile_inline;
    if (inside)
        a->r->dockerfile_inline = g_bytes_new(inside, strlen(inside));
    else if (g_str_has_prefix(file, "cwd://"))
        a->r->file = g_strdup(file + strlen("cwd://"));
    else if (strcmp(file, "Dockerfile") == 0)
        a->r->file = NULL;
    else if (g_path_is_absolute(file) || !g_file_test(context, G_FILE_TEST_IS_DIR) ||
             strcmp(context, ".") == 0 || strstr(file, "://"))
        a->r->file = g_strdup(file);
    else
        a->r->file = g_build_filename(context, file, NULL);
}

static gboolean ask_context(const struct asking *a, GError **err)
{
    g_autofree char *context = bake_build_context(a->c->bake, a->t, NULL, err);
    if (!context)
        return FALSE;
    ask_file(a, context);
    return build_set_context(a->r, context, err);
}

static gboolean ask_named(const struct asking *a, const char *name, GError **err)
{
    const char *value = g_hash_table_lookup(a->t->contexts, name);
    if (g_str_has_prefix(value, BAKE_LINK))
        return build_add_link(a->r, name, value + strlen(BAKE_LINK), err);
    g_autofree char *context = bake_build_context(a->c->bake, a->t, name, err);
    g_autofree char *text = context ? g_strdup_printf("%s=%s", name, context) : NULL;
    return text && build_add_context(a->r, text, err);
}

static gboolean ask_contexts(const struct asking *a, GError **err)
{
    g_autoptr(GList) names = bake_map_names(a->t->contexts);
    for (GList *l = names; l; l = l->next)
        if (!ask_named(a, l->data, err))
            return FALSE;
    return TRUE;
}

static void add_given_secrets(const struct asking *a)
{
    GHashTableIter it;
    gpointer id, value;
    if (!a->c->secrets)
        return;
    g_hash_table_iter_init(&it, a->c->secrets);
    while (g_hash_table_iter_next(&it, &id, &value))
        if (!g_hash_table_contains(a->r->secrets, id))
            g_hash_table_insert(a->r->secrets, g_strdup(id), g_bytes_ref(value));
}

static gboolean ask_secrets(const struct asking *a, GError **err)
{
    for (guint i = 0; a->t->secret && i < a->t->secret->len; i++) {
        g_autofree char *text = entry_words(g_ptr_array_index(a->t->secret, i));
        if (!build_add_secret(a->r, text, a->c->env, a->c->events, err))
            return FALSE;
    }
    add_given_secrets(a);
    for (guint i = 0; a->t->ssh && i < a->t->ssh->len; i++) {
        const struct bake_ssh *s = g_ptr_array_index(a->t->ssh, i);
        const char *id = *s->id ? s->id : "default";
        if (s->paths->len > 1)
            return error_set(err, VARVE_ERROR_UNSUPPORTED, "--ssh %s: more than one path", id);
        const char *path = s->paths->len ? g_ptr_array_index(s->paths, 0) : NULL;
        g_autofree char *text = path ? g_strdup_printf("%s=%s", id, path) : g_strdup(id);
        if (!build_add_ssh(a->r, text, a->c->env, err))
            return FALSE;
    }
    return TRUE;
}

static gboolean ask_cache(const struct asking *a, const GPtrArray *entries, enum cache_use use,
                          GError **err)
{
    for (guint i = 0; entries && i < entries->len; i++) {
        g_autofree char *text = entry_words(g_ptr_array_index(entries, i));
        if (!build_add_cache(a->r, use, text, a->c->env, a->c->events, err))
            return FALSE;
    }
    return TRUE;
}

static gboolean ask_caches(const struct asking *a, GError **err)
{
    return ask_cache(a, a->t->cache_from, CACHE_READ, err) &&
           ask_cache(a, a->t->cache_to, CACHE_WRITE, err);
}

static gboolean ask_platforms(const struct asking *a, GError **err)
{
    g_auto(GStrv) list = list_vector(a->t->platforms);
    return build_choose_platforms(a->r, "platforms", list, a->c->env, err);
}

static gboolean ask_run(const struct asking *a, GError **err)
{
    g_auto(GStrv) filters = list_vector(a->t->no_cache_filter);
    g_auto(GStrv) hosts = map_vector(a->t->extra_hosts);
    for (char **h = hosts; h && *h; h++)
        if (!host_option(*h, a->r->hosts, a->r->owned, err))
            return FALSE;
    for (guint i = 0; a->t->ulimits && i < a->t->ulimits->len; i++)
        if (!ulimit_option(g_ptr_array_index(a->t->ulimits, i), a->r->ulimits, a->r->owned, err))
            return FALSE;
    a->r->no_cache = a->t->no_cache == BAKE_TRUE;
    a->r->pull = a->t->pull == BAKE_TRUE ? PULL_ALWAYS : PULL_MISSING;
    build_set_filters(a->r, filters);
    return add_all(a, a->t->entitlements, build_allow, err) &&
           build_set_network(a->r, a->t->network, err) &&
           size_option("shm-size", a->t->shm_size, &a->r->shm_size, err);
}

static gboolean ask_call(const struct asking *a, GError **err)
{
    return build_set_call(a->r, a->t->call, err);
}

/* A definition that asks for an attestation must not go without one in silence. */
static gboolean refuse_attestations(const struct asking *a, GError **err)
{
    for (guint i = 0; a->t->attest && i < a->t->attest->len; i++) {
        GHashTable *entry = g_ptr_array_index(a->t->attest, i);
        const char *type = g_hash_table_lookup(entry, "type");
        if (g_strcmp0(g_hash_table_lookup(entry, "disabled"), "true") == 0)
            continue;
        error_set(err, VARVE_ERROR_UNSUPPORTED,
                  "attest type=%s: attestations are not supported by this version",
                  type ? type : "");
        error_add_next(err, "leave it out, or add --sbom=false --provenance=false");
        return FALSE;
    }
    return TRUE;
}

static gboolean ask_names(const struct asking *a, GError **err)
{
    return add_all(a, a->t->tags, build_add_tag, err) &&
           add_all(a, a->t->annotations, build_add_annotation, err);
}

static gboolean ask_outputs(const struct asking *a, GError **err)
{
    g_autoptr(GPtrArray) specs = g_ptr_array_new_with_free_func(g_free);
    for (guint i = 0; a->t->output && i < a->t->output->len; i++)
        g_ptr_array_add(specs, entry_words(g_ptr_array_index(a->t->output, i)));
    g_ptr_array_add(specs, NULL);
    return build_set_outputs(a->r, (char **)specs->pdata, FALSE, FALSE, err);
}

static void take_common(const struct asking *a)
{
    struct build_request *r = a->r;
    r->target = g_strdup(a->t->target);
    r->parallel = a->c->parallel;
    r->wants_sizes = a->c->wants_sizes;
    build_inherit_places(r, a->c->env);
}

struct build_request *bake_request_new(const struct bake_target *t, const struct bake_common *c,
                                       GError **err)
{
    static const ask_fn all[] = {refuse_attestations, ask_call,     ask_names,  ask_args,
                                 ask_secrets,         ask_contexts, ask_run,    ask_platforms,
                                 ask_caches,          ask_outputs,  ask_context};
    struct asking a = {t, c, build_request_new()};
    take_common(&a);
    for (guint i = 0; i < G_N_ELEMENTS(all); i++)
        if (!all[i](&a, err)) {
            g_prefix_error(err, "%s: ", t->name);
            build_request_free(a.r);
            return NULL;
        }
    return a.r;
}
