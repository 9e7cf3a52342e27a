/* Garbage collection, usage, fsck. */
#include "fixture.h"

#include "store/internal.h"
#include "store/orphans.h"

#include <sqlite3.h>

#define KB 1024

static void sql(const char *text)
{
    g_autofree char *path = g_build_filename(fixture_root, "varve.db", NULL);
    sqlite3 *db = NULL;
    g_assert_cmpint(sqlite3_open(path, &db), ==, SQLITE_OK);
    g_assert_cmpint(sqlite3_exec(db, text, NULL, NULL, NULL), ==, SQLITE_OK);
    sqlite3_close(db);
}

static void tag(struct store *s, const char *name, struct chain *c)
{
    GError *err = NULL;
    struct image_row r = {.name = (char *)name, .platform = (char *)"linux/amd64", .chain = c};
    g_autofree char *config = g_strdup_printf("{\"name\":\"%s\"}", name);
    store_blob_put(s, config, strlen(config), &r.config, &err);
    store_image_put(s, &r, &err);
    g_assert_no_error(err);
}

static gboolean has_layer(struct store *s, const char *id)
{
    struct layer_info info;
    g_autofree char *path = store_layer_path(id);
    gboolean row = store_layer_get(s, id, &info, NULL);
    g_assert_cmpint(row, ==, fixture_exists(s, path));
    return row;
}

/* What a process commits stays while it lives; then only names and records keep layers. */
static void test_roots(void)
{
    fixture_begin();
    struct store *s = fixture_open(), *pruner = fixture_open();
    g_autoptr(chain) loose = fixture_chain(s, NULL, 64 * KB),
                     cached = fixture_chain(s, NULL, 64 * KB),
                     tagged = fixture_chain(s, NULL, 64 * KB);
    struct digest blob;
    g_assert_true(store_blob_put(s, "loose", 5, &blob, NULL));
    fixture_record(s, "cached", cached);
    tag(s, "a:1", tagged);
    guint64 removed;
    g_assert_cmpuint(fixture_gc(pruner, (struct gc_options){.all = TRUE}, &removed), ==, 0);
    g_assert_cmpuint(removed, ==, 0);
    g_assert_true(has_layer(pruner, loose->ids[0]) && store_blob_has(s, &blob, NULL));
    store_close(s);
    guint64 would, did;
    would = fixture_gc(pruner, (struct gc_options){.dry_run = TRUE}, &removed);
    g_assert_cmpuint(removed, ==, 2);
    g_assert_true(has_layer(pruner, loose->ids[0]));
    did = fixture_gc(pruner, (struct gc_options){.dry_run = FALSE}, &removed);
    g_assert_cmpuint(removed, ==, 2);
    g_assert_cmpuint(would, ==, did);
    g_assert_cmpuint(did, >=, 64 * KB);
    g_assert_false(has_layer(pruner, loose->ids[0]));
    g_assert_true(has_layer(pruner, cached->ids[0]) && has_layer(pruner, tagged->ids[0]));
    fixture_gc(pruner, (struct gc_options){.all = TRUE}, NULL);
    g_assert_false(has_layer(pruner, cached->ids[0]));
    g_assert_false(fixture_has_record(pruner, "cached"));
    g_assert_true(has_layer(pruner, tagged->ids[0]));
    g_assert_true(store_image_remove(pruner, "a:1", NULL, NULL));
    fixture_gc(pruner, (struct gc_options){.all = TRUE}, NULL);
    g_assert_cmpuint(fixture_count(pruner, "layers"), ==, 0);
    g_assert_cmpuint(fixture_count(pruner, "blobs/sha256"), ==, 0);
    g_assert_cmpuint(fixture_fsck(pruner, FALSE, NULL), ==, 0);
    store_close(pruner);
    fixture_end();
}

static void assert_gc_fails(struct store *s, const char *layer)
{
    g_autoptr(GError) err = NULL;
    struct gc_options o = {.all = TRUE};
    g_assert_false(store_gc(s, &o, NULL, NULL, &err));
    g_assert_nonnull(err);
    g_assert_true(g_str_has_prefix(err->message, "pruning the store"));
    g_assert_true(has_layer(s, layer));
}

