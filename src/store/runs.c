/* Runs as others see them (runs.h). */
#include "store/runs.h"

#include "store/internal.h"

#include "base/error.h"
#include "base/fs.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/syscall.h>
#include <unistd.h>

#define ABOUT_MAX (1 << 20) /* bytes */
#define GROUP "run"
#define WAIT_MS 2

void run_row_free(struct run_row *r)
{
    if (!r)
        return;
    fd_cleanup(&r->end_fd);
    g_free(r->id);
    g_free(r->name);
    g_free(r->image);
    g_free(r->command);
    g_free(r->ports);
    g_free(r->where);
    g_strfreev(r->labels);
    g_free(r);
}

gboolean run_name_check(const char *name, GError **err)
{
    gsize len = strlen(name);
    if (len > 0 && len <= RUN_NAME_MAX && g_ascii_isalnum(*name) &&
        strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-") == len &&
        strspn(name, "0123456789") != len)
        return TRUE;
    error_set(err, VARVE_ERROR_USAGE,
              "--name %s: a name consists of letters, digits, \"_\", \".\" and \"-\", and is not a "
              "number",
              name);
    error_add_next(err, "for example --name web-1");
    return FALSE;
}

static char *text_of(GKeyFile *f, const char *key)
{
    g_autofree char *value = g_key_file_get_value(f, GROUP, key, NULL);
    return value ? g_strcompress(value) : g_strdup("");
}

static gint64 number_of(GKeyFile *f, const char *key)
{
    return g_key_file_get_int64(f, GROUP, key, NULL);
}

static char **labels_of(GKeyFile *f)
{
    g_autoptr(GStrvBuilder) b = g_strv_builder_new();
    for (guint i = 0;; i++) {
        g_autofree char *key = g_strdup_printf("label%u", i);
        if (!g_key_file_has_key(f, GROUP, key, NULL))
            return g_strv_builder_end(b);
        g_autofree char *label = text_of(f, key);
        g_strv_builder_add(b, label);
    }
}

static gboolean read_about(struct store *s, struct run_row *r)
{
    g_autofree char *path = g_build_filename(r->where, "about", NULL);
    g_autoptr(GKeyFile) f = g_key_file_new();
    g_autoptr(GBytes) bytes = fs_read(s->fd, path, ABOUT_MAX, NULL);
    if (!bytes || !g_key_file_load_from_bytes(f, bytes, G_KEY_FILE_NONE, NULL) ||
        !g_key_file_has_key(f, GROUP, "pid", NULL))
        return FALSE;
    r->name = text_of(f, "name");
    r->image = text_of(f, "image");
    r->command = text_of(f, "command");
    r->labels = labels_of(f);
    r->ports = text_of(f, "ports");
    r->pid = (int)number_of(f, "pid");
    r->program = (int)number_of(f, "program");
    r->program_start = (guint64)number_of(f, "program-start");
    r->created = number_of(f, "created");
    r->created_us = MAX(number_of(f, "created-us"), r->created * G_USEC_PER_SEC);
    r->detached = number_of(f, "detached") != 0;
    r->kept = number_of(f, "kept") != 0;
    return r->pid > 1 && r->program >= 0;
}

/* The shared lock is only held for a moment, and no process takes an exclusive one later. */
static gboolean is_locked(int fd)
{
    if (flock(fd, LOCK_SH | LOCK_NB) < 0)
        return errno == EWOULDBLOCK;
    flock(fd, LOCK_UN);
    return FALSE;
}

static void read_end(struct run_row *r)
{
    char text[64] = "";
    r->alive = is_locked(r->end_fd);
    long long at;
    r->ended = !r->alive && pread(r->end_fd, text, sizeof text - 1, 0) > 0 &&
               sscanf(text, "%d %lld\n", &r->exit_code, &at) == 2;
    r->at = r->ended ? at : 0;
}

void store_run_refresh(struct store *s, struct run_row *r)
{
    struct run_row now = {.where = r->where};
    read_end(r);
    if (r->alive && read_about(s, &now)) {
        r->program = now.program;
        r->program_start = now.program_start;
    }
    g_free(now.name);
    g_free(now.image);
    g_free(now.command);
    g_free(now.ports);
    g_strfreev(now.labels);
}

