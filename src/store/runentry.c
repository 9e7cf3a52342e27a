/* A run as the varve that carries it sees it (runs.h). */
#include "store/runs.h"

#include "store/internal.h"

#include "base/error.h"
#include "base/fs.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#define GROUP "run"
#define LOG_MAX (32 << 20) /* bytes of log, and as many of log.old */

struct run_entry {
    struct store *store;
    char *id, *where;
    GKeyFile *about;
    int end_fd; /* holds the flock */
    int log_fd; /* or -1: no log */
    gint64 log_size;
};

static void free_entry(struct run_entry *e)
{
    fd_cleanup(&e->end_fd);
    fd_cleanup(&e->log_fd);
    g_key_file_unref(e->about);
    g_free(e->id);
    g_free(e->where);
    g_free(e);
}

static void set_text(GKeyFile *f, const char *key, const char *text)
{
    g_autofree char *escaped = g_strescape(text ? text : "", NULL);
    g_key_file_set_value(f, GROUP, key, escaped);
}

static GKeyFile *about_new(const struct run_row *r)
{
    GKeyFile *f = g_key_file_new();
    set_text(f, "name", r->name);
    set_text(f, "image", r->image);
    set_text(f, "command", r->command);
    set_text(f, "ports", r->ports);
    for (guint i = 0; r->labels && r->labels[i]; i++) {
        g_autofree char *key = g_strdup_printf("label%u", i);
        set_text(f, key, r->labels[i]);
    }
    g_key_file_set_int64(f, GROUP, "pid", getpid());
    gint64 now = g_get_real_time();
    g_key_file_set_int64(f, GROUP, "created", now / G_USEC_PER_SEC);
    g_key_file_set_int64(f, GROUP, "created-us", now);
    g_key_file_set_int64(f, GROUP, "detached", r->detached);
    g_key_file_set_int64(f, GROUP, "kept", r->kept);
    return f;
}

static gboolean write_about(struct run_entry *e, GError **err)
{
    gsize len;
    g_autofree char *text = g_key_file_to_data(e->about, &len, NULL);
    g_autofree char *path = g_build_filename(e->where, "about", NULL);
    return fs_replace(e->store->fd, path, text, len, 0600, err);
}