/* What names keep cannot be read: nothing goes. */
static void test_unreadable_names(void)
{
    fixture_begin();
    struct store *s = fixture_open();
    g_autoptr(chain) c = fixture_chain(s, NULL, KB);
    tag(s, "a:1", c);
    store_close(s);
    s = fixture_open();
    sql("ALTER TABLE images RENAME COLUMN chain TO other");
    assert_gc_fails(s, c->ids[0]);
    sql("ALTER TABLE images RENAME COLUMN other TO chain");
    fixture_gc(s, (struct gc_options){.all = TRUE}, NULL);
    g_assert_true(has_layer(s, c->ids[0]));
    store_close(s);
    fixture_end();
}

/* The leases of a living process cannot be read, or are too large: nothing goes. */
static void test_unreadable_leases(void)
{
    fixture_begin();
    struct store *s = fixture_open(), *pruner = fixture_open();
    g_autoptr(chain) c = fixture_chain(s, NULL, KB);
    g_autofree char *leases = g_strconcat(s->owner, "/leases", NULL);
    g_autofree char *aside = g_strconcat(s->owner, "/aside", NULL);
    g_assert_cmpint(renameat(s->fd, leases, s->fd, aside), ==, 0);
    g_assert_cmpint(mkdirat(s->fd, leases, 0755), ==, 0);
    assert_gc_fails(pruner, c->ids[0]);
    g_assert_cmpint(unlinkat(s->fd, leases, AT_REMOVEDIR), ==, 0);
    g_assert_cmpint(renameat(s->fd, aside, s->fd, leases), ==, 0);
    g_assert_cmpint(ftruncate(s->lease_fd, 65 << 20), ==, 0);
    assert_gc_fails(pruner, c->ids[0]);
    store_close(s);
    fixture_gc(pruner, (struct gc_options){.all = TRUE}, NULL);
    g_assert_false(has_layer(pruner, c->ids[0]));
    store_close(pruner);
    fixture_end();
}

/* A row that cannot be looked up is not a missing row. */
static void test_unreadable_rows(void)
{
    static const char *const tables[] = {"layers", "blobs", "builds"};
    for (guint i = 0; i < G_N_ELEMENTS(tables); i++) {
        fixture_begin();
        struct store *s = fixture_open();
        g_autoptr(chain) c = fixture_chain(s, NULL, KB);
        tag(s, "a:1", c);
        fixture_write(s, "logs/1", "x", 1);
        g_autofree char *drop = g_strconcat("DROP TABLE ", tables[i], NULL);
        sql(drop);
        {
            DB_LOCK(s->db);
            g_autoptr(GError) err = NULL;
            g_assert_null(orphans_list(s, &err));
            g_assert_nonnull(err);
        }
        store_close(s);
        fixture_end();
    }
}

/* A found record is leased even though nothing was written to the database. */
static void test_found_is_leased(void)
{
    fixture_begin();
    struct store *s = fixture_open();
    g_autoptr(chain) c = fixture_chain(s, NULL, KB);
    fixture_record(s, "key", c);
    store_close(s);
    struct store *finder = fixture_open(), *pruner = fixture_open();
    g_assert_true(fixture_has_record(finder, "key"));
    fixture_gc(pruner, (struct gc_options){.all = TRUE}, NULL);
    g_assert_true(has_layer(pruner, c->ids[0]));
    store_close(finder);
    fixture_gc(pruner, (struct gc_options){.all = TRUE}, NULL);
    g_assert_false(has_layer(pruner, c->ids[0]));
    store_close(pruner);
    fixture_end();
}

/* Blobs a manifest mentions stay with the image, those of layers with the layer. */
/* What two stores of one process lease: when one ends its use, what only it used can go. */
static void leases_end(gboolean by_close)
{
    fixture_begin();
    g_autoptr(store) gc = fixture_open();
    g_autoptr(store) a = fixture_open();
    struct store *b = fixture_open();
    g_autoptr(chain) base = fixture_chain(gc, NULL, 10);
    g_autoptr(chain) mine = fixture_chain(gc, base, 10), theirs = fixture_chain(gc, base, 10);
    fixture_record(gc, "mine", mine);
    fixture_record(gc, "theirs", theirs);
    store_end_use(gc);
    g_assert_true(fixture_has_record(a, "mine"));
    g_assert_true(fixture_has_record(b, "theirs"));
    fixture_gc(gc, (struct gc_options){.all = TRUE}, NULL);
    g_assert_cmpuint(fixture_count(gc, "layers"), ==, 3);
    if (by_close)
        g_clear_pointer(&b, store_close);
    else
        store_end_use(b);
    fixture_gc(gc, (struct gc_options){.all = TRUE}, NULL);
    g_assert_cmpuint(fixture_count(gc, "layers"), ==, 2);
    g_assert_true(fixture_has_record(a, "mine"));
    if (b) { /* and it leases again */
        g_assert_false(fixture_has_record(b, "theirs"));
        g_assert_true(fixture_has_record(b, "mine"));
        store_end_use(a);
        fixture_gc(gc, (struct gc_options){.all = TRUE}, NULL);
        g_assert_cmpuint(fixture_count(gc, "layers"), ==, 2);
    }
    store_close(b);
    fixture_end();
}

