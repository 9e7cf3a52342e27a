#include "output/output.h"

#include "base/error.h"
#include "base/suggest.h"

#include <errno.h>
#include <string.h>

static const struct {
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

static struct output *output_new(enum output_type type)
{
    struct output *o = g_new0(struct output, 1);
    o->type = type;
    o->epoch = -1;
    o->image.layers = (struct export_options){COMPRESS_GZIP, -1, FALSE, -1, NULL};
    return o;
}

void output_free(struct output *o)
{
    if (!o)
        return;
    g_free(o->dest);
    g_strfreev(o->names);
    if (o->image.annotations)
        g_tree_unref(o->image.annotations);
    g_free(o);
}

static gboolean parse_bool(const char *key, const char *value, gboolean *out, GError **err)
{
    if (g_str_equal(value, "true") || g_str_equal(value, "1") || g_str_equal(value, ""))
        *out = TRUE;
    else if (g_str_equal(value, "false") || g_str_equal(value, "0"))
        *out = FALSE;
    else
        return error_set(err, VARVE_ERROR_USAGE, "--output: %s=%s is neither true nor false", key,
                         value);
    return TRUE;
}

static gboolean parse_number(const char *key, const char *value, gint64 *out, GError **err)
{
    char *end;
    errno = 0;
    *out = g_ascii_strtoll(value, &end, 10);
    if (errno || end == value || *end)
        return error_set(err, VARVE_ERROR_USAGE, "--output: %s=%s is not a number", key, value);
    return TRUE;
}

static gint compare_strings(gconstpointer a, gconstpointer b, gpointer unused)
{
    return strcmp(a, b);
}

static gboolean set_annotation(struct output *o, const char *key, const char *value, GError **err)
{
    const char *dot = strchr(key, '.');
    gboolean manifest =
        g_str_has_prefix(key, "annotation.") || g_str_has_prefix(key, "annotation-manifest.");
    if (!dot || !dot[1] || !manifest)
        return error_set(err, VARVE_ERROR_UNSUPPORTED,
                         "--output: %s: only annotations of the manifest are supported", key);
    if (!o->image.annotations)
        o->image.annotations = g_tree_new_full(compare_strings, NULL, g_free, g_free);
    g_tree_insert(o->image.annotations, g_strdup(dot + 1), g_strdup(value));
    return TRUE;
}

static gboolean unknown_key(const char *key, GError **err)
{
    static const char *const keys[] = {"type",
                                       "dest",
                                       "name",
                                       "push",
                                       "push-by-digest",
                                       "registry.insecure",
                                       "tar",
                                       "compression",
                                       "compression-level",
                                       "force-compression",
                                       "oci-mediatypes",
                                       "rewrite-timestamp",
                                       "source-date-epoch"};
    const char *meant = suggest_nearest(key, keys, G_N_ELEMENTS(keys));
    error_set(err, VARVE_ERROR_USAGE, "--output: the key \"%s\" is unknown%s%s%s", key,
              meant ? "; did you mean " : "", meant ? meant : "", meant ? "?" : "");
    error_add_next(err, "for example -o type=oci,dest=image.tar or -o type=local,dest=out");
    return FALSE;
}

static gboolean set_image_key(struct output *o, const char *key, const char *value, gboolean *known,
                              GError **err)
{
    gboolean on = FALSE;
    gint64 n = 0;
    *known = TRUE;
    if (g_str_equal(key, "compression"))
        return compression_parse(value, &o->image.layers.compression, err);
    if (g_str_equal(key, "compression-level")) {
        if (!parse_number(key, value, &n, err))
            return FALSE;
        o->image.layers.level = CLAMP(n, 0, 22);
        return TRUE;
    }
    if (g_str_equal(key, "force-compression"))
        return parse_bool(key, value, &o->image.layers.force, err);
    if (g_str_equal(key, "oci-mediatypes")) {
        gboolean ok = parse_bool(key, value, &on, err);
        o->image.docker_types = !on;
        return ok;
    }
    if (g_str_equal(key, "source-date-epoch"))
        return parse_number(key, value, &o->epoch, err);
    if (g_str_equal(key, "rewrite-timestamp"))
        return parse_bool(key, value, &o->rewrite_timestamp, err);
    if (g_str_has_prefix(key, "annotation"))
        return set_annotation(o, key, value, err);
    *known = FALSE;
    return TRUE;
}

static gboolean set_key(struct output *o, const char *key, const char *value, GError **err)
{
    gboolean on = TRUE, known;
    if (g_str_equal(key, "dest")) {
        g_free(o->dest);
        o->dest = g_strdup(value);
    } else if (g_str_equal(key, "name")) {
        g_strfreev(o->names);
        o->names = g_strsplit(value, ",", -1);
    } else if (g_str_equal(key, "push")) {
        return parse_bool(key, value, &o->push, err);
    } else if (g_str_equal(key, "push-by-digest")) {
        return parse_bool(key, value, &o->push_by_digest, err);
    } else if (g_str_equal(key, "registry.insecure")) {
        return parse_bool(key, value, &o->insecure, err);
    } else if (g_str_equal(key, "tar")) {
        gboolean ok = parse_bool(key, value, &on, err);
        o->as_directory = !on;
        return ok;
    } else {
        return set_image_key(o, key, value, &known, err) && (known || unknown_key(key, err));
    }
    return TRUE;
}

/* Splits one CSV record: fields may be quoted with '"', which then may hold commas ("" is a quote).
 */
static char **split_csv(const char *text)
{
    GPtrArray *fields = g_ptr_array_new();
    GString *field = g_string_new(NULL);
    gboolean quoted = FALSE;
    for (const char *p = text;; p++) {
        if (*p == '\0' || (*p == ',' && !quoted)) {
            g_ptr_array_add(fields, g_strdup(field->str));
            g_string_truncate(field, 0);
            if (!*p)
                break;
        } else if (*p == '"' && quoted && p[1] == '"') {
            g_string_append_c(field, *p++);
        } else if (*p == '"') {
            quoted = !quoted;
        } else {
            g_string_append_c(field, *p);
        }
    }
    g_string_free(field, TRUE);
    g_ptr_array_add(fields, NULL);
    return (char **)g_ptr_array_free(fields, FALSE);
}

static gboolean find_type(char **fields, struct output **out, GError **err)
{
    const char *name = "";
    for (char **f = fields; *f; f++)
        if (g_str_has_prefix(*f, "type="))
            name = *f + 5;
    for (guint i = 0; i < G_N_ELEMENTS(types); i++) {
        if (!g_str_equal(name, types[i].name))
            continue;
        *out = output_new(types[i].type);
        (*out)->push = types[i].push;
        return TRUE;
    }
    error_set(err, VARVE_ERROR_USAGE,
              *name ? "--output: the type \"%s\" is unknown" : "--output: no type=%s given", name);
    error_add_next(err, "the types are image, registry, oci, docker, local, tar and cacheonly");
    return FALSE;
}

static gboolean check(const struct output *o, GError **err)
{
    gboolean needs_dest = o->type == OUTPUT_OCI || o->type == OUTPUT_LOCAL || o->type == OUTPUT_TAR;
    if (needs_dest && (!o->dest || !*o->dest)) {
        error_set(err, VARVE_ERROR_USAGE, "--output: no dest=");
        error_add_next(err, "say where it goes: dest=PATH, or dest=- for stdout");
        return FALSE;
    }
    if (o->type == OUTPUT_LOCAL && g_str_equal(o->dest, "-"))
        return error_set(err, VARVE_ERROR_USAGE,
                         "--output: type=local writes a directory; use type=tar for stdout");
    return TRUE;
}

struct output *output_parse(const char *text, GError **err)
{
    if (!strchr(text, '=') || g_str_equal(text, "-")) {
        struct output *plain = output_new(g_str_equal(text, "-") ? OUTPUT_TAR : OUTPUT_LOCAL);
        plain->dest = g_strdup(text);
        return plain;
    }
    g_auto(GStrv) fields = split_csv(text);
    g_autoptr(output) o = NULL;
    if (!find_type(fields, &o, err))
        return NULL;
    for (char **f = fields; *f; f++) {
        char *eq = strchr(*f, '=');
        g_autofree char *key = g_strndup(*f, eq ? (gsize)(eq - *f) : strlen(*f));
        if (!g_str_equal(key, "type") && !set_key(o, key, eq ? eq + 1 : "", err))
            return NULL;
    }
    return check(o, err) ? g_steal_pointer(&o) : NULL;
}
