#include "cache/spec.h"

#include "base/boolean.h"
#include "base/csv.h"
#include "base/error.h"
#include "base/suggest.h"
#include "net/url.h"
#include "text/bytesize.h"
#include "text/duration.h"
#include "text/reference.h"

#include <string.h>

#define FOR(type) (1u << (type))
#define FOR_STORAGE (FOR(CACHE_S3) | FOR(CACHE_AZBLOB))
#define FOR_REMOTE (FOR_STORAGE | FOR(CACHE_GHA))
#define FOR_PLACES (FOR_REMOTE | FOR(CACHE_REGISTRY) | FOR(CACHE_LOCAL))
#define FOR_LAYERS (FOR_PLACES | FOR(CACHE_INLINE))
#define READS (1u << CACHE_READ)
#define WRITES (1u << CACHE_WRITE)
#define BOTH (READS | WRITES)
#define MAX_LEVEL 100
#define MAX_COUNT 64

static const struct cache_kind {
    const char *name;
    enum cache_type type;
} kinds[] = {{"registry", CACHE_REGISTRY}, {"local", CACHE_LOCAL}, {"inline", CACHE_INLINE},
             {"gha", CACHE_GHA},           {"s3", CACHE_S3},       {"azblob", CACHE_AZBLOB}};

/* What a value must be. */
enum form {
    FORM_TEXT,
    FORM_REFERENCE,
    FORM_DIGEST,
    FORM_URL,
    FORM_BOOLEAN,
    FORM_COUNT,
    FORM_DURATION,
    FORM_MODE,
    FORM_PREFER,
    FORM_MOUNTS,
    FORM_SIZE,
    FORM_COMPRESSION,
    FORM_LEVEL,
    FORM_NOTHING, /* it has no meaning here */
};
#define AT(field) G_STRUCT_OFFSET(struct cache_spec, field)

