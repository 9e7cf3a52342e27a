#include "output/output.h"

#include "base/boolean.h"
#include "base/csv.h"
#include "base/error.h"
#include "base/shellword.h"
#include "base/suggest.h"
#include "output/annotation.h"
#include "text/reference.h"

#include <string.h>
#include <sys/stat.h>

static const struct type {
    const char *name;
    enum output_type type;
    gboolean push;
} types[] = {{"image", OUTPUT_IMAGE, FALSE},
             {"registry", OUTPUT_IMAGE, TRUE},
             {"oci", OUTPUT_OCI, FALSE},
             {"docker", OUTPUT_DOCKER, FALSE},
             {"local", OUTPUT_LOCAL, FALSE},
             {"tar", OUTPUT_TAR, FALSE},
             {"cacheonly", OUTPUT_CACHEONLY, FALSE}};

/* Which types a key means something for. */
#define FOR(type) (1u << (type))
#define FOR_ARCHIVES (FOR(OUTPUT_OCI) | FOR(OUTPUT_DOCKER))
#define FOR_IMAGES (FOR(OUTPUT_IMAGE) | FOR_ARCHIVES)
#define FOR_TREES (FOR(OUTPUT_LOCAL) | FOR(OUTPUT_TAR))

enum value {
    VALUE_TEXT,        /* char* */
    VALUE_LIST,        /* char**, from "a,b" */
    VALUE_ON,          /* gboolean */
    VALUE_OFF,         /* gboolean: the opposite of what is said */
    VALUE_CHOICE,      /* int: 0 or 1, -1 when not given */
    VALUE_EPOCH,       /* gint64, from 0; or nothing: keep_times */
    VALUE_LEVEL,       /* int, from 0 */
    VALUE_COMPRESSION, /* enum compression */
};
#define AT(field) G_STRUCT_OFFSET(struct output, field)

static const struct key {
    const char *name;
    guint types;
    enum value value;
    glong at; /* where in struct output it goes */
} keys[] = {
    {"dest", FOR_ARCHIVES | FOR_TREES, VALUE_TEXT, AT(dest)},
    {"tar", FOR_ARCHIVES, VALUE_OFF, AT(as_directory)},
    {"platform-split", FOR_TREES, VALUE_CHOICE, AT(split)},
    {"name", FOR_IMAGES, VALUE_LIST, AT(names)},
    {"push", FOR(OUTPUT_IMAGE), VALUE_ON, AT(push)},
    {"push-by-digest", FOR(OUTPUT_IMAGE), VALUE_ON, AT(push_by_digest)},
    {"registry.insecure", FOR(OUTPUT_IMAGE), VALUE_ON, AT(insecure)},
    {"compression", FOR_IMAGES, VALUE_COMPRESSION, AT(image.layers.compression)},
    {"compression-level", FOR_IMAGES, VALUE_LEVEL, AT(image.layers.level)},
    {"force-compression", FOR_IMAGES, VALUE_ON, AT(image.layers.force)},
    {"oci-mediatypes", FOR_IMAGES, VALUE_OFF, AT(image.docker_types)},
    {"rewrite-timestamp", FOR_IMAGES, VALUE_CHOICE, AT(rewrite_timestamp)},
    {"source-date-epoch", FOR_IMAGES | FOR_TREES, VALUE_EPOCH, AT(epoch)},
};
static const char annotation_prefix[] = "annotation";

static struct output *output_new(const struct type *t)
{
    struct output *o = g_new0(struct output, 1);
    o->type = t->type;
    o->push = t->push;
    o->epoch = -1;
    o->rewrite_timestamp = -1;
    o->split = -1;
    o->image.layers = (struct export_options)EXPORT_DEFAULTS;
    return o;
}

void output_free(struct output *o)
{
    if (!o)
        return;
    g_free(o->dest);
    g_strfreev(o->names);
    if (o->image.annotations)
        g_ptr_array_unref(o->image.annotations);
    g_free(o);
}

gboolean output_makes_image(const struct output *o)
{
    return FOR(o->type) & FOR_IMAGES ? TRUE : FALSE;
}

static gboolean set_boolean(const char *key, const char *value, gboolean *out, GError **err)
{
    *out = TRUE;
    return !*value || boolean_parse(value, out) ||
           error_set(err, VARVE_ERROR_USAGE, "%s=%s is neither true nor false", key, value);
}

