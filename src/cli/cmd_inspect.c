#include "cli/shared.h"

#include "base/error.h"
#include "base/jsonset.h"
#include "dockerfile/reference.h"
#include "output/image.h"
#include "store/blob.h"

#include <string.h>

#define MAX_JSON (4 << 20)

struct inspect_options {
    char *format, *platform;
};
#define AT(field) G_STRUCT_OFFSET(struct inspect_options, field)

const struct option_row inspect_option_rows[] = {
    {"format", 'f', OPTION_STRING, AT(format), "json|{{.FIELD}}",
     "print one field: '{{.Config.Cmd}}', '{{json .Config}}'"},
    {"platform", 0, OPTION_STRING, AT(platform), "OS/ARCH", "which of a name's platforms"},
    {0},
};

static json_t *load_config(struct store *s, const struct image_row *r, GError **err)
{
    g_autoptr(GBytes) bytes = store_blob_read(s, &r->config, MAX_JSON, err);
    if (!bytes)
        return NULL;
    json_error_t why;
    json_t *doc = json_loadb(g_bytes_get_data(bytes, NULL), g_bytes_get_size(bytes), 0, &why);
    if (doc && json_is_object(doc))
        return doc;
    json_decref(doc);
    error_set(err, VARVE_ERROR_INVALID, "the image's config is no JSON object: %s", why.text);
    return NULL;
}

/* Every name of the image, and its repositories with the digest that their registry knows. */
static void add_names(json_t *o, struct store *s, const struct image_row *r)
{
    json_t *tags = json_array(), *digests = json_array();
    g_autoptr(GPtrArray) all = store_image_list(s);
    for (guint i = 0; i < all->len; i++) {
        const struct image_row *other = g_ptr_array_index(all, i);
        if (digest_cmp(&other->config, &r->config) != 0 || !*other->name)
            continue;
        g_autoptr(reference) ref = reference_parse(other->name, NULL);
        g_autofree char *shown = shown_name(other->name);
        json_array_append_new(tags, json_string(shown));
        if (!ref || digest_is_zero(&other->target))
            continue;
        const char *at = strpbrk(strrchr(shown, '/') ? strrchr(shown, '/') : shown, ":@");
        g_autofree char *target = digest_text(&other->target);
        g_autofree char *full =
            g_strdup_printf("%.*s@%s", at ? (int)(at - shown) : (int)strlen(shown), shown, target);
        json_array_append_new(digests, json_string(full));
    }
    json_object_set_new(o, "RepoTags", tags);
    json_object_set_new(o, "RepoDigests", digests);
}

static void move_member(json_t *to, const char *key, json_t *from, const char *old_key)
{
    json_t *value = json_object_get(from, old_key);
    if (value)
        json_object_set(to, key, value);
}

static void add_rootfs(json_t *o, json_t *config)
{
    json_t *rootfs = json_object();
    json_object_set_new(rootfs, "Type", json_string("layers"));
    move_member(rootfs, "Layers", json_object_get(config, "rootfs"), "diff_ids");
    json_object_set_new(o, "RootFS", rootfs);
}

/* What only varve knows: where the layers lie. */
static void add_layers(json_t *o, struct store *s, const struct image_row *r)
{
    json_t *list = json_array();
    for (guint i = 0; r->chain && i < r->chain->n; i++) {
        struct layer_info info;
        if (!store_layer_get(s, r->chain->ids[i], &info, NULL))
            continue;
        json_t *l = json_object();
        g_autofree char *path = store_layer_path(info.id);
        if (info.has_diff_id)
            set_digest_text(l, "DiffID", &info.diff_id);
        json_object_set_new(l, "Size", json_integer(info.size));
        json_object_set_new(l, "Entries", json_integer(info.entries));
        jsonset_text(l, "Path", path);
        json_array_append_new(list, l);
    }
    json_object_set_new(o, "Layers", list);
}

