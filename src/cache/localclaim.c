#include "cache/localclaim.h"

#include "base/error.h"
#include "base/fs.h"
#include "cache/claim.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

static char *claim_file(const char *tag, const char *name)
{
    struct digest d;
    char hex[DIGEST_HEX_LEN + 1];
    digest_of_bytes(&d, tag, strlen(tag));
    return g_strdup_printf("%.16s.%s", digest_hex(&d, hex), name);
}

/* The directory of claims; -1 with *err. */
static int open_claims(int dir, GError **err)
{
    if (!fs_mkdir_p(dir, "varve.claims", 0755, err))
        return -1;
    int fd = openat(dir, "varve.claims", O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        error_set_errno(err, errno, "opening varve.claims of the cache");
    return fd;
}

static gint newest_first(gconstpointer a, gconstpointer b)
{
    return strcmp(*(const char *const *)b, *(const char *const *)a);
}

GPtrArray *localclaim_list(int dir, const char *tag, GError **err)
{
    g_autofree char *prefix = claim_file(tag, "");
    fd_auto int fd = open_claims(dir, err);
    g_autoptr(GPtrArray) names = fd >= 0 ? fs_list(fd, err) : NULL;
    GPtrArray *out = names ? g_ptr_array_new_with_free_func(g_free) : NULL;
    if (names)
        g_ptr_array_sort(names, newest_first);
    for (guint i = 0; names && i < names->len && out->len < CLAIMS_MAX; i++) {
        const char *name = g_ptr_array_index(names, i);
        if (g_str_has_prefix(name, prefix) && claim_is_name(name + strlen(prefix)))
            g_ptr_array_add(out, g_strdup(name + strlen(prefix)));
    }
    return out;
}

GBytes *localclaim_get(int dir, const char *tag, const char *name, GError **err)
{
    fd_auto int fd = open_claims(dir, err);
    g_autofree char *file = claim_file(tag, name);
    if (fd >= 0 && faccessat(fd, file, F_OK, AT_SYMLINK_NOFOLLOW) < 0 && errno == ENOENT) {
        error_set(err, VARVE_ERROR_NOT_FOUND, "claim %s is gone", name);
        return NULL;
    }
    return fd < 0 ? NULL : fs_read(fd, file, CLAIM_BYTES_MAX, err);
}

gboolean localclaim_put(int dir, const char *tag, const char *name, GBytes *bytes, GError **err)
{
    gsize len;
    const void *json = g_bytes_get_data(bytes, &len);
    fd_auto int fd = open_claims(dir, err);
    g_autofree char *file = claim_file(tag, name);
    return fd >= 0 && fs_replace(fd, file, json, len, 0644, err);
}

/* With what a killed builder left under a temporary name. */
gboolean localclaim_remove(int dir, const char *tag, const char *name, GError **err)
{
    fd_auto int fd = open_claims(dir, err);
    g_autofree char *file = claim_file(tag, name);
    g_autoptr(GPtrArray) names = fd >= 0 ? fs_list(fd, err) : NULL;
    for (guint i = 0; names && i < names->len; i++) {
        const char *is = g_ptr_array_index(names, i);
        if (strstr(is, file) && unlinkat(fd, is, 0) < 0 && errno != ENOENT)
            return error_set_errno(err, errno, "removing %s", is);
    }
    return names != NULL;
}