/* NULL when it is none, or not one yet, or not any more. */
static struct run_row *read_run(struct store *s, const char *id)
{
    g_autoptr(run_row) r = g_new0(struct run_row, 1);
    r->end_fd = -1;
    r->id = g_strdup(id);
    r->where = g_build_filename("runs", id, NULL);
    g_autofree char *end = g_build_filename(r->where, "end", NULL);
    r->end_fd = openat(s->fd, end, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (r->end_fd < 0 || !read_about(s, r))
        return NULL;
    read_end(r);
    return g_steal_pointer(&r);
}

static int latest_first(gconstpointer a, gconstpointer b)
{
    const struct run_row *x = *(struct run_row *const *)a, *y = *(struct run_row *const *)b;
    return x->created_us != y->created_us
               ? (x->created_us < y->created_us) - (x->created_us > y->created_us)
               : strcmp(x->id, y->id);
}

GPtrArray *store_run_list(struct store *s)
{
    GPtrArray *rows = g_ptr_array_new_with_free_func((GDestroyNotify)run_row_free);
    fd_auto int fd = fs_open_dir(s->fd, "runs", NULL);
    g_autoptr(GPtrArray) ids = fd < 0 ? NULL : fs_list(fd, NULL);
    for (guint i = 0; ids && i < ids->len; i++) {
        struct run_row *r = read_run(s, g_ptr_array_index(ids, i));
        if (r)
            g_ptr_array_add(rows, r);
    }
    g_ptr_array_sort(rows, latest_first);
    return rows;
}

/* How well text names it, 0: not at all. */
static int rank(const struct run_row *r, const char *text)
{
    guint64 number = 0;
    int alive = r->alive ? 1 : 0;
    if (g_str_equal(r->name, text) || g_str_equal(r->id, text))
        return 6 + alive;
    if (g_ascii_string_to_unsigned(text, 10, 2, G_MAXINT, &number, NULL))
        return r->pid == (int)number || r->program == (int)number ? 4 + alive : 0;
    return *text && g_str_has_prefix(r->id, text) ? 2 : 0;
}

/* An image's name is easily taken for that of its run. */
static void advise_missing(const GPtrArray *rows, const char *text, GError **err)
{
    for (guint i = 0; i < rows->len; i++) {
        const struct run_row *r = g_ptr_array_index(rows, i);
        if (!g_str_equal(r->image, text))
            continue;
        error_add_next(err,
                       "that is an image, whose latest run is %s; varve run --name NAME names one",
                       r->id);
        return;
    }
    error_add_next(err, "varve ps -a lists running and ended runs");
}

struct run_row *store_run_find(struct store *s, const char *text, GError **err)
{
    g_autoptr(GPtrArray) rows = store_run_list(s);
    guint best = 0, equal = 0;
    int highest = 0;
    for (guint i = 0; i < rows->len; i++) {
        int one = rank(g_ptr_array_index(rows, i), text);
        equal = one > highest ? 1 : equal + (one == highest);
        best = one > highest ? i : best;
        highest = MAX(one, highest);
    }
    if (highest == 2 && equal > 1) {
        error_set(err, VARVE_ERROR_USAGE, "several runs begin with %s", text);
        error_add_next(err, "varve ps -a lists them");
        return NULL;
    }
    if (highest > 0) {
        struct run_row *r = g_ptr_array_steal_index(rows, best);
        return r;
    }
    error_set(err, VARVE_ERROR_NOT_FOUND, "no such run: %s", text);
    advise_missing(rows, text, err);
    return NULL;
}

gboolean store_run_wait(struct store *s, struct run_row *r, struct cancel *c, GError **err)
{
    struct pollfd fds[] = {{.fd = -1, .events = POLLIN},
                           {.fd = c ? cancel_fd(c) : -1, .events = POLLIN}};
    fd_auto int pidfd = store_run_pidfd(s, r, NULL);
    fds[0].fd = pidfd;
    while (is_locked(r->end_fd)) {
        if (!cancel_check(c, err))
            return FALSE;
        /* A threaded process is dead before its descriptors are closed: then look again. */
        poll(fds, 2, fds[0].fd < 0 ? WAIT_MS : -1);
        if (fds[0].revents)
            fds[0].fd = -1;
    }
    store_run_refresh(s, r);
    return TRUE;
}

int store_run_open(struct store *s, const struct run_row *r, const char *file, GError **err)
{
    g_autofree char *path = g_build_filename(r->where, file, NULL);
    int fd = openat(s->fd, path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0)
        error_set_errno(err, errno, "cannot open %s/%s", s->root, path);
    return fd;
}

int store_run_pidfd(struct store *s, const struct run_row *r, GError **err)
{
    fd_auto int fd = (int)syscall(SYS_pidfd_open, r->pid, 0);
    if (fd >= 0 && is_locked(r->end_fd)) /* so it was alive when its number was looked up */
        return fd_steal(&fd);
    error_set(err, VARVE_ERROR_NOT_FOUND, "%s is not running", *r->name ? r->name : r->id);
    error_add_next(err, "varve ps lists what runs");
    return -1;
}

gboolean store_run_remove(struct store *s, struct run_row *r, GError **err)
{
    g_autoptr(store_lock) lock = store_lock_take(s, "runs", NULL, NULL, err);
    if (!lock)
        return FALSE;
    store_run_refresh(s, r);
    if (!r->alive)
        return fs_remove_tree(s->fd, r->where, err);
    const char *name = *r->name ? r->name : r->id;
    error_set(err, VARVE_ERROR_USAGE, "%s is running", name);
    error_add_next(err, "varve stop %s first, or varve rm -f %s", name, name);
    return FALSE;
}

static guint64 bytes_of(struct store *s, const char *where)
{
    static const char *const files[] = {"about", "process", "log", "log.old", "end"};
    guint64 sum = 0;
    for (guint i = 0; i < G_N_ELEMENTS(files); i++) {
        struct stat st;
        g_autofree char *path = g_build_filename(where, files[i], NULL);
        if (fstatat(s->fd, path, &st, AT_SYMLINK_NOFOLLOW) == 0)
            sum += (guint64)st.st_blocks * 512;
    }
    return sum;
}

static gboolean is_old(const struct run_row *r, guint *keep, gint64 since)
{
    if (r->alive || !r->kept)
        return !r->alive;
    if (*keep > 0) {
        (*keep)--;
        return FALSE;
    }
    return !since || MAX(r->at, r->created) < since;
}

/* A folder without "about", or with a damaged one: left by a process that died creating or removing
 * it. Unreadable for another reason does not count. */
static gboolean is_broken(struct store *s, const char *where)
{
    g_autofree char *about = g_build_filename(where, "about", NULL);
    g_autofree char *end = g_build_filename(where, "end", NULL);
    g_autoptr(GError) why = NULL;
    g_autoptr(GBytes) bytes = fs_read(s->fd, about, ABOUT_MAX, &why);
    fd_auto int fd = openat(s->fd, end, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd >= 0 ? is_locked(fd) : errno != ENOENT)
        return FALSE;
    return bytes || g_error_matches(why, VARVE_ERROR, VARVE_ERROR_NOT_FOUND) ||
           g_error_matches(why, VARVE_ERROR, VARVE_ERROR_INVALID);
}

/* Bytes of what is removed are counted before. */
static gboolean trim_one(struct store *s, const char *where, gboolean dry_run, guint64 *bytes,
                         guint64 *things, GError **err)
{
    guint64 size = bytes_of(s, where);
    if (!dry_run && !fs_remove_tree(s->fd, where, err))
        return FALSE;
    *bytes += size;
    (*things)++;
    return TRUE;
}

static gboolean trim_broken(struct store *s, GPtrArray *rows, gboolean dry_run, guint64 *bytes,
                            guint64 *things, GError **err)
{
    fd_auto int fd = fs_open_dir(s->fd, "runs", NULL);
    g_autoptr(GPtrArray) ids = fd < 0 ? NULL : fs_list(fd, NULL);
    for (guint i = 0; ids && i < ids->len; i++) {
        const char *id = g_ptr_array_index(ids, i);
        gboolean known = FALSE;
        for (guint k = 0; k < rows->len && !known; k++)
            known = g_str_equal(((struct run_row *)g_ptr_array_index(rows, k))->id, id);
        g_autofree char *where = g_build_filename("runs", id, NULL);
        if (!known && is_broken(s, where) && !trim_one(s, where, dry_run, bytes, things, err))
            return FALSE;
    }
    return TRUE;
}

gboolean run_trim_locked(struct store *s, guint keep, gint64 since, gboolean dry_run,
                         guint64 *bytes, guint64 *things, GError **err)
{
    g_autoptr(GPtrArray) rows = store_run_list(s);
    for (guint i = 0; i < rows->len; i++) {
        const struct run_row *r = g_ptr_array_index(rows, i);
        if (is_old(r, &keep, since) && !trim_one(s, r->where, dry_run, bytes, things, err))
            return FALSE;
    }
    return trim_broken(s, rows, dry_run, bytes, things, err);
}

gboolean store_run_trim(struct store *s, guint keep, gint64 since, gboolean dry_run, guint64 *bytes,
                        guint64 *things, GError **err)
{
    if (faccessat(s->fd, "runs", F_OK, 0) < 0)
        return TRUE;
    g_autoptr(store_lock) lock = store_lock_take(s, "runs", NULL, NULL, err);
    return lock && run_trim_locked(s, keep, since, dry_run, bytes, things, err);
}
