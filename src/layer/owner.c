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

/* The lines of a database of the chain; of one that is not there none. */
static char **read_database(struct chainview *v, const char *path, GError **err)
{
    gboolean exists = FALSE;
    struct entry e;
    g_autofree char *there = chainview_resolve(v, path, TRUE, &exists, &e, err);
    if (!there)
        return NULL;
    if (!exists)
        return g_new0(char *, 1);
    if (e.type != ENTRY_FILE) {
        error_set(err, VARVE_ERROR_NOT_FOUND, "%s is not a file", path);
        return NULL;
    }
    fd_auto int fd = chainview_open(v, there, err);
    g_autoptr(GBytes) bytes = fd < 0 ? NULL : fs_read_fd(fd, path, MAX_DATABASE, err);
    if (!bytes)
        return NULL;
    gsize len;
    const char *text = g_bytes_get_data(bytes, &len);
    g_autofree char *copy = g_strndup(text ? text : "", len);
    return g_strsplit(copy, "\n", -1);
}

/* Takes the ids in the third and (unless fourth is NULL) fourth fields of the line of name; FALSE
 * when there is none. */
static gboolean find_line(char **lines, const char *name, guint32 *third, guint32 *fourth)
{
    for (char **l = lines; *l; l++) {
        g_auto(GStrv) fields = g_strsplit(*l, ":", 5);
        guint n = g_strv_length(fields);
        if (n < (fourth ? 4 : 3) || strcmp(fields[0], name) != 0 || !parse_id(fields[2], third))
            continue;
        if (!fourth || parse_id(fields[3], fourth))
            return TRUE;
    }
    return FALSE;
}

/* The ids of a name; of an unknown one they stay, and note says so. */
static gboolean find_name(struct chainview *v, const char *path, const char *name, guint32 *third,
                          guint32 *fourth, GString *note, GError **err)
{
    g_auto(GStrv) lines = v ? read_database(v, path, err) : NULL;
    if (!v)
        error_set(err, VARVE_ERROR_NOT_FOUND,
                  "there is no image to look it up in (FROM scratch or --link)");
    if (!lines) {
        g_prefix_error(err, "cannot find the id of \"%s\": ", name);
        error_add_next(err, "use a number");
        return FALSE;
    }
    if (!find_line(lines, name, third, fourth))
        g_string_append_printf(note, "%s\"%s\" is not in %s of the image", note->len ? ", " : "",
                               name, path);
    return TRUE;
}

/* As BuildKit: root is 0, whatever the image says. */
static gboolean is_number(const char *text, guint32 *id)
{
    if (strcmp(text, "root") != 0)
        return parse_id(text, id);
    *id = 0;
    return TRUE;
}

static gboolean take_user(struct chainview *v, const char *name, guint32 *uid, guint32 *gid,
                          GString *note, GError **err)
{
    if (!*name)
        return TRUE;
    if (!is_number(name, uid))
        return find_name(v, "/etc/passwd", name, uid, gid, note, err);
    *gid = *uid;
    return TRUE;
}

gboolean fileop_owner(struct chainview *v, const char *owner, guint32 *uid, guint32 *gid,
                      char **unknown, GError **err)
{
    g_auto(GStrv) part = g_strsplit(owner, ":", -1);
    guint n = g_strv_length(part);
    *uid = *gid = 0;
    *unknown = NULL;
    if (n > 2)
        return error_set(err, VARVE_ERROR_INVALID,
                         "\"%s\" is not an owner (user, user:group or :group)", owner);
    g_autoptr(GString) note = g_string_new(NULL);
    if (n > 0 && !take_user(v, part[0], uid, gid, note, err))
        return FALSE;
    if (n == 2 && !*part[1])
        *gid = 0;
    if (n == 2 && *part[1] && !is_number(part[1], gid) &&
        !find_name(v, "/etc/group", part[1], gid, NULL, note, err))
        return FALSE;
    if (note->len)
        *unknown = g_strdup_printf("--chown=%s: %s: %u:%u is used", owner, note->str, *uid, *gid);
    return TRUE;
}
