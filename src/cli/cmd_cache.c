#include "base/error.h"
#include "base/fs.h"
#include "base/jsonset.h"
#include "cache/manage.h"
#include "cache/quiet.h"
#include "cli/arguments.h"
#include "cli/commands.h"
#include "cli/format.h"
#include "cli/interrupt.h"
#include "cli/outside.h"
#include "cli/report.h"
#include "cli/show.h"
#include "ui/progress.h"
#include "ui/text.h"

#include <fcntl.h>
#include <string.h>

#define STEP_COLUMNS 50
#define SHOWN_LOST 20

struct cache_options {
    gboolean dry_run, read;
    char *keep, *max_size, *format, *progress;
};
#define AT(field) G_STRUCT_OFFSET(struct cache_options, field)

const struct option_row cache_option_rows[] = {
    {"keep", 0, OPTION_STRING, AT(keep), "TIME",
     "prune: remove what no build used for TIME (14d, 12h)"},
    {"max-size", 0, OPTION_STRING, AT(max_size), "SIZE",
     "prune: remove what was used least recently until SIZE is left (5GB)"},
    {"dry-run", 0, OPTION_FLAG, AT(dry_run), NULL, "prune: only show what would be removed"},
    {"read", 0, OPTION_FLAG, AT(read), NULL, "verify: fetch everything and check its digests"},
    {"progress", 0, OPTION_STRING, AT(progress), "MODE",
     "verify --read, copy: auto, tty, plain, quiet or rawjson"},
    {"format", 0, OPTION_STRING, AT(format), FORMAT_ARG, "ls: " FORMAT_HELP},
    {0},
};

/* What every verb needs: a store of its own, for blobs pass through it and none stays. */
struct cache_call {
    const struct cache_options *o;
    struct build_config config;
    char *dir; /* of the store */
    struct store *store;
    struct cancel *cancel;
    struct progress *progress; /* or NULL */
    struct quiet_sink quiet;   /* before it */
    struct cache_env env;
    GPtrArray *specs; /* struct cache_spec*: of the backends */
};

static void close_call(struct cache_call *k)
{
    g_clear_pointer(&k->progress, progress_free);
    if (k->store)
        store_close(k->store);
    if (k->dir)
        fs_remove_tree(AT_FDCWD, k->dir, NULL);
    g_free(k->dir);
    g_ptr_array_unref(k->specs);
    build_config_clear(&k->config);
}

/* title: where transfers are shown, of what; or NULL. */
static gboolean open_call(struct cache_call *k, const struct cache_options *o, const char *title,
                          GError **err)
{
    enum progress_mode mode;
    *k = (struct cache_call){.o = o, .cancel = interrupt_watch()};
    k->specs = g_ptr_array_new_with_free_func((GDestroyNotify)cache_spec_free);
    if (!progress_mode_parse(o->progress ? o->progress : "auto", &mode, err) ||
        !configured(&k->config, err))
        return FALSE;
    k->dir = g_dir_make_tmp("varve-cache-XXXXXX", err);
    k->store = k->dir ? store_open(k->dir, err) : NULL;
    if (k->store && title)
        k->progress = progress_new(stderr, mode, title);
    quiet_sink_init(&k->quiet, k->progress ? progress_sink(k->progress) : report_sink());
    k->env = (struct cache_env){k->store, k->config.registry, &k->quiet.sink, k->cancel};
    return k->store != NULL;
}

static struct cache_backend *open_reference(struct cache_call *k, enum cache_use use,
                                            const char *text, GError **err)
{
    g_auto(GStrv) env = g_get_environ();
    g_autoptr(GPtrArray) notes = g_ptr_array_new_with_free_func(g_free);
    struct cache_spec *s = manage_parse(use, text, env, notes, err);
    if (!s)
        return NULL;
    g_ptr_array_add(k->specs, s);
    return cache_open(s, &k->env, err);
}

/* What went wrong with the cache text, which the library does not name. */
static void name_cache(const char *verb, const char *text, GError **err)
{
    g_prefix_error(err, "varve cache %s %s: ", verb, text);
    if (err && *err && !error_next(*err) && g_error_matches(*err, VARVE_ERROR, VARVE_ERROR_INVALID))
        error_add_next(err, "a part of it is damaged: export to a new reference (--cache-to), and "
                            "delete this one");
}

static const char *entry_name(const struct manage_entry *e)
{
    const char *name = e->record ? e->record->step : e->mount->id;
    return name ? name : "";
}

static const char *entry_platform(const struct manage_entry *e)
{
    return e->record ? e->record->platform : e->mount->platform;
}

