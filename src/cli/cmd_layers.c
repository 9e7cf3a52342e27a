#include "base/error.h"
#include "base/jsonset.h"
#include "cli/arguments.h"
#include "cli/commands.h"
#include "cli/format.h"
#include "cli/outside.h"
#include "cli/report.h"
#include "cli/show.h"
#include "layer/index.h"
#include "output/image.h"
#include "ui/text.h"

#include <string.h>

#define SHOWN_WASTE 5 /* wasted paths that are listed */

struct layers_options {
    gboolean no_trunc;
    char *format, *platform;
};
#define AT(field) G_STRUCT_OFFSET(struct layers_options, field)

const struct option_row layers_option_rows[] = {
    {"no-trunc", 0, OPTION_FLAG, AT(no_trunc), NULL, "print digests and steps in full"},
    {"format", 0, OPTION_STRING, AT(format), FORMAT_ARG, FORMAT_HELP},
    {"platform", 0, OPTION_STRING, AT(platform), "OS/ARCH", "use the image for this platform"},
    {0},
};

/* What one layer holds. */
struct layer_row {
    struct layer_info info;
    guint64 files, bytes;   /* regular files, and the bytes of their contents */
    guint64 hidden;         /* bytes of those that a later layer replaces or removes */
    const char *created_by; /* borrowed from the config, or NULL */
};

/* What the layers above hide, while layers are seen from the top down. */
enum { SEEN = 1, COVERS = 2 }; /* the path itself; all that is below it */
struct waste {
    GHashTable *above;  /* path → SEEN and COVERS bits */
    GHashTable *hidden; /* path → guint64*: bytes hidden under that name, over all layers */
};

static gboolean has_bits(const struct waste *w, const char *path, int bits)
{
    return GPOINTER_TO_INT(g_hash_table_lookup(w->above, path)) & bits;
}

/* Whether a layer above replaces or removes path, or a directory it is in. */
static gboolean is_hidden(const struct waste *w, const char *path)
{
    if (has_bits(w, path, SEEN) || has_bits(w, "", COVERS))
        return TRUE;
    g_autofree char *dir = g_strdup(path);
    for (char *slash = strrchr(dir, '/'); slash; slash = strrchr(dir, '/')) {
        *slash = '\0';
        if (has_bits(w, dir, COVERS))
            return TRUE;
    }
    return FALSE;
}

static void note_hidden(struct waste *w, const struct entry *e)
{
    guint64 *sum = g_hash_table_lookup(w->hidden, e->path);
    if (!sum) {
        sum = g_new0(guint64, 1);
        g_hash_table_insert(w->hidden, g_strdup(e->path), sum);
    }
    *sum += e->size;
}

/* Only an opaque directory hides what is below it in lower layers. */
static void cover(struct waste *w, const struct entry *e)
{
    int bits = SEEN | (e->type != ENTRY_DIR || e->opaque ? COVERS : 0);
    int old = GPOINTER_TO_INT(g_hash_table_lookup(w->above, e->path));
    if ((old | bits) != old)
        g_hash_table_insert(w->above, g_strdup(e->path), GINT_TO_POINTER(old | bits));
}

static void measure_layer(struct layer_row *r, const struct layer_index *x, struct waste *w)
{
    struct entry e;
    for (guint i = 0; i < layer_index_len(x); i++) {
        layer_index_at(x, i, &e);
        if (e.type != ENTRY_FILE)
            continue;
        r->files++;
        if (e.hardlink)
            continue;
        r->bytes += e.size;
        if (e.size > 0 && is_hidden(w, e.path)) {
            r->hidden += e.size;
            note_hidden(w, &e);
        }
    }
    for (guint i = 0; i < layer_index_len(x); i++) {
        layer_index_at(x, i, &e);
        cover(w, &e);
    }
}

/* History's entries that made a layer, in order. */
static void match_history(GArray *rows, const struct built_image *b)
{
    guint layer = 0;
    for (guint i = 0; i < b->conf->history->len && layer < rows->len; i++) {
        const struct history *h = g_ptr_array_index(b->conf->history, i);
        if (!h->empty_layer)
            g_array_index(rows, struct layer_row, layer++).created_by = h->created_by;
    }
}

static GArray *measure_layers(struct store *s, const struct built_image *b, struct waste *w,
                              GError **err)
{
    g_autoptr(GArray) rows = g_array_new(FALSE, TRUE, sizeof(struct layer_row));
    g_array_set_size(rows, b->chain->n);
    for (guint i = b->chain->n; i-- > 0;) {
        struct layer_row *r = &g_array_index(rows, struct layer_row, i);
        g_autoptr(layer_index) x = layer_index_open(s, b->chain->ids[i], NULL, err);
        if (!x || !store_layer_get(s, b->chain->ids[i], &r->info, err))
            return NULL;
        measure_layer(r, x, w);
    }
    match_history(rows, b);
    return g_steal_pointer(&rows);
}

static char *diff_id_text(const struct layer_row *r, gboolean full)
{
    if (!r->info.has_diff_id)
        return g_strdup("-");
    return full ? digest_text(&r->info.diff_id) : short_hex(&r->info.diff_id);
}

