/* Owner directories, leases and the gate (described in internal.h). */
#include "store/internal.h"

#include "base/error.h"
#include "base/fs.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#define LEASES_MAX (64 * 1024 * 1024)

static int flock_retry(int fd, int how)
{
    int rc;
    do
        rc = flock(fd, how);
    while (rc < 0 && errno == EINTR);
    return rc;
}

/* TRUE when path still names what fd has open. */
static gboolean same_file(struct store *s, const char *path, int fd)
{
    struct stat named, open;
    return fstatat(s->fd, path, &named, AT_SYMLINK_NOFOLLOW) == 0 && fstat(fd, &open) == 0 &&
           named.st_dev == open.st_dev && named.st_ino == open.st_ino;
}

/* A sweeper may see the directory before it is flocked and remove it: then FALSE with errno ENOENT.
 */
static gboolean owner_try(struct store *s)
{
    g_autofree char *path = g_strdup_printf("tmp/%d-%08x", (int)getpid(), g_random_int());
    if (mkdirat(s->fd, path, 0755) < 0)
        return FALSE;
    fd_auto int fd = openat(s->fd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0 || flock_retry(fd, LOCK_EX) < 0)
        return FALSE;
    if (!same_file(s, path, fd)) {
        errno = ENOENT;
        return FALSE;
    }
    s->owner_fd = fd_steal(&fd);
    s->owner = g_steal_pointer(&path);
    return TRUE;
}

/* owner_lock is held. */
static gboolean owner_ensure(struct store *s)
{
    if (s->owner)
        return TRUE;
    for (int tries = 0; tries < 100; tries++) {
        if (owner_try(s))
            return TRUE;
        if (errno == ENOENT && mkdirat(s->fd, "tmp", 0700) < 0 && errno != EEXIST)
            return FALSE;
        if (errno != EEXIST && errno != ENOENT)
            return FALSE;
    }
    return FALSE;
}

char *owner_tmp_name(struct store *s, GError **err)
{
    g_autoptr(GMutexLocker) lock G_GNUC_UNUSED = g_mutex_locker_new(&s->owner_lock);
    if (!owner_ensure(s)) {
        error_set_errno(err, errno, "making a temporary directory in %s/tmp", s->root);
        return NULL;
    }
    return g_strdup_printf("%s/%u", s->owner, s->next_tmp++);
}

char *store_tmp_dir(struct store *s, GError **err)
{
    g_autofree char *path = owner_tmp_name(s, err);
    if (!path)
        return NULL;
    if (mkdirat(s->fd, path, 0755) < 0) {
        error_set_errno(err, errno, "making the temporary directory %s/%s", s->root, path);
        return NULL;
    }
    return g_steal_pointer(&path);
}

void store_tmp_discard(struct store *s, const char *tmp)
{
    if (tmp && g_str_has_prefix(tmp, "tmp/"))
        fs_remove_tree(s->fd, tmp, NULL);
}

void store_tmp_discard_later(struct store *s, const char *tmp)
{
    g_autoptr(GMutexLocker) lock G_GNUC_UNUSED = g_mutex_locker_new(&s->owner_lock);
    g_ptr_array_add(s->put_off, g_strdup(tmp));
}

void store_tmp_tidy(struct store *s)
{
    gsize n;
    g_mutex_lock(&s->owner_lock);
    g_autofree gpointer *mine = g_ptr_array_steal(s->put_off, &n);
    g_mutex_unlock(&s->owner_lock);
    for (gsize i = 0; i < n; i++) {
        store_tmp_discard(s, mine[i]);
        g_free(mine[i]);
    }
}

static void sweep_one(struct store *s, int tmp_fd, const char *name)
{
    fd_auto int fd = openat(tmp_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0 || flock_retry(fd, LOCK_EX | LOCK_NB) < 0)
        return;
    fs_remove_tree(tmp_fd, name, NULL);
}

void owner_sweep(struct store *s)
{
    fd_auto int tmp_fd = fs_open_dir(s->fd, "tmp", NULL);
    g_autoptr(GPtrArray) names = tmp_fd < 0 ? NULL : fs_list(tmp_fd, NULL);
    for (guint i = 0; names && i < names->len; i++)
        sweep_one(s, tmp_fd, g_ptr_array_index(names, i));
}

void owner_close(struct store *s)
{
    if (s->owner)
        fs_remove_tree(s->fd, s->owner, NULL);
    fd_cleanup(&s->lease_fd);
    fd_cleanup(&s->owner_fd);
    g_clear_pointer(&s->owner, g_free);
}

