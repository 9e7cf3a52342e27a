#include "exec/cgroupdir.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fs.h"

#define PREFIX "varve-"
#define MAX_DEPTH 200
#define KILL_US (2 * G_USEC_PER_SEC)

const char *cgroupdir_unified(void)
{
    static const char *const places[] = {"/sys/fs/cgroup", "/sys/fs/cgroup/unified"};
    for (guint i = 0; i < G_N_ELEMENTS(places); i++) {
        struct statfs st;
        if (statfs(places[i], &st) == 0 && st.f_type == CGROUP2_SUPER_MAGIC)
            return places[i];
    }
    return NULL;
}

char *cgroupdir_of(int pid)
{
    const char *root = cgroupdir_unified();
    g_autofree char *file = pid ? g_strdup_printf("/proc/%d/cgroup", pid) : NULL;
    g_autofree char *text = NULL;
    if (!root || !g_file_get_contents(file ? file : "/proc/self/cgroup", &text, NULL, NULL))
        return NULL;
    const char *line = g_str_has_prefix(text, "0::") ? text : strstr(text, "\n0::");
    if (!line)
        return NULL;
    line = strchr(line, '/');
    g_autofree char *own = line ? g_strndup(line, strcspn(line, "\n")) : NULL;
    return own && !strstr(own, "/..") ? g_build_filename(root, own, NULL) : NULL;
}

char *cgroupdir_name(void)
{
    static gint counter;
    return g_strdup_printf(PREFIX "%d-%d", getpid(), g_atomic_int_add(&counter, 1));
}

static int open_locked(const char *path)
{
    fd_auto int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0 ? fd_steal(&fd) : -1;
}

gboolean cgroupdir_open(struct cgroupdir *d, char *path, GError **err)
{
    *d = (struct cgroupdir){.path = path, .fd = open_locked(path)};
    return d->fd >= 0 || error_set_errno(err, errno, "opening the cgroup %s", path);
}

/* The text of one of its files, which are short; FALSE where there is no such file. */
static gboolean read_text(int dir, const char *file, char *text, gsize size)
{
    fd_auto int fd = openat(dir, file, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, text, size - 1);
    text[MAX(n, 0)] = '\0';
    return n > 0;
}

/* cgroup.events tells by POLLPRI that it has changed since it was read. */
static gboolean is_populated(int events)
{
    char text[256];
    ssize_t n = pread(events, text, sizeof text - 1, 0);
    text[MAX(n, 0)] = '\0';
    return strstr(text, "populated 1") != NULL;
}

gboolean cgroupdir_kill(const struct cgroupdir *d)
{
    fd_auto int events = openat(d->fd, "cgroup.events", O_RDONLY | O_CLOEXEC);
    if (events < 0 || !is_populated(events))
        return events >= 0;
    fd_auto int kill_fd = openat(d->fd, "cgroup.kill", O_WRONLY | O_CLOEXEC); /* since Linux 5.14 */
    if (kill_fd < 0 || write(kill_fd, "1", 1) < 0)
        return FALSE;
    gint64 until = g_get_monotonic_time() + KILL_US;
    for (gint64 left = KILL_US; is_populated(events) && left > 0;
         left = until - g_get_monotonic_time()) {
        struct pollfd p = {.fd = events, .events = POLLPRI};
        poll(&p, 1, (int)(left / 1000 + 1));
    }
    return !is_populated(events);
}

void cgroupdir_usage(struct cgroupdir *d, gint64 *cpu_us, guint64 *peak)
{
    static const char first[] = "usage_usec ";
    char text[512]; /* the first line is enough */
    if (read_text(d->fd, "cpu.stat", text, sizeof text) && g_str_has_prefix(text, first)) {
        gint64 used = g_ascii_strtoll(text + strlen(first), NULL, 10);
        *cpu_us = used - d->cpu_us;
        d->cpu_us = used;
    }
    if (read_text(d->fd, "memory.peak", text, sizeof text)) /* since Linux 5.19 */
        *peak = g_ascii_strtoull(text, NULL, 10);
}

gboolean cgroupdir_ran_out(const struct cgroupdir *d)
{
    static const char count[] = "oom_kill ";
    char text[512];
    if (!read_text(d->fd, "memory.events", text, sizeof text) &&
        !read_text(d->fd, "memory.oom_control", text, sizeof text))
        return FALSE;
    const char *at = strstr(text, count);
    return at && g_ascii_strtoull(at + strlen(count), NULL, 10) > 0;
}

/* All cgroups below dir, which is taken, unless they lie deeper than anybody nests them. */
static void remove_below(int dir, guint depth)
{
    DIR *all = fdopendir(dir);
    if (!all)
        close(dir);
    for (const struct dirent *e; all && (e = readdir(all));) {
        if (e->d_type != DT_DIR || g_str_equal(e->d_name, ".") || g_str_equal(e->d_name, ".."))
            continue;
        int below = openat(dir, e->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (below >= 0 && depth > 0)
            remove_below(below, depth - 1);
        else if (below >= 0)
            close(below);
        unlinkat(dir, e->d_name, AT_REMOVEDIR);
    }
    if (all)
        closedir(all);
}

static void remove_with_all(const char *path)
{
    if (rmdir(path) == 0 || errno != EBUSY)
        return;
    int dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (dir >= 0)
        remove_below(dir, MAX_DEPTH);
    rmdir(path);
}

void cgroupdir_remove(struct cgroupdir *d)
{
    if (d->path)
        remove_with_all(d->path);
    fd_cleanup(&d->fd);
    g_clear_pointer(&d->path, g_free);
}

/* Whether the maker in a cgroup's name is alive. One in another pid namespace seems dead; then its
 * lock decides. */
static gboolean is_alive(const char *name)
{
    int pid = atoi(name + strlen(PREFIX));
    return pid <= 0 || kill(pid, 0) == 0 || errno != ESRCH;
}

static void sweep(const char *parent)
{
    g_autoptr(GDir) dir = g_dir_open(parent, 0, NULL);
    for (const char *name; dir && (name = g_dir_read_name(dir));) {
        if (!g_str_has_prefix(name, PREFIX) || is_alive(name))
            continue;
        g_autofree char *path = g_build_filename(parent, name, NULL);
        struct cgroupdir d = {.fd = open_locked(path)};
        if (d.fd < 0)
            continue;
        d.path = g_steal_pointer(&path);
        cgroupdir_kill(&d);
        cgroupdir_remove(&d);
    }
}

void cgroupdir_sweep(const char *parent)
{
    static GMutex lock;
    static GHashTable *swept;
    g_autoptr(GMutexLocker) locker G_GNUC_UNUSED = g_mutex_locker_new(&lock);
    if (!swept)
        swept = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    if (g_hash_table_add(swept, g_strdup(parent)))
        sweep(parent);
}