static gboolean set_number(const char *key, const char *value, gint64 max, gint64 *out,
                           GError **err)
{
    return g_ascii_string_to_signed(value, 10, 0, max, out, NULL) ||
           error_set(err, VARVE_ERROR_USAGE, "%s=%s is not a number from 0", key, value);
}

static gboolean set_value(struct output *o, const struct key *k, const char *value, GError **err)
{
    gpointer at = G_STRUCT_MEMBER_P(o, k->at);
    gboolean on = FALSE;
    gint64 n = 0;
    switch (k->value) {
    case VALUE_TEXT:
        g_free(*(char **)at);
        *(char **)at = g_strdup(value);
        return TRUE;
    case VALUE_LIST:
        g_strfreev(*(char ***)at);
        *(char ***)at = *value ? g_strsplit(value, ",", -1) : NULL;
        return TRUE;
    case VALUE_ON:
    case VALUE_OFF:
    case VALUE_CHOICE:
        if (!set_boolean(k->name, value, &on, err))
            return FALSE;
        *(gboolean *)at = k->value == VALUE_OFF ? !on : on;
        return TRUE;
    case VALUE_EPOCH:
        o->keep_times = !*value;
        return o->keep_times || set_number(k->name, value, G_MAXINT64, at, err);
    case VALUE_LEVEL:
        if (!set_number(k->name, value, G_MAXINT, &n, err))
            return FALSE;
        *(int *)at = (int)n;
        return TRUE;
    case VALUE_COMPRESSION:
        return compression_parse(value, at, err);
    }
    return FALSE;
}

void output_annotate(struct output *o, struct annotation *a)
{
    if (!o->image.annotations)
        o->image.annotations = g_ptr_array_new_with_free_func((GDestroyNotify)annotation_free);
    g_ptr_array_add(o->image.annotations, a);
}

/* "annotation.KEY", "annotation-KIND.KEY". */
static gboolean set_annotation(struct output *o, const char *key, const char *value, GError **err)
{
    const char *dot = strchr(key, '.'), *rest = key + strlen(annotation_prefix);
    if (!dot || !dot[1] || (*rest != '.' && *rest != '-' && *rest != '[')) {
        error_set(err, VARVE_ERROR_USAGE, "%s names no annotation", key);
        error_add_next(err, "write annotation.KEY=VALUE, or annotation-KIND.KEY=VALUE");
        return FALSE;
    }
    g_autofree char *said = g_strndup(rest, dot - rest);
    g_autofree char *kind = *rest == '-' ? g_strdup(said + 1) : g_strconcat("manifest", said, NULL);
    struct annotation *a = annotation_new(kind, dot + 1, value, err);
    if (!a) {
        g_prefix_error(err, "%s: ", key);
        return FALSE;
    }
    output_annotate(o, a);
    return TRUE;
}

/* Says what type takes. */
static void add_keys_of(const struct type *t, GError **err)
{
    g_autoptr(GString) list = g_string_new(NULL);
    for (guint i = 0; i < G_N_ELEMENTS(keys); i++)
        if (keys[i].types & FOR(t->type))
            g_string_append_printf(list, "%s, ", keys[i].name);
    if (FOR(t->type) & FOR_IMAGES)
        g_string_append_printf(list, "%s.KEY, ", annotation_prefix);
    g_string_truncate(list, list->len ? list->len - strlen(", ") : 0);
    error_add_next(err, "type=%s takes %s", t->name, list->len ? list->str : "nothing else");
}

static gboolean refuse_for_type(const struct type *t, const char *key, guint allowed, GError **err)
{
    g_autoptr(GString) list = g_string_new(NULL);
    for (guint i = 0; i < G_N_ELEMENTS(types); i++)
        if (allowed & FOR(types[i].type))
            g_string_append_printf(list, "%s%s", list->len ? ", " : "", types[i].name);
    error_set(err, VARVE_ERROR_USAGE, "%s does not apply to type=%s, only to %s", key, t->name,
              list->str);
    add_keys_of(t, err);
    return FALSE;
}