static void test_leases_end(void)
{
    leases_end(FALSE);
    leases_end(TRUE);
}

static void test_peek(void)
{
    fixture_begin();
    g_autoptr(store) gc = fixture_open();
    g_autoptr(store) s = fixture_open();
    g_autoptr(chain) c = fixture_chain(gc, NULL, 10);
    struct digest key = fixture_digest("r"), none = fixture_digest("none");
    fixture_record(gc, "r", c);
    store_end_use(gc);
    {
        g_autoptr(record) r = store_record_peek(s, &key);
        g_assert_true(r && chain_equal(r->chain, c));
        g_assert_null(store_record_peek(s, &none));
    }
    fixture_gc(gc, (struct gc_options){.all = TRUE}, NULL); /* peeking leased nothing */
    g_assert_cmpuint(fixture_count(gc, "layers"), ==, 0);
    g_assert_null(store_record_peek(s, &key));
    fixture_end();
}

static void make_older(struct store *s, const char *path)
{
    struct timespec then[2] = {{.tv_sec = 1000}, {.tv_sec = 1000}};
    g_assert_cmpint(utimensat(store_fd(s), path, then, 0), ==, 0);
}

/* Origins stay while a blob names them, and what was written just now; a failed build for months.
 */
static void test_notes(void)
{
    fixture_begin();
    g_autoptr(store) s = fixture_open();
    struct digest kept, gone = fixture_digest("gone"), fresh = fixture_digest("fresh");
    g_assert_true(store_blob_put(s, "blob", 4, &kept, NULL));
    store_origins_save(s, &kept, "h r\n", 4);
    store_origins_save(s, &gone, "h r\n", 4);
    store_origins_save(s, &fresh, "h r\n", 4);
    g_autofree char *large = g_malloc0(STORE_ORIGINS_MAX + 1);
    store_origins_save(s, &fresh, large, STORE_ORIGINS_MAX + 1); /* ignored */
    fixture_write(s, "origins/strange", "", 0);
    char hex[2][DIGEST_HEX_LEN + 1];
    g_autofree char *a = g_strconcat("origins/", digest_hex(&kept, hex[0]), NULL);
    g_autofree char *b = g_strconcat("origins/", digest_hex(&gone, hex[1]), NULL);
    make_older(s, a);
    make_older(s, b);
    make_older(s, "origins/strange");
    guint64 removed = 0;
    fixture_gc(s, (struct gc_options){.dry_run = TRUE}, &removed);
    g_assert_cmpuint(removed, ==, 2);
    fixture_gc(s, (struct gc_options){.all = FALSE}, &removed); /* s leases the blob */
    g_assert_cmpuint(removed, ==, 2);
    g_autoptr(GBytes) left = store_origins_load(s, &kept);
    g_autoptr(GBytes) new = store_origins_load(s, &fresh);
    g_assert_true(left && new && g_bytes_get_size(new) == 4);
    g_assert_null(store_origins_load(s, &gone));
    g_assert_true(store_failed_build_save(s, "/\0b", 4));
    fixture_gc(s, (struct gc_options){.all = TRUE}, NULL);
    g_autoptr(GBytes) note = store_failed_build_load(s, NULL);
    g_assert_true(note && g_bytes_get_size(note) == 4);
    make_older(s, "failed-build");
    fixture_gc(s, (struct gc_options){.all = FALSE}, NULL);
    g_assert_null(store_failed_build_load(s, NULL));
    fixture_end();
}

