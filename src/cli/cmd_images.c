#include "base/jsonset.h"
#include "cli/commands.h"
#include "cli/format.h"
#include "cli/imagerow.h"
#include "cli/images_filter.h"
#include "cli/outside.h"
#include "cli/report.h"
#include "cli/show.h"
#include "store/images.h"
#include "text/reference.h"
#include "ui/text.h"

#include <string.h>

#define NARROW 72 /* columns below which only the essentials are shown */

struct images_options {
    gboolean quiet, no_trunc, all, digests;
    char *format;
    char **filters;
};
#define AT(field) G_STRUCT_OFFSET(struct images_options, field)

const struct option_row images_option_rows[] = {
    {"quiet", 'q', OPTION_FLAG, AT(quiet), NULL, "print only the ids"},
    {"no-trunc", 0, OPTION_FLAG, AT(no_trunc), NULL, "print ids in full"},
    {"digests", 0, OPTION_FLAG, AT(digests), NULL, "also print the manifests' digests"},
    {"format", 0, OPTION_STRING, AT(format), FORMAT_ARG, FORMAT_HELP},
    {"filter", 'f', OPTION_LIST, AT(filters), "KEY=VALUE",
     "filter by reference (a pattern), label, dangling=true, before or since IMAGE (repeatable)"},
    {"all", 'a', OPTION_FLAG, AT(all), NULL, NULL}, /* for Docker's users: all are always shown */
    {0},
};

static char *id_text(const struct image_row *r, gboolean no_trunc)
{
    return no_trunc ? digest_text(&r->config) : short_hex(&r->config);
}

static void print_ids(GPtrArray *rows, const struct images_options *o)
{
    g_autoptr(GHashTable) seen = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    for (guint i = 0; i < rows->len; i++) {
        char *id = id_text(g_ptr_array_index(rows, i), o->no_trunc);
        if (g_hash_table_add(seen, id)) /* takes id in both cases */
            printf("%s\n", id);
    }
}

/* In templates what docker writes there: a short id, "<none>", sizes and times in its way. */
static void docker_fields(json_t *o, const struct image_row *r, gboolean no_trunc)
{
    g_autofree char *id = id_text(r, no_trunc);
    g_autofree char *size = format_size(r->size);
    g_autofree char *at = format_time(r->created);
    jsonset_text(o, "ID", id);
    jsonset_text(o, "Size", size);
    jsonset_text(o, "CreatedAt", at);
    if (digest_is_zero(&r->manifest))
        jsonset_text(o, "Digest", "<none>");
}

static json_t *image_object(struct store *s, const struct image_row *r)
{
    g_autoptr(reference) ref = *r->name ? reference_parse(r->name, NULL) : NULL;
    g_autofree char *shown = shown_name(r->name);
    char *colon = ref && ref->tag ? strrchr(shown, ':') : NULL;
    g_autofree char *repository = colon ? g_strndup(shown, colon - shown) : g_strdup(shown);
    g_autofree char *size = text_size(r->size);
    g_autofree char *since = text_age(r->created);
    g_autofree char *at = time_text(r->created);
    json_t *o = json_object();
    jsonset_text(o, "Repository", repository);
    jsonset_text(o, "Tag", ref && ref->tag ? ref->tag : "<none>");
    set_digest_text(o, "ID", &r->config);
    set_digest_text(o, "Digest", &r->manifest);
    jsonset_text(o, "Platform", r->platform);
    jsonset_text(o, "CreatedAt", at);
    jsonset_text(o, "CreatedSince", since);
    jsonset_text(o, "Size", size);
    json_object_set_new(o, "SizeBytes", json_integer(r->size));
    json_object_set_new(o, "Layers", r->chain ? json_integer(r->chain->n) : json_null());
    guint64 bytes;
    json_object_set_new(o, "AbsentLayers", json_integer(image_absent(s, r, &bytes)));
    json_object_set_new(o, "AbsentBytes", json_integer(bytes));
    jsonset_text(o, "Origin", r->origin);
    return o;
}