static gboolean refuse_unknown(const struct type *t, const char *key, GError **err)
{
    const char *names[G_N_ELEMENTS(keys) + 1] = {"type"};
    for (guint i = 0; i < G_N_ELEMENTS(keys); i++)
        names[i + 1] = keys[i].name;
    const char *meant = suggest_nearest(key, names, G_N_ELEMENTS(names));
    error_set(err, VARVE_ERROR_USAGE, "the key \"%s\" is unknown%s%s%s", key,
              meant ? "; did you mean " : "", meant ? meant : "", meant ? "?" : "");
    add_keys_of(t, err);
    return FALSE;
}

static gboolean set_key(struct output *o, const struct type *t, const char *key, const char *value,
                        GError **err)
{
    if (g_str_has_prefix(key, annotation_prefix))
        return FOR(t->type) & FOR_IMAGES ? set_annotation(o, key, value, err)
                                         : refuse_for_type(t, key, FOR_IMAGES, err);
    for (guint i = 0; i < G_N_ELEMENTS(keys); i++) {
        if (!g_str_equal(key, keys[i].name))
            continue;
        return keys[i].types & FOR(t->type) ? set_value(o, &keys[i], value, err)
                                            : refuse_for_type(t, key, keys[i].types, err);
    }
    return refuse_unknown(t, key, err);
}

/* The key of "key=value": without blanks around it, in lower case but for an annotation's own. */
static char *field_key(const char *field)
{
    char *key = g_strstrip(g_strndup(field, strcspn(field, "=")));
    for (char *c = key; *c && *c != '.'; c++)
        *c = g_ascii_tolower(*c);
    return key;
}

static const struct type *find_type(char **fields, GError **err)
{
    g_autofree char *name = g_strdup("");
    for (char **f = fields; *f; f++) {
        g_autofree char *key = field_key(*f);
        if (!g_str_equal(key, "type"))
            continue;
        g_free(name);
        name = g_strdup(strchr(*f, '=') ? strchr(*f, '=') + 1 : "");
    }
    for (guint i = 0; i < G_N_ELEMENTS(types); i++)
        if (g_str_equal(name, types[i].name))
            return &types[i];
    error_set(err, VARVE_ERROR_USAGE, *name ? "the type \"%s\" is unknown" : "no type=%s given",
              name);
    error_add_next(err, "the types are image, registry, oci, docker, local, tar and cacheonly");
    return NULL;
}

static gboolean has_key(char **fields, const char *name)
{
    for (char **f = fields; *f; f++) {
        g_autofree char *key = field_key(*f);
        if (g_str_equal(key, name))
            return TRUE;
    }
    return FALSE;
}

/* As in Docker, an archive for docker load has Docker's media types, but where they lack one. */
static gboolean prefers_docker_types(const struct output *o, char **fields)
{
    return o->type == OUTPUT_DOCKER && o->dest && !has_key(fields, "oci-mediatypes") &&
           o->image.layers.compression != COMPRESS_ZSTD;
}

static struct output *parse_fields(char **fields, GError **err)
{
    const struct type *t = find_type(fields, err);
    g_autoptr(output) o = t ? output_new(t) : NULL;
    for (char **f = fields; o && *f; f++) {
        g_autofree char *key = field_key(*f);
        const char *eq = strchr(*f, '=');
        if (!eq) {
            error_set(err, VARVE_ERROR_USAGE, "\"%s\" is not key=value", *f);
            return NULL;
        }
        if (!g_str_equal(key, "type") && !set_key(o, t, key, eq + 1, err))
            return NULL;
    }
    gboolean archive = o && (o->type == OUTPUT_OCI || o->type == OUTPUT_TAR) && !o->as_directory;
    if (archive && !o->dest)
        o->dest = g_strdup("-");
    if (o && prefers_docker_types(o, fields))
        o->image.docker_types = TRUE;
    return g_steal_pointer(&o);
}

/* A path alone is type=local, "-" is type=tar. */
static struct output *parse_plain(const char *text, GError **err)
{
    const struct type plain = {"", g_str_equal(text, "-") ? OUTPUT_TAR : OUTPUT_LOCAL, FALSE};
    if (!*text) {
        error_set(err, VARVE_ERROR_USAGE, "no path and no type given");
        return NULL;
    }
    struct output *o = output_new(&plain);
    o->dest = g_strdup(text);
    return o;
}