static void test_blobs(void)
{
    fixture_begin();
    struct store *s = fixture_open();
    GError *err = NULL;
    struct digest layer, other, manifest, config, zipped;
    store_blob_put(s, "layer bytes", 11, &layer, &err);
    store_blob_put(s, "other", 5, &other, &err);
    store_blob_put(s, "zipped", 6, &zipped, &err);
    store_blob_put(s, "{}", 2, &config, &err);
    g_autofree char *text = digest_text(&layer);
    g_autofree char *json = g_strdup_printf("{\"layers\":[{\"digest\":\"%s\"}]}", text);
    store_blob_put(s, json, strlen(json), &manifest, &err);
    struct image_row r = {.name = (char *)"x:1",
                          .platform = (char *)"linux/amd64",
                          .manifest = manifest,
                          .config = config};
    g_assert_true(store_image_put(s, &r, &err));
    g_autoptr(chain) c = fixture_chain(s, NULL, KB);
    struct layer_blob b = {.digest = zipped, .media_type = "x"};
    g_assert_true(store_layer_blob_put(s, c->ids[0], "gzip", &b, &err));
    fixture_record(s, "key", c);
    store_close(s);
    s = fixture_open();
    guint64 removed;
    fixture_gc(s, (struct gc_options){.dry_run = FALSE}, &removed);
    g_assert_cmpuint(removed, ==, 1);
    g_assert_true(store_blob_has(s, &layer, NULL) && store_blob_has(s, &zipped, NULL));
    g_assert_false(store_blob_has(s, &other, NULL));
    store_close(s);
    fixture_end();
}

/* A manifest is there but cannot be read (here it is a link): what it needs is not known. */
static void test_unreadable_manifest(void)
{
    fixture_begin();
    struct store *s = fixture_open();
    g_autoptr(chain) c = fixture_chain(s, NULL, KB);
    GError *err = NULL;
    struct image_row r = {.name = (char *)"x:1", .platform = (char *)"linux/amd64"};
    store_blob_put(s, "{}", 2, &r.manifest, &err);
    g_assert_true(store_image_put(s, &r, &err));
    g_autofree char *path = blob_path(&r.manifest), *aside = g_strconcat(path, ".aside", NULL);
    store_close(s);
    s = fixture_open();
    g_assert_cmpint(renameat(s->fd, path, s->fd, aside), ==, 0);
    g_assert_cmpint(symlinkat(aside, s->fd, path), ==, 0);
    assert_gc_fails(s, c->ids[0]);
    g_assert_cmpint(renameat(s->fd, aside, s->fd, path), ==, 0);
    fixture_gc(s, (struct gc_options){.all = TRUE}, NULL);
    g_assert_false(has_layer(s, c->ids[0]));
    g_assert_true(store_blob_has(s, &r.manifest, NULL));
    store_close(s);
    fixture_end();
}

static void test_untagged(void)
{
    fixture_begin();
    struct store *s = fixture_open();
    g_autoptr(chain) c = fixture_chain(s, NULL, KB);
    tag(s, "", c);
    tag(s, "", c); /* the same again is one row */
    g_autoptr(GPtrArray) list = store_image_list(s);
    g_assert_cmpuint(list->len, ==, 1);
    store_close(s);
    s = fixture_open();
    fixture_gc(s, (struct gc_options){.dry_run = FALSE}, NULL);
    g_autoptr(GPtrArray) none = store_image_list(s);
    g_assert_cmpuint(none->len, ==, 0);
    g_assert_false(has_layer(s, c->ids[0]));
    store_close(s);
    fixture_end();
}

/* Four records of 256 KiB, used one after the other. */
static void make_aged(void)
{
    struct store *s = fixture_open();
    for (int i = 0; i < 4; i++) {
        g_autoptr(chain) c = fixture_chain(s, NULL, 256 * KB);
        g_autofree char *key = g_strdup_printf("k%d", i);
        fixture_record(s, key, c);
    }
    store_close(s);
    sql("UPDATE records SET last_used = last_used - 1000 * (5 - rowid)");
}

static void expect_records(const char *want)
{
    struct store *s = fixture_open();
    char have[5] = "";
    for (int i = 0; i < 4; i++) {
        g_autofree char *key = g_strdup_printf("k%d", i);
        g_strlcat(have, fixture_has_record(s, key) ? "1" : "0", sizeof have);
    }
    g_assert_cmpstr(have, ==, want);
    store_close(s);
}

