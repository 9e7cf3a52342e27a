#include "layer/unpacker.h"

#include "base/error.h"
#include "base/fs.h"
#include "layer/chainview.h"
#include "layer/dircache.h"
#include "layer/overlaymark.h"
#include "layer/unpackdir.h"
#include "layer/unpackfile.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#define MAX_CONTENT (G_GUINT64_CONSTANT(64) << 30)
/* All bytes of a file are hashed, so holes cost time although the archive stores nothing for them:
 * this much is allowed, or so many times what it stores. */
#define FREE_HOLES (G_GUINT64_CONSTANT(4) << 30)
#define HOLES_PER_BYTE 100
#define MAX_ENTRIES 2000000
#define MAX_REPLACED_DIRS 100 /* each costs a look at all entries */
#define WHITEOUT_PREFIX ".wh."
#define WHITEOUT_META ".wh..wh."
#define WHITEOUT_OPAQUE ".wh..wh..opq"

struct unpacker *unpacker_new(struct store *s, int fs, const struct chain *parents,
                              struct cancel *c)
{
    struct unpacker *u = g_new0(struct unpacker, 1);
    u->store = s;
    u->fs = fs;
    u->parents = parents;
    u->cancel = c;
    u->dirs = dircache_new(fs);
    u->entries = entry_list_new();
    u->by_path = g_hash_table_new(g_str_hash, g_str_equal);
    u->path = g_string_new(NULL);
    u->dir = g_string_new(NULL);
    unpack_files_init(&u->files);
    return u;
}

void unpacker_skeleton(struct unpacker *u)
{
    u->files.skeleton = TRUE;
}

void unpacker_free(struct unpacker *u)
{
    if (!u)
        return;
    dircache_free(u->dirs);
    g_hash_table_unref(u->by_path);
    entry_list_free(u->entries);
    g_string_free(u->path, TRUE);
    g_string_free(u->dir, TRUE);
    tree_free(u->parent_tree);
    chainview_free(u->view);
    unpack_files_clear(&u->files);
    g_free(u);
}

gboolean unpacker_needs_parents(const struct unpacker *u)
{
    return u->needs_parents;
}

gboolean unpacker_lost_owners(const struct unpacker *u)
{
    return u->files.lost_owners;
}

struct entry_list *unpacker_take(struct unpacker *u)
{
    g_hash_table_remove_all(u->by_path);
    struct entry_list *l = u->entries;
    u->entries = entry_list_new();
    return l;
}

struct entry *unpacker_entry(const struct unpacker *u, const char *path)
{
    gpointer slot = g_hash_table_lookup(u->by_path, path);
    return slot ? entry_list_at(u->entries, GPOINTER_TO_UINT(slot) - 1) : NULL;
}

gboolean unpacker_put(struct unpacker *u, const struct entry *e, GError **err)
{
    if (entry_list_len(u->entries) >= MAX_ENTRIES)
        return error_set(err, VARVE_ERROR_INVALID, "the layer has more than %d entries",
                         MAX_ENTRIES);
    struct entry *old = unpacker_entry(u, e->path);
    if (old)
        old->type = 0; /* left out by unpacker_finish */
    struct entry *added = entry_list_add(u->entries, e);
    g_hash_table_replace(u->by_path, (gpointer)added->path,
                         GUINT_TO_POINTER(entry_list_len(u->entries)));
    return TRUE;
}

/* Cleans a name of the archive into out: no "." or empty components, no leading '/'. */
static gboolean clean_tar_path(const char *name, GString *out, GError **err)
{
    g_string_truncate(out, 0);
    for (const char *p = name; *p;) {
        gsize n = strcspn(p, "/");
        if (n == 2 && !strncmp(p, "..", 2))
            return error_set(err, VARVE_ERROR_INVALID, "the name \"%s\" contains \"..\"", name);
        if (n && !(n == 1 && *p == '.')) {
            if (out->len)
                g_string_append_c(out, '/');
            g_string_append_len(out, p, (gssize)n);
        }
        p += n;
        p += strspn(p, "/");
    }
    return TRUE;
}