static const struct attribute {
    const char *name;
    guint types, uses;
    enum form form;
    glong at; /* where a boolean or size goes in struct cache_spec; 0: nowhere */
    const char
        *variables; /* where it comes from if it is not said, first to last: "A B"; or NULL */
    const char *otherwise; /* if it is not there either; or NULL */
} attributes[] = {
    {"ref", FOR(CACHE_REGISTRY), BOTH, FORM_REFERENCE},
    {"ref", FOR(CACHE_INLINE), READS, FORM_REFERENCE},
    {"registry.insecure", FOR(CACHE_REGISTRY) | FOR(CACHE_INLINE), BOTH, FORM_BOOLEAN},
    {"src", FOR(CACHE_LOCAL), READS, FORM_TEXT},
    {"dest", FOR(CACHE_LOCAL), WRITES, FORM_TEXT},
    {"tag", FOR(CACHE_LOCAL), BOTH, FORM_TEXT},
    {"digest", FOR(CACHE_LOCAL), READS, FORM_DIGEST},
    {"url_v2", FOR(CACHE_GHA), BOTH, FORM_URL, 0, "ACTIONS_RESULTS_URL"},
    {"token", FOR(CACHE_GHA), BOTH, FORM_TEXT, 0, "ACTIONS_RUNTIME_TOKEN"},
    {"scope", FOR(CACHE_GHA), BOTH, FORM_TEXT, 0, NULL, "varve"},
    {"timeout", FOR(CACHE_GHA), BOTH, FORM_DURATION, 0, NULL, "10m"},
    {"url", FOR(CACHE_GHA), BOTH, FORM_NOTHING},
    {"version", FOR(CACHE_GHA), BOTH, FORM_NOTHING},
    {"repository", FOR(CACHE_GHA), BOTH, FORM_NOTHING},
    {"ghtoken", FOR(CACHE_GHA), BOTH, FORM_NOTHING},
    {"bucket", FOR(CACHE_S3), BOTH, FORM_TEXT, 0, "AWS_BUCKET"},
    {"region", FOR(CACHE_S3), BOTH, FORM_TEXT, 0, "AWS_REGION AWS_DEFAULT_REGION"},
    {"endpoint_url", FOR(CACHE_S3), BOTH, FORM_URL, 0, "AWS_ENDPOINT_URL_S3 AWS_ENDPOINT_URL"},
    {"use_path_style", FOR(CACHE_S3), BOTH, FORM_BOOLEAN},
    {"access_key_id", FOR(CACHE_S3), BOTH, FORM_TEXT, 0, "AWS_ACCESS_KEY_ID"},
    {"secret_access_key", FOR(CACHE_S3), BOTH, FORM_TEXT, 0, "AWS_SECRET_ACCESS_KEY"},
    {"session_token", FOR(CACHE_S3), BOTH, FORM_TEXT, 0, "AWS_SESSION_TOKEN"},
    {"touch_refresh", FOR(CACHE_S3), WRITES, FORM_DURATION, 0, NULL, "24h"},
    {"account_url", FOR(CACHE_AZBLOB), BOTH, FORM_URL, 0, "BUILDKIT_AZURE_STORAGE_ACCOUNT_URL"},
    {"account_name", FOR(CACHE_AZBLOB), BOTH, FORM_TEXT, 0, "BUILDKIT_AZURE_STORAGE_ACCOUNT_NAME"},
    {"account_key", FOR(CACHE_AZBLOB), BOTH, FORM_TEXT, 0, "AZURE_STORAGE_KEY"},
    {"secret_access_key", FOR(CACHE_AZBLOB), BOTH, FORM_TEXT},
    {"sas", FOR(CACHE_AZBLOB), BOTH, FORM_TEXT, 0, "AZURE_STORAGE_SAS_TOKEN"},
    {"container", FOR(CACHE_AZBLOB), BOTH, FORM_TEXT, 0, "BUILDKIT_AZURE_STORAGE_CONTAINER",
     "buildkit-cache"},
    {"name", FOR_STORAGE, BOTH, FORM_TEXT, 0, NULL, "varve"},
    {"prefix", FOR_STORAGE, BOTH, FORM_TEXT},
    {"blobs_prefix", FOR_STORAGE, BOTH, FORM_TEXT, 0, NULL, "blobs/"},
    {"manifests_prefix", FOR_STORAGE, BOTH, FORM_TEXT, 0, NULL, "manifests/"},
    {"upload_parallelism", FOR_STORAGE, WRITES, FORM_COUNT, 0, NULL, "4"},
    {"mode", FOR_PLACES, WRITES, FORM_MODE},
    {"ignore-error", FOR_PLACES, WRITES, FORM_BOOLEAN, AT(ignore_error)},
    {"share", FOR_PLACES, WRITES, FORM_BOOLEAN, AT(share)},
    {"compression", FOR_LAYERS, WRITES, FORM_COMPRESSION},
    {"compression-level", FOR_LAYERS, WRITES, FORM_LEVEL},
    {"force-compression", FOR_LAYERS, WRITES, FORM_BOOLEAN, AT(layers.force)},
    {"image-manifest", FOR_LAYERS, WRITES, FORM_NOTHING},
    {"oci-mediatypes", FOR_LAYERS, WRITES, FORM_NOTHING},
    {"prefer", FOR_LAYERS, READS, FORM_PREFER},
    {"mounts", FOR_PLACES, BOTH, FORM_MOUNTS},
    {"mounts-max", FOR_PLACES, BOTH, FORM_SIZE, AT(mounts_max)},
};

/* One text being parsed. */
struct parsing {
    struct cache_spec *spec;
    const struct cache_kind *kind;
    const char *option; /* "--cache-from" */
    char **env;         /* or NULL */
    GPtrArray *notes;
};

const char *cache_spec_get(const struct cache_spec *s, const char *name)
{
    return g_hash_table_lookup(s->attributes, name);
}

gboolean cache_spec_same(const struct cache_spec *a, const struct cache_spec *b)
{
    static const char *const places[] = {"tag", "endpoint_url", "account_url", "url_v2"};
    for (guint i = 0; i < G_N_ELEMENTS(places); i++)
        if (g_strcmp0(cache_spec_get(a, places[i]), cache_spec_get(b, places[i])) != 0)
            return FALSE;
    return a->type == b->type && g_str_equal(a->label, b->label);
}