static void test_budget(void)
{
    static const struct {
        struct gc_options o;
        const char *left; /* k0 is the oldest: used 4000 s ago, k3 1000 s ago */
    } cases[] = {
        {{.all = TRUE, .keep_bytes = 600 * KB}, "0011"},
        {{.all = TRUE, .keep_bytes = 100 * KB}, "0000"},
        {{.all = TRUE, .keep_bytes = 100000 * KB}, "1111"},
        {{.all = TRUE, .keep_seconds = 2500}, "0011"},
        {{.all = TRUE, .keep_seconds = 3500, .keep_bytes = 300 * KB}, "0111"},
        {{.all = FALSE}, "1111"},
        {{.all = TRUE}, "0000"},
    };
    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        fixture_begin();
        make_aged();
        struct store *s = fixture_open();
        struct gc_options dry = cases[i].o;
        dry.dry_run = TRUE;
        guint64 would = fixture_gc(s, dry, NULL), did = fixture_gc(s, cases[i].o, NULL);
        g_assert_cmpuint(would, ==, did);
        store_close(s);
        g_test_message("case %u", i);
        expect_records(cases[i].left);
        fixture_end();
    }
}

/* Use is remembered beyond the process. */
static void test_last_used(void)
{
    fixture_begin();
    make_aged();
    struct store *s = fixture_open();
    g_assert_true(fixture_has_record(s, "k0"));
    store_close(s);
    s = fixture_open();
    fixture_gc(s, (struct gc_options){.all = TRUE, .keep_seconds = 500}, NULL);
    store_close(s);
    expect_records("1000");
    fixture_end();
}

static void link_object(struct store *s, const char *object, const char *to)
{
    g_assert_cmpint(linkat(store_fd(s), object, store_fd(s), to, 0), ==, 0);
}

static void test_objects_and_usage(void)
{
    fixture_begin();
    struct store *s = fixture_open();
    struct digest id = fixture_digest("object"), alone = fixture_digest("alone");
    g_autofree char *object = store_object_path(s, &id), *unused = store_object_path(s, &alone);
    g_autofree char *dir = g_path_get_dirname(object), *dir2 = g_path_get_dirname(unused);
    g_assert_true(fs_mkdir_p(store_fd(s), dir, 0755, NULL) &&
                  fs_mkdir_p(store_fd(s), dir2, 0755, NULL));
    g_autofree char *bytes = g_malloc0(400 * KB);
    fixture_write(s, object, bytes, 400 * KB);
    fixture_write(s, unused, bytes, 100 * KB);
    g_autoptr(chain) kept = fixture_chain(s, NULL, KB), loose = fixture_chain(s, NULL, KB);
    g_autofree char *in_kept = g_strdup_printf("layers/%s/fs/o", kept->ids[0]);
    g_autofree char *in_loose = g_strdup_printf("layers/%s/fs/o", loose->ids[0]);
    link_object(s, object, in_kept);
    link_object(s, object, in_loose);
    fixture_record(s, "key", kept);
    store_close(s);
    s = fixture_open();
    struct store_usage u;
    g_assert_true(store_usage(s, &u, NULL));
    g_assert_true(u.layers == 2 && u.objects == 2 && u.images == 0);
    g_assert_cmpuint(u.layer_bytes, >=, 400 * KB);
    g_assert_cmpuint(u.layer_bytes, <, 450 * KB); /* the object counts once */
    g_assert_cmpuint(u.object_bytes, >=, 500 * KB);
    g_assert_cmpuint(u.total_bytes, <, 560 * KB);
    g_assert_cmpuint(u.reclaimable_bytes, >=, 100 * KB);
    g_assert_cmpuint(u.reclaimable_bytes, <, 150 * KB);
    g_assert_cmpuint(fixture_gc(s, (struct gc_options){.dry_run = FALSE}, NULL), ==,
                     u.reclaimable_bytes);
    g_assert_true(fixture_exists(s, object) && fixture_exists(s, in_kept));
    g_assert_false(fixture_exists(s, unused));
    guint64 freed = fixture_gc(s, (struct gc_options){.all = TRUE}, NULL);
    g_assert_cmpuint(freed, >=, 400 * KB);
    g_assert_false(fixture_exists(s, object));
    store_close(s);
    fixture_end();
}

