/* Layers, chains and trees made of text, and text made of them, for the tests of layer/. */
#ifndef VARVE_TESTS_LAYERS_H
#define VARVE_TESTS_LAYERS_H

#include "layer/chainview.h"
#include "layer/index.h"
#include "layer/overlaymark.h"
#include "../tree/fixture.h"

#include <stdlib.h>
#include <sys/xattr.h>

/* Makes what each line of spec says below dir:
 *   d<mode> path          o<mode> path (opaque)    f<mode> path =content    l path -> target
 *   h path => first       w path (whiteout)        p<mode> path (fifo)      c<mode> path (device
 * 1:3) with " <uid>:<gid>" behind the mode when it is not 0:0. mtimes are 1,000,000,000 s. */
static inline void layers_fill(const char *dir, const char *spec)
{
    g_auto(GStrv) lines = g_strsplit(spec, "\n", -1);
    for (char **l = lines; *l; l++) {
        unsigned mode = 0755, uid = 0, gid = 0;
        int n = 0;
        char type = **l;
        const char *p = *l + 1;
        if (type == '\0')
            continue;
        if (sscanf(p, "%o%n", &mode, &n) == 1)
            p += n;
        if (sscanf(p, " %u:%u%n", &uid, &gid, &n) == 2)
            p += n;
        g_assert_cmpint(*p, ==, ' ');
        g_auto(GStrv) w = g_strsplit(p + 1, " ", 3);
        const char *path = w[0];
        g_autofree char *whole = fixture_path(dir, path), *parent = g_path_get_dirname(whole);
        g_assert_cmpint(g_mkdir_with_parents(parent, 0755), ==, 0);
        if (type == 'd' || type == 'o') {
            g_assert_true(mkdir(whole, 0700) == 0 || errno == EEXIST);
            fd_auto int fd = open(whole, O_RDONLY | O_DIRECTORY);
            g_assert_true(type == 'd' || overlaymark_set_opaque(fd, NULL));
        } else if (type == 'f') {
            g_assert_true(g_file_set_contents(whole, w[1] + 1, -1, NULL));
        } else if (type == 'l') {
            g_assert_cmpint(symlink(w[2], whole), ==, 0);
        } else if (type == 'h') {
            fixture_link(dir, w[2], path);
        } else if (type == 'w') {
            g_assert_true(overlaymark_whiteout(AT_FDCWD, whole, NULL));
        } else {
            g_assert_cmpint(
                mknod(whole, (type == 'p' ? S_IFIFO : S_IFCHR) | 0600, type == 'p' ? 0 : 0x103), ==,
                0);
        }
        if (type == 'w' || type == 'h')
            continue;
        g_assert_cmpint(lchown(whole, uid, gid), ==, 0);
        if (type != 'l')
            g_assert_cmpint(chmod(whole, mode), ==, 0);
        struct timespec times[2] = {{1000000000, 0}, {1000000000, 0}};
        g_assert_cmpint(utimensat(AT_FDCWD, whole, times, AT_SYMLINK_NOFOLLOW), ==, 0);
    }
}

/* Commits a layer like spec, without an index. */
static inline void layers_commit(struct store *s, struct chain *c, const char *spec)
{
    g_autoptr(GError) err = NULL;
    g_autofree char *tmp = store_tmp_dir(s, &err);
    g_assert_no_error(err);
    g_autofree char *fs = g_build_filename(store_root(s), tmp, "fs", NULL);
    g_assert_cmpint(mkdir(fs, 0755), ==, 0);
    layers_fill(fs, spec);
    struct layer_info info = {0};
    store_layer_commit(s, tmp, &info, &err);
    g_assert_no_error(err);
    chain_append(c, info.id);
}

/* One line as layers_fill() takes it, but with the owner only when it is not 0:0; content only with
 * text. */
static inline void layers_line(GString *out, const struct entry *e, const char *text)
{
    static const char letters[] = "?fdlcbpsw";
    if (out->len)
        g_string_append_c(out, '\n');
    if (e->hardlink) {
        g_string_append_printf(out, "h %s => %s", e->path, e->hardlink);
        return;
    }
    g_string_append_c(out, e->opaque ? 'o' : letters[e->type]);
    if (e->type != ENTRY_SYMLINK && e->type != ENTRY_WHITEOUT)
        g_string_append_printf(out, "%o", e->mode);
    if (e->uid || e->gid)
        g_string_append_printf(out, " %u:%u", e->uid, e->gid);
    g_string_append_printf(out, " %s", *e->path ? e->path : ".");
    if (e->target)
        g_string_append_printf(out, " -> %s", e->target);
    if (e->type == ENTRY_FILE && text)
        g_string_append_printf(out, " =%s", text);
}

/* A layer's index as text, with contents. */
static inline char *layers_show(struct store *s, const char *id)
{
    g_autoptr(GError) err = NULL;
    g_autoptr(layer_index) x = layer_index_open(s, id, NULL, &err);
    g_assert_no_error(err);
    g_autofree char *rel = store_layer_path(id);
    g_autofree char *fs = g_build_filename(store_root(s), rel, "fs", NULL);
    GString *out = g_string_new(NULL);
    for (guint i = 0; i < layer_index_len(x); i++) {
        struct entry e;
        layer_index_at(x, i, &e);
        g_autofree char *text = e.type == ENTRY_FILE ? fixture_text(fs, e.path) : NULL;
        layers_line(out, &e, text);
    }
    return g_string_free(out, FALSE);
}

/* A list of entries as text, without contents and the root. */
static inline char *layers_list(const struct entry_list *l)
{
    GString *out = g_string_new(NULL);
    for (guint i = 0; i < entry_list_len(l); i++)
        if (*entry_list_at(l, i)->path)
            layers_line(out, entry_list_at(l, i), NULL);
    return g_string_free(out, FALSE);
}

#endif
