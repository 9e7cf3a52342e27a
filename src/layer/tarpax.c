#include "layer/tarpax.h"

#include "base/error.h"
#include "layer/tarnumber.h"

#include <string.h>

#define XATTR_PREFIX "SCHILY.xattr."
#define MAX_XATTRS 1000
#define MAX_SEGMENTS 100000

void tarpax_init(struct tarpax *p)
{
    memset(p, 0, sizeof *p);
    p->bytes = g_byte_array_new();
    p->xattrs = g_array_new(FALSE, FALSE, sizeof(struct xattr));
    p->segments = g_array_new(FALSE, FALSE, sizeof(struct tar_segment));
}

void tarpax_clear(struct tarpax *p)
{
    g_byte_array_unref(p->bytes);
    g_array_unref(p->xattrs);
    g_array_unref(p->segments);
}

void tarpax_reset(struct tarpax *p)
{
    struct tarpax kept = {.bytes = p->bytes, .xattrs = p->xattrs, .segments = p->segments};
    *p = kept;
    g_byte_array_set_size(p->bytes, 0);
    g_array_set_size(p->xattrs, 0);
    g_array_set_size(p->segments, 0);
}

static gboolean bad_pax_value(const char *key, GError **err)
{
    return error_set(err, VARVE_ERROR_INVALID, "its PAX record \"%.64s\" is malformed", key);
}

/* An empty value takes an earlier record back (POSIX). */
static gboolean set_number(const char *value, guint64 *out, gboolean *has)
{
    *has = *value != '\0';
    return !*has || tarnumber_decimal(value, out);
}

static gboolean add_xattr(struct tarpax *p, const char *name, const char *value, gsize len,
                          GError **err)
{
    if (!*name || p->xattrs->len == MAX_XATTRS)
        return error_set(err, VARVE_ERROR_INVALID,
                         "it has an xattr without a name, or more than %d", MAX_XATTRS);
    for (guint i = 0; i < p->xattrs->len; i++) {
        struct xattr *x = &g_array_index(p->xattrs, struct xattr, i);
        if (strcmp(x->name, name) != 0)
            continue;
        *x = (struct xattr){name, value, len};
        return TRUE;
    }
    struct xattr x = {name, value, len};
    g_array_append_val(p->xattrs, x);
    return TRUE;
}

static gboolean add_offset(struct tarpax *p, const char *value)
{
    struct tar_segment s = {0, 0};
    if (p->segments->len == MAX_SEGMENTS || !tarnumber_decimal(value, &s.offset))
        return FALSE;
    g_array_append_val(p->segments, s);
    return TRUE;
}

static gboolean add_numbytes(struct tarpax *p, const char *value)
{
    if (!p->segments->len)
        return FALSE;
    return tarnumber_decimal(
        value, &g_array_index(p->segments, struct tar_segment, p->segments->len - 1).size);
}

/* Format 0.1: "offset,size,offset,size,…". */
static gboolean add_map(struct tarpax *p, const char *value)
{
    g_auto(GStrv) numbers = g_strsplit(value, ",", 2 * MAX_SEGMENTS + 1);
    guint n = g_strv_length(numbers);
    if (n % 2)
        return FALSE;
    for (guint i = 0; i < n; i += 2)
        if (!add_offset(p, numbers[i]) || !add_numbytes(p, numbers[i + 1]))
            return FALSE;
    return TRUE;
}

static gboolean set_sparse(struct tarpax *p, const char *key, const char *value)
{
    gboolean has;
    p->is_sparse = TRUE;
    if (!strcmp(key, "name"))
        p->sparse_name = value;
    else if (!strcmp(key, "size") || !strcmp(key, "realsize"))
        return set_number(value, &p->real_size, &p->has_real_size);
    else if (!strcmp(key, "major"))
        return set_number(value, &p->sparse_major, &has);
    else if (!strcmp(key, "offset"))
        return add_offset(p, value);
    else if (!strcmp(key, "numbytes"))
        return add_numbytes(p, value);
    else if (!strcmp(key, "map"))
        return add_map(p, value);
    return TRUE;
}

static gboolean set_mtime(struct tarpax *p, const char *value)
{
    p->has_mtime = *value != '\0';
    return !p->has_mtime || tarnumber_time(value, &p->mtime_ns);
}

/* value is NUL-terminated beyond len. Unknown keys are of no consequence for a file system. */
static gboolean set_record(struct tarpax *p, const char *key, const char *value, gsize len,
                           GError **err)
{
    if (g_str_has_prefix(key, XATTR_PREFIX))
        return add_xattr(p, key + strlen(XATTR_PREFIX), value, len, err);
    gboolean text = strlen(value) == len, ok = TRUE;
    if (!strcmp(key, "path"))
        p->path = *value ? value : NULL;
    else if (!strcmp(key, "linkpath"))
        p->linkpath = *value ? value : NULL;
    else if (!strcmp(key, "size"))
        ok = set_number(value, &p->size, &p->has_size);
    else if (!strcmp(key, "uid"))
        ok = set_number(value, &p->uid, &p->has_uid);
    else if (!strcmp(key, "gid"))
        ok = set_number(value, &p->gid, &p->has_gid);
    else if (!strcmp(key, "mtime"))
        ok = set_mtime(p, value);
    else if (g_str_has_prefix(key, "GNU.sparse."))
        ok = set_sparse(p, key + strlen("GNU.sparse."), value);
    else
        return TRUE;
    return (ok && text) || bad_pax_value(key, err);
}

/* "<length> <key>=<value>\n", length counting all of it. Cuts key and value into C strings in
 * place; returns the record's length, 0 when it is malformed. */
static gsize cut_record(char *p, gsize left, char **key, char **value, gsize *value_len)
{
    gsize len = 0, digits = 0;
    while (digits < left && digits < 8 && g_ascii_isdigit(p[digits]))
        len = len * 10 + (gsize)(p[digits++] - '0');
    if (!digits || len > left || len < digits + 4 || p[digits] != ' ' || p[len - 1] != '\n')
        return 0;
    *key = p + digits + 1;
    char *equals = memchr(*key, '=', len - digits - 2);
    if (!equals || equals == *key || memchr(*key, '\0', (gsize)(equals - *key)))
        return 0;
    *equals = '\0';
    p[len - 1] = '\0';
    *value = equals + 1;
    *value_len = (gsize)(p + len - 1 - *value);
    return len;
}

static gint compare_xattrs(gconstpointer a, gconstpointer b)
{
    return strcmp(((const struct xattr *)a)->name, ((const struct xattr *)b)->name);
}

gboolean tarpax_parse(struct tarpax *p, GError **err)
{
    char *at = (char *)p->bytes->data;
    gsize left = p->bytes->len;
    while (left) {
        char *key, *value;
        gsize value_len;
        gsize len = cut_record(at, left, &key, &value, &value_len);
        if (!len)
            return error_set(err, VARVE_ERROR_INVALID, "a PAX record in front of it is malformed");
        if (!set_record(p, key, value, value_len, err))
            return FALSE;
        at += len;
        left -= len;
    }
    g_array_sort(p->xattrs, compare_xattrs);
    return TRUE;
}