static void test_orphans(void)
{
    fixture_begin();
    g_autoptr(store) s = fixture_open();
    g_assert_true(fs_mkdir_p(store_fd(s), "layers/0123456789ab/fs", 0755, NULL));
    fixture_write(s, "blobs/sha256/junk", "x", 1);
    g_assert_cmpuint(fixture_fsck(s, FALSE, NULL), ==, 0); /* not problems */
    guint64 removed;
    fixture_gc(s, (struct gc_options){.dry_run = FALSE}, &removed);
    g_assert_cmpuint(removed, ==, 2);
    g_assert_cmpuint(fixture_count(s, "layers") + fixture_count(s, "blobs/sha256"), ==, 0);
    fixture_end();
}

/* A store with one layer, blob, record and image; then one thing in it is broken. */
struct breakage {
    const char *how;     /* what is done: a path removed, "+path" overwritten, or SQL */
    const char *problem; /* a word of what fsck says */
    guint n;             /* problems in all */
};

static void break_it(struct store *s, const struct breakage *b, const char *layer, const char *blob)
{
    g_autoptr(GString) how = g_string_new(b->how);
    g_string_replace(how, "LAYER", layer, 0);
    g_string_replace(how, "BLOB", blob, 0);
    if (g_str_has_prefix(how->str, "UPDATE") || g_str_has_prefix(how->str, "DELETE"))
        sql(how->str);
    else if (how->str[0] == '+')
        fixture_write(s, how->str + 1, "{\"name\":\"b:1\"}", 14);
    else
        g_assert_true(fs_remove_tree(store_fd(s), how->str, NULL));
}

static void check_breakage(const struct breakage *b)
{
    fixture_begin();
    struct store *s = fixture_open();
    GError *err = NULL;
    g_autoptr(chain) c = fixture_chain(s, NULL, KB);
    struct layer_info info;
    store_layer_get(s, c->ids[0], &info, &err);
    g_autofree char *index = g_strdup_printf("layers/%s/index", info.id);
    fixture_write(s, index, "index", 5);
    g_assert_true(store_layer_set_indexed(s, &info, &err));
    fixture_record(s, "key", c);
    tag(s, "a:1", c);
    struct digest config = fixture_digest("{\"name\":\"a:1\"}");
    char hex[DIGEST_HEX_LEN + 1];
    g_assert_cmpuint(fixture_fsck(s, FALSE, NULL), ==, 0);
    break_it(s, b, c->ids[0], digest_hex(&config, hex));
    g_autoptr(GPtrArray) texts = g_ptr_array_new_with_free_func(g_free);
    g_assert_cmpuint(fixture_fsck(s, FALSE, texts), ==, b->n);
    g_assert_nonnull(strstr(g_ptr_array_index(texts, 0), b->problem));
    fixture_fsck(s, TRUE, NULL);
    g_assert_cmpuint(fixture_fsck(s, FALSE, NULL), ==, 0);
    g_autoptr(image_row) image = store_image_find(s, "a:1", "linux/amd64");
    g_assert_null(image); /* each of these takes the name with it */
    store_close(s);
    fixture_end();
}

static void test_fsck(void)
{
    static const struct breakage cases[] = {
        {"layers/LAYER", "row without a directory", 1},
        {"layers/LAYER/index", "index is missing", 1},
        {"blobs/sha256/BLOB", "row without a file", 1},
        {"+blobs/sha256/BLOB", "another digest", 1},
        {"UPDATE blobs SET size = 3", "its row says 3", 1},
        {"DELETE FROM blobs", "config or manifest is gone", 1},
        {"DELETE FROM layers", "names a layer that is gone", 2},
    };
    for (guint i = 0; i < G_N_ELEMENTS(cases); i++)
        check_breakage(&cases[i]);
}

static gboolean no_layer_is_good(struct store *s, const char *id, GError **err)
{
    return error_set(err, VARVE_ERROR_INVALID, "file f has another digest");
}