/* Where an entry goes: an open directory and a name in it. */
struct place {
    int dirfd;        /* owned by the cache */
    const char *name; /* "" for the root itself */
};

/* Turns u->path into the real path (when its directory leads through symlinks) and opens its
 * parent. */
static gboolean find_place(struct unpacker *u, struct place *out, GError **err)
{
    const char *slash = strrchr(u->path->str, '/');
    g_string_truncate(u->dir, 0);
    if (slash)
        g_string_append_len(u->dir, u->path->str, slash - u->path->str);
    out->dirfd = dircache_open(u->dirs, u->dir->str);
    if (out->dirfd < 0) {
        if (errno != ENOENT && errno != ELOOP && errno != ENOTDIR)
            return error_set_errno(err, errno, "cannot open %s", u->dir->str);
        g_autofree char *name = g_strdup(slash ? slash + 1 : u->path->str);
        if (!unpackdir_resolve(u, u->dir, err))
            return FALSE;
        g_string_printf(u->path, "%s%s%s", u->dir->str, u->dir->len ? "/" : "", name);
        out->dirfd = dircache_open(u->dirs, u->dir->str);
        if (out->dirfd < 0)
            return error_set_errno(err, errno, "cannot open %s", u->dir->str);
    }
    slash = strrchr(u->path->str, '/');
    out->name = slash ? slash + 1 : u->path->str;
    return TRUE;
}

/* Removes the directory at u->path with all that the archive has put into it. */
static gboolean remove_full_dir(struct unpacker *u, const struct place *at, GError **err)
{
    gsize len = u->path->len;
    if (u->replaced_dirs++ == MAX_REPLACED_DIRS)
        return error_set(err, VARVE_ERROR_INVALID,
                         "more than %d directories are replaced by something else",
                         MAX_REPLACED_DIRS);
    for (guint i = 0; i < entry_list_len(u->entries); i++) {
        struct entry *e = entry_list_at(u->entries, i);
        if (!e->type || strncmp(e->path, u->path->str, len) != 0 || e->path[len] != '/')
            continue;
        dircache_forget(u->dirs, e->path);
        g_hash_table_remove(u->by_path, e->path);
        e->type = 0;
    }
    dircache_forget(u->dirs, u->path->str);
    return fs_remove_tree(at->dirfd, at->name, err);
}

/* Frees a name that is taken for something that is not a directory. */
static gboolean make_room_at(struct unpacker *u, const struct place *at, GError **err)
{
    if (unlinkat(at->dirfd, at->name, 0) == 0 || errno == ENOENT)
        return TRUE;
    if (errno != EISDIR && errno != EPERM)
        return error_set_errno(err, errno, "cannot replace %s", u->path->str);
    int dirfd = at->dirfd;
    if (unlinkat(dirfd, at->name, AT_REMOVEDIR) == 0) {
        /* The cache may hold the directory just removed; dirfd stays open until its slot is reused.
         */
        dircache_forget(u->dirs, u->path->str);
        return TRUE;
    }
    if (errno == ENOTEMPTY || errno == EEXIST)
        return remove_full_dir(u, at, err);
    return error_set_errno(err, errno, "cannot replace %s", u->path->str);
}

static gboolean count_content(struct unpacker *u, const struct tar_header *h, GError **err)
{
    if (h->size > MAX_CONTENT - u->content)
        return error_set(err, VARVE_ERROR_INVALID, "the layer has more than %d GiB of content",
                         (int)(MAX_CONTENT >> 30));
    u->content += h->size;
    u->holes += h->is_sparse ? h->size : 0;
    for (guint i = 0; h->is_sparse && i < h->n_segments; i++)
        u->holes -= MIN(u->holes, h->segments[i].size);
    guint64 stored = u->content - MIN(u->content, u->holes);
    if (u->holes <= FREE_HOLES || (u->holes - FREE_HOLES) / HOLES_PER_BYTE <= stored)
        return TRUE;
    return error_set(err, VARVE_ERROR_INVALID,
                     "the layer's sparse files have %" G_GUINT64_FORMAT
                     " GiB of holes, but almost no data; the limit is %d GiB, or %d times the data",
                     u->holes >> 30, (int)(FREE_HOLES >> 30), HOLES_PER_BYTE);
}

