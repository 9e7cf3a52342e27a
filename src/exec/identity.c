#include "exec/identity.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fs.h"

#define MAX_DATABASE (16 << 20)
#define MAX_ID 0x7fffffff

/* A file of the root as lines; one that is absent, or a symlink to nowhere, is empty. */
static gboolean read_database(int rootfd, const char *path, char ***lines, GError **err)
{
    fd_auto int fd = fs_open_in_root(rootfd, path, O_RDONLY | O_NONBLOCK, 0);
    if (fd < 0 && errno != ENOENT && errno != ENOTDIR && errno != ELOOP)
        return error_set_errno(err, errno, "opening %s in the root file system", path);
    if (fd < 0) {
        *lines = g_new0(char *, 1);
        return TRUE;
    }
    g_autoptr(GBytes) bytes = fs_read_fd(fd, path, MAX_DATABASE, err);
    if (!bytes)
        return FALSE;
    gsize len;
    const char *text = g_bytes_get_data(bytes, &len);
    g_autofree char *copy = g_strndup(text ? text : "", len);
    *lines = g_strsplit(copy, "\n", -1);
    return TRUE;
}

/* A decimal number that is a valid id. */
static gboolean parse_id(const char *text, guint32 *id)
{
    guint64 n;
    if (!g_ascii_string_to_unsigned(text, 10, 0, MAX_ID, &n, NULL))
        return FALSE;
    *id = (guint32)n;
    return TRUE;
}

/* Whether the entry (name:password:id:…) is called wanted, by name or by number. */
static gboolean entry_matches(char **fields, const char *wanted)
{
    if (g_strv_length(fields) < 3)
        return FALSE;
    guint32 wanted_id, id;
    return g_str_equal(fields[0], wanted) ||
           (parse_id(wanted, &wanted_id) && parse_id(fields[2], &id) && id == wanted_id);
}

/* The fields of the first entry that matches, NULL when there is none. */
static char **find_entry(char **lines, const char *wanted)
{
    for (guint i = 0; lines[i]; i++) {
        g_auto(GStrv) fields = g_strsplit(lines[i], ":", 8);
        if (entry_matches(fields, wanted))
            return g_steal_pointer(&fields);
    }
    return NULL;
}

static gboolean resolve_user(struct identity *id, int rootfd, const char *user, char **name,
                             GError **err)
{
    g_auto(GStrv) lines = NULL;
    if (!read_database(rootfd, "/etc/passwd", &lines, err))
        return FALSE;
    g_auto(GStrv) entry = find_entry(lines, user);
    if (entry && g_strv_length(entry) >= 6) {
        if (!parse_id(entry[2], &id->uid) || !parse_id(entry[3], &id->gid))
            return error_set(err, VARVE_ERROR_INVALID,
                             "the entry of user %s in /etc/passwd has no valid ids", user);
        *name = g_strdup(entry[0]);
        g_free(id->home);
        id->home = g_strdup(*entry[5] ? entry[5] : "/");
        return TRUE;
    }
    if (parse_id(user, &id->uid))
        return TRUE;
    error_set(err, VARVE_ERROR_NOT_FOUND,
              "unable to find user %s: no matching entries in passwd file", user);
    error_add_next(
        err,
        "create the user when the image is built (RUN adduser or useradd), or give its number");
    return FALSE;
}

static gboolean resolve_group(struct identity *id, char **lines, const char *group, GError **err)
{
    g_auto(GStrv) entry = find_entry(lines, group);
    if (parse_id(entry ? entry[2] : group, &id->gid))
        return TRUE;
    error_set(err, VARVE_ERROR_NOT_FOUND,
              "unable to find group %s: no matching entries in group file", group);
    error_add_next(
        err,
        "create the group when the image is built (RUN addgroup or groupadd), or give its number");
    return FALSE;
}

/* Adds the groups that list name among their members. */
static void add_memberships(struct identity *id, char **lines, const char *name)
{
    for (guint i = 0; lines[i]; i++) {
        g_auto(GStrv) fields = g_strsplit(lines[i], ":", 5);
        guint32 gid;
        if (g_strv_length(fields) < 4 || !parse_id(fields[2], &gid) || gid == id->gid)
            continue;
        g_auto(GStrv) members = g_strsplit(fields[3], ",", -1);
        if (g_strv_contains((const char *const *)members, name))
            g_array_append_val(id->groups, gid);
    }
}

static gboolean resolve(struct identity *id, int rootfd, char **parts, GError **err)
{
    g_autofree char *name = NULL;
    if (!resolve_user(id, rootfd, *parts[0] ? parts[0] : "0", &name, err))
        return FALSE;
    g_auto(GStrv) lines = NULL;
    if (!read_database(rootfd, "/etc/group", &lines, err))
        return FALSE;
    gboolean given = parts[1] && *parts[1];
    if (given && !resolve_group(id, lines, parts[1], err))
        return FALSE;
    g_array_append_val(id->groups, id->gid);
    if (!given && name)
        add_memberships(id, lines, name);
    return TRUE;
}

/* What needs no database: nothing given, or both as numbers. */
static gboolean resolve_alone(struct identity *id, const char *user, char **parts)
{
    gboolean numbers = parts[1] && parse_id(parts[0], &id->uid) && parse_id(parts[1], &id->gid);
    if (user && *user && !numbers)
        return FALSE;
    if (!numbers)
        id->uid = id->gid = 0;
    g_array_set_size(id->groups, 0);
    g_array_append_val(id->groups, id->gid);
    return TRUE;
}

gboolean identity_resolve(struct identity *id, int rootfd, const char *user, GError **err)
{
    *id = (struct identity){.groups = g_array_new(FALSE, FALSE, sizeof(guint32)),
                            .home = g_strdup("/")};
    g_auto(GStrv) parts = g_strsplit(user && *user ? user : "0", ":", 2);
    GError *local = NULL;
    if (resolve(id, rootfd, parts, &local))
        return TRUE;
    if (!resolve_alone(id, user, parts)) {
        g_propagate_error(err, local);
        return FALSE;
    }
    g_error_free(local);
    return TRUE;
}

void identity_clear(struct identity *id)
{
    g_clear_pointer(&id->groups, g_array_unref);
    g_clear_pointer(&id->home, g_free);
}