static void test_fsck_deep(void)
{
    fixture_begin();
    g_autoptr(store) s = fixture_open();
    GError *err = NULL;
    g_autoptr(chain) c = fixture_chain(s, NULL, KB);
    guint problems;
    g_autoptr(GPtrArray) texts = g_ptr_array_new_with_free_func(g_free);
    struct fsck_options o = {
        .check_layer = no_layer_is_good, .report = fixture_print_problem, .ctx = texts};
    g_assert_true(store_fsck(s, &o, &problems, &err));
    g_assert_cmpuint(problems, ==, 0); /* not indexed yet: nothing to compare with */
    struct layer_info info;
    store_layer_get(s, c->ids[0], &info, &err);
    g_autofree char *index = g_strdup_printf("layers/%s/index", info.id);
    fixture_write(s, index, "index", 5);
    store_layer_set_indexed(s, &info, &err);
    g_autofree char *file = g_strdup_printf("layers/%s/fs/f", info.id);
    g_assert_true(fs_mkdir_p(s->fd, "objects/aa", 0700, NULL));
    g_assert_cmpint(linkat(s->fd, file, s->fd, "objects/aa/shared", 0), ==, 0);
    fixture_write(s, "objects/aa/other", "x", 1);
    o.repair = TRUE;
    g_assert_true(store_fsck(s, &o, &problems, &err));
    g_assert_cmpuint(problems, ==, 1);
    g_assert_nonnull(strstr(g_ptr_array_index(texts, 0), "file f has another digest"));
    g_assert_false(has_layer(s, info.id));
    g_assert_false(fixture_exists(s, "objects/aa/shared")); /* or the next build links it */
    g_assert_true(fixture_exists(s, "objects/aa/other"));
    fixture_end();
}

static guint settle(struct store *s)
{
    GError *err = NULL;
    guint problems = 99;
    struct fsck_options o = {.report = fixture_print_problem};
    g_assert_true(store_settle(s, &o, &problems, &err));
    g_assert_no_error(err);
    return problems;
}

/* After a restart what was written last is verified, older things are not. */
static void test_settle(void)
{
    fixture_begin();
    g_autoptr(store) s = fixture_open();
    g_autoptr(chain) old = fixture_chain(s, NULL, KB), lost = fixture_chain(s, NULL, KB),
                     kept = fixture_chain(s, NULL, KB);
    g_assert_true(store_is_unsettled(s));
    g_assert_cmpuint(settle(s), ==, 0);
    g_assert_false(store_is_unsettled(s));
    g_autofree char *sql =
        g_strdup_printf("UPDATE layers SET created = created - 3600 WHERE id = '%s'", old->ids[0]);
    {
        DB_LOCK(s->db);
        g_assert_true(db_exec(s->db, NULL, sql, ""));
    }
    const char *gone[] = {old->ids[0], lost->ids[0]};
    for (guint i = 0; i < G_N_ELEMENTS(gone); i++) {
        g_autofree char *path = store_layer_path(gone[i]);
        fs_remove_tree(s->fd, path, NULL);
    }
    fixture_write(s, "boot", "another", 7);
    g_assert_true(store_is_unsettled(s));
    g_assert_cmpuint(settle(s), ==, 1);
    g_assert_false(has_layer(s, lost->ids[0]));
    g_assert_true(has_layer(s, kept->ids[0]));
    g_assert_cmpuint(fixture_fsck(s, FALSE, NULL), ==, 1); /* the old one */
    g_assert_false(store_is_unsettled(s));
    fixture_end();
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/store/gc/settle", test_settle);
    g_test_add_func("/store/gc/roots", test_roots);
    g_test_add_func("/store/gc/unreadable-names", test_unreadable_names);
    g_test_add_func("/store/gc/unreadable-leases", test_unreadable_leases);
    g_test_add_func("/store/gc/unreadable-rows", test_unreadable_rows);
    g_test_add_func("/store/gc/found-is-leased", test_found_is_leased);
    g_test_add_func("/store/gc/blobs", test_blobs);
    g_test_add_func("/store/gc/unreadable-manifest", test_unreadable_manifest);
    g_test_add_func("/store/gc/untagged", test_untagged);
    g_test_add_func("/store/gc/budget", test_budget);
    g_test_add_func("/store/gc/last-used", test_last_used);
    g_test_add_func("/store/gc/objects", test_objects_and_usage);
    g_test_add_func("/store/gc/orphans", test_orphans);
    g_test_add_func("/store/fsck/breakages", test_fsck);
    g_test_add_func("/store/fsck/deep", test_fsck_deep);
    g_test_add_func("/store/gc/leases-end", test_leases_end);
    g_test_add_func("/store/gc/peek", test_peek);
    g_test_add_func("/store/gc/notes", test_notes);
    return g_test_run();
}