static gboolean print_image_objects(struct store *s, GPtrArray *rows, struct format *f,
                                    gboolean no_trunc, GError **err)
{
    static const char *const heads[][2] = {
        {"ID", "IMAGE ID"}, {"CreatedSince", "CREATED"}, {NULL, NULL}};
    static const char *const optional[] = {"Platform", "Origin", NULL};
    f->optional = optional;
    struct image_row none = {.name = (char *)""};
    json_t *sample = rows->len == 0 ? image_object(s, &none) : NULL;
    if (sample)
        docker_fields(sample, &none, no_trunc);
    if (sample && !format_check(f, sample, err))
        return FALSE;
    for (guint i = 0; i < rows->len; i++) {
        const struct image_row *r = g_ptr_array_index(rows, i);
        json_t *o = image_object(s, r);
        if (f->kind == FORMAT_TEMPLATE)
            docker_fields(o, r, no_trunc);
        if (!format_row(f, o, err))
            return FALSE;
    }
    return format_end(f, heads, err);
}

/* "3", or "1 of 3" where two were left at their registry. */
static char *layers_text(struct store *s, const struct image_row *r)
{
    guint absent = image_absent(s, r, NULL);
    if (!r->chain)
        return NULL;
    return absent ? g_strdup_printf("%u of %u", r->chain->n - absent, r->chain->n)
                  : g_strdup_printf("%u", r->chain->n);
}

/* While not all layers are here, their size is known of none but these. */
static char *bytes_text(struct store *s, const struct image_row *r)
{
    return r->chain && image_absent(s, r, NULL) == 0 ? text_size(r->size) : NULL;
}

static void print_wide(struct store *s, GPtrArray *rows, const struct images_options *o)
{
    const char *heads[] = {
        "NAME", "ID", "CREATED", "SIZE", "LAYERS", "PLATFORM", o->digests ? "DIGEST" : NULL, NULL};
    g_autoptr(table) t = table_new(heads, "---rr--");
    for (guint i = 0; i < rows->len; i++) {
        const struct image_row *r = g_ptr_array_index(rows, i);
        g_autofree char *name = shown_name(r->name);
        g_autofree char *id = id_text(r, o->no_trunc);
        g_autofree char *age = text_age(r->created);
        g_autofree char *size = bytes_text(s, r);
        g_autofree char *layers = layers_text(s, r);
        g_autofree char *digest = digest_is_zero(&r->manifest) ? NULL : digest_text(&r->manifest);
        const char *cells[] = {name, id, age, size, layers, r->platform, digest, NULL};
        table_row(t, cells);
    }
    table_print(t, stdout);
}

static void print_narrow(struct store *s, GPtrArray *rows)
{
    static const char *const heads[] = {"SIZE", "NAME", NULL};
    g_autoptr(table) t = table_new(heads, "r-");
    for (guint i = 0; i < rows->len; i++) {
        const struct image_row *r = g_ptr_array_index(rows, i);
        g_autofree char *name = shown_name(r->name);
        g_autofree char *size = bytes_text(s, r);
        const char *cells[] = {size, name, NULL};
        table_row(t, cells);
    }
    table_print(t, stdout);
}

static void print_nothing(const char *wanted, gboolean filtered)
{
    if (filtered)
        fprintf(stderr, "no image passes the filter\n");
    else if (wanted)
        fprintf(stderr, "no such image: \"%s\"\n", wanted);
    else
        fprintf(stderr, "no images yet\n");
    if (filtered)
        print_next("varve images lists all");
    else if (wanted)
        print_next("varve images lists all · varve pull %s", wanted);
    else
        print_next("varve build -t NAME . · varve pull NAME");
}

static void print_images(struct store *s, GPtrArray *rows, const char *wanted,
                         const struct images_options *o, struct format *f, GError **err)
{
    int columns = text_columns(stdout);
    if (o->quiet && f->kind != FORMAT_TEMPLATE)
        print_ids(rows, o);
    else if (f->kind != FORMAT_TABLE)
        print_image_objects(s, rows, f, o->no_trunc, err);
    else if (rows->len == 0)
        print_nothing(wanted, o->filters || (wanted && strpbrk(wanted, "*?[")));
    else if (columns > 0 && columns < NARROW && !o->digests)
        print_narrow(s, rows);
    else
        print_wide(s, rows, o);
}