static gboolean unpack_file(struct unpacker *u, const struct place *at, const struct tar_header *h,
                            struct tarreader *r, struct entry *e, GError **err)
{
    if (!count_content(u, h, err))
        return FALSE;
    fd_auto int fd = unpack_file_create(&u->files, at->dirfd, at->name, e->mode);
    if (fd < 0 && errno == EEXIST) {
        if (!make_room_at(u, at, err))
            return FALSE;
        fd = unpack_file_create(&u->files, at->dirfd, at->name, e->mode);
    }
    if (fd < 0)
        return error_set_errno(err, errno, "cannot create %s", e->path);
    return unpack_file_fill(&u->files, fd, h, r, e, err) && unpacker_put(u, e, err);
}

static gboolean add_symlink(struct unpacker *u, const struct place *at, const struct tar_header *h,
                            struct entry *e, GError **err)
{
    if (!*h->linkpath)
        return error_set(err, VARVE_ERROR_INVALID, "the symlink %s has no target", e->path);
    e->target = h->linkpath;
    e->size = strlen(h->linkpath);
    e->mode = 0777;
    if (symlinkat(e->target, at->dirfd, at->name) < 0) {
        if (errno != EEXIST)
            return error_set_errno(err, errno, "cannot create the symlink %s", e->path);
        if (!make_room_at(u, at, err))
            return FALSE;
        if (symlinkat(e->target, at->dirfd, at->name) < 0)
            return error_set_errno(err, errno, "cannot create the symlink %s", e->path);
    }
    return unpack_node_attributes(&u->files, at->dirfd, at->name, e, err) &&
           unpacker_put(u, e, err);
}

static mode_t node_mode(enum entry_type t)
{
    return t == ENTRY_CHAR ? S_IFCHR : t == ENTRY_BLOCK ? S_IFBLK : S_IFIFO;
}

/* Devices cannot be made in a user namespace: they are left out there, as Docker and containerd do.
 */
static gboolean add_node(struct unpacker *u, const struct place *at, const struct tar_header *h,
                         struct entry *e, GError **err)
{
    if (e->type != ENTRY_FIFO)
        e->rdev = makedev(h->devmajor, h->devminor);
    if (e->type == ENTRY_CHAR && e->rdev == makedev(0, 0))
        return error_set(err, VARVE_ERROR_INVALID,
                         "%s is a character device 0:0, which overlayfs treats as a deletion",
                         e->path);
    if (!make_room_at(u, at, err))
        return FALSE;
    if (mknodat(at->dirfd, at->name, node_mode(e->type) | 0600, e->rdev) < 0) {
        if (errno == EPERM && u->files.restricted && e->type != ENTRY_FIFO)
            return TRUE;
        return error_set_errno(err, errno, "cannot create the device %s", e->path);
    }
    return unpack_node_attributes(&u->files, at->dirfd, at->name, e, err) &&
           unpacker_put(u, e, err);
}

static gboolean add_dir(struct unpacker *u, const struct place *at, struct entry *e, GError **err)
{
    if (!*e->path)
        return unpacker_put(u, e, err);
    struct entry *old = unpacker_entry(u, e->path);
    /* Above a whiteout of the same layer, a directory hides what is below it. */
    e->opaque = old && (old->opaque || old->type == ENTRY_WHITEOUT);
    if (mkdirat(at->dirfd, at->name, 0700) < 0) {
        struct stat st;
        if (errno != EEXIST || fstatat(at->dirfd, at->name, &st, AT_SYMLINK_NOFOLLOW) < 0)
            return error_set_errno(err, errno, "cannot create the directory %s", e->path);
        if (!S_ISDIR(st.st_mode) &&
            (!make_room_at(u, at, err) ||
             (mkdirat(at->dirfd, at->name, 0700) < 0 &&
              !error_set_errno(err, errno, "cannot create the directory %s", e->path))))
            return FALSE;
    }
    return unpacker_put(u, e, err);
}

