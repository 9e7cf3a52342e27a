#include "exec/config.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fs.h"
#include "exec/seccomp.h"
#include "graph/imageconf.h"
#include "init_blob.h"

#ifndef MFD_EXEC
#define MFD_EXEC 0x0010U
#endif
#ifndef F_SEAL_EXEC
#define F_SEAL_EXEC 0x0020
#endif

/* A memfd with these bytes, with a number that setup.c does not use. */
static int memfd_with(const char *name, unsigned flags, const void *bytes, gsize len, GError **err)
{
    fd_auto int fd = memfd_create(name, MFD_CLOEXEC | flags);
    if (fd < 0 && errno == EINVAL) /* before Linux 6.3 there was no MFD_EXEC */
        fd = memfd_create(name, MFD_CLOEXEC | (flags & ~MFD_EXEC));
    fd_auto int high = fd < 0 ? -1 : fcntl(fd, F_DUPFD_CLOEXEC, 10);
    if (high < 0) {
        int error = errno;
        error_set_errno(err, error, "making memory for starting the sandbox");
        if (error == EACCES)
            error_add_next(err, "allow programs in memory files: sysctl vm.memfd_noexec=1");
        return -1;
    }
    return fs_write_all(high, bytes, len, err) ? fd_steal(&high) : -1;
}

/* No byte of it can change any more, nor can it become larger or smaller; where the kernel knows
 * (Linux 6.3), its mode stays too. */
static gboolean seal(int fd, GError **err)
{
    int seals = F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE;
    if (fcntl(fd, F_ADD_SEALS, seals | F_SEAL_EXEC) == 0 || fcntl(fd, F_ADD_SEALS, seals) == 0)
        return TRUE;
    return error_set_errno(err, errno, "sealing the sandbox's process 1");
}

int config_program_memfd(const char *name, GBytes *program, GError **err)
{
    gsize len;
    const void *bytes = g_bytes_get_data(program, &len);
    fd_auto int fd = memfd_with(name, MFD_EXEC | MFD_ALLOW_SEALING, bytes, len, err);
    return fd >= 0 && seal(fd, err) ? fd_steal(&fd) : -1;
}

int config_init_memfd(GError **err)
{
    g_autoptr(GBytes) program = g_bytes_new_static(init_blob, sizeof init_blob);
    return config_program_memfd("varve-init", program, err);
}

static guint64 append_bytes(GByteArray *out, const void *bytes, gsize len)
{
    static const guint8 zeros[8];
    g_byte_array_append(out, zeros, (8 - out->len % 8) % 8);
    guint64 at = out->len;
    if (len)
        g_byte_array_append(out, bytes, len);
    return at;
}

static guint64 put_list(GByteArray *out, const char *const *list)
{
    guint n = list ? g_strv_length((char **)list) : 0;
    g_autofree guint64 *offsets = g_new0(guint64, n + 1);
    for (guint i = 0; i < n; i++)
        offsets[i] = append_bytes(out, list[i], strlen(list[i]) + 1);
    return append_bytes(out, offsets, (n + 1) * sizeof *offsets);
}

GByteArray *config_pack(const struct config_input *in, GError **err)
{
    gboolean insecure = in->spec->insecure;
    struct launch_config c = {.flags = in->flags | (insecure ? LAUNCH_KEEP_CAPS : 0),
                              .uid = in->id->uid,
                              .gid = in->id->gid,
                              .n_groups = in->id->groups->len,
                              .n_limits = in->limits->len,
                              .caps = CONFIG_DEFAULT_CAPS};
    const struct sock_filter *filter =
        insecure ? NULL : seccomp_filter(in->flags & LAUNCH_LISTEN, &c.n_filter, err);
    if (!filter && !insecure)
        return NULL;
    g_autoptr(GByteArray) out = g_byte_array_sized_new(16384);
    append_bytes(out, &c, sizeof c);
    c.groups = append_bytes(out, in->id->groups->data, c.n_groups * sizeof(guint32));
    c.limits = append_bytes(out, in->limits->data, c.n_limits * sizeof(struct launch_limit));
    c.filter = append_bytes(out, filter, c.n_filter * sizeof *filter);
    c.cwd = append_bytes(out, in->cwd, strlen(in->cwd) + 1);
    c.candidates = put_list(out, in->candidates);
    c.argv = put_list(out, in->argv);
    c.envp = put_list(out, in->env);
    memcpy(out->data, &c, sizeof c);
    return g_steal_pointer(&out);
}

