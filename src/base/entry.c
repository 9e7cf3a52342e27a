#include "base/entry.h"

#include "base/fs.h"

#include <string.h>
#include <sys/sysmacros.h>

int entry_path_cmp(const char *a, const char *b)
{
    const unsigned char *x = (const unsigned char *)a, *y = (const unsigned char *)b;
    while (*x && *x == *y)
        x++, y++;
    int cx = *x == '/' ? 1 : *x ? *x + 1 : 0;
    int cy = *y == '/' ? 1 : *y ? *y + 1 : 0;
    return cx - cy;
}

gboolean entry_path_within(const char *path, const char *dir)
{
    gsize len = strlen(dir);
    return len == 0 || (strncmp(path, dir, len) == 0 && (path[len] == '/' || path[len] == '\0'));
}

static enum entry_type type_of_mode(mode_t mode)
{
    switch (mode & S_IFMT) {
    case S_IFDIR:
        return ENTRY_DIR;
    case S_IFLNK:
        return ENTRY_SYMLINK;
    case S_IFCHR:
        return ENTRY_CHAR;
    case S_IFBLK:
        return ENTRY_BLOCK;
    case S_IFIFO:
        return ENTRY_FIFO;
    case S_IFSOCK:
        return ENTRY_SOCKET;
    default:
        return ENTRY_FILE;
    }
}

gboolean entry_same_xattrs(const struct entry *a, const struct entry *b)
{
    if (a->n_xattrs != b->n_xattrs)
        return FALSE;
    for (guint i = 0; i < a->n_xattrs; i++)
        if (strcmp(a->xattrs[i].name, b->xattrs[i].name) != 0 ||
            a->xattrs[i].size != b->xattrs[i].size ||
            memcmp(a->xattrs[i].value, b->xattrs[i].value, a->xattrs[i].size) != 0)
            return FALSE;
    return TRUE;
}

gboolean entry_is_whiteout(const struct stat *st)
{
    return st->st_mode == ENTRY_SOCKET_WHITEOUT ||
           (S_ISCHR(st->st_mode) && major(st->st_rdev) == 0 && minor(st->st_rdev) == 0);
}

void entry_from_stat(struct entry *e, const struct stat *st)
{
    e->type = type_of_mode(st->st_mode);
    e->mode = st->st_mode & 07777;
    e->uid = st->st_uid;
    e->gid = st->st_gid;
    e->size = e->type == ENTRY_FILE || e->type == ENTRY_SYMLINK ? st->st_size : 0;
    e->mtime_ns = fs_mtime_ns(st);
    e->rdev = e->type == ENTRY_CHAR || e->type == ENTRY_BLOCK ? st->st_rdev : 0;
    e->ino = st->st_ino;
    if (entry_is_whiteout(st))
        e->type = ENTRY_WHITEOUT;
}

#define MTIME_SET (G_GUINT64_CONSTANT(1) << 40) /* beside the type */

void entry_hash(const struct entry *e, const char *rel, struct hasher *h)
{
    hasher_add_str(h, rel);
    hasher_add_u64(h, (e->mtime_set ? MTIME_SET : 0) | (guint64)e->type << 32 | e->mode << 1 |
                          (e->opaque ? 1 : 0));
    if (e->mtime_set)
        hasher_add_u64(h, e->mtime_ns);
    hasher_add_u64(h, (guint64)e->uid << 32 | e->gid);
    hasher_add_u64(h, e->size);
    hasher_add_u64(h, e->rdev);
    hasher_add_str(h, e->target);
    hasher_add_str(h, e->hardlink);
    hasher_add_digest(h, &e->digest);
    hasher_add_u64(h, e->n_xattrs);
    for (guint i = 0; i < e->n_xattrs; i++) {
        hasher_add_str(h, e->xattrs[i].name);
        hasher_add_bytes(h, e->xattrs[i].value, e->xattrs[i].size);
    }
}

struct entry_list *entry_list_new(void)
{
    struct entry_list *l = g_new0(struct entry_list, 1);
    l->items = g_array_new(FALSE, FALSE, sizeof(struct entry));
    l->chunk = g_string_chunk_new(16 * 1024);
    l->blocks = g_ptr_array_new_with_free_func(g_free);
    return l;
}

void entry_list_free(struct entry_list *l)
{
    if (!l)
        return;
    g_array_unref(l->items);
    g_string_chunk_free(l->chunk);
    g_ptr_array_unref(l->blocks);
    g_free(l);
}

static const char *chunk_copy(struct entry_list *l, const char *s)
{
    return s ? g_string_chunk_insert(l->chunk, s) : NULL;
}

static const struct xattr *copy_xattrs(struct entry_list *l, const struct entry *e)
{
    if (e->n_xattrs == 0)
        return NULL;
    struct xattr *copy = g_new(struct xattr, e->n_xattrs);
    g_ptr_array_add(l->blocks, copy);
    for (guint i = 0; i < e->n_xattrs; i++) {
        gpointer value = g_memdup2(e->xattrs[i].value, e->xattrs[i].size);
        if (value)
            g_ptr_array_add(l->blocks, value);
        copy[i] = (struct xattr){chunk_copy(l, e->xattrs[i].name), value, e->xattrs[i].size};
    }
    return copy;
}

struct entry *entry_list_add(struct entry_list *l, const struct entry *e)
{
    struct entry copy = *e;
    copy.path = chunk_copy(l, e->path);
    copy.target = chunk_copy(l, e->target);
    copy.hardlink = chunk_copy(l, e->hardlink);
    copy.xattrs = copy_xattrs(l, e);
    g_array_append_val(l->items, copy);
    return entry_list_at(l, l->items->len - 1);
}

static gint compare_entries(gconstpointer a, gconstpointer b)
{
    return entry_path_cmp(((const struct entry *)a)->path, ((const struct entry *)b)->path);
}

void entry_list_sort(struct entry_list *l)
{
    g_array_sort(l->items, compare_entries);
}

guint entry_list_len(const struct entry_list *l)
{
    return l->items->len;
}

struct entry *entry_list_at(const struct entry_list *l, guint i)
{
    return &g_array_index(l->items, struct entry, i);
}

struct entry *entry_search(entry_at_fn at, gconstpointer list, guint n, const char *path)
{
    guint lo = 0, hi = n;
    while (lo < hi) {
        guint mid = lo + (hi - lo) / 2;
        struct entry *e = at(list, mid);
        int c = entry_path_cmp(e->path, path);
        if (c == 0)
            return e;
        if (c < 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    return NULL;
}

static struct entry *list_at(gconstpointer list, guint i)
{
    return entry_list_at(list, i);
}

struct entry *entry_list_find(const struct entry_list *l, const char *path)
{
    return entry_search(list_at, l, l->items->len, path);
}
