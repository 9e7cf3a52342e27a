/* Verification (gc.h). Rows are read first and files checked after, so, as builds may run
 * meanwhile, every finding is confirmed by reading its row again. Files without rows are not
 * problems: garbage collection removes them. */
#include "store/gc.h"

#include "store/blob.h"
#include "store/internal.h"
#include "store/orphans.h"
#include "store/tally.h"

#include "base/error.h"
#include "base/fs.h"
#include "base/pool.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

struct fsck {
    struct store *s;
    struct fsck_options o;
    guint problems; /* found so far */
};

struct blob_check {
    struct store *s;
    GArray *blobs;   /* struct digest */
    GArray *sizes;   /* guint64, of the rows */
    char **verdicts; /* NULL: sound; else what is wrong */
};

static void G_GNUC_PRINTF(2, 3) problem(struct fsck *f, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    g_autofree char *text = g_strdup_vprintf(fmt, ap);
    va_end(ap);
    f->problems++;
    if (f->o.report)
        f->o.report(f->o.ctx, text);
}

/* SQLite's own findings: char *, none when it is sound. NULL on error. */
static GPtrArray *integrity(struct store *s, GError **err)
{
    GError *why = NULL;
    g_autoptr(GPtrArray) lines = g_ptr_array_new_with_free_func(g_free);
    DB_LOCK(s->db);
    db_auto sqlite3_stmt *q = db_query(s->db, &why, "PRAGMA integrity_check", "");
    while (db_step(s->db, q, &why))
        if (g_strcmp0((const char *)sqlite3_column_text(q, 0), "ok") != 0)
            g_ptr_array_add(lines, db_col_text(q, 0));
    if (!why)
        return g_steal_pointer(&lines);
    g_propagate_error(err, why);
    return NULL;
}

/* Indexes can be made again from their tables; what is wrong with tables stays. */
static gboolean repair_sqlite(struct store *s, GError **err)
{
    {
        DB_LOCK(s->db);
        db_exec(s->db, NULL, "REINDEX", "");
    }
    g_autoptr(GPtrArray) left = integrity(s, err);
    if (!left || left->len == 0)
        return left != NULL;
    return db_damaged(s->db, g_ptr_array_index(left, 0), err);
}

static gboolean check_sqlite(struct fsck *f, GError **err)
{
    g_autoptr(GPtrArray) lines = integrity(f->s, err);
    for (guint i = 0; lines && i < lines->len; i++)
        problem(f, "database: %s", (char *)g_ptr_array_index(lines, i));
    return lines && (lines->len == 0 || !f->o.repair || repair_sqlite(f->s, err));
}

static gboolean load_blobs(struct blob_check *c, gint64 since, GError **err)
{
    GError *why = NULL;
    DB_LOCK(c->s->db);
    db_auto sqlite3_stmt *q =
        db_query(c->s->db, &why,
                 "SELECT digest, size FROM blobs WHERE created >= ? ORDER BY digest", "i", since);
    while (db_step(c->s->db, q, &why)) {
        struct digest d;
        guint64 size = sqlite3_column_int64(q, 1);
        db_col_digest(q, 0, &d);
        g_array_append_val(c->blobs, d);
        g_array_append_val(c->sizes, size);
    }
    if (why)
        g_propagate_error(err, why);
    return why == NULL;
}

/* Takes why: damage becomes the verdict on what, anything else the error that ends the check. */
static gboolean judge_error(GError *why, const char *what, char **verdict, GError **err)
{
    if (!error_is_damage(why)) {
        g_propagate_prefixed_error(err, why, "cannot check %s: ", what);
        return FALSE;
    }
    g_autofree char *subject = g_strconcat(what, ": ", NULL);
    const char *text = why->message;
    *verdict = g_strdup(text + (g_str_has_prefix(text, subject) ? strlen(subject) : 0));
    g_error_free(why);
    return TRUE;
}

