#include "cli/commands.h"
#include "cli/format.h"
#include "cli/imagerow.h"
#include "cli/outside.h"
#include "cli/report.h"
#include "cli/show.h"
#include "run/volume_name.h"
#include "store/gc.h"
#include "store/images.h"
#include "ui/text.h"

struct du_options {
    gboolean verbose;
    char *format;
};
#define AT(field) G_STRUCT_OFFSET(struct du_options, field)

const struct option_row du_option_rows[] = {
    {"verbose", 'v', OPTION_FLAG, AT(verbose), NULL, "also list each image and volume"},
    {"format", 0, OPTION_STRING, AT(format), FORMAT_ARG,
     "json (one object) or a template: '{{.FIELD}}'"},
    {0},
};

static json_t *usage_object(const struct store_usage *u)
{
    json_t *o = json_object();
    const struct {
        const char *key;
        guint64 value;
    } members[] = {{"Images", u->images},
                   {"Layers", u->layers},
                   {"LayerBytes", u->layer_bytes},
                   {"AbsentLayers", u->absent},
                   {"AbsentBytes", u->absent_bytes},
                   {"Blobs", u->blobs},
                   {"BlobBytes", u->blob_bytes},
                   {"Objects", u->objects},
                   {"ObjectBytes", u->object_bytes},
                   {"Volumes", u->volumes},
                   {"VolumeBytes", u->volume_bytes},
                   {"TotalBytes", u->total_bytes},
                   {"ReclaimableBytes", u->reclaimable_bytes}};
    for (guint i = 0; i < G_N_ELEMENTS(members); i++)
        json_object_set_new(o, members[i].key, json_integer(members[i].value));
    return o;
}

static void add_row(struct table *t, const char *what, guint64 count, guint64 bytes,
                    const char *about)
{
    g_autofree char *n = g_strdup_printf("%" G_GUINT64_FORMAT, count);
    g_autofree char *size = text_size(bytes);
    const char *cells[] = {what, n, size, about, NULL};
    table_row(t, cells);
}

static void print_usage_table(struct store *s, const struct store_usage *u)
{
    static const char *const heads[] = {"WHAT", "COUNT", "SIZE", "WHAT IT IS", NULL};
    g_autoptr(table) t = table_new(heads, "-rr-");
    add_row(t, "layers", u->layers, u->layer_bytes, "unpacked, ready to run or build on");
    add_row(t, "blobs", u->blobs, u->blob_bytes, "compressed layers, configs, manifests");
    add_row(t, "volumes", u->volumes, u->volume_bytes, "cache mounts and volumes of varve run");
    add_row(t, "objects", u->objects, u->object_bytes,
            "files that layers share (counted in layers too)");
    table_print(t, stdout);
    if (u->absent > 0) {
        g_autofree char *left = text_size(u->absent_bytes);
        g_autofree char *line = g_strdup_printf(
            "%" G_GUINT64_FORMAT " layer%s more (%s compressed) %s known, but left at the registry "
            "until something reads %s",
            u->absent, u->absent == 1 ? "" : "s", left, u->absent == 1 ? "is" : "are",
            u->absent == 1 ? "it" : "them");
        print_wrapped(line, 0);
    }
    g_autofree char *total = text_size(u->total_bytes);
    g_autofree char *free_able = text_size(u->reclaimable_bytes);
    g_autofree char *sum =
        g_strdup_printf("%s in %s, %" G_GUINT64_FORMAT
                        " image name%s; %s can be freed without slowing a build down",
                        total, store_root(s), u->images, u->images == 1 ? "" : "s", free_able);
    print_wrapped(sum, 0);
}

static void print_what_next(const struct store_usage *u)
{
    g_autofree char *free_able = text_size(u->reclaimable_bytes);
    if (u->reclaimable_bytes > 0)
        print_next_after_list(
            "varve prune frees %s · varve prune --all frees everything no image needs", free_able);
}

/* Layer ids of all images, each with the config of the one image that has it, or "" where several
 * do. */
