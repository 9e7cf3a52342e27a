#include "store/history.h"

#include "store/internal.h"

#include "base/error.h"
#include "base/fs.h"
#include "base/io.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#define BUILD_COLUMNS                                                                              \
    "id, name, target, platform, started_us, duration_us, status, steps_ran, steps_cached, "       \
    "image, error"

#define STEP_COLUMNS                                                                               \
    "number, name, stage, level, outcome, started_us, duration_us, layer_bytes, why, key, "        \
    "cpu_us, memory_peak, slot, platform"

void build_row_free(struct build_row *b)
{
    if (!b)
        return;
    g_free(b->name);
    g_free(b->target);
    g_free(b->platform);
    g_free(b->image);
    g_free(b->error);
    g_free(b);
}

void step_row_free(struct step_row *r)
{
    if (!r)
        return;
    g_free(r->name);
    g_free(r->stage);
    g_free(r->level);
    g_free(r->why);
    g_free(r->key);
    g_free(r->slot);
    g_free(r->platform);
    g_free(r);
}

static void free_build(gpointer b)
{
    build_row_free(b);
}

static void free_step(gpointer r)
{
    step_row_free(r);
}

static struct build_row *build_from_row(sqlite3_stmt *q)
{
    struct build_row *b = g_new0(struct build_row, 1);
    b->id = sqlite3_column_int64(q, 0);
    b->name = db_col_text(q, 1);
    b->target = db_col_text(q, 2);
    b->platform = db_col_text(q, 3);
    b->started_us = sqlite3_column_int64(q, 4);
    b->duration_us = sqlite3_column_int64(q, 5);
    b->status = sqlite3_column_int(q, 6);
    b->steps_ran = sqlite3_column_int(q, 7);
    b->steps_cached = sqlite3_column_int(q, 8);
    b->image = db_col_text(q, 9);
    b->error = db_col_text(q, 10);
    return b;
}

gint64 store_build_begin(struct store *s, const struct build_row *b, GError **err)
{
    DB_LOCK(s->db);
    gboolean ok = db_exec(
        s->db, err,
        "INSERT INTO builds(name, target, platform, started_us, duration_us, status, steps_ran,"
        " steps_cached) VALUES(?,?,?,?,0,-1,0,0)",
        "sssi", b->name, b->target, b->platform, b->started_us ? b->started_us : g_get_real_time());
    return ok ? db_last_id(s->db) : 0;
}

static gboolean put_step(struct store *s, gint64 build, const struct step_row *r, GError **err)
{
    return db_exec(
        s->db, err,
        "INSERT OR REPLACE INTO steps(build, number, name, stage, level, outcome, started_us,"
        " duration_us, layer_bytes, why, key, cpu_us, memory_peak, slot, platform)"
        " VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
        "iisssiiiissiiss", build, (gint64)r->number, r->name, r->stage, r->level,
        (gint64)r->outcome, r->started_us, r->duration_us, r->layer_bytes, r->why, r->key,
        r->cpu_us, (gint64)r->memory_peak, r->slot, r->platform);
}

static gboolean put_end(struct store *s, const struct build_row *b, GPtrArray *steps, GError **err)
{
    if (!db_exec(s->db, err,
                 "UPDATE builds SET duration_us=?, status=?, steps_ran=?, steps_cached=?, image=?, "
                 "error=?"
                 " WHERE id=?",
                 "iiiissi", b->duration_us, (gint64)b->status, (gint64)b->steps_ran,
                 (gint64)b->steps_cached, b->image, b->error, b->id))
        return FALSE;
    if (db_changes(s->db) == 0)
        return error_set(err, VARVE_ERROR_NOT_FOUND,
                         "build %" G_GINT64_FORMAT " is not in the store's history", b->id);
    for (guint i = 0; steps && i < steps->len; i++)
        if (!put_step(s, b->id, g_ptr_array_index(steps, i), err))
            return FALSE;
    return TRUE;
}

gboolean store_build_end(struct store *s, const struct build_row *b, GPtrArray *steps, GError **err)
{
    DB_LOCK(s->db);
    if (!db_begin(s->db, err))
        return FALSE;
    gboolean ok = put_end(s, b, steps, err);
    if (ok)
        touch_flush(s);
    return db_end(s->db, ok, ok ? err : NULL);
}

GPtrArray *store_build_list(struct store *s, guint max)
{
    GPtrArray *all = g_ptr_array_new_with_free_func(free_build);
    DB_LOCK(s->db);
    db_auto sqlite3_stmt *q =
        db_query(s->db, NULL, "SELECT " BUILD_COLUMNS " FROM builds ORDER BY id DESC LIMIT ?", "i",
                 (gint64)max);
    while (db_step(s->db, q, NULL))
        g_ptr_array_add(all, build_from_row(q));
    return all;
}

