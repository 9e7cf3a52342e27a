#include "layer/attrs.h"

#include "base/error.h"
#include "layer/overlaymark.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/xattr.h>
#include <unistd.h>

#define MAX_NAMES (64 * 1024) /* the kernel's own limit of a name list */
/* ext4 has one block for all xattrs of a file, and calls it a full disk when they do not fit. */
#define SMALL_XATTR 1024

gboolean attrs_keeps_xattr(const char *name)
{
    if (overlaymark_is_xattr(name))
        return FALSE;
    return g_str_has_prefix(name, "user.") || strcmp(name, "security.capability") == 0 ||
           strcmp(name, "system.posix_acl_access") == 0 ||
           strcmp(name, "system.posix_acl_default") == 0;
}

static gint compare_names(gconstpointer a, gconstpointer b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* The kept names in a list as flistxattr() gives it, sorted; they point into names. */
static GPtrArray *kept_names(const char *names, gsize len)
{
    GPtrArray *kept = g_ptr_array_new();
    for (const char *p = names; p < names + len; p += strlen(p) + 1)
        if (attrs_keeps_xattr(p))
            g_ptr_array_add(kept, (gpointer)p);
    g_ptr_array_sort(kept, compare_names);
    return kept;
}

/* Reads one value, appending name and value to text; FALSE with errno. */
static gboolean read_value(int fd, const char *name, GString *text, gsize *size)
{
    char value[64 * 1024];
    ssize_t n = fgetxattr(fd, name, value, sizeof value);
    if (n < 0)
        return FALSE;
    g_string_append_len(text, name, strlen(name) + 1);
    g_string_append_len(text, value, n);
    *size = n;
    return TRUE;
}

/* One block: the table, then names and values. */
static struct xattr *pack(const GArray *sizes, const GString *text)
{
    gsize table = sizes->len * sizeof(struct xattr);
    struct xattr *x = g_malloc(table + text->len);
    char *p = (char *)x + table;
    memcpy(p, text->str, text->len);
    for (guint i = 0; i < sizes->len; i++) {
        x[i].name = p;
        x[i].size = g_array_index(sizes, gsize, i);
        x[i].value = p + strlen(p) + 1;
        p = (char *)x[i].value + x[i].size;
    }
    return x;
}

static gboolean read_values(int fd, const GPtrArray *names, struct xattr **out, guint *n,
                            GError **err)
{
    g_autoptr(GString) text = g_string_new(NULL);
    g_autoptr(GArray) sizes = g_array_new(FALSE, FALSE, sizeof(gsize));
    for (guint i = 0; i < names->len; i++) {
        gsize size;
        const char *name = g_ptr_array_index(names, i);
        if (!read_value(fd, name, text, &size)) {
            if (errno == ENODATA)
                continue;
            return error_set_errno(err, errno, "cannot read the xattr %s", name);
        }
        if (text->len > ATTRS_MAX_XATTRS)
            return error_set(err, VARVE_ERROR_INVALID, "its xattrs hold more than %d bytes",
                             ATTRS_MAX_XATTRS);
        g_array_append_val(sizes, size);
    }
    *n = sizes->len;
    *out = sizes->len ? pack(sizes, text) : NULL;
    return TRUE;
}

gboolean attrs_read_xattrs(int fd, struct xattr **out, guint *n, GError **err)
{
    *out = NULL;
    *n = 0;
    char few[512];
    g_autofree char *many = NULL;
    char *names = few;
    ssize_t len = flistxattr(fd, few, sizeof few);
    if (len < 0 && errno == ERANGE) {
        names = many = g_malloc(MAX_NAMES);
        len = flistxattr(fd, many, MAX_NAMES);
    }
    if (len < 0)
        return errno == ENOTSUP || error_set_errno(err, errno, "cannot list xattrs");
    if (len == 0)
        return TRUE;
    g_autoptr(GPtrArray) kept = kept_names(names, len);
    return kept->len == 0 || read_values(fd, kept, out, n, err);
}

/* EINVAL: an id that has no place in this user namespace. EPERM there: the same for a mapped one.
 */
static gboolean tolerable(int reason)
{
    return (reason == EINVAL || reason == EPERM) && overlaymark_userxattr();
}

static void times_of(const struct entry *e, struct timespec out[2])
{
    gint64 s = e->mtime_ns / 1000000000, ns = e->mtime_ns % 1000000000;
    if (ns < 0) {
        ns += 1000000000;
        s--;
    }
    out[0] = out[1] = (struct timespec){s, ns};
}

gboolean attrs_xattr_failed(int reason, const struct xattr *x, const char *path, GError **err)
{
    if (reason == E2BIG || (reason == ENOSPC && x->size > SMALL_XATTR))
        return error_set(
            err, VARVE_ERROR_INVALID,
            "the xattr %.64s of %s (%zu bytes) is larger than the store's file system holds",
            x->name, path, x->size);
    return error_set_errno(err, reason, "cannot set the xattr %.64s of %s", x->name, path);
}

static gboolean set_xattrs(int fd, const struct entry *e, GError **err)
{
    for (guint i = 0; i < e->n_xattrs; i++) {
        const struct xattr *x = &e->xattrs[i];
        if (fsetxattr(fd, x->name, x->value, x->size, 0) < 0 && !tolerable(errno))
            return attrs_xattr_failed(errno, x, e->path, err);
    }
    return TRUE;
}

/* The root's path is empty. */
static const char *shown(const struct entry *e)
{
    return *e->path ? e->path : "/";
}

gboolean attrs_apply_fd(int fd, const struct entry *e, GError **err)
{
    struct timespec times[2];
    times_of(e, times);
    /* Changing the owner clears setuid bits and capabilities, so it comes first. It is set even if
     * it is ours: below a setgid directory a new file has the directory's group. */
    if (fchown(fd, e->uid, e->gid) < 0 && !tolerable(errno))
        return error_set_errno(err, errno, "cannot give %s to %u:%u", shown(e), e->uid, e->gid);
    if (fchmod(fd, e->mode) < 0)
        return error_set_errno(err, errno, "cannot set the mode of %s", shown(e));
    if (!set_xattrs(fd, e, err))
        return FALSE;
    if (futimens(fd, times) < 0)
        return error_set_errno(err, errno, "cannot set the time of %s", shown(e));
    return TRUE;
}

gboolean attrs_apply_at(int dirfd, const char *name, const struct entry *e, GError **err)
{
    struct timespec times[2];
    times_of(e, times);
    if (fchownat(dirfd, name, e->uid, e->gid, AT_SYMLINK_NOFOLLOW) < 0 && !tolerable(errno))
        return error_set_errno(err, errno, "cannot give %s to %u:%u", shown(e), e->uid, e->gid);
    if (e->type != ENTRY_SYMLINK && fchmodat(dirfd, name, e->mode, 0) < 0)
        return error_set_errno(err, errno, "cannot set the mode of %s", shown(e));
    if (utimensat(dirfd, name, times, AT_SYMLINK_NOFOLLOW) < 0)
        return error_set_errno(err, errno, "cannot set the time of %s", shown(e));
    return TRUE;
}