static GHashTable *owners(GPtrArray *images)
{
    GHashTable *of = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    for (guint i = 0; i < images->len; i++) {
        const struct image_row *r = g_ptr_array_index(images, i);
        g_autofree char *config = digest_text(&r->config);
        for (guint l = 0; r->chain && l < r->chain->n; l++) {
            const char *owner = g_hash_table_lookup(of, r->chain->ids[l]);
            gboolean alone = !owner || g_str_equal(owner, config);
            g_hash_table_insert(of, g_strdup(r->chain->ids[l]), g_strdup(alone ? config : ""));
        }
    }
    return of;
}

/* Bytes of the layers that no other image has. */
static guint64 own_bytes(struct store *s, const struct image_row *r, GHashTable *of)
{
    guint64 sum = 0;
    for (guint l = 0; r->chain && l < r->chain->n; l++) {
        struct layer_info info;
        const char *owner = g_hash_table_lookup(of, r->chain->ids[l]);
        if (owner && *owner && store_layer_get(s, r->chain->ids[l], &info, NULL))
            sum += info.size;
    }
    return sum;
}

static void print_images(struct store *s)
{
    static const char *const heads[] = {"IMAGE", "ID", "CREATED", "SIZE", "SHARED", "OWN", NULL};
    g_autoptr(GPtrArray) images = store_image_list(s);
    g_autoptr(GHashTable) of = owners(images);
    g_autoptr(table) t = table_new(heads, "---rrr");
    for (guint i = 0; i < images->len; i++) {
        const struct image_row *r = g_ptr_array_index(images, i);
        guint64 all = image_bytes(s, r), own = own_bytes(s, r, of);
        g_autofree char *name = shown_name(r->name);
        g_autofree char *id = short_hex(&r->config);
        g_autofree char *age = text_age(r->created);
        g_autofree char *size = text_size(all);
        g_autofree char *shared = text_size(all - MIN(own, all));
        g_autofree char *own_text = text_size(own);
        const char *cells[] = {name, id, age, size, shared, own_text, NULL};
        table_row(t, cells);
    }
    if (images->len > 0) {
        printf("\n");
        table_print(t, stdout);
    }
}

static gboolean print_volumes(struct store *s, GError **err)
{
    static const char *const heads[] = {"VOLUME", "KIND", "SIZE", NULL};
    g_autoptr(GPtrArray) ids = store_volume_ids(s, err);
    g_autoptr(table) t = table_new(heads, "--r");
    for (guint i = 0; ids && i < ids->len; i++) {
        guint64 bytes;
        const char *id = g_ptr_array_index(ids, i), *name = volume_name_of_id(id);
        if (!store_volume_bytes(s, id, &bytes, err))
            return FALSE;
        g_autofree char *size = text_size(bytes);
        const char *cells[] = {name ? name : id, name ? "volume" : "cache", size, NULL};
        table_row(t, cells);
    }
    if (ids && ids->len > 0) {
        printf("\n");
        table_print(t, stdout);
    }
    return ids != NULL;
}

static void show_usage(struct format *f, gboolean verbose, GError **err)
{
    struct store_usage u;
    g_autoptr(store) s = open_store(err);
    if (!s || !store_usage(s, &u, err))
        return;
    if (f->kind == FORMAT_JSON)
        print_json(usage_object(&u), TRUE);
    else if (f->kind == FORMAT_TEMPLATE && format_row(f, usage_object(&u), err))
        format_end(f, NULL, err);
    if (f->kind != FORMAT_TABLE)
        return;
    print_usage_table(s, &u);
    if (verbose) {
        print_images(s);
        print_volumes(s, err);
    }
    print_what_next(&u);
}

int cmd_du(const struct command *c, int argc, char **argv, GError **err)
{
    struct du_options o = {0};
    struct format f = {0};
    if (command_begin(c, &o, &argc, &argv, 0, 0, err) && format_parse(&f, o.format, err))
        show_usage(&f, o.verbose, err);
    format_clear(&f);
    command_clear(c, &o);
    return 0;
}