void cache_spec_free(struct cache_spec *s)
{
    if (!s)
        return;
    g_hash_table_unref(s->attributes);
    g_free(s->label);
    g_strfreev(s->mounts);
    g_free(s);
}

static struct cache_spec *spec_new(enum cache_use use)
{
    struct cache_spec *s = g_new0(struct cache_spec, 1);
    s->use = use;
    s->attributes = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    s->layers = (struct export_options)EXPORT_DEFAULTS;
    return s;
}

static gboolean parse_truth(const char *name, const char *value, gboolean *out, GError **err)
{
    return boolean_parse(value, out) ||
           error_set(err, VARVE_ERROR_USAGE, "%s=%s is neither true nor false", name, value);
}

static gboolean parse_whole(const char *name, const char *value, gint64 from, gint64 to,
                            gint64 *out, GError **err)
{
    return g_ascii_string_to_signed(value, 10, from, to, out, NULL) ||
           error_set(err, VARVE_ERROR_USAGE,
                     "%s=%s is not a number from %" G_GINT64_FORMAT " to %" G_GINT64_FORMAT, name,
                     value, from, to);
}

/* A word of a short list. */
static gboolean parse_word(const char *name, const char *value, const char *const *words,
                           GError **err)
{
    g_autofree char *key = g_strconcat(name, "=", NULL);
    return g_strv_contains(words, value) || suggest_choice(key, value, words, err);
}

/* mounts=true, false, or ids separated by ',' or ';'. */
static gboolean parse_mounts(struct cache_spec *s, const char *value, GError **err)
{
    gboolean all = FALSE;
    g_clear_pointer(&s->mounts, g_strfreev);
    s->all_mounts = FALSE;
    if (boolean_parse(value, &all)) {
        s->all_mounts = all;
        return TRUE;
    }
    g_auto(GStrv) ids = g_strsplit_set(value, ",;", -1);
    for (char **id = ids; *id; id++)
        if (!*g_strstrip(*id))
            return error_set(err, VARVE_ERROR_USAGE, "mounts=%s has an empty id", value);
    if (!*ids)
        return error_set(err, VARVE_ERROR_USAGE, "mounts= is empty; write mounts=true or ids");
    s->mounts = g_steal_pointer(&ids);
    return TRUE;
}

static gboolean parse_compression(struct cache_spec *s, const char *value, GError **err)
{
    if (!g_str_equal(value, "estargz"))
        return compression_parse(value, &s->layers.compression, err);
    error_set(err, VARVE_ERROR_UNSUPPORTED, "compression=estargz is not supported");
    error_add_next(err, "compression=gzip is read by the same programs");
    return FALSE;
}

/* Values that must look like something, and are used elsewhere. */
static gboolean check_text(const struct attribute *a, const char *value, GError **err)
{
    struct digest digest;
    gint64 ns = 0;
    gboolean good = TRUE;
    if (a->form == FORM_REFERENCE) {
        g_autoptr(reference) ref = reference_parse(value, err);
        return ref != NULL;
    }
    if (a->form == FORM_URL) {
        g_autoptr(url) u = url_parse(value, NULL);
        g_autofree char *shown = url_shown(value);
        shown[strcspn(shown, "?")] = '\0'; /* there may be a signature behind */
        return u || error_set(err, VARVE_ERROR_USAGE, "%s=%s is not an http or https URL", a->name,
                              shown);
    }
    if (a->form == FORM_DIGEST)
        good = digest_parse(&digest, value, err);
    else if (a->form == FORM_DURATION)
        good = duration_parse(value, &ns, err);
    return (good && ns >= 0) ||
           (good && error_set(err, VARVE_ERROR_USAGE, "%s=%s is negative", a->name, value));
}