static json_t *entry_object(const struct manage_entry *e)
{
    json_t *o = json_object();
    jsonset_text(o, "Kind", e->record ? "step" : "mount");
    jsonset_text(o, "Name", entry_name(e));
    jsonset_text(o, "Platform", entry_platform(e));
    json_object_set_new(o, "Bytes", json_integer((json_int_t)e->size));
    g_autofree char *size = format_size(e->size);
    jsonset_text(o, "Size", size);
    g_autofree char *created = time_text(e->record ? e->record->created : e->mount->created);
    jsonset_text(o, "CreatedAt", created);
    g_autofree char *used = time_text(e->used);
    jsonset_text(o, "UsedAt", used);
    json_object_set_new(o, "Hits", json_integer(e->record ? (json_int_t)e->record->hits : 0));
    if (e->record) {
        set_digest_text(o, "Key", &e->record->definition);
        json_object_set_new(o, "Layers", json_integer(e->record->n_layers));
        json_object_set_new(o, "Seconds", json_real((double)e->record->duration_us / 1e6));
    }
    return o;
}

static void add_entry_row(struct table *t, const struct manage_entry *e)
{
    g_autofree char *size = text_size(e->size);
    g_autofree char *created = text_age(e->record ? e->record->created : e->mount->created);
    g_autofree char *used = text_age(e->used);
    g_autofree char *hits =
        e->record ? g_strdup_printf("%" G_GUINT64_FORMAT, e->record->hits) : g_strdup("-");
    g_autofree char *platform = text_fit(entry_platform(e) ? entry_platform(e) : "-", 20);
    g_autofree char *name = text_fit(entry_name(e), STEP_COLUMNS);
    const char *cells[] = {
        e->record ? "step" : "mount", size, created, used, hits, platform, name, NULL};
    table_row(t, cells);
}

static void print_totals(const struct collected *c)
{
    g_autoptr(GPtrArray) blobs = segment_blobs(c->all);
    g_autofree char *size = text_size(manage_bytes(c->all));
    g_autofree char *line =
        g_strdup_printf("%u step%s and %u cache mount%s: %s in %u blob%s, listed by %u segment%s",
                        c->all->records->len, c->all->records->len == 1 ? "" : "s",
                        c->all->mounts->len, c->all->mounts->len == 1 ? "" : "s", size, blobs->len,
                        blobs->len == 1 ? "" : "s", c->listed->len, c->listed->len == 1 ? "" : "s");
    print_wrapped(line, 0);
}

static void print_entries_table(const struct collected *c, const GArray *entries)
{
    static const char *const heads[] = {"KIND", "SIZE",     "CREATED", "USED",
                                        "HITS", "PLATFORM", "NAME",    NULL};
    if (entries->len == 0) {
        fprintf(stderr, "this cache is empty\n");
        print_next("varve build --cache-to …,mode=max fills it");
        return;
    }
    g_autoptr(table) t = table_new(heads, "-r--r--");
    for (guint i = 0; i < entries->len; i++)
        add_entry_row(t, &g_array_index(entries, struct manage_entry, i));
    table_print(t, stdout);
    print_totals(c);
}

static gboolean print_entries(const struct collected *c, struct format *f, GError **err)
{
    static const char *const optional[] = {"Platform", "Key", "Layers", "Seconds", NULL};
    g_autoptr(GArray) entries = manage_entries(c->all);
    f->optional = optional;
    if (f->kind == FORMAT_TABLE) {
        print_entries_table(c, entries);
        return TRUE;
    }
    struct cache_record none = {.step = NULL};
    struct manage_entry sample = {.record = &none};
    if (entries->len == 0 && !format_check(f, entry_object(&sample), err))
        return FALSE;
    for (guint i = 0; i < entries->len; i++)
        if (!format_row(f, entry_object(&g_array_index(entries, struct manage_entry, i)), err))
            return FALSE;
    return format_end(f, NULL, err);
}

static int list_cache(struct cache_call *k, char **refs, GError **err)
{
    struct format f = {0};
    struct collected c = {.bytes = 0};
    g_autoptr(cache_backend) b = open_reference(k, CACHE_READ, refs[0], err);
    if (b && format_parse(&f, k->o->format, err)) {
        if (collect_all(b, k->cancel, &c, err))
            print_entries(&c, &f, err);
        else
            name_cache("ls", b->label, err);
        collected_clear(&c);
    }
    format_clear(&f);
    return 0;
}