/* The real path of a hard link's target, and its place. */
static gboolean find_target(struct unpacker *u, const char *linkpath, char **real, struct place *at,
                            GError **err)
{
    g_autofree char *kept = g_strdup(u->path->str);
    gboolean ok = clean_tar_path(linkpath, u->path, err) && find_place(u, at, err);
    *real = g_strdup(u->path->str);
    g_string_assign(u->path, kept);
    return ok;
}

static gboolean link_there(struct unpacker *u, const struct place *at, const char *target,
                           GError **err)
{
    /* The target's directory is opened afresh: at->dirfd must stay valid. */
    g_autofree char *dir = g_path_get_dirname(target);
    fd_auto int from =
        dircache_open_beneath(u->fs, g_str_equal(dir, ".") ? "" : dir, O_PATH | O_DIRECTORY);
    const char *slash = strrchr(target, '/');
    const char *name = slash ? slash + 1 : target;
    if (from < 0)
        return error_set_errno(err, errno, "cannot link %s to %s", u->path->str, target);
    if (linkat(from, name, at->dirfd, at->name, 0) == 0)
        return TRUE;
    if (errno != EEXIST)
        return error_set_errno(err, errno, "cannot link %s to %s", u->path->str, target);
    if (!make_room_at(u, at, err))
        return FALSE;
    return linkat(from, name, at->dirfd, at->name, 0) == 0 ||
           error_set_errno(err, errno, "cannot link %s to %s", u->path->str, target);
}

static gboolean add_hardlink(struct unpacker *u, const struct tar_header *h, GError **err)
{
    struct place at;
    g_autofree char *target = NULL;
    if (!find_target(u, h->linkpath, &target, &at, err))
        return FALSE;
    struct entry *old = unpacker_entry(u, target);
    if (!old || old->type == ENTRY_WHITEOUT) {
        if (!unpackdir_copy_up(u, target, err))
            return FALSE;
        old = unpacker_entry(u, target);
    }
    if (g_str_equal(target, u->path->str))
        return TRUE;
    if (old->type == ENTRY_DIR)
        return error_set(err, VARVE_ERROR_INVALID, "%s is a hard link to the directory %s",
                         u->path->str, target);
    if (!find_place(u, &at, err) || !link_there(u, &at, target, err))
        return FALSE;
    old = unpacker_entry(u, target); /* finding the place may have added entries */
    if (!old->ino)
        old->ino = ++u->groups;
    struct entry e = *old;
    e.path = u->path->str;
    return unpacker_put(u, &e, err);
}

/* u->path is the whiteout's own name. */
static gboolean add_whiteout(struct unpacker *u, const struct place *at, GError **err)
{
    if (g_str_equal(at->name, WHITEOUT_OPAQUE)) {
        struct entry *dir = unpacker_entry(u, u->dir->str);
        if (dir)
            dir->opaque = TRUE;
        else if (u->dir->len)
            return error_set(err, VARVE_ERROR_INVALID, "%s is in no directory of the archive",
                             u->path->str);
        return TRUE;
    }
    if (g_str_has_prefix(at->name, WHITEOUT_META))
        return TRUE;
    g_autofree char *name = g_strdup(at->name + strlen(WHITEOUT_PREFIX));
    if (!*name || g_str_equal(name, ".") || g_str_equal(name, ".."))
        return error_set(err, VARVE_ERROR_INVALID, "%s deletes nothing", u->path->str);
    g_string_printf(u->path, "%s%s%s", u->dir->str, u->dir->len ? "/" : "", name);
    /* It hides what lower layers have, never what this one has. */
    struct entry *old = unpacker_entry(u, u->path->str);
    if (old) {
        if (old->type == ENTRY_DIR)
            old->opaque = TRUE;
        return TRUE;
    }
    struct entry e = {.path = u->path->str, .type = ENTRY_WHITEOUT};
    return overlaymark_whiteout(at->dirfd, name, err) && unpacker_put(u, &e, err);
}