/* The shape of Docker's image inspect, with Layers added. */
static json_t *describe(struct store *s, const struct image_row *r, GError **err)
{
    json_t *config = load_config(s, r, err);
    if (!config)
        return NULL;
    static const char *const fields[][2] = {
        {"Created", "created"}, {"Author", "author"}, {"Architecture", "architecture"},
        {"Variant", "variant"}, {"Os", "os"},         {"Config", "config"}};
    json_t *o = json_object();
    set_digest_text(o, "Id", &r->config);
    add_names(o, s, r);
    for (guint i = 0; i < G_N_ELEMENTS(fields); i++)
        move_member(o, fields[i][0], config, fields[i][1]);
    json_object_set_new(o, "Size", json_integer(image_bytes(s, r)));
    add_rootfs(o, config);
    add_layers(o, s, r);
    move_member(o, "History", config, "history");
    set_digest_text(o, "ManifestDigest", &r->manifest);
    jsonset_text(o, "Platform", r->platform);
    jsonset_text(o, "Origin", r->origin);
    json_decref(config);
    return o;
}

/* "{{.A.B}}" or "{{json .A.B}}" gives "A.B"; NULL for any other template. */
static char *template_path(const char *format)
{
    g_autofree char *t = g_strstrip(g_strdup(format));
    if (!g_str_has_prefix(t, "{{") || !g_str_has_suffix(t, "}}") || strlen(t) < 5)
        return NULL;
    g_autofree char *inner = g_strstrip(g_strndup(t + 2, strlen(t) - 4));
    char *path = g_str_has_prefix(inner, "json ") ? g_strchug(inner + 5) : inner;
    return *path == '.' && !strpbrk(path, " {}|()") ? g_strdup(path + 1) : NULL;
}

static void print_field(json_t *value, gboolean as_json)
{
    if (json_is_string(value) && !as_json)
        printf("%s\n", json_string_value(value));
    else
        print_json(json_incref(value), FALSE);
}

static gboolean print_path(json_t *image, const char *format, GError **err)
{
    g_autofree char *path = template_path(format);
    if (!path) {
        error_set(err, VARVE_ERROR_USAGE,
                  "--format %s: only one field as {{.A.B}} or {{json .A.B}} is supported", format);
        error_add_next(err, "take the JSON without --format, and pick with jq");
        return FALSE;
    }
    g_auto(GStrv) parts = g_strsplit(path, ".", -1);
    json_t *at = image;
    for (char **p = parts; *p && at; p++)
        at = **p ? json_object_get(at, *p) : at;
    if (!at) {
        error_set(err, VARVE_ERROR_NOT_FOUND, "the image has no field %s", path);
        error_add_next(err, "varve inspect without --format shows all fields");
        return FALSE;
    }
    print_field(at, strstr(format, "json ") != NULL);
    return TRUE;
}

static json_t *describe_name(struct store *s, const char *name, const struct platform *p,
                             GError **err)
{
    g_autoptr(image_row) r = stored_image_find(s, name, p, err);
    if (r)
        set_true_platform(s, r);
    json_t *o = r ? describe(s, r, err) : NULL;
    if (r && !o)
        g_prefix_error(err, "cannot inspect %s: ", name);
    return o;
}

static int inspect_images(const struct inspect_options *o, char **names, GError **err)
{
    struct platform wanted;
    const struct platform *p;
    if (!platform_option(o->platform, &wanted, &p, err))
        return 0;
    g_autoptr(store) s = open_store(err);
    json_t *all = json_array();
    gboolean fields = o->format && !g_str_equal(o->format, "json");
    for (; s && *names; names++) {
        json_t *image = describe_name(s, *names, p, err);
        if (!image || (fields && !print_path(image, o->format, err))) {
            json_decref(image);
            json_decref(all);
            return 0;
        }
        json_array_append_new(all, image);
    }
    if (s && !fields)
        print_json(json_incref(all), TRUE);
    json_decref(all);
    return 0;
}

int cmd_inspect(const struct command *c, int argc, char **argv, GError **err)
{
    struct inspect_options o = {0};
    int code = 0;
    if (command_begin(c, &o, &argc, &argv, 1, -1, err))
        code = inspect_images(&o, argv + 1, err);
    command_clear(c, &o);
    return code;
}
