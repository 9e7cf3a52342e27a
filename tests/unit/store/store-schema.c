/* Databases of every schema that ever was (tests/data/store/schema-N.sql) become what a new one is,
 * and keep their rows. */
#include "fixture.h"

#include <sqlite3.h>

#define FIRST 1
#define LAST 6 /* the schema of today: its own file is what migrations are measured by, too */

static sqlite3 *open_sql(void)
{
    sqlite3 *db = NULL;
    g_autofree char *path = g_build_filename(fixture_root, "varve.db", NULL);
    g_assert_cmpint(sqlite3_open(path, &db), ==, SQLITE_OK);
    return db;
}

static void run_sql(const char *sql)
{
    sqlite3 *db = open_sql();
    char *why = NULL;
    sqlite3_exec(db, sql, NULL, NULL, &why);
    g_assert_cmpstr(why, ==, NULL);
    sqlite3_close(db);
}

/* What the query yields, one line for each row. */
static char *ask(const char *sql)
{
    sqlite3 *db = open_sql();
    sqlite3_stmt *q = NULL;
    GString *text = g_string_new(NULL);
    g_assert_cmpint(sqlite3_prepare_v2(db, sql, -1, &q, NULL), ==, SQLITE_OK);
    while (sqlite3_step(q) == SQLITE_ROW) {
        for (int i = 0; i < sqlite3_column_count(q); i++)
            g_string_append_printf(text, "%s|", (const char *)sqlite3_column_text(q, i));
        g_string_append_c(text, '\n');
    }
    sqlite3_finalize(q);
    sqlite3_close(db);
    return g_string_free(text, FALSE);
}

/* Tables with their columns, then indexes, then the version. */
static char *schema_text(void)
{
    return ask("SELECT t.name, c.cid, c.name, c.type, c.\"notnull\", c.dflt_value, c.pk, t.wr"
               " FROM pragma_table_list t, pragma_table_info(t.name) c WHERE t.type='table'"
               " UNION ALL SELECT name, 0, sql, '', '', '', '', '' FROM sqlite_schema"
               " WHERE type='index' AND sql IS NOT NULL"
               " UNION ALL SELECT 'version', user_version, '', '', '', '', '', ''"
               " FROM pragma_user_version ORDER BY 1, 2");
}

/* A store with the database of that schema, as an older varve left it. */
static void make_old(int version)
{
    g_autofree char *name = g_strdup_printf("schema-%d.sql", version);
    g_autofree char *path = g_test_build_filename(G_TEST_DIST, "tests/data/store", name, NULL);
    g_autofree char *format = g_build_filename(fixture_root, "format", NULL);
    g_autofree char *sql = NULL;
    g_assert_true(g_file_get_contents(path, &sql, NULL, NULL));
    g_assert_true(g_file_set_contents(format, "varve store 1\n", -1, NULL));
    g_autofree char *all = g_strconcat("PRAGMA journal_mode=WAL;", sql, NULL);
    run_sql(all);
}

static char *fresh_schema(void)
{
    fixture_begin();
    store_close(fixture_open());
    char *text = schema_text();
    fixture_end();
    return text;
}

/* All columns that schema 1 has; later ones begin empty. */
static char *rows(void)
{
    return ask("SELECT quote(id), indexed, quote(content), size, entries, diff_id, source, created,"
               " last_used FROM layers"
               " UNION ALL SELECT layer, variant, quote(digest), diff_id, media_type,'','','',''"
               " FROM layer_blobs"
               " UNION ALL SELECT quote(digest), size, created,'','','','','','' FROM blobs"
               " UNION ALL SELECT quote(raw), variant, quote(blob), offset, size, raw_size,'','',''"
               " FROM members"
               " UNION ALL SELECT quote(key), chain, content, created, last_used, duration_us,"
               " inputs,'','' FROM records"
               " UNION ALL SELECT slot, key, inputs, written,'','','','','' FROM slots"
               " UNION ALL SELECT name, platform, manifest, target, quote(config), origin, chain,"
               " created, size FROM images"
               " UNION ALL SELECT dir, name, created, last_used,'','','','','' FROM volumes"
               " UNION ALL SELECT id, name, target, platform, started_us, duration_us, status,"
               " steps_ran, image FROM builds"
               " UNION ALL SELECT build, number, name, stage, outcome, started_us, duration_us,"
               " layer_bytes, why || key FROM steps");
}

static void test_every_version(void)
{
    g_autofree char *fresh = fresh_schema();
    for (int version = FIRST; version <= LAST; version++) {
        fixture_begin();
        make_old(version);
        g_autofree char *before = rows();
        g_auto(GStrv) lines = g_strsplit(before, "\n", -1);
        g_assert_cmpuint(g_strv_length(lines), ==, 10 + 1); /* one of each table */
        {
            g_autoptr(store) s = fixture_open();
            g_autoptr(store) second = fixture_open();
        }
        g_autofree char *schema = schema_text(), *after = rows();
        g_assert_cmpstr(schema, ==, fresh);
        g_assert_cmpstr(after, ==, before);
        fixture_end();
    }
}