static gboolean prune_request_of(const struct cache_options *o, struct prune_request *r,
                                 GError **err)
{
    *r = (struct prune_request){.dry_run = o->dry_run, .unwritten_s = MANAGE_UNWRITTEN_S};
    if (!age_option("--keep", o->keep, &r->keep_s, err) ||
        !size_option("--max-size", o->max_size, &r->max_bytes, err))
        return FALSE;
    if (r->keep_s || r->max_bytes)
        return TRUE;
    error_set(err, VARVE_ERROR_USAGE, "varve cache prune: nothing says what is to stay");
    error_add_next(err, "add --keep 14d or --max-size 5GB");
    return FALSE;
}

static void print_pruned(const struct cache_options *o, const struct cache_backend *b,
                         const struct prune_result *r)
{
    guint64 bytes = r->leaves_blobs || o->dry_run ? MAX(r->dropped_bytes, r->bytes) : r->bytes;
    g_autofree char *size = text_size(bytes);
    if (r->dropped == 0 && r->blobs == 0) {
        printf("nothing to remove from %s (%u entr%s)\n", b->label, r->kept,
               r->kept == 1 ? "y" : "ies");
        return;
    }
    printf("%s %u entr%s%s from %s, %u stay%s; ", o->dry_run ? "would remove" : "removed",
           r->dropped, r->dropped == 1 ? "y" : "ies", r->lost ? " (some without their blobs)" : "",
           b->label, r->kept, r->kept == 1 ? "s" : "");
    if (r->leaves_blobs)
        printf("%s can go when the service cleans up\n", size);
    else if (o->dry_run)
        printf("would free %s\n", size);
    else
        printf("freed %s (%u blob%s)\n", size, r->blobs, r->blobs == 1 ? "" : "s");
    if (r->dropped_bytes > r->bytes && !r->leaves_blobs && !o->dry_run)
        report_note("some blobs were written within the last hour or belong to another cache there "
                    "and stay; the next prune looks at them again");
    if (r->stayed)
        report_warning("%u segment%s of %s could not be deleted, so removed entries may come back: "
                       "allow deleting there",
                       r->stayed, r->stayed == 1 ? "" : "s", b->label);
}

static int prune_cache(struct cache_call *k, char **refs, GError **err)
{
    struct prune_request how;
    struct prune_result r;
    if (!prune_request_of(k->o, &how, err))
        return 0;
    g_autoptr(cache_backend) b =
        open_reference(k, k->o->dry_run ? CACHE_READ : CACHE_WRITE, refs[0], err);
    if (b && manage_prune(b, &how, k->cancel, &r, err))
        print_pruned(k->o, b, &r);
    else if (b)
        name_cache("prune", b->label, err);
    return 0;
}

static void print_problems(const struct verify_result *r)
{
    guint lost = 0;
    for (guint i = 0; i < r->problems->len; i++) {
        const struct manage_problem *p = g_ptr_array_index(r->problems, i);
        g_autofree char *digest = digest_text(&p->digest);
        g_autofree char *why = text_fit(p->why, 300);
        printf("blob %s: %s\n", digest, why);
    }
    for (guint i = 0; i < r->entries->len; i++) {
        const struct manage_entry *e = &g_array_index(r->entries, struct manage_entry, i);
        if (!e->lost || ++lost > SHOWN_LOST)
            continue;
        g_autofree char *name = text_fit(entry_name(e), 200);
        printf("lost: %s%s\n", e->record ? "" : "cache mount ", name);
    }
    if (lost > SHOWN_LOST)
        printf("lost: %u more\n", lost - SHOWN_LOST);
}

static int print_verified(const struct cache_backend *b, const struct verify_result *r,
                          const char *text)
{
    g_autofree char *size = text_size(r->bytes);
    if (r->problems->len == 0) {
        printf("%s is intact: %u entr%s, %u blob%s, %s\n", b->label, r->entries->len,
               r->entries->len == 1 ? "y" : "ies", r->blobs, r->blobs == 1 ? "" : "s", size);
        return 0;
    }
    print_problems(r);
    printf("%u of %u blob%s of %s %s missing or damaged\n", r->problems->len, r->blobs,
           r->blobs == 1 ? "" : "s", b->label, r->problems->len == 1 ? "is" : "are");
    print_next("varve cache prune --keep 10000d '%s' drops what is missing; the next build with "
               "--cache-to writes it again",
               text);
    return 1;
}

static int verify_cache(struct cache_call *k, char **refs, GError **err)
{
    struct verify_result r;
    int code = 0;
    g_autoptr(cache_backend) b = open_reference(k, CACHE_READ, refs[0], err);
    if (!b)
        return 0;
    if (manage_verify(b, k->o->read ? k->store : NULL, k->cancel, &r, err)) {
        g_clear_pointer(&k->progress, progress_free);
        code = print_verified(b, &r, refs[0]);
    } else {
        name_cache("verify", b->label, err);
    }
    verify_result_clear(&r);
    return code;
}