static gboolean set_attribute(struct cache_spec *s, const struct attribute *a, const char *value,
                              GError **err)
{
    static const char *const modes[] = {"min", "max", NULL}, *const preferences[] = {"hit", NULL};
    gpointer at = G_STRUCT_MEMBER_P(s, a->at);
    gboolean on = FALSE;
    gint64 n = 0;
    switch (a->form) {
    case FORM_BOOLEAN:
        if (!parse_truth(a->name, value, &on, err))
            return FALSE;
        if (a->at)
            *(gboolean *)at = on;
        return TRUE;
    case FORM_MODE:
        s->max = g_str_equal(value, "max");
        return parse_word(a->name, value, modes, err);
    case FORM_PREFER:
        s->prefer_hit = TRUE;
        return parse_word(a->name, value, preferences, err);
    case FORM_MOUNTS:
        return parse_mounts(s, value, err);
    case FORM_SIZE:
        return bytesize_parse(value, at, err);
    case FORM_COMPRESSION:
        return parse_compression(s, value, err);
    case FORM_LEVEL:
        if (!parse_whole(a->name, value, 0, MAX_LEVEL, &n, err))
            return FALSE;
        s->layers.level = (int)n;
        return TRUE;
    case FORM_COUNT:
        return parse_whole(a->name, value, 1, MAX_COUNT, &n, err);
    default:
        return check_text(a, value, err);
    }
}

/* Says what the type takes for this use. */
static void add_attributes_of(const struct parsing *p, GError **err)
{
    g_autoptr(GString) list = g_string_new(NULL);
    for (guint i = 0; i < G_N_ELEMENTS(attributes); i++) {
        const struct attribute *a = &attributes[i];
        if (a->form != FORM_NOTHING && a->types & FOR(p->kind->type) &&
            a->uses & (1u << p->spec->use))
            g_string_append_printf(list, "%s%s", list->len ? ", " : "", a->name);
    }
    error_add_next(err, "%s type=%s takes %s", p->option, p->kind->name, list->str);
}

static gboolean refuse_attribute(const struct parsing *p, const char *name, GError **err)
{
    const char *names[G_N_ELEMENTS(attributes)];
    guint n = 0;
    for (guint i = 0; i < G_N_ELEMENTS(attributes); i++)
        if (attributes[i].types & FOR(p->kind->type))
            names[n++] = attributes[i].name;
    const char *meant = suggest_nearest(name, names, n);
    error_set(err, VARVE_ERROR_USAGE, "the attribute \"%s\" is unknown for type=%s%s%s%s", name,
              p->kind->name, meant ? "; did you mean " : "", meant ? meant : "", meant ? "?" : "");
    add_attributes_of(p, err);
    return FALSE;
}

static const struct attribute *find_attribute(const struct parsing *p, const char *name)
{
    for (guint i = 0; i < G_N_ELEMENTS(attributes); i++)
        if (attributes[i].types & FOR(p->kind->type) && g_str_equal(name, attributes[i].name))
            return &attributes[i];
    return NULL;
}

static void add_cache_note(const struct parsing *p, const char *name, const char *why)
{
    g_ptr_array_add(p->notes, g_strdup_printf("%s: %s has no effect %s", p->option, name, why));
}

/* One that was written. */
static gboolean take_attribute(const struct parsing *p, const char *name, const char *value,
                               GError **err)
{
    const struct attribute *a = find_attribute(p, name);
    if (!a)
        return refuse_attribute(p, name, err);
    if (a->form == FORM_NOTHING)
        add_cache_note(p, name, "(accepted for docker compatibility)");
    else if (!(a->uses & (1u << p->spec->use)))
        add_cache_note(p, name,
                       p->spec->use == CACHE_READ ? "when a cache is read"
                                                  : "when a cache is written");
    else if (!set_attribute(p->spec, a, value, err))
        return FALSE;
    else
        g_hash_table_insert(p->spec->attributes, g_strdup(name), g_strdup(value));
    return TRUE;
}

static const char *first_variable(char **env, const char *variables)
{
    g_auto(GStrv) names = g_strsplit(variables, " ", -1);
    for (char **n = names; *n; n++) {
        const char *value = g_environ_getenv(env, *n);
        if (value && *value)
            return value;
    }
    return NULL;
}