static gboolean print_layer_objects(GArray *rows, struct format *f, GError **err)
{
    static const char *const optional[] = {"DiffID", "CreatedBy", NULL};
    f->optional = optional;
    for (guint i = 0; i < rows->len; i++) {
        const struct layer_row *r = &g_array_index(rows, struct layer_row, i);
        json_t *o = json_object();
        json_object_set_new(o, "Layer", json_integer(i + 1));
        json_object_set_new(o, "Size", json_integer(r->bytes));
        json_object_set_new(o, "Files", json_integer(r->files));
        json_object_set_new(o, "Wasted", json_integer(r->hidden));
        if (r->info.has_diff_id)
            set_digest_text(o, "DiffID", &r->info.diff_id);
        jsonset_text(o, "CreatedBy", r->created_by);
        if (!format_row(f, o, err))
            return FALSE;
    }
    return format_end(f, NULL, err);
}

static void print_layer_table(GArray *rows, gboolean no_trunc)
{
    static const char *const heads[] = {"#", "SIZE", "FILES", "WASTED", "DIGEST", "STEP", NULL};
    g_autoptr(table) t = table_new(heads, "rrrr--");
    for (guint i = 0; i < rows->len; i++) {
        const struct layer_row *r = &g_array_index(rows, struct layer_row, i);
        g_autofree char *number = g_strdup_printf("%u", i + 1);
        g_autofree char *size = text_size(r->bytes);
        g_autofree char *files = g_strdup_printf("%" G_GUINT64_FORMAT, r->files);
        g_autofree char *wasted = r->hidden ? text_size(r->hidden) : NULL;
        g_autofree char *digest = diff_id_text(r, no_trunc);
        g_autofree char *step = created_by_text(r->created_by);
        const char *cells[] = {number, size, files, wasted, digest, step, NULL};
        table_row(t, cells);
    }
    table_print(t, stdout);
}

static int by_bytes(gconstpointer a, gconstpointer b, gpointer hidden)
{
    const char *pa = *(const char *const *)a, *pb = *(const char *const *)b;
    guint64 na = *(guint64 *)g_hash_table_lookup(hidden, pa),
            nb = *(guint64 *)g_hash_table_lookup(hidden, pb);
    return na != nb ? (na < nb ? 1 : -1) : strcmp(pa, pb);
}

static void print_waste(struct waste *w)
{
    g_autoptr(GPtrArray) paths = g_ptr_array_new();
    GHashTableIter it;
    gpointer path;
    g_hash_table_iter_init(&it, w->hidden);
    while (g_hash_table_iter_next(&it, &path, NULL))
        g_ptr_array_add(paths, path);
    g_ptr_array_sort_with_data(paths, by_bytes, w->hidden);
    for (guint i = 0; i < MIN(paths->len, SHOWN_WASTE); i++) {
        const char *name = g_ptr_array_index(paths, i);
        g_autofree char *size = text_size(*(guint64 *)g_hash_table_lookup(w->hidden, name));
        g_autofree char *shown = text_fit(name, 100);
        printf("  %9s  /%s\n", size, shown);
    }
    if (paths->len > SHOWN_WASTE)
        printf("  and %u more\n", paths->len - SHOWN_WASTE);
}

static void print_summary(GArray *rows, struct waste *w)
{
    guint64 bytes = 0, hidden = 0;
    for (guint i = 0; i < rows->len; i++) {
        bytes += g_array_index(rows, struct layer_row, i).bytes;
        hidden += g_array_index(rows, struct layer_row, i).hidden;
    }
    g_autofree char *all = text_size(bytes);
    g_autofree char *lost = text_size(hidden);
    double efficiency = bytes ? 100.0 * (double)(bytes - hidden) / (double)bytes : 100;
    g_autofree char *sum = g_strdup_printf(
        "%s in %u layer%s · efficiency %.1f %% · %s is replaced or removed by later "
        "layers%s",
        all, rows->len, rows->len == 1 ? "" : "s", efficiency, hidden ? lost : "nothing",
        hidden ? ":" : "");
    print_wrapped(sum, 0);
    print_waste(w);
}

static void show_layers(const struct layers_options *o, struct format *f, const char *name,
                        GError **err)
{
    struct platform wanted;
    const struct platform *p;
    if (!platform_option(o->platform, &wanted, &p, err))
        return;
    g_autoptr(store) s = open_store(err);
    g_autoptr(built_image) b = s ? built_image_open_any(s, name, p, err) : NULL;
    if (!b)
        return;
    struct waste w = {g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL),
                      g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free)};
    g_autoptr(GArray) rows = measure_layers(s, b, &w, err);
    if (rows && f->kind != FORMAT_TABLE) {
        print_layer_objects(rows, f, err);
    } else if (rows) {
        print_layer_table(rows, o->no_trunc);
        print_summary(rows, &w);
    }
    g_hash_table_unref(w.above);
    g_hash_table_unref(w.hidden);
}

int cmd_layers(const struct command *c, int argc, char **argv, GError **err)
{
    struct layers_options o = {0};
    struct format f = {0};
    if (command_begin(c, &o, &argc, &argv, 1, 1, err) && format_parse(&f, o.format, err))
        show_layers(&o, &f, argv[1], err);
    format_clear(&f);
    command_clear(c, &o);
    return 0;
}