static int open_file(struct run_entry *e, const char *name, int flags, GError **err)
{
    g_autofree char *path = g_build_filename(e->where, name, NULL);
    int fd = openat(e->store->fd, path, flags | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        error_set_errno(err, errno, "making %s/%s", e->store->root, path);
    return fd;
}

/* The flock comes before "about": a folder with that and without the flock has ended. */
static gboolean fill_run_folder(struct run_entry *e, gboolean with_log, GBytes *process,
                                GError **err)
{
    g_autofree char *path = g_build_filename(e->where, "process", NULL);
    e->end_fd = open_file(e, "end", O_RDWR, err);
    if (e->end_fd < 0)
        return FALSE;
    if (flock(e->end_fd, LOCK_EX) < 0)
        return error_set_errno(err, errno, "locking %s/%s", e->store->root, e->where);
    if (with_log && (e->log_fd = open_file(e, "log", O_RDWR | O_APPEND, err)) < 0)
        return FALSE;
    return fs_replace(e->store->fd, path, g_bytes_get_data(process, NULL),
                      g_bytes_get_size(process), 0600, err) &&
           write_about(e, err);
}

static gboolean make_folder(struct run_entry *e, GError **err)
{
    struct store *s = e->store;
    if (mkdirat(s->fd, "runs", 0700) < 0 && errno != EEXIST)
        return error_set_errno(err, errno, "making %s/runs", s->root);
    do {
        g_free(e->id);
        g_free(e->where);
        e->id = g_strdup_printf("%c%03x%08x", 'a' + (char)g_random_int_range(0, 6),
                                (guint)g_random_int_range(0, 0x1000), g_random_int());
        e->where = g_build_filename("runs", e->id, NULL);
        errno = 0;
    } while (mkdirat(s->fd, e->where, 0700) < 0 && errno == EEXIST);
    return errno == 0 || error_set_errno(err, errno, "making %s/%s", s->root, e->where);
}

static gboolean is_free_name(struct store *s, const char *name, GError **err)
{
    g_autoptr(GPtrArray) rows = store_run_list(s);
    for (guint i = 0; name && *name && i < rows->len; i++) {
        const struct run_row *r = g_ptr_array_index(rows, i);
        if (!g_str_equal(r->name, name))
            continue;
        error_set(err, VARVE_ERROR_USAGE,
                  r->alive ? "the name %s is in use: it runs %s, as process %d"
                           : "the name %s is in use: it ran %s (process %d), and its log is kept",
                  name, r->image, r->pid);
        error_add_next(err, "choose another, or remove it: varve rm %s%s", r->alive ? "-f " : "",
                       name);
        return FALSE;
    }
    return TRUE;
}

struct run_entry *run_entry_new(struct store *s, const struct run_row *about, GBytes *process,
                                GError **err)
{
    guint64 bytes = 0, things = 0;
    g_autoptr(store_lock) lock = store_lock_take(s, "runs", NULL, NULL, err);
    if (!lock)
        return NULL;
    run_trim_locked(s, RUNS_KEPT, 0, FALSE, &bytes, &things, NULL);
    if (!is_free_name(s, about->name, err))
        return NULL;
    struct run_entry *e = g_new0(struct run_entry, 1);
    *e = (struct run_entry){.store = s, .end_fd = -1, .log_fd = -1, .about = about_new(about)};
    if (make_folder(e, err) && fill_run_folder(e, about->detached, process, err))
        return e;
    if (e->where)
        fs_remove_tree(s->fd, e->where, NULL);
    free_entry(e);
    return NULL;
}

const char *run_entry_id(const struct run_entry *e)
{
    return e->id;
}

/* The 22nd field; the second, in parentheses, may hold anything. */
guint64 run_process_start(int pid)
{
    g_autofree char *path = g_strdup_printf("/proc/%d/stat", pid);
    g_autofree char *text = NULL;
    if (!g_file_get_contents(path, &text, NULL, NULL))
        return 0;
    const char *after = strrchr(text, ')');
    g_auto(GStrv) fields = g_strsplit(after ? after + 1 : "", " ", 22);
    return g_strv_length(fields) > 20 ? g_ascii_strtoull(fields[20], NULL, 10) : 0;
}

void run_entry_started(struct run_entry *e, int program)
{
    g_key_file_set_int64(e->about, GROUP, "program", program);
    g_key_file_set_int64(e->about, GROUP, "program-start", (gint64)run_process_start(program));
    write_about(e, NULL);
}

/* What was written so far becomes log.old. */
static void turn_log(struct run_entry *e)
{
    g_autofree char *log = g_build_filename(e->where, "log", NULL);
    g_autofree char *old = g_build_filename(e->where, "log.old", NULL);
    if (renameat(e->store->fd, log, e->store->fd, old) < 0)
        return;
    fd_cleanup(&e->log_fd);
    e->log_fd = open_file(e, "log", O_RDWR | O_APPEND, NULL);
    e->log_size = 0;
}

void run_entry_log(struct run_entry *e, const void *bytes, gsize len)
{
    if (e->log_size > 0 && e->log_size + (gint64)len > LOG_MAX)
        turn_log(e);
    if (e->log_fd >= 0 && fs_write_all(e->log_fd, bytes, len, NULL))
        e->log_size += (gint64)len;
}

GBytes *run_entry_tail(struct run_entry *e, gsize max)
{
    struct stat st;
    if (e->log_fd < 0 || fstat(e->log_fd, &st) < 0)
        return NULL;
    g_autofree char *buf = g_malloc(max);
    ssize_t n = pread(e->log_fd, buf, max, MAX(st.st_size - (off_t)max, 0));
    return n > 0 ? g_bytes_new(buf, (gsize)n) : NULL;
}

void run_entry_end(struct run_entry *e, int exit_code, gboolean keep)
{
    if (!e)
        return;
    g_autofree char *process = g_build_filename(e->where, "process", NULL);
    g_autofree char *text = g_strdup_printf("%d %" G_GINT64_FORMAT "\n", exit_code, now_seconds());
    fs_write_all(e->end_fd, text, strlen(text), NULL);
    unlinkat(e->store->fd, process, 0);
    if (!keep) {
        g_autoptr(store_lock) lock = store_lock_take(e->store, "runs", NULL, NULL, NULL);
        fs_remove_tree(e->store->fd, e->where, NULL);
    }
    free_entry(e);
}