/* Stored twice, once for a platform that it does not have; or under its names and without one. */
static gboolean is_repeated(GPtrArray *all, guint at)
{
    const struct image_row *r = g_ptr_array_index(all, at);
    for (guint i = 0; i < all->len; i++) {
        const struct image_row *other = g_ptr_array_index(all, i);
        if (i == at || digest_cmp(&r->config, &other->config) != 0)
            continue;
        gboolean same = g_str_equal(r->name, other->name);
        if ((!*r->name && *other->name) || (same && i < at))
            return TRUE;
    }
    return FALSE;
}

/* A row of the store, or an index's several, as one row of the list. */
struct listed {
    GPtrArray *all; /* struct image_row*, newest first */
    gboolean *done; /* one for each: it is in a row of the list already */
    const struct images_filter *filter;
};

/* The rows of the index of the one at at, which become done; *passes: the filter takes one. */
static GPtrArray *take_group(struct listed *l, guint at, gboolean *passes)
{
    GPtrArray *group = g_ptr_array_new();
    const struct image_row *first = g_ptr_array_index(l->all, at);
    *passes = FALSE;
    for (guint i = l->all->len; i-- > at;) {
        struct image_row *r = g_ptr_array_index(l->all, i);
        gboolean same = i == at || (image_row_in_index(first) && image_row_in_index(r) &&
                                    g_str_equal(r->name, first->name) &&
                                    digest_cmp(&r->target, &first->target) == 0);
        if (!same || l->done[i])
            continue;
        l->done[i] = TRUE;
        *passes = *passes || images_filter_passes(l->filter, i);
        g_ptr_array_add(group, r);
    }
    return group;
}

/* Makes the first row of a group stand for the index: with its digest as id, as docker shows it. */
static struct image_row *row_of_group(const GPtrArray *group)
{
    struct image_row *r = g_ptr_array_index(group, 0);
    GString *platforms = g_string_new(r->platform);
    if (!image_group_is_index(group)) {
        g_string_free(platforms, TRUE);
        return r;
    }
    for (guint i = 1; i < group->len; i++) {
        const struct image_row *other = g_ptr_array_index(group, i);
        g_string_append_printf(platforms, ", %s", other->platform);
        r->size += other->size;
    }
    g_free(r->platform);
    r->platform = g_string_free(platforms, FALSE);
    r->config = r->manifest = r->target;
    return r;
}

static void fill_row(struct store *s, struct image_row *r)
{
    r->size = image_bytes(s, r);
    set_true_platform(s, r);
}

static void collect_rows(struct store *s, struct listed *l, GPtrArray *rows)
{
    for (guint i = 0; i < l->all->len; i++) {
        fill_row(s, g_ptr_array_index(l->all, i));
        l->done[i] = is_repeated(l->all, i);
    }
    for (guint i = 0; i < l->all->len; i++) {
        gboolean passes;
        if (l->done[i])
            continue;
        g_autoptr(GPtrArray) group = take_group(l, i, &passes);
        if (passes)
            g_ptr_array_add(rows, row_of_group(group));
    }
}

static int list_images(const struct images_options *o, const char *wanted, struct format *f,
                       GError **err)
{
    g_autoptr(store) s = open_store(err);
    g_autoptr(GPtrArray) all = s ? store_image_list(s) : NULL;
    g_autoptr(images_filter) filter = s ? images_filter_new(s, all, wanted, o->filters, err) : NULL;
    if (!filter)
        return 0;
    g_autoptr(GPtrArray) rows = g_ptr_array_new();
    g_autofree gboolean *done = g_new0(gboolean, all->len + 1);
    struct listed l = {all, done, filter};
    collect_rows(s, &l, rows);
    print_images(s, rows, wanted, o, f, err);
    return 0;
}

int cmd_images(const struct command *c, int argc, char **argv, GError **err)
{
    struct images_options o = {0};
    struct format f = {0};
    int code = 0;
    if (command_begin(c, &o, &argc, &argv, 0, 1, err) && format_parse(&f, o.format, err))
        code = list_images(&o, argv[1], &f, err);
    format_clear(&f);
    command_clear(c, &o);
    return code;
}