gboolean gate_enter(struct store *s)
{
    if (s->gate_fd < 0)
        s->gate_fd = openat(s->fd, "layers", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return s->gate_fd >= 0 && flock_retry(s->gate_fd, LOCK_SH) == 0;
}

void gate_leave(struct store *s)
{
    flock_retry(s->gate_fd, LOCK_UN);
}

int gate_close(struct store *s, GError **err)
{
    fd_auto int fd = openat(s->fd, "layers", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0 || flock_retry(fd, LOCK_EX) < 0) {
        error_set_errno(err, errno, "locking %s/layers", s->root);
        return -1;
    }
    return fd_steal(&fd);
}

/* A file that cannot be truncated keeps its lines, and so must the set of lines already written. */
void lease_drop(struct store *s)
{
    g_autoptr(GMutexLocker) lock G_GNUC_UNUSED = g_mutex_locker_new(&s->owner_lock);
    if (s->lease_fd < 0 || ftruncate(s->lease_fd, 0) == 0)
        g_hash_table_remove_all(s->leased);
}

static gboolean lease_file_ensure(struct store *s)
{
    if (s->lease_fd >= 0)
        return TRUE;
    if (!owner_ensure(s))
        return FALSE;
    s->lease_fd = openat(s->owner_fd, "leases", O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    return s->lease_fd >= 0;
}

/* Appends those lines that are new. Each batch begins with a newline, so that a write cut off by a
 * full disk spoils only its own last line. */
static gboolean lease_lines(struct store *s, GPtrArray *lines)
{
    g_autoptr(GMutexLocker) lock G_GNUC_UNUSED = g_mutex_locker_new(&s->owner_lock);
    g_autoptr(GString) batch = g_string_new("\n");
    for (guint i = 0; i < lines->len; i++)
        if (!g_hash_table_contains(s->leased, g_ptr_array_index(lines, i)))
            g_string_append_printf(batch, "%s\n", (char *)g_ptr_array_index(lines, i));
    if (batch->len == 1)
        return TRUE;
    if (!lease_file_ensure(s))
        return FALSE;
    ssize_t n = write(s->lease_fd, batch->str, batch->len);
    if (n != (ssize_t)batch->len) {
        errno = n < 0 ? errno : ENOSPC;
        return FALSE;
    }
    for (guint i = 0; i < lines->len; i++)
        g_hash_table_add(s->leased, g_strdup(g_ptr_array_index(lines, i)));
    return TRUE;
}

gboolean lease_has_layer(struct store *s, const char *id)
{
    char line[LAYER_ID_LEN + 3] = "L ";
    g_strlcat(line, id, sizeof line);
    g_autoptr(GMutexLocker) lock G_GNUC_UNUSED = g_mutex_locker_new(&s->owner_lock);
    return g_hash_table_contains(s->leased, line);
}

gboolean lease_layers(struct store *s, const struct chain *c)
{
    g_autoptr(GPtrArray) lines = g_ptr_array_new_with_free_func(g_free);
    for (guint i = 0; i < c->n; i++)
        g_ptr_array_add(lines, g_strconcat("L ", c->ids[i], NULL));
    return lease_lines(s, lines);
}

gboolean lease_layer(struct store *s, const char *id)
{
    g_autoptr(GPtrArray) lines = g_ptr_array_new_with_free_func(g_free);
    g_ptr_array_add(lines, g_strconcat("L ", id, NULL));
    return lease_lines(s, lines);
}

gboolean lease_blob(struct store *s, const struct digest *d)
{
    char hex[DIGEST_HEX_LEN + 1];
    g_autoptr(GPtrArray) lines = g_ptr_array_new_with_free_func(g_free);
    g_ptr_array_add(lines, g_strconcat("B ", digest_hex(d, hex), NULL));
    return lease_lines(s, lines);
}

/* A directory whose flock can be had belongs to a dead process; its leases count no more.
 * Unreadable leases are an error: ignoring them would remove what they protect. */
static gboolean read_leases(int tmp_fd, const char *name, GHashTable *out, GError **err)
{
    fd_auto int fd = openat(tmp_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0 && (errno == ENOENT || errno == ENOTDIR || errno == ELOOP))
        return TRUE; /* just removed, or no owner's */
    if (fd >= 0 && flock_retry(fd, LOCK_SH | LOCK_NB) == 0)
        return TRUE;
    if (fd < 0 || errno != EWOULDBLOCK)
        return error_set_errno(err, errno, "cannot read the leases in tmp/%s", name);
    fd_auto int file = openat(fd, "leases", O_RDONLY | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC);
    if (file < 0)
        return errno == ENOENT ||
               error_set_errno(err, errno, "cannot read the leases in tmp/%s", name);
    g_autofree char *what = g_strdup_printf("tmp/%s/leases", name);
    g_autoptr(GBytes) bytes = fs_read_fd(file, what, LEASES_MAX, err);
    if (!bytes)
        return FALSE;
    g_auto(GStrv) lines = g_strsplit(g_bytes_get_data(bytes, NULL), "\n", -1);
    for (char **l = lines; *l; l++)
        if (**l)
            g_hash_table_add(out, g_strdup(*l));
    return TRUE;
}

GHashTable *lease_living(struct store *s, GError **err)
{
    g_autoptr(GHashTable) out = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    fd_auto int tmp_fd = openat(s->fd, "tmp", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (tmp_fd < 0 && errno == ENOENT)
        return g_steal_pointer(&out); /* made with the first owner */
    if (tmp_fd < 0) {
        error_set_errno(err, errno, "cannot read %s/tmp", s->root);
        return NULL;
    }
    g_autoptr(GPtrArray) names = fs_list(tmp_fd, err);
    for (guint i = 0; names && i < names->len; i++)
        if (!read_leases(tmp_fd, g_ptr_array_index(names, i), out, err))
            return NULL;
    return names ? g_steal_pointer(&out) : NULL;
}