int config_memfd(const GByteArray *config, GError **err)
{
    return memfd_with("varve-config", 0, config->data, config->len, err);
}

static const struct {
    const char *name;
    int resource;
} limit_names[] = {
    {"core", RLIMIT_CORE},         {"cpu", RLIMIT_CPU},
    {"data", RLIMIT_DATA},         {"fsize", RLIMIT_FSIZE},
    {"locks", RLIMIT_LOCKS},       {"memlock", RLIMIT_MEMLOCK},
    {"msgqueue", RLIMIT_MSGQUEUE}, {"nice", RLIMIT_NICE},
    {"nofile", RLIMIT_NOFILE},     {"nproc", RLIMIT_NPROC},
    {"rss", RLIMIT_RSS},           {"rtprio", RLIMIT_RTPRIO},
    {"rttime", RLIMIT_RTTIME},     {"sigpending", RLIMIT_SIGPENDING},
    {"stack", RLIMIT_STACK},
};

/* Number of the limit in limit_names, or -1. */
static int find_limit(const char *name, GError **err)
{
    for (guint i = 0; i < G_N_ELEMENTS(limit_names); i++)
        if (g_str_equal(limit_names[i].name, name))
            return (int)i;
    error_set(err, VARVE_ERROR_INVALID, "there is no limit called \"%s\"", name);
    error_add_next(err,
                   "limits are core, cpu, data, fsize, locks, memlock, msgqueue, nice, nofile, "
                   "nproc, rss, rtprio, rttime, sigpending and stack");
    return -1;
}

gboolean sandbox_knows_limit(const char *name, GError **err)
{
    return find_limit(name, err) >= 0;
}

GArray *config_limits(const struct sandbox_spec *spec, char ***names, GError **err)
{
    g_autoptr(GArray) limits = g_array_new(FALSE, FALSE, sizeof(struct launch_limit));
    *names = g_new0(char *, spec->n_ulimits + 1);
    for (guint i = 0; i < spec->n_ulimits; i++) {
        const struct ulimit *u = &spec->ulimits[i];
        int k = find_limit(u->name, err);
        if (k < 0)
            return NULL;
        (*names)[i] = g_strdup(u->name);
        struct launch_limit l = {limit_names[k].resource,
                                 u->soft < 0 ? RLIM64_INFINITY : (guint64)u->soft,
                                 u->hard < 0 ? RLIM64_INFINITY : (guint64)u->hard};
        g_array_append_val(limits, l);
    }
    return g_steal_pointer(&limits);
}

char **config_env(const char *const *env, const char *home)
{
    g_auto(GStrv) out = g_strdupv((char **)env);
    if (!out)
        out = g_new0(char *, 1);
    if (!g_environ_getenv(out, "PATH"))
        out = g_environ_setenv(g_steal_pointer(&out), "PATH", IMAGE_DEFAULT_PATH, TRUE);
    const char *set = g_environ_getenv(out, "HOME");
    if (!set || !*set)
        out = g_environ_setenv(g_steal_pointer(&out), "HOME", home, TRUE);
    return g_steal_pointer(&out);
}

char **config_candidates(const char *program, const char *const *env)
{
    g_autoptr(GPtrArray) list = g_ptr_array_new_with_free_func(g_free);
    if (strchr(program, '/')) {
        g_ptr_array_add(list, g_strdup(program));
    } else {
        const char *path = env ? g_environ_getenv((char **)env, "PATH") : NULL;
        g_auto(GStrv) dirs = g_strsplit(path ? path : IMAGE_DEFAULT_PATH, ":", -1);
        for (guint i = 0; dirs[i]; i++)
            if (*dirs[i] == '/')
                g_ptr_array_add(list, g_build_filename(dirs[i], program, NULL));
    }
    g_ptr_array_add(list, NULL);
    return (char **)g_ptr_array_steal(list, NULL);
}