static gboolean check_blob(gpointer ctx, gsize i, GError **err)
{
    struct blob_check *c = ctx;
    const struct digest *want = &g_array_index(c->blobs, struct digest, i);
    g_autofree char *path = blob_path(want);
    fd_auto int fd = openat(c->s->fd, path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    int why_not = fd < 0 ? errno : 0;
    GError *why = NULL;
    struct digest got;
    guint64 size = 0;
    if (fd < 0 && !errno_is_damage(why_not))
        return error_set_errno(err, why_not, "cannot check the blob %s", path);
    if (fd < 0)
        c->verdicts[i] = g_strdup_printf("row without a file (%s)", g_strerror(why_not));
    else if (!digest_of_fd(&got, fd, path, &size, &why))
        return judge_error(why, path, &c->verdicts[i], err);
    else if (size != g_array_index(c->sizes, guint64, i))
        c->verdicts[i] =
            g_strdup_printf("has %" G_GUINT64_FORMAT " bytes, its row says %" G_GUINT64_FORMAT,
                            size, g_array_index(c->sizes, guint64, i));
    else if (digest_cmp(&got, want) != 0)
        c->verdicts[i] = g_strdup("its content has another digest");
    return TRUE;
}

static gboolean blob_still_known(struct store *s, const struct digest *d)
{
    DB_LOCK(s->db);
    db_auto sqlite3_stmt *q = db_query(s->db, NULL, "SELECT 1 FROM blobs WHERE digest=?", "d", d);
    return db_step(s->db, q, NULL);
}

static gboolean judge_blobs(struct fsck *f, struct blob_check *c, GError **err)
{
    for (guint i = 0; i < c->blobs->len; i++) {
        const struct digest *d = &g_array_index(c->blobs, struct digest, i);
        char hex[DIGEST_HEX_LEN + 1];
        if (!c->verdicts[i] || !blob_still_known(f->s, d))
            continue;
        problem(f, "blob %s: %s", digest_hex(d, hex), c->verdicts[i]);
        if (f->o.repair && !store_blob_delete(f->s, d, err))
            return FALSE;
    }
    return TRUE;
}

static gboolean check_blobs(struct fsck *f, GError **err)
{
    struct blob_check c = {.s = f->s};
    c.blobs = g_array_new(FALSE, FALSE, sizeof(struct digest));
    c.sizes = g_array_new(FALSE, FALSE, sizeof(guint64));
    gboolean ok = load_blobs(&c, f->o.since, err);
    guint n = c.blobs->len;
    c.verdicts = g_new0(char *, n + 1);
    ok = ok && pool_for_each(n, check_blob, &c, err) && judge_blobs(f, &c, err);
    for (guint i = 0; i < n; i++)
        g_free(c.verdicts[i]);
    g_free(c.verdicts);
    g_array_unref(c.blobs);
    g_array_unref(c.sizes);
    return ok;
}

/* Whether the store has path, of that type (0: any); FALSE on error. */
static gboolean look_for(struct fsck *f, const char *path, mode_t type, gboolean *there,
                         GError **err)
{
    struct stat st;
    *there = fstatat(f->s->fd, path, &st, AT_SYMLINK_NOFOLLOW) == 0;
    if (!*there && !errno_is_damage(errno))
        return error_set_errno(err, errno, "cannot check %s", path);
    *there = *there && (!type || (st.st_mode & S_IFMT) == type);
    return TRUE;
}

/* The verdict of check_layer; NULL: none, or the layer is sound. */
static gboolean check_files(struct fsck *f, const char *id, char **verdict, GError **err)
{
    GError *why = NULL;
    if (!f->o.check_layer || f->o.check_layer(f->s, id, &why))
        return TRUE;
    g_autofree char *what = g_strconcat("layer ", id, NULL);
    return judge_error(why, what, verdict, err);
}

/* *verdict: what is wrong with a layer, newly allocated; NULL when it is sound. FALSE when that
 * cannot be told. */
static gboolean layer_verdict(struct fsck *f, const char *id, gboolean indexed, char **verdict,
                              GError **err)
{
    g_autofree char *fs = g_strdup_printf("layers/%s/fs", id);
    g_autofree char *index = g_strdup_printf("layers/%s/index", id);
    gboolean has_fs, has_index = TRUE;
    *verdict = NULL;
    if (!look_for(f, fs, S_IFDIR, &has_fs, err) ||
        (indexed && !look_for(f, index, 0, &has_index, err)))
        return FALSE;
    if (!has_fs || !has_index) {
        *verdict = g_strdup(has_fs ? "its index is missing" : "row without a directory");
        return TRUE;
    }
    return !indexed || check_files(f, id, verdict, err);
}

/* An absent layer may have an index, and need not: repairing removes a bad one. */
static gboolean check_absent(struct fsck *f, const char *id, GError **err)
{
    g_autofree char *dir = store_layer_path(id);
    g_autofree char *index = g_strconcat(dir, "/index", NULL), *verdict = NULL;
    gboolean has_index;
    if (!look_for(f, index, 0, &has_index, err) ||
        (has_index && !check_files(f, id, &verdict, err)))
        return FALSE;
    if (!verdict)
        return TRUE;
    problem(f, "layer %s, whose files are not here: %s", id, verdict);
    return !f->o.repair || fs_remove_tree(f->s->fd, dir, err);
}

/* Deletes by chain: names and records that use the layer are useless without it. */
static gboolean delete_layer_rows(struct store *s, const char *id, GError **err)
{
    DB_LOCK(s->db);
    if (!db_begin(s->db, err))
        return FALSE;
    /* Ids are random, so one found across the border of two others is a negligible chance, and
     * costs only a rebuild. */
    gboolean ok = db_exec(s->db, err, "DELETE FROM records WHERE instr(chain, ?)", "s", id) &&
                  db_exec(s->db, err, "DELETE FROM images WHERE instr(chain, ?)", "s", id) &&
                  db_exec(s->db, err, "DELETE FROM layer_blobs WHERE layer=?", "s", id) &&
                  db_exec(s->db, err, "DELETE FROM absent WHERE layer=?", "s", id) &&
                  db_exec(s->db, err, "DELETE FROM layers WHERE id=?", "s", id);
    return db_end(s->db, ok, ok ? err : NULL);
}

static gboolean remove_layer(struct fsck *f, const char *id, GError **err)
{
    struct store *s = f->s;
    if (!delete_layer_rows(s, id, err))
        return FALSE;
    g_autofree char *path = store_layer_path(id);
    objects_forget(s, path); /* else the next layer may link the damaged file again */
    g_autoptr(GPtrArray) one = g_ptr_array_new();
    g_ptr_array_add(one, path);
    g_autofree char *trash = orphans_trash(s, one, NULL);
    store_tmp_discard(s, trash);
    return TRUE;
}

/* The texts that the query yields; mutex held. */
static GPtrArray *take_texts(struct store *s, sqlite3_stmt *q, GError *why, GError **err)
{
    GPtrArray *texts = g_ptr_array_new_with_free_func(g_free);
    while (db_step(s->db, q, &why))
        g_ptr_array_add(texts, db_col_text(q, 0));
    if (!why)
        return texts;
    g_propagate_error(err, why);
    g_ptr_array_unref(texts);
    return NULL;
}

/* sql is a literal. */
static GPtrArray *query_texts(struct store *s, const char *sql, GError **err)
{
    GError *why = NULL;
    DB_LOCK(s->db);
    db_auto sqlite3_stmt *q = db_query(s->db, &why, sql, "");
    return take_texts(s, q, why, err);
}

static GPtrArray *list_layers(struct fsck *f, GError **err)
{
    GError *why = NULL;
    DB_LOCK(f->s->db);
    db_auto sqlite3_stmt *q = db_query(
        f->s->db, &why, "SELECT id FROM layers WHERE created >= ? ORDER BY id", "i", f->o.since);
    return take_texts(f->s, q, why, err);
}

static gboolean check_layers(struct fsck *f, GError **err)
{
    g_autoptr(GPtrArray) ids = list_layers(f, err);
    for (guint i = 0; ids && i < ids->len; i++) {
        const char *id = g_ptr_array_index(ids, i);
        struct layer_info info;
        gboolean absent;
        if (!store_layer_get(f->s, id, &info, NULL))
            continue; /* removed meanwhile */
        if (!store_absent_get(f->s, id, &absent, NULL, err))
            return FALSE;
        if (absent && !check_absent(f, id, err))
            return FALSE;
        if (absent)
            continue;
        g_autofree char *verdict = NULL;
        if (!layer_verdict(f, id, info.indexed, &verdict, err))
            return FALSE;
        if (!verdict || !store_layer_get(f->s, id, &info, NULL))
            continue;
        problem(f, "layer %s: %s", id, verdict);
        if (f->o.repair && !remove_layer(f, id, err))
            return FALSE;
    }
    return ids != NULL;
}

/* Rows that name other rows: one statement each that yields what is wrong, one that removes it. */
static const struct relation {
    const char *find;   /* yields a text per problem */
    const char *remove; /* removes all of them */
} relations[] = {
#define MISSING_LAYER(t)                                                                           \
    "EXISTS(WITH RECURSIVE at(i) AS (SELECT 1 UNION ALL SELECT i+12 FROM at WHERE i+12 <= "        \
    "length(" t ".chain)) SELECT 1 FROM at WHERE length(" t ".chain) > 0 AND substr(" t            \
    ".chain, i, 12) NOT IN (SELECT id FROM layers))"
    {"SELECT 'record ' || lower(hex(key)) || ': names a layer that is gone' FROM records "
     "WHERE " MISSING_LAYER("records"),
     "DELETE FROM records WHERE " MISSING_LAYER("records")},
    {"SELECT 'image ' || name || ': names a layer that is gone' FROM images WHERE " MISSING_LAYER(
         "images"),
     "DELETE FROM images WHERE " MISSING_LAYER("images")},
#define MISSING_BLOB                                                                               \
    "(config IS NOT NULL AND config NOT IN (SELECT digest FROM blobs)) OR"                         \
    " (manifest IS NOT NULL AND manifest NOT IN (SELECT digest FROM blobs))"
    {"SELECT 'image ' || name || ': its config or manifest is gone' FROM images "
     "WHERE " MISSING_BLOB,
     "DELETE FROM images WHERE " MISSING_BLOB},
    /* Not problems, so checking ignores them: repair only tidies up. */
    {NULL, "DELETE FROM layer_blobs WHERE layer NOT IN (SELECT id FROM layers)"
           " OR digest NOT IN (SELECT digest FROM blobs)"},
    {NULL, "DELETE FROM absent WHERE layer NOT IN (SELECT id FROM layers)"},
    {NULL, "DELETE FROM members WHERE blob NOT IN (SELECT digest FROM blobs)"},
};

static gboolean check_relations(struct fsck *f, GError **err)
{
    for (guint i = 0; i < G_N_ELEMENTS(relations); i++) {
        g_autoptr(GPtrArray) found = NULL;
        if (relations[i].find && !(found = query_texts(f->s, relations[i].find, err)))
            return FALSE;
        for (guint k = 0; found && k < found->len; k++)
            problem(f, "%s", (char *)g_ptr_array_index(found, k));
        if (!f->o.repair)
            continue;
        DB_LOCK(f->s->db);
        if (!db_exec(f->s->db, err, relations[i].remove, ""))
            return FALSE;
    }
    return TRUE;
}

gboolean store_fsck(struct store *s, const struct fsck_options *o, guint *problems, GError **err)
{
    struct fsck f = {s, *o, 0};
    gboolean ok = (o->since > 0 || check_sqlite(&f, err)) && check_blobs(&f, err) &&
                  check_layers(&f, err) && check_relations(&f, err);
    if (!ok)
        g_prefix_error(err, "checking the store %s: ", s->root);
    if (problems)
        *problems = f.problems;
    return ok;
}
