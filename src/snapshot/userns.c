#include "snapshot/userns.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <pwd.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fs.h"

#define MAX_RANGES 16

static enum userns_state current = USERNS_ROOT;
static char *user; /* who entered */

/* A consecutive run of subordinate ids. */
struct range {
    guint32 start, count;
};

/* One line of /etc/subuid, "name-or-uid:start:count", when it is for this user. */
static gboolean parse_range(const char *line, const char *name, uid_t uid, struct range *r)
{
    g_auto(GStrv) fields = g_strsplit(line, ":", 4);
    g_autofree char *number = g_strdup_printf("%u", uid);
    guint64 start, count;
    if (g_strv_length(fields) != 3 ||
        !(g_strcmp0(fields[0], name) == 0 || g_str_equal(fields[0], number)))
        return FALSE;
    if (!g_ascii_string_to_unsigned(fields[1], 10, 1, G_MAXUINT32 - 1, &start, NULL) ||
        !g_ascii_string_to_unsigned(g_strchomp(fields[2]), 10, 1, G_MAXUINT32 - 1, &count, NULL))
        return FALSE;
    *r = (struct range){(guint32)start, (guint32)count};
    return TRUE;
}

static guint read_ranges(const char *file, const char *name, uid_t uid,
                         struct range out[MAX_RANGES])
{
    g_autofree char *text = NULL;
    guint n = 0;
    if (!g_file_get_contents(file, &text, NULL, NULL))
        return 0;
    g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
    for (guint i = 0; lines[i] && n < MAX_RANGES; i++)
        if (parse_range(lines[i], name, uid, &out[n]))
            n++;
    return n;
}

/* "PID 0 own 1 1 start count …" for newuidmap and newgidmap. */
static char **map_command(const char *program, pid_t pid, guint32 own, const struct range *ranges,
                          guint n)
{
    g_autoptr(GStrvBuilder) b = g_strv_builder_new();
    g_autofree char *pid_text = g_strdup_printf("%d", pid), *own_text = g_strdup_printf("%u", own);
    g_strv_builder_add_many(b, program, pid_text, "0", own_text, "1", NULL);
    guint32 inside = 1;
    for (guint i = 0; i < n; i++) {
        g_autofree char *at = g_strdup_printf("%u", inside);
        g_autofree char *start = g_strdup_printf("%u", ranges[i].start);
        g_autofree char *count = g_strdup_printf("%u", ranges[i].count);
        g_strv_builder_add_many(b, at, start, count, NULL);
        inside += ranges[i].count;
    }
    return g_strv_builder_end(b);
}

/* Runs both programs, in a child that stayed outside of the namespace. */
static void run_mappers(char **uid_command, char **gid_command)
{
    char **commands[] = {uid_command, gid_command};
    for (guint i = 0; i < 2; i++) {
        int status = -1;
        if (!g_spawn_sync(NULL, commands[i], NULL, G_SPAWN_SEARCH_PATH, NULL, NULL, NULL, NULL,
                          &status, NULL) ||
            status != 0)
            _exit(1);
    }
    _exit(0);
}

static gboolean refused(GError **err, int error)
{
    char sysctl[8] = "";
    FILE *f = fopen("/proc/sys/kernel/apparmor_restrict_unprivileged_userns", "re");
    gboolean apparmor = f && fgets(sysctl, sizeof sysctl, f) && *sysctl == '1';
    if (f)
        fclose(f);
    error_set_errno(err, error, "making a user namespace to build in as an ordinary user");
    if (apparmor)
        error_add_next(
            err,
            "AppArmor refuses it to unconfined programs: sysctl -w "
            "kernel.apparmor_restrict_unprivileged_userns=0, or give varve an AppArmor profile "
            "with \"userns,\", or run varve as root");
    else
        error_add_next(
            err, "allow it (sysctl -w kernel.unprivileged_userns_clone=1 on older Debian; "
                 "user.max_user_namespaces must not be 0; a container needs a seccomp profile that "
                 "allows unshare), or run varve as root");
    return FALSE;
}

static gboolean write_proc(const char *path, const char *text)
{
    fd_auto int fd = open(path, O_WRONLY | O_CLOEXEC);
    return fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);
}

/* Without help only the user's own ids can be mapped. */
static gboolean map_single(uid_t uid, gid_t gid, GError **err)
{
    g_autofree char *uids = g_strdup_printf("0 %u 1", uid), *gids = g_strdup_printf("0 %u 1", gid);
    if (write_proc("/proc/self/uid_map", uids) && write_proc("/proc/self/setgroups", "deny") &&
        write_proc("/proc/self/gid_map", gids)) {
        current = USERNS_SINGLE;
        return TRUE;
    }
    return refused(err, errno);
}