/* What was there is found by the store's own functions, and new columns can be written. */
static void test_old_rows_serve(void)
{
    fixture_begin();
    make_old(FIRST);
    g_autoptr(store) s = fixture_open();
    g_autoptr(image_row) old = store_image_find(s, "docker.io/library/old:1", "linux/amd64");
    g_assert_true(old && old->created == 5 && digest_is_zero(&old->base));
    g_autoptr(GPtrArray) steps = store_build_steps(s, 1);
    g_assert_cmpuint(steps->len, ==, 1);
    const struct step_row *step = g_ptr_array_index(steps, 0);
    g_assert_true(step->layer_bytes == 7 && step->cpu_us == 0 && step->memory_peak == 0);
    g_assert_true(!step->slot && !step->platform);
    g_autofree char *writer = ask("SELECT value FROM about WHERE name='varve'");
    g_assert_cmpstr(writer, ==, VARVE_VERSION "|\n");
    struct build_row b = {.id = 1};
    struct step_row row = {.number = 1, .slot = (char *)"p|s/1", .platform = (char *)"linux/arm64"};
    g_autoptr(GPtrArray) again = g_ptr_array_new();
    g_ptr_array_add(again, &row);
    g_assert_true(store_build_end(s, &b, again, NULL));
    g_autoptr(GPtrArray) found = store_slot_steps(s, "p|s/1", 5);
    g_assert_cmpuint(found->len, ==, 1);
    g_assert_cmpstr(((struct step_row *)g_ptr_array_index(found, 0))->platform, ==, "linux/arm64");
    fixture_end();
}

/* A migration that fails half-way leaves the database of before: the second step's column is there
 * already, so the first step's must be gone again. */
static void test_half_way(void)
{
    fixture_begin();
    make_old(FIRST);
    run_sql("ALTER TABLE steps ADD COLUMN memory_peak INTEGER");
    GError *err = NULL;
    g_assert_null(store_open(fixture_root, &err));
    g_assert_error(err, VARVE_ERROR, VARVE_ERROR_FAILED);
    g_assert_nonnull(strstr(err->message, "bringing the store"));
    g_error_free(err);
    g_autofree char *left = ask("SELECT count(*) FROM pragma_table_info('images')"
                                " WHERE name='base' UNION ALL SELECT user_version"
                                " FROM pragma_user_version");
    g_assert_cmpstr(left, ==, "0|\n1|\n");
    run_sql("ALTER TABLE steps DROP COLUMN memory_peak");
    store_close(fixture_open());
    fixture_end();
}

static void open_it(int arg)
{
    store_close(fixture_open());
}

static void test_many_at_once(void)
{
    g_autofree char *fresh = fresh_schema();
    for (int round = 0; round < 10; round++) {
        pid_t pids[6];
        fixture_begin();
        make_old(FIRST);
        for (guint i = 0; i < G_N_ELEMENTS(pids); i++)
            pids[i] = fixture_fork(open_it, 0);
        for (guint i = 0; i < G_N_ELEMENTS(pids); i++)
            g_assert_cmpint(fixture_wait(pids[i]), ==, 0);
        g_autofree char *schema = schema_text();
        g_assert_cmpstr(schema, ==, fresh);
        fixture_end();
    }
}

/* A killed migration leaves the old database or the new one. */
static void test_killed(void)
{
    g_autofree char *fresh = fresh_schema();
    for (int us = 0; us < 6000; us += 150) {
        fixture_begin();
        make_old(FIRST);
        pid_t pid = fixture_fork(open_it, 0);
        g_usleep(us);
        kill(pid, SIGKILL);
        fixture_wait(pid);
        store_close(fixture_open());
        g_autofree char *schema = schema_text();
        g_assert_cmpstr(schema, ==, fresh);
        fixture_end();
    }
}

static void expect_newer(const char *sql, const char *words, const char *not_words)
{
    fixture_begin();
    store_close(fixture_open());
    run_sql(sql);
    GError *err = NULL;
    g_assert_null(store_open(fixture_root, &err));
    g_assert_error(err, VARVE_ERROR, VARVE_ERROR_UNSUPPORTED);
    g_autofree char *text = error_text(err);
    g_test_message("%s", text);
    g_assert_nonnull(strstr(text, words));
    g_assert_true(!not_words || !strstr(text, not_words));
    g_error_free(err);
    fixture_end();
}

static void test_newer_names_its_varve(void)
{
    expect_newer("UPDATE about SET value='7.8.9'; PRAGMA user_version=99",
                 "next: use varve 7.8.9 or newer", NULL);
    expect_newer("UPDATE about SET value='7'||char(27)||'[2J'; PRAGMA user_version=99",
                 "next: use the newer varve", "\033");
    expect_newer("DROP TABLE about; PRAGMA user_version=99", "next: use the newer varve", NULL);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/store/schema/every-version", test_every_version);
    g_test_add_func("/store/schema/old-rows", test_old_rows_serve);
    g_test_add_func("/store/schema/half-way", test_half_way);
    g_test_add_func("/store/schema/many-at-once", test_many_at_once);
    g_test_add_func("/store/schema/killed", test_killed);
    g_test_add_func("/store/schema/newer", test_newer_names_its_varve);
    return g_test_run();
}
