#include "base/error.h"
#include "base/jsonset.h"
#include "cli/arguments.h"
#include "cli/commands.h"
#include "cli/format.h"
#include "cli/imagerow.h"
#include "cli/outside.h"
#include "cli/show.h"
#include "output/image.h"
#include "store/absent.h"
#include "store/blob.h"
#include "store/runs.h"
#include "text/reference.h"

#include <string.h>

#define MAX_JSON (4 << 20)

struct inspect_options {
    char *format, *platform;
};
#define AT(field) G_STRUCT_OFFSET(struct inspect_options, field)

const struct option_row inspect_option_rows[] = {
    {"format", 'f', OPTION_STRING, AT(format), "json|TEMPLATE",
     "json, or a template as in docker: '{{.Os}}', '{{json .Config}}'"},
    {"platform", 0, OPTION_STRING, AT(platform), "OS/ARCH", "use the image for this platform"},
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
    error_set(err, VARVE_ERROR_INVALID, "the image's config is not a JSON object: %s", why.text);
    return NULL;
}

/* Every name of the image, and its repositories with the digest that their registry knows. */
static void add_image_names(json_t *o, struct store *s, const struct image_row *r)
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
        gboolean absent = FALSE;
        store_absent_get(s, info.id, &absent, NULL, NULL);
        if (info.has_diff_id)
            set_digest_text(l, "DiffID", &info.diff_id);
        json_object_set_new(l, "Absent", json_boolean(absent));
        json_object_set_new(l, "Size", json_integer(info.size));
        json_object_set_new(l, "Entries", json_integer(info.entries));
        jsonset_text(l, "Path", path);
        json_array_append_new(list, l);
    }
    json_object_set_new(o, "Layers", list);
}

/* What else is only known here: the index that the image is one of, and what it is for. */
static void add_index(json_t *o, struct store *s, const struct image_row *r)
{
    g_autoptr(GPtrArray) group = store_image_group(s, r);
    json_t *platforms = json_array();
    if (image_group_is_index(group))
        set_digest_text(o, "IndexDigest", &r->target);
    for (guint i = 0; i < group->len; i++)
        json_array_append_new(
            platforms, json_string(((struct image_row *)g_ptr_array_index(group, i))->platform));
    json_object_set_new(o, "Platforms", platforms);
}

/* The shape of Docker's image inspect, with Layers added. */
static json_t *describe_image(struct store *s, const struct image_row *r, GError **err)
{
    json_t *config = load_config(s, r, err);
    if (!config)
        return NULL;
    static const char *const fields[][2] = {
        {"Created", "created"}, {"Author", "author"}, {"Architecture", "architecture"},
        {"Variant", "variant"}, {"Os", "os"},         {"Config", "config"}};
    json_t *o = json_object();
    set_digest_text(o, "Id", &r->config);
    add_image_names(o, s, r);
    for (guint i = 0; i < G_N_ELEMENTS(fields); i++)
        move_member(o, fields[i][0], config, fields[i][1]);
    json_object_set_new(o, "Size", json_integer(image_bytes(s, r)));
    add_rootfs(o, config);
    add_layers(o, s, r);
    move_member(o, "History", config, "history");
    set_digest_text(o, "ManifestDigest", &r->manifest);
    jsonset_text(o, "Platform", r->platform);
    add_index(o, s, r);
    jsonset_text(o, "Origin", r->origin);
    json_decref(config);
    return o;
}

/* Docker's objects have all their fields, where the JSON leaves out what is empty. */
static void add_empty_fields(json_t *image)
{
    static const struct {
        const char *name;
        enum { TEXT, LIST, MAP, NIL } kind;
    } fields[] = {{"User", TEXT},        {"WorkingDir", TEXT}, {"StopSignal", TEXT},
                  {"Hostname", TEXT},    {"Domainname", TEXT}, {"Image", TEXT},
                  {"Env", LIST},         {"Cmd", LIST},        {"Entrypoint", LIST},
                  {"OnBuild", LIST},     {"Shell", LIST},      {"Labels", MAP},
                  {"ExposedPorts", MAP}, {"Volumes", MAP},     {"Healthcheck", NIL}};
    static const char *const texts[] = {"Created", "Author",         "Architecture", "Variant",
                                        "Os",      "ManifestDigest", "Platform",     "Comment"};
    json_t *config = json_object_get(image, "Config");
    if (!json_is_object(config)) {
        config = json_object();
        json_object_set_new(image, "Config", config);
    }
    for (guint i = 0; i < G_N_ELEMENTS(fields); i++) {
        json_t *old = json_object_get(config, fields[i].name);
        if (!old || json_is_null(old))
            json_object_set_new(config, fields[i].name,
                                fields[i].kind == TEXT   ? json_string("")
                                : fields[i].kind == LIST ? json_array()
                                : fields[i].kind == MAP  ? json_object()
                                                         : json_null());
    }
    for (guint i = 0; i < G_N_ELEMENTS(texts); i++)
        if (!json_object_get(image, texts[i]))
            json_object_set_new(image, texts[i], json_string(""));
}

/* What is no image may be a run. */
static void tell_run(struct store *s, const char *name, GError **err)
{
    GError *none = NULL;
    g_autoptr(run_row) run = store_run_find(s, name, &none);
    g_clear_error(&none);
    if (!run || !g_error_matches(*err, VARVE_ERROR, VARVE_ERROR_NOT_FOUND))
        return;
    g_clear_error(err);
    error_set(err, VARVE_ERROR_NOT_FOUND, "%s is a run; varve inspect shows images", name);
    error_add_next(err,
                   "varve ps -a --filter id=%s --format json shows the run; varve inspect %s "
                   "its image",
                   run->id, run->image);
}

static json_t *describe_name(struct store *s, const char *name, const struct platform *p,
                             GError **err)
{
    g_autoptr(image_row) r = stored_image_any(s, name, p, err);
    if (!r)
        tell_run(s, name, err);
    if (r)
        set_true_platform(s, r);
    json_t *o = r ? describe_image(s, r, err) : NULL;
    if (r && !o)
        g_prefix_error(err, "cannot inspect %s: ", name);
    return o;
}

/* t: NULL prints the list of all at the end, as JSON. */
static void inspect_images(const struct inspect_options *o, const struct template *t, char **names,
                           GError **err)
{
    struct platform wanted;
    const struct platform *p;
    if (!platform_option(o->platform, &wanted, &p, err))
        return;
    g_autoptr(store) s = open_store(err);
    json_auto_t *all = json_array();
    for (; s && *names; names++) {
        json_auto_t *image = describe_name(s, *names, p, err);
        if (!image)
            return;
        if (!t) {
            json_array_append(all, image);
            continue;
        }
        add_empty_fields(image);
        if (!format_print(t, image, err))
            return;
    }
    if (s && !t)
        print_json(g_steal_pointer(&all), TRUE);
}

int cmd_inspect(const struct command *c, int argc, char **argv, GError **err)
{
    struct inspect_options o = {0};
    if (command_begin(c, &o, &argc, &argv, 1, -1, err)) {
        gboolean plain = !o.format || g_str_equal(o.format, "json");
        g_autoptr(template) t = plain ? NULL : template_new(o.format, err);
        if (plain || t)
            inspect_images(&o, t, argv + 1, err);
    }
    command_clear(c, &o);
    return 0;
}
