#include "cli/format.h"
#include "cli/shared.h"

#include "cli/report.h"

#include "store/gc.h"
#include "ui/text.h"

struct du_options {
    char *format;
};
const struct option_row du_option_rows[] = {
    {"format", 0, OPTION_STRING, G_STRUCT_OFFSET(struct du_options, format), FORMAT_ARG,
     "json prints one object; '{{.FIELD}}' is filled in"},
    {0},
};

static json_t *make_object(const struct store_usage *u)
{
    json_t *o = json_object();
    const struct {
        const char *key;
        guint64 value;
    } members[] = {{"Images", u->images},
                   {"Layers", u->layers},
                   {"LayerBytes", u->layer_bytes},
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

static void print_table(struct store *s, const struct store_usage *u)
{
    static const char *const heads[] = {"WHAT", "COUNT", "SIZE", "WHAT IT IS", NULL};
    g_autoptr(table) t = table_new(heads, "-rr-");
    add_row(t, "layers", u->layers, u->layer_bytes, "unpacked, ready to be built upon and run");
    add_row(t, "blobs", u->blobs, u->blob_bytes, "compressed layers, configs, manifests");
    add_row(t, "volumes", u->volumes, u->volume_bytes, "cache mounts and volumes of varve run");
    add_row(t, "objects", u->objects, u->object_bytes,
            "files that layers share (counted in layers too)");
    table_print(t, stdout);
    g_autofree char *total = text_size(u->total_bytes);
    g_autofree char *free_able = text_size(u->reclaimable_bytes);
    g_autofree char *sum = g_strdup_printf(
        "%s in %s, %" G_GUINT64_FORMAT " image name%s; %s can go without slowing a build down",
        total, store_root(s), u->images, u->images == 1 ? "" : "s", free_able);
    print_wrapped(sum, 0);
    if (u->reclaimable_bytes > 0)
        print_next_after_list(
            "varve prune frees %s · varve prune --all frees all that no image needs", free_able);
}

static void show_usage(struct format *f, GError **err)
{
    struct store_usage u;
    g_autoptr(store) s = open_store(err);
    if (!s || !store_usage(s, &u, err))
        return;
    if (f->kind == FORMAT_TABLE)
        print_table(s, &u);
    else if (f->kind == FORMAT_JSON)
        print_json(make_object(&u), TRUE);
    else if (format_row(f, make_object(&u), err))
        format_end(f, NULL, err);
}

int cmd_du(const struct command *c, int argc, char **argv, GError **err)
{
    struct du_options o = {0};
    struct format f = {0};
    if (command_begin(c, &o, &argc, &argv, 0, 0, err) && format_parse(&f, o.format, err))
        show_usage(&f, err);
    format_clear(&f);
    command_clear(c, &o);
    return 0;
}
