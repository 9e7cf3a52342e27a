#include "layer/fileop.h"

#include "base/error.h"
#include "base/fs.h"

#include <string.h>

#define MAX_DATABASE (8 * 1024 * 1024) /* bytes of /etc/passwd or /etc/group */

/* A decimal id; FALSE when text is not one. */
static gboolean parse_id(const char *text, guint32 *id)
{
    guint64 v;
    if (!g_ascii_string_to_unsigned(text, 10, 0, G_MAXUINT32 - 1, &v, NULL))
        return FALSE;
    *id = v;
    return TRUE;
}

/* The lines of a database of the chain; NULL with *err when it cannot be read. */
static char **read_database(struct chainview *v, const char *path, GError **err)
{
    gboolean exists = FALSE;
    struct entry e;
    g_autofree char *there = v ? chainview_resolve(v, path, TRUE, &exists, &e, err) : NULL;
    if (v && !there)
        return NULL;
    if (!exists || e.type != ENTRY_FILE) {
        error_set(err, VARVE_ERROR_NOT_FOUND, "there is no %s", path);
        return NULL;
    }
    fd_auto int fd = chainview_open(v, there, err);
    g_autoptr(GBytes) bytes = fd < 0 ? NULL : fs_read_fd(fd, path, MAX_DATABASE, err);
    return bytes ? g_strsplit(g_bytes_get_data(bytes, NULL), "\n", -1) : NULL;
}

/* Finds the line of name and takes the ids in its third and (unless fourth is NULL) fourth fields.
 */
static gboolean find_name(struct chainview *v, const char *path, const char *name, guint32 *third,
                          guint32 *fourth, GError **err)
{
    g_auto(GStrv) lines = read_database(v, path, err);
    if (!lines) {
        g_prefix_error(err, "cannot find the id of \"%s\": ", name);
        error_add_next(err, "use a number, or a base image that has this name");
        return FALSE;
    }
    for (char **l = lines; *l; l++) {
        g_auto(GStrv) fields = g_strsplit(*l, ":", 5);
        guint n = g_strv_length(fields);
        if (n < (fourth ? 4 : 3) || strcmp(fields[0], name) != 0 || !parse_id(fields[2], third))
            continue;
        if (!fourth || parse_id(fields[3], fourth))
            return TRUE;
    }
    error_set(err, VARVE_ERROR_NOT_FOUND, "\"%s\" is not in %s of the image", name, path);
    error_add_next(err, "create it in an earlier RUN, or use a number");
    return FALSE;
}

gboolean fileop_owner(struct chainview *v, const char *owner, guint32 *uid, guint32 *gid,
                      GError **err)
{
    g_auto(GStrv) part = g_strsplit(owner, ":", -1);
    guint n = g_strv_length(part);
    *uid = *gid = 0;
    if (n > 2)
        return error_set(err, VARVE_ERROR_INVALID,
                         "\"%s\" is not an owner (user, user:group or :group)", owner);
    if (n > 0 && *part[0]) {
        if (parse_id(part[0], uid))
            *gid = *uid;
        else if (!find_name(v, "/etc/passwd", part[0], uid, gid, err))
            return FALSE;
    }
    if (n == 2 && !*part[1])
        *gid = 0;
    if (n < 2 || !*part[1] || parse_id(part[1], gid))
        return TRUE;
    return find_name(v, "/etc/group", part[1], gid, NULL, err);
}
