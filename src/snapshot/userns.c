#include "snapshot/userns.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <pwd.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/container.h"
#include "base/error.h"
#include "base/fs.h"
#include "base/idmap.h"

#define MAX_RANGES 16
#define REASON_MAX 4096

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

/* Why only one id is mapped, for messages. In memory that the mapping child shares. */
struct single_reason {
    char text[REASON_MAX];
    gboolean refused; /* see userns_ids_refused() */
};
static struct single_reason *why_single;

static void note_reason(const char *fmt, ...) G_GNUC_PRINTF(1, 2);
static void note_reason(const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    g_vsnprintf(why_single->text, REASON_MAX, fmt, ap);
    va_end(ap);
}

/* Runs both programs, in a child that stayed outside of the namespace. */
static gboolean run_mappers(char **commands[2])
{
    for (guint i = 0; i < 2; i++) {
        int status = -1;
        g_autofree char *said = NULL;
        g_autoptr(GError) why = NULL;
        if (!g_spawn_sync(NULL, commands[i], NULL, G_SPAWN_SEARCH_PATH, NULL, NULL, NULL, &said,
                          &status, &why))
            note_reason("%s (package uidmap) cannot be run: %s", commands[i][0], why->message);
        else if (status != 0)
            note_reason("%s refused: %s", commands[i][0], g_strstrip(said));
        why_single->refused = status != 0 && !why;
        if (status != 0)
            return FALSE;
    }
    return TRUE;
}

/* AppArmor's own restriction, of Ubuntu. */
static gboolean apparmor_restricts(void)
{
    g_autofree char *text = NULL;
    return g_file_get_contents("/proc/sys/kernel/apparmor_restrict_unprivileged_userns", &text,
                               NULL, NULL) &&
           *text == '1';
}

static gboolean refused(GError **err, int error)
{
    const char *remedy = container_remedy(CONTAINER_USERNS);
    if (error == ENOSPC) {
        error_set(err, VARVE_ERROR_DENIED,
                  "making a user namespace to build in: the kernel's limit of them is reached "
                  "(sysctl user.max_user_namespaces)");
        error_add_next(err, "raise it: sysctl -w user.max_user_namespaces=10000, or run varve as "
                            "root");
        return FALSE;
    }
    if (remedy) {
        error_set(err, VARVE_ERROR_DENIED,
                  "this container may not make user namespaces, which building in it needs (%s): "
                  "%s gives it",
                  g_strerror(error), remedy);
        error_add_next(err, "varve doctor shows what else this container lacks");
        return FALSE;
    }
    error_set_errno(err, error, "making a user namespace to build in as an ordinary user");
    if (apparmor_restricts())
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

/* The ids that root of a container has, mapped onto themselves. The last id of all is left out, so
 * that nobody takes the new namespace for the first. */
static gboolean map_own_ids(pid_t pid)
{
    g_autofree char *uids = idmap_same_text("uid_map", G_MAXUINT32 - 1);
    g_autofree char *gids = idmap_same_text("gid_map", G_MAXUINT32 - 1);
    g_autofree char *uid_map = g_strdup_printf("/proc/%d/uid_map", pid);
    g_autofree char *gid_map = g_strdup_printf("/proc/%d/gid_map", pid);
    gboolean ok = write_proc(uid_map, uids) && write_proc(gid_map, gids);
    if (!ok)
        note_reason("root of this container lacks one of the capabilities SETUID, SETGID and "
                    "SETFCAP: %s",
                    g_strerror(errno));
    why_single->refused = !ok;
    return ok;
}

/* A child outside of the namespace maps the ranges once told that this process is inside. FALSE
 * when it could not. */
struct mapper {
    pid_t pid;
    int go; /* write end: a byte starts it */
};

/* What newuidmap and newgidmap are to be asked for; FALSE: nothing. */
static gboolean range_commands(uid_t uid, gid_t gid, char **commands[2])
{
    struct range uids[MAX_RANGES], gids[MAX_RANGES];
    guint n_uids = read_ranges("/etc/subuid", user, uid, uids);
    guint n_gids = read_ranges("/etc/subgid", user, uid, gids);
    if (!n_uids || !n_gids) {
        note_reason("%s has no range in /etc/subuid and /etc/subgid", user ? user : "this user");
        return FALSE;
    }
    commands[0] = map_command("newuidmap", getpid(), uid, uids, n_uids);
    commands[1] = map_command("newgidmap", getpid(), gid, gids, n_gids);
    return TRUE;
}

static gboolean start_mapper(struct mapper *m, uid_t uid, gid_t gid)
{
    const struct passwd *pw = getpwuid(uid);
    char **commands[2] = {NULL, NULL};
    int ends[2];
    user = g_strdup(pw ? pw->pw_name : NULL);
    void *shared =
        mmap(NULL, sizeof *why_single, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    why_single = shared == MAP_FAILED ? g_malloc0(sizeof *why_single) : shared;
    if ((uid != 0 && !range_commands(uid, gid, commands)) || pipe2(ends, O_CLOEXEC) < 0)
        return FALSE;
    pid_t inside = getpid();
    m->pid = fork();
    if (m->pid == 0) {
        char byte;
        close(ends[1]);
        _exit(read(ends[0], &byte, 1) == 1 &&
                      (uid == 0 ? map_own_ids(inside) : run_mappers(commands))
                  ? 0
                  : 1);
    }
    close(ends[0]);
    g_strfreev(commands[0]);
    g_strfreev(commands[1]);
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

const char *userns_why_single(void)
{
    return why_single && *why_single->text ? why_single->text : "no ids could be mapped";
}

gboolean userns_ids_refused(void)
{
    return why_single && why_single->refused;
}

enum userns_state userns_current(void)
{
    return current;
}
