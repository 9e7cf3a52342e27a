/* What overlayfs itself shows of a chain, to compare with what the indexes say. */
#ifndef VARVE_TESTS_OVERLAY_H
#define VARVE_TESTS_OVERLAY_H

#include "tree/walk.h"
#include "layers.h"

#include <sched.h>
#include <sys/mount.h>

/* A mount namespace of our own; FALSE where that is not permitted. */
static inline gboolean overlay_possible(void)
{
    static int known = -1;
    if (known < 0)
        known = geteuid() == 0 && unshare(CLONE_NEWNS) == 0 &&
                mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0;
    return known == 1;
}

/* Mounts the chain and lists it as layers_list() does; NULL where overlayfs is refused. */
static inline char *overlay_list(struct store *s, const struct chain *c)
{
    if (!overlay_possible() || c->n == 0)
        return NULL;
    g_autoptr(GString) opts = g_string_new("lowerdir=");
    for (guint i = c->n; i-- > 0;)
        g_string_append_printf(opts, "%s/layers/%s/fs:", store_root(s), c->ids[i]);
    g_autofree char *empty = g_build_filename(store_root(s), "empty", NULL);
    g_autofree char *at = g_build_filename(store_root(s), "merged", NULL);
    g_mkdir(empty, 0755);
    g_mkdir(at, 0755);
    g_string_append(opts, empty); /* overlayfs wants two lowers when there is no upper */
    if (overlaymark_userxattr())
        g_string_append(opts, ",userxattr");
    if (mount("overlay", at, "overlay", MS_RDONLY, opts->str) < 0)
        return NULL;
    fd_auto int fd = open(at, O_RDONLY | O_DIRECTORY);
    struct walk w;
    g_assert_true(walk_dir(fd, NULL, "overlayfs", NULL, &w, NULL));
    close(fd_steal(&fd));
    for (guint i = 0; i < entry_list_len(w.entries); i++)
        entry_list_at(w.entries, i)->hardlink = NULL; /* overlayfs shows links as separate inodes */
    char *out = layers_list(w.entries);
    walk_clear(&w);
    g_assert_cmpint(umount(at), ==, 0);
    return out;
}

/* The chain's merged tree, listed alike. */
static inline char *overlay_expected(struct store *s, const struct chain *c)
{
    g_autoptr(GError) err = NULL;
    g_autoptr(chainview) v = chainview_new(s, c, NULL, &err);
    g_assert_no_error(err);
    g_autoptr(tree) t = chainview_tree(v, "the chain", &err);
    g_assert_no_error(err);
    for (guint i = 0; i < entry_list_len(t->entries); i++) {
        struct entry *e = entry_list_at(t->entries, i), found;
        g_assert_true(chainview_lookup(v, e->path, &found));
        g_assert_true(found.type == e->type && found.mode == e->mode && found.size == e->size);
        e->hardlink = NULL;
    }
    return layers_list(t->entries);
}

/* Index and overlayfs must agree. */
static inline void overlay_check(struct store *s, const struct chain *c)
{
    g_autofree char *want = overlay_list(s, c);
    g_autofree char *got = overlay_expected(s, c);
    if (want)
        g_assert_cmpstr(got, ==, want);
}

#endif
