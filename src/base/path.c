#include "base/path.h"

#include <stdarg.h>
#include <string.h>

/* Drops the last element of out, never before floor. */
static void drop_last(GString *out, gsize floor)
{
    gsize n = out->len;
    while (n > floor && out->str[n - 1] != '/')
        n--;
    if (n > floor && out->str[n - 1] == '/')
        n--;
    g_string_truncate(out, n);
}

char *path_clean(const char *path)
{
    gboolean rooted = path[0] == '/';
    GString *out = g_string_new(rooted ? "/" : "");
    gsize floor = out->len; /* what ".." cannot remove: the root or leading ".." elements */
    for (const char *p = path; *p;) {
        gsize n = strcspn(p, "/");
        if (n == 2 && p[0] == '.' && p[1] == '.' && out->len > floor) {
            drop_last(out, floor);
        } else if (n == 2 && p[0] == '.' && p[1] == '.') {
            if (!rooted) {
                g_string_append(out, out->len ? "/.." : "..");
                floor = out->len;
            }
        } else if (n > 0 && !(n == 1 && p[0] == '.')) {
            if (out->len > 0 && out->str[out->len - 1] != '/')
                g_string_append_c(out, '/');
            g_string_append_len(out, p, n);
        }
        p += n;
        p += *p == '/';
    }
    if (out->len == 0)
        g_string_append_c(out, '.');
    return g_string_free(out, FALSE);
}

char *path_join(const char *first, ...)
{
    g_autoptr(GString) all = g_string_new(NULL);
    va_list ap;
    va_start(ap, first);
    for (const char *part = first; part; part = va_arg(ap, const char *)) {
        if (!*part)
            continue;
        if (all->len)
            g_string_append_c(all, '/');
        g_string_append(all, part);
    }
    va_end(ap);
    return all->len ? path_clean(all->str) : g_strdup("");
}

char *path_base(const char *path)
{
    gsize n = strlen(path);
    if (n == 0)
        return g_strdup(".");
    while (n > 1 && path[n - 1] == '/')
        n--;
    if (n == 1 && path[0] == '/')
        return g_strdup("/");
    gsize start = n;
    while (start > 0 && path[start - 1] != '/')
        start--;
    return g_strndup(path + start, n - start);
}