/* Credentials of the environment belong together: none is taken beside one that was said. */
static gboolean is_login(const char *name)
{
    static const char *const logins[] = {
        "access_key_id", "secret_access_key", "session_token", "account_key", "sas", NULL};
    return g_strv_contains(logins, name);
}

static gboolean has_login(const struct cache_spec *s)
{
    GHashTableIter i;
    gpointer name;
    g_hash_table_iter_init(&i, s->attributes);
    while (g_hash_table_iter_next(&i, &name, NULL))
        if (is_login(name))
            return TRUE;
    return FALSE;
}

/* What was not said: from the environment, or as usual. */
static gboolean fill_attributes(const struct parsing *p, GError **err)
{
    gboolean login = has_login(p->spec);
    for (guint i = 0; i < G_N_ELEMENTS(attributes); i++) {
        const struct attribute *a = &attributes[i];
        gboolean applies = a->types & FOR(p->kind->type) && a->uses & (1u << p->spec->use);
        if (!applies || cache_spec_get(p->spec, a->name) || (login && is_login(a->name)))
            continue;
        const char *value = p->env && a->variables ? first_variable(p->env, a->variables) : NULL;
        if (value && !set_attribute(p->spec, a, value, err)) {
            g_prefix_error(err, "%s of the environment: ", a->variables);
            return FALSE;
        }
        if (!value)
            value = a->otherwise;
        if (value)
            g_hash_table_insert(p->spec->attributes, g_strdup(a->name), g_strdup(value));
    }
    return TRUE;
}

/* The attribute of "name=value": without blanks around it, in lower case. */
static char *attribute_name(const char *field)
{
    g_autofree char *name = g_strndup(field, strcspn(field, "="));
    return g_ascii_strdown(g_strstrip(name), -1);
}

static const struct cache_kind *find_kind(char **fields, GError **err)
{
    const char *names[G_N_ELEMENTS(kinds)], *said = NULL;
    for (char **f = fields; *f; f++) {
        g_autofree char *name = attribute_name(*f);
        if (g_str_equal(name, "type") && strchr(*f, '='))
            said = strchr(*f, '=') + 1;
    }
    for (guint i = 0; i < G_N_ELEMENTS(kinds); i++) {
        names[i] = kinds[i].name;
        if (said && g_str_equal(said, kinds[i].name))
            return &kinds[i];
    }
    const char *meant = said ? suggest_nearest(said, names, G_N_ELEMENTS(kinds)) : NULL;
    if (said)
        error_set(err, VARVE_ERROR_USAGE, "the type \"%s\" is unknown%s%s%s", said,
                  meant ? "; did you mean " : "", meant ? meant : "", meant ? "?" : "");
    else
        error_set(err, VARVE_ERROR_USAGE, "no type=… given");
    error_add_next(err, "the types are registry, local, inline, gha, s3 and azblob");
    return NULL;
}

static gboolean require_attribute(const struct parsing *p, const char *name, GError **err)
{
    const char *value = cache_spec_get(p->spec, name);
    if (value && *value)
        return TRUE;
    const struct attribute *a = find_attribute(p, name);
    return error_set(err, VARVE_ERROR_USAGE, "type=%s needs %s=…%s%s", p->kind->name, name,
                     a->variables ? ", or in the environment " : "",
                     a->variables ? a->variables : "");
}

/* What must be there; of gha nothing: whether there is a service is known when it is opened. */
static gboolean check_required(const struct parsing *p, GError **err)
{
    switch (p->kind->type) {
    case CACHE_REGISTRY:
        return require_attribute(p, "ref", err);
    case CACHE_LOCAL:
        return require_attribute(p, p->spec->use == CACHE_READ ? "src" : "dest", err);
    case CACHE_INLINE:
        return p->spec->use == CACHE_WRITE || require_attribute(p, "ref", err);
    case CACHE_S3:
        if (!cache_spec_get(p->spec, "region") && cache_spec_get(p->spec, "endpoint_url"))
            g_hash_table_insert(p->spec->attributes, g_strdup("region"), g_strdup("us-east-1"));
        return require_attribute(p, "bucket", err) && require_attribute(p, "region", err);
    case CACHE_AZBLOB:
        return require_attribute(p, "account_url", err);
    case CACHE_GHA:
        break;
    }
    return TRUE;
}

