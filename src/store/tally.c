#include "store/tally.h"

#include "base/fs.h"

#include <fcntl.h>
#include <fts.h>
#include <string.h>
#include <unistd.h>

#define INODE_KEY(st) GSIZE_TO_POINTER((gsize)(st)->st_ino)

void tally_init(struct tally *t)
{
    memset(t, 0, sizeof *t);
    t->links = g_hash_table_new(NULL, NULL);
}

void tally_clear(struct tally *t)
{
    g_clear_pointer(&t->links, g_hash_table_unref);
    g_clear_pointer(&t->objects, g_hash_table_unref);
}

static void count_once(struct tally *t, const struct stat *st)
{
    if (st->st_nlink == 1 || S_ISDIR(st->st_mode) || g_hash_table_add(t->links, INODE_KEY(st)))
        t->bytes += (guint64)st->st_blocks * 512;
}

static void count_freed(struct tally *t, const struct stat *st)
{
    guint links = 1;
    if (st->st_nlink > 1 && !S_ISDIR(st->st_mode)) {
        links = GPOINTER_TO_UINT(g_hash_table_lookup(t->links, INODE_KEY(st))) + 1;
        g_hash_table_insert(t->links, INODE_KEY(st), GUINT_TO_POINTER(links));
        if (t->objects && g_hash_table_contains(t->objects, INODE_KEY(st)))
            links++;
    }
    if (S_ISDIR(st->st_mode) || links == st->st_nlink)
        t->bytes += (guint64)st->st_blocks * 512;
}

/* What cannot be read (or vanishes meanwhile) does not count. */
static void walk(struct tally *t, struct store *s, const char *path,
                 void (*count)(struct tally *t, const struct stat *st))
{
    g_autofree char *abs = g_build_filename(store_root(s), path, NULL);
    char *roots[] = {abs, NULL};
    FTS *fts = fts_open(roots, FTS_PHYSICAL | FTS_NOCHDIR | FTS_XDEV, NULL);
    FTSENT *e;
    while (fts && (e = fts_read(fts)))
        if (e->fts_info != FTS_DP && e->fts_info != FTS_NS && e->fts_info != FTS_ERR)
            count(t, e->fts_statp);
    if (fts)
        fts_close(fts);
}

void tally_add(struct tally *t, struct store *s, const char *path)
{
    walk(t, s, path, count_once);
}

void tally_add_freed(struct tally *t, struct store *s, const char *path)
{
    walk(t, s, path, count_freed);
}

typedef void (*object_fn)(gpointer ctx, int dir_fd, const char *name, const struct stat *st);

static void each_object(struct store *s, object_fn fn, gpointer ctx)
{
    fd_auto int top = fs_open_dir(store_fd(s), "objects", NULL);
    g_autoptr(GPtrArray) dirs = top < 0 ? NULL : fs_list(top, NULL);
    for (guint i = 0; dirs && i < dirs->len; i++) {
        fd_auto int dir =
            openat(top, g_ptr_array_index(dirs, i), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        g_autoptr(GPtrArray) names = dir < 0 ? NULL : fs_list(dir, NULL);
        struct stat st;
        for (guint k = 0; names && k < names->len; k++)
            if (fstatat(dir, g_ptr_array_index(names, k), &st, AT_SYMLINK_NOFOLLOW) == 0)
                fn(ctx, dir, g_ptr_array_index(names, k), &st);
    }
}

struct sum {
    struct objects_sum *out;
    GHashTable *inodes;
};

static void add_object(gpointer ctx, int dir_fd, const char *name, const struct stat *st)
{
    struct sum *sum = ctx;
    sum->out->count++;
    sum->out->bytes += (guint64)st->st_blocks * 512;
    if (st->st_nlink == 1)
        sum->out->unlinked_bytes += (guint64)st->st_blocks * 512;
    if (sum->inodes)
        g_hash_table_add(sum->inodes, INODE_KEY(st));
}

void objects_sum(struct store *s, struct objects_sum *out, GHashTable *inodes)
{
    struct sum sum = {out, inodes};
    memset(out, 0, sizeof *out);
    each_object(s, add_object, &sum);
}

static void sweep_object(gpointer ctx, int dir_fd, const char *name, const struct stat *st)
{
    guint64 *n = ctx;
    if (st->st_nlink == 1 && unlinkat(dir_fd, name, 0) == 0)
        (*n)++;
}

guint64 objects_sweep(struct store *s)
{
    guint64 n = 0;
    each_object(s, sweep_object, &n);
    return n;
}

static void forget_object(gpointer ctx, int dir_fd, const char *name, const struct stat *st)
{
    if (g_hash_table_contains(ctx, INODE_KEY(st)))
        unlinkat(dir_fd, name, 0);
}

void objects_forget(struct store *s, const char *path)
{
    struct tally t;
    tally_init(&t);
    tally_add(&t, s, path); /* notes every inode with further links */
    each_object(s, forget_object, t.links);
    tally_clear(&t);
}