struct build_row *store_build_get(struct store *s, gint64 id)
{
    DB_LOCK(s->db);
    db_auto sqlite3_stmt *q = db_query(s->db, NULL,
                                       "SELECT " BUILD_COLUMNS
                                       " FROM builds WHERE ?1=0 OR id=?1 ORDER BY id DESC LIMIT 1",
                                       "i", id);
    return db_step(s->db, q, NULL) ? build_from_row(q) : NULL;
}

static struct step_row *step_from_row(sqlite3_stmt *q)
{
    struct step_row *r = g_new0(struct step_row, 1);
    r->number = sqlite3_column_int(q, 0);
    r->name = db_col_text(q, 1);
    r->stage = db_col_text(q, 2);
    r->level = db_col_text(q, 3);
    r->outcome = sqlite3_column_int(q, 4);
    r->started_us = sqlite3_column_int64(q, 5);
    r->duration_us = sqlite3_column_int64(q, 6);
    r->layer_bytes = sqlite3_column_int64(q, 7);
    r->why = db_col_text(q, 8);
    r->key = db_col_text(q, 9);
    r->cpu_us = sqlite3_column_int64(q, 10);
    r->memory_peak = sqlite3_column_int64(q, 11);
    r->slot = db_col_text(q, 12);
    r->platform = db_col_text(q, 13);
    return r;
}

static GPtrArray *load_steps(struct store *s, sqlite3_stmt *q)
{
    GPtrArray *all = g_ptr_array_new_with_free_func(free_step);
    while (db_step(s->db, q, NULL))
        g_ptr_array_add(all, step_from_row(q));
    return all;
}

GPtrArray *store_build_steps(struct store *s, gint64 id)
{
    DB_LOCK(s->db);
    db_auto sqlite3_stmt *q = db_query(
        s->db, NULL, "SELECT " STEP_COLUMNS " FROM steps WHERE build=? ORDER BY number", "i", id);
    return load_steps(s, q);
}

GPtrArray *store_slot_steps(struct store *s, const char *slot, guint max)
{
    DB_LOCK(s->db);
    db_auto sqlite3_stmt *q = db_query(
        s->db, NULL, "SELECT " STEP_COLUMNS " FROM steps WHERE slot=? ORDER BY build DESC LIMIT ?",
        "si", slot, (gint64)max);
    return load_steps(s, q);
}

int store_log_create(struct store *s, gint64 build, int step, GError **err)
{
    g_autofree char *dir = g_strdup_printf("logs/%" G_GINT64_FORMAT, build);
    g_autofree char *path = g_strdup_printf("%s/%d", dir, step);
    const int flags = O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW;
    int fd = openat(s->fd, path, flags, 0600);
    if (fd < 0 && errno == ENOENT && fs_mkdir_p(s->fd, dir, 0700, NULL))
        fd = openat(s->fd, path, flags, 0600);
    if (fd < 0)
        error_set_errno(err, errno, "opening the log %s/%s", s->root, path);
    return fd;
}

void store_log_share(struct store *s, gint64 from, gint64 to, int step)
{
    g_autofree char *path = g_strdup_printf("logs/%" G_GINT64_FORMAT "/%d", from, step);
    g_autofree char *dir = g_strdup_printf("logs/%" G_GINT64_FORMAT, to);
    g_autofree char *other = g_strdup_printf("%s/%d", dir, step);
    if (linkat(s->fd, path, s->fd, other, 0) < 0 && errno == ENOENT &&
        faccessat(s->fd, path, F_OK, 0) == 0 && fs_mkdir_p(s->fd, dir, 0700, NULL))
        linkat(s->fd, path, s->fd, other, 0);
}

int store_log_open(struct store *s, gint64 build, int step, GError **err)
{
    g_autofree char *path = g_strdup_printf("logs/%" G_GINT64_FORMAT "/%d", build, step);
    int fd = openat(s->fd, path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        error_set_errno(err, errno, "opening the log %s/%s", s->root, path);
    return fd;
}

#define TAIL_BYTES (64 * 1024)

/* Where the last n lines of text begin. */
static const char *last_lines(const char *text, gsize len, guint n)
{
    const char *p = text + len;
    if (len > 0 && p[-1] == '\n')
        p--;
    while (p > text) {
        if (p[-1] == '\n' && --n == 0)
            break;
        p--;
    }
    return p;
}

char *store_log_tail(struct store *s, gint64 build, int step, guint n)
{
    fd_auto int fd = store_log_open(s, build, step, NULL);
    off_t size = fd < 0 ? -1 : lseek(fd, 0, SEEK_END);
    g_autofree char *text = g_malloc(TAIL_BYTES + 1);
    ssize_t got = size < 0 ? 0 : io_pread_full(fd, text, TAIL_BYTES, MAX(0, size - TAIL_BYTES));
    gsize len = got > 0 ? (gsize)got : 0;
    for (gsize i = 0; i < len; i++) /* a program may print them; the rest is still shown */
        if (text[i] == '\0')
            text[i] = ' ';
    text[len] = '\0';
    return g_strchomp(g_strdup(last_lines(text, len, n)));
}