/* "registry example.org/app:cache", "s3 bucket/prefix/name". */
static char *make_label(const struct parsing *p)
{
    const char *prefix = cache_spec_get(p->spec, "prefix"), *what = "", *in = NULL;
    const char *name = cache_spec_get(p->spec, "name");
    switch (p->kind->type) {
    case CACHE_REGISTRY:
    case CACHE_INLINE:
        what = cache_spec_get(p->spec, "ref");
        break;
    case CACHE_LOCAL:
        what = cache_spec_get(p->spec, p->spec->use == CACHE_READ ? "src" : "dest");
        break;
    case CACHE_GHA:
        what = cache_spec_get(p->spec, "scope");
        break;
    case CACHE_S3:
        in = cache_spec_get(p->spec, "bucket");
        break;
    case CACHE_AZBLOB:
        in = cache_spec_get(p->spec, "container");
        break;
    }
    if (in)
        return g_strdup_printf("%s %s/%s%s", p->kind->name, in, prefix ? prefix : "", name);
    return what ? g_strconcat(p->kind->name, " ", what, NULL) : g_strdup(p->kind->name);
}

static gboolean take_fields(const struct parsing *p, char **fields, GError **err)
{
    for (char **f = fields; *f; f++) {
        g_autofree char *name = attribute_name(*f);
        const char *eq = strchr(*f, '=');
        if (!eq) {
            error_set(err, VARVE_ERROR_USAGE, "\"%s\" is not attribute=value", *f);
            if (p->spec->mounts)
                error_add_next(err, "separate ids by ';': mounts=%s;%s", *p->spec->mounts, *f);
            return FALSE;
        }
        if (!g_str_equal(name, "type") && !take_attribute(p, name, eq + 1, err))
            return FALSE;
    }
    return fill_attributes(p, err) && check_required(p, err) &&
           (p->spec->layers.level < 0 ||
            compression_check_level(p->spec->layers.compression, p->spec->layers.level, err));
}

/* An image name alone stands for type=registry. */
static gboolean is_bare(char **fields)
{
    return fields[0] && !fields[1] && *fields[0] && !strchr(fields[0], '=');
}

static struct cache_spec *parse_cache_fields(struct parsing *p, char **fields, GError **err)
{
    g_autofree char *ref = is_bare(fields) ? g_strconcat("ref=", fields[0], NULL) : NULL;
    char *bare[] = {ref, NULL};
    g_autoptr(cache_spec) s = p->spec;
    p->kind = ref ? &kinds[0] : find_kind(fields, err);
    if (!p->kind)
        return NULL;
    s->type = p->kind->type;
    if (!take_fields(p, ref ? bare : fields, err))
        return NULL;
    s->label = make_label(p);
    return g_steal_pointer(&s);
}

gboolean cache_spec_equal(const struct cache_spec *a, const struct cache_spec *b)
{
    GHashTableIter it;
    gpointer name, value;
    if (a->type != b->type || a->use != b->use ||
        g_hash_table_size(a->attributes) != g_hash_table_size(b->attributes))
        return FALSE;
    g_hash_table_iter_init(&it, a->attributes);
    while (g_hash_table_iter_next(&it, &name, &value))
        if (g_strcmp0(cache_spec_get(b, name), value) != 0)
            return FALSE;
    return TRUE;
}

struct cache_spec *cache_spec_parse(enum cache_use use, const char *text, char **env,
                                    GPtrArray *notes, GError **err)
{
    struct parsing p = {
        .option = use == CACHE_READ ? "--cache-from" : "--cache-to", .env = env, .notes = notes};
    g_auto(GStrv) fields = csv_split(text, err);
    if (fields) {
        p.spec = spec_new(use);
        struct cache_spec *s = parse_cache_fields(&p, fields, err);
        if (s)
            return s;
    }
    g_prefix_error(err, "%s: ", p.option);
    error_as_usage(err);
    return NULL;
}