static int copy_cache(struct cache_call *k, char **refs, GError **err)
{
    struct copy_result r;
    g_autoptr(cache_backend) from = open_reference(k, CACHE_READ, refs[0], err);
    g_autoptr(cache_backend) to = from ? open_reference(k, CACHE_WRITE, refs[1], err) : NULL;
    if (!to)
        return 0;
    if (!manage_copy(from, to, k->store, k->cancel, &r, err)) {
        g_prefix_error(err, "varve cache copy %s to %s: ", from->label, to->label);
        return 0;
    }
    g_clear_pointer(&k->progress, progress_free);
    g_autofree char *size = text_size(r.bytes);
    printf("copied %u entr%s to %s: %s in %u blob%s sent, %u entr%s already there\n", r.entries,
           r.entries == 1 ? "y" : "ies", to->label, size, r.blobs, r.blobs == 1 ? "" : "s", r.there,
           r.there == 1 ? "y was" : "ies were");
    if (r.lost)
        report_warning("%u entr%s of %s could not be copied: blobs are missing there; varve cache "
                       "verify says which",
                       r.lost, r.lost == 1 ? "y" : "ies", from->label);
    return 0;
}

static const struct cache_verb {
    const char *name;
    int refs;         /* how many it takes */
    const char *only; /* its options, parted by spaces */
    int (*run)(struct cache_call *k, char **refs, GError **err);
} verbs[] = {{"ls", 1, "format", list_cache},
             {"prune", 1, "keep max-size dry-run", prune_cache},
             {"verify", 1, "read progress", verify_cache},
             {"copy", 2, "progress", copy_cache}};

static const struct cache_verb *find_verb(const char *name, GError **err)
{
    static const char *const names[] = {"ls", "prune", "verify", "copy"};
    const char *wanted = g_str_equal(name, "list") ? "ls" : name;
    for (guint i = 0; i < G_N_ELEMENTS(verbs); i++)
        if (g_str_equal(verbs[i].name, wanted))
            return &verbs[i];
    const char *meant = command_nearest(name, names, G_N_ELEMENTS(names));
    error_set(err, VARVE_ERROR_USAGE, "varve cache: \"%s\" is not ls, prune, verify or copy%s%s%s",
              name, meant ? "; did you mean " : "", meant ? meant : "", meant ? "?" : "");
    error_add_next(err, "for example: varve cache ls ./cache");
    return NULL;
}

/* Options of other verbs are mistakes. */
static gboolean check_options(const struct cache_verb *v, const struct cache_options *o,
                              GError **err)
{
    const struct {
        const char *name;
        gboolean given;
    } all[] = {{"keep", o->keep != NULL},         {"max-size", o->max_size != NULL},
               {"dry-run", o->dry_run},           {"read", o->read},
               {"progress", o->progress != NULL}, {"format", o->format != NULL}};
    g_auto(GStrv) only = g_strsplit(v->only, " ", -1);
    for (guint i = 0; i < G_N_ELEMENTS(all); i++) {
        if (!all[i].given || g_strv_contains((const char *const *)only, all[i].name))
            continue;
        error_set(err, VARVE_ERROR_USAGE, "varve cache %s: takes no --%s", v->name, all[i].name);
        error_add_next(err, "varve cache --help says which options each takes");
        return FALSE;
    }
    return TRUE;
}

static int run_verb(const struct cache_options *o, int n, char **words, GError **err)
{
    struct cache_call k;
    const struct cache_verb *v = find_verb(words[0], err);
    if (!v || !check_options(v, o, err))
        return 0;
    if (n - 1 != v->refs) {
        error_set(err, VARVE_ERROR_USAGE, "varve cache %s: needs %s", v->name,
                  v->refs == 2 ? "two references: FROM and TO" : "one reference");
        error_add_next(err, "usage: varve cache %s %s", v->name, v->refs == 2 ? "REF REF" : "REF");
        return 0;
    }
    g_autofree char *title = g_strdup_printf("cache %s", v->name);
    gboolean shows = v->run == copy_cache || (v->run == verify_cache && o->read);
    int code = open_call(&k, o, shows ? title : NULL, err) ? v->run(&k, words + 1, err) : 0;
    close_call(&k);
    return code;
}

int cmd_cache(const struct command *c, int argc, char **argv, GError **err)
{
    struct cache_options o = {0};
    int code = 0;
    if (command_begin(c, &o, &argc, &argv, 1, 3, err))
        code = run_verb(&o, argc - 1, argv + 1, err);
    command_clear(c, &o);
    return code;
}