static enum entry_type type_of(char t)
{
    static const enum entry_type types[] = {ENTRY_FILE,  0,         ENTRY_SYMLINK, ENTRY_CHAR,
                                            ENTRY_BLOCK, ENTRY_DIR, ENTRY_FIFO};
    return types[t - '0'];
}

/* AUFS's own files in the root, and what is below: not part of the image. */
static gboolean is_aufs(const char *path)
{
    return g_str_has_prefix(path, WHITEOUT_META) && !g_str_equal(path, WHITEOUT_OPAQUE);
}

static gboolean unpack_tar_entry(struct unpacker *u, const struct tar_header *h,
                                 struct tarreader *r, GError **err)
{
    struct place at;
    if (!clean_tar_path(h->path, u->path, err))
        return FALSE;
    if (!u->path->len && h->type != '5')
        return error_set(err, VARVE_ERROR_INVALID,
                         "an entry that is not a directory has the name \"%s\"", h->path);
    if (is_aufs(u->path->str))
        return TRUE;
    const char *slash = strrchr(u->path->str, '/');
    /* Whiteouts may be links of each other. */
    if (h->type == '1' && !g_str_has_prefix(slash ? slash + 1 : u->path->str, WHITEOUT_PREFIX))
        return add_hardlink(u, h, err);
    if (!find_place(u, &at, err))
        return FALSE;
    if (g_str_has_prefix(at.name, WHITEOUT_PREFIX))
        return add_whiteout(u, &at, err);
    struct entry e = {.path = u->path->str,
                      .type = type_of(h->type),
                      .mode = h->mode,
                      .uid = h->uid,
                      .gid = h->gid,
                      .size = h->size,
                      .mtime_ns = h->mtime_ns,
                      .xattrs = h->xattrs,
                      .n_xattrs = h->n_xattrs};
    switch (e.type) {
    case ENTRY_FILE:
        return unpack_file(u, &at, h, r, &e, err);
    case ENTRY_DIR:
        return add_dir(u, &at, &e, err);
    case ENTRY_SYMLINK:
        return add_symlink(u, &at, h, &e, err);
    default:
        return add_node(u, &at, h, &e, err);
    }
}

gboolean unpacker_add(struct unpacker *u, const struct tar_header *h, struct tarreader *r,
                      GError **err)
{
    return cancel_check(u->cancel, err) && unpack_tar_entry(u, h, r, err);
}

/* Drops replaced entries and sorts. */
static void sort_entries(struct unpacker *u)
{
    GArray *items = u->entries->items;
    guint kept = 0;
    for (guint i = 0; i < items->len; i++) {
        const struct entry *e = &g_array_index(items, struct entry, i);
        if (e->type)
            g_array_index(items, struct entry, kept++) = *e;
    }
    g_array_set_size(items, kept);
    entry_list_sort(u->entries);
    g_hash_table_remove_all(u->by_path);
}

/* The first name of each group in path order is the file, the others are links to it. */
static void set_links(struct unpacker *u)
{
    g_autofree const char **first = g_new0(const char *, u->groups + 1);
    for (guint i = 0; i < entry_list_len(u->entries); i++) {
        struct entry *e = entry_list_at(u->entries, i);
        if (!e->ino)
            continue;
        e->hardlink = first[e->ino];
        if (!e->hardlink)
            first[e->ino] = e->path;
        e->ino = 0;
    }
}

gboolean unpacker_finish(struct unpacker *u, GError **err)
{
    sort_entries(u);
    set_links(u);
    dircache_flush(u->dirs);
    return unpackdir_finish(u, err);
}