/* Malformed values are mistakes on the command line here. */
static void as_usage(GError **err)
{
    g_prefix_error(err, "--output: ");
    if (err && *err && (*err)->code == VARVE_ERROR_INVALID)
        error_as_usage(err);
}

struct output *output_parse(const char *text, GError **err)
{
    g_auto(GStrv) fields = strchr(text, '=') ? csv_split(text, err) : NULL;
    struct output *o = fields              ? parse_fields(fields, err)
                       : strchr(text, '=') ? NULL
                                           : parse_plain(text, err);
    if (o)
        return o;
    as_usage(err);
    return NULL;
}

static gboolean check_compression(const struct output *o, GError **err)
{
    const struct export_options *l = &o->image.layers;
    if (!compression_check_level(l->compression, l->level, err)) {
        g_prefix_error(err, "compression-level: ");
        return FALSE;
    }
    if (l->compression != COMPRESS_ZSTD || !o->image.docker_types)
        return TRUE;
    error_set(err, VARVE_ERROR_USAGE, "Docker's media types do not cover compression=zstd");
    error_add_next(err, "leave out oci-mediatypes=false, or use compression=gzip");
    return FALSE;
}

static gboolean check_output_names(const struct output *o, GError **err)
{
    for (char **n = o->names; n && *n; n++) {
        g_autoptr(reference) ref = reference_parse(*n, err);
        if (ref && ref->digest)
            error_set(err, VARVE_ERROR_USAGE, "name=%s: an image to be built has no digest yet",
                      *n);
        if (!ref || ref->digest)
            return FALSE;
    }
    return TRUE;
}

static gboolean check_push(const struct output *o, GError **err)
{
    const char *key = o->push_by_digest ? "push-by-digest"
                      : o->insecure     ? "registry.insecure"
                                        : NULL;
    if (o->push || !key)
        return TRUE;
    error_set(err, VARVE_ERROR_USAGE, "%s needs push=true", key);
    error_add_next(err, "add push=true, or leave it out");
    return FALSE;
}

/* What is there, where the output goes. */
static gboolean check_place(const char *dest, gboolean is_dir, GError **err)
{
    struct stat st;
    g_autofree char *parent = g_path_get_dirname(dest);
    if (stat(dest, &st) == 0) {
        if (S_ISDIR(st.st_mode) == is_dir)
            return TRUE;
        return error_set(err, VARVE_ERROR_USAGE,
                         is_dir ? "dest=%s is a file, not a directory"
                                : "dest=%s is a directory, not a file",
                         dest);
    }
    if (is_dir || (stat(parent, &st) == 0 && S_ISDIR(st.st_mode)))
        return TRUE;
    error_set(err, VARVE_ERROR_USAGE, "dest=%s: there is no directory %s", dest, parent);
    g_autofree char *word = shell_path(parent);
    error_add_next(err, "mkdir -p %s", word);
    return FALSE;
}

static gboolean check_stream(const struct output *o, gboolean is_dir, GError **err)
{
    if (!is_dir)
        return TRUE;
    error_set(err, VARVE_ERROR_USAGE, "a directory cannot go to stdout");
    error_add_next(err, o->as_directory ? "leave out tar=false" : "write type=tar,dest=-");
    return FALSE;
}

static gboolean check_dest(const struct output *o, GError **err)
{
    gboolean is_dir = o->type == OUTPUT_LOCAL || o->as_directory;
    if (!o->dest || !*o->dest) {
        error_set(err, VARVE_ERROR_USAGE, "no dest=");
        error_add_next(err, is_dir ? "say where it goes: dest=DIRECTORY"
                                   : "say where it goes: dest=FILE, or dest=- for stdout");
        return FALSE;
    }
    return g_str_equal(o->dest, "-") ? check_stream(o, is_dir, err)
                                     : check_place(o->dest, is_dir, err);
}

gboolean output_check(const struct output *o, GError **err)
{
    gboolean loads = o->type == OUTPUT_DOCKER && !o->dest && !o->as_directory;
    gboolean places = o->type != OUTPUT_IMAGE && o->type != OUTPUT_CACHEONLY && !loads;
    if (check_output_names(o, err) && check_compression(o, err) && check_push(o, err) &&
        (!places || check_dest(o, err)))
        return TRUE;
    as_usage(err);
    return FALSE;
}