/* A child outside of the namespace maps the ranges once told that this process is inside. FALSE
 * when it could not. */
struct mapper {
    pid_t pid;
    int go; /* write end: a byte starts it */
};

static gboolean start_mapper(struct mapper *m, uid_t uid, gid_t gid)
{
    struct range uids[MAX_RANGES], gids[MAX_RANGES];
    const struct passwd *pw = getpwuid(uid);
    user = g_strdup(pw ? pw->pw_name : NULL);
    guint n_uids = read_ranges("/etc/subuid", user, uid, uids);
    guint n_gids = read_ranges("/etc/subgid", user, uid, gids);
    int ends[2];
    if (!n_uids || !n_gids || pipe2(ends, O_CLOEXEC) < 0)
        return FALSE;
    g_auto(GStrv) uid_command = map_command("newuidmap", getpid(), uid, uids, n_uids);
    g_auto(GStrv) gid_command = map_command("newgidmap", getpid(), gid, gids, n_gids);
    m->pid = fork();
    if (m->pid == 0) {
        char byte;
        close(ends[1]);
        if (read(ends[0], &byte, 1) == 1)
            run_mappers(uid_command, gid_command);
        _exit(1);
    }
    close(ends[0]);
    m->go = ends[1];
    return m->pid > 0;
}

static gboolean finish_mapper(struct mapper *m, gboolean go)
{
    int status = -1;
    if (go && write(m->go, "g", 1) < 0)
        go = FALSE;
    close(m->go);
    while (waitpid(m->pid, &status, 0) < 0 && errno == EINTR)
        ;
    return go && status == 0;
}

/* uid 0 of the namespace, and no groups from outside. */
static gboolean become_root(GError **err)
{
    if (current == USERNS_RANGE && syscall(SYS_setgroups, 0, NULL) < 0)
        return error_set_errno(err, errno, "dropping the user's groups in the user namespace");
    if (setresgid(0, 0, 0) < 0 || setresuid(0, 0, 0) < 0)
        return error_set_errno(err, errno, "becoming root in the user namespace");
    /* Nothing mounted from here on is visible outside; AppArmor refuses only here what it allowed
     * so far.
     */
    if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
        return refused(err, errno);
    return TRUE;
}

static gboolean has_sys_admin(void)
{
    struct __user_cap_header_struct head = {_LINUX_CAPABILITY_VERSION_3, 0};
    struct __user_cap_data_struct caps[2] = {{0}};
    return syscall(SYS_capget, &head, caps) == 0 && caps[0].effective >> CAP_SYS_ADMIN & 1;
}

gboolean userns_enter(enum userns_state *state, GError **err)
{
    uid_t uid = geteuid();
    gid_t gid = getegid();
    *state = current;
    if (current != USERNS_ROOT || has_sys_admin())
        return TRUE;
    struct mapper m;
    gboolean ranged = start_mapper(&m, uid, gid);
    if (unshare(CLONE_NEWUSER | CLONE_NEWNS) < 0) {
        int error = errno;
        if (ranged)
            finish_mapper(&m, FALSE);
        return refused(err, error);
    }
    if (ranged && finish_mapper(&m, TRUE))
        current = USERNS_RANGE;
    else if (!map_single(uid, gid, err))
        return FALSE;
    *state = current;
    return become_root(err);
}

gboolean userns_join(int pidfd, int pid, GError **err)
{
    struct stat own, other;
    g_autofree char *path = g_strdup_printf("/proc/%d/ns/user", pid);
    if (stat("/proc/self/ns/user", &own) < 0 || stat(path, &other) < 0)
        return error_set_errno(err, errno, "cannot look at the namespaces of process %d", pid);
    return (own.st_dev == other.st_dev && own.st_ino == other.st_ino) ||
           setns(pidfd, CLONE_NEWUSER) == 0 ||
           error_set_errno(err, errno, "cannot enter the user namespace of process %d", pid);
}

const char *userns_user(void)
{
    return user;
}

gboolean userns_is_whole(void)
{
    g_autofree char *map = NULL;
    guint inside, outside, count;
    return g_file_get_contents("/proc/self/uid_map", &map, NULL, NULL) &&
           sscanf(map, "%u %u %u", &inside, &outside, &count) == 3 && inside == 0 && outside == 0 &&
           count == G_MAXUINT32;
}

enum userns_state userns_current(void)
{
    return current;
}
