/* File ops made of text, run over chains made of text, for the tests of layer/fileop.h. */
#ifndef VARVE_TESTS_FILEOPS_H
#define VARVE_TESTS_FILEOPS_H

#include "layer/fileop.h"
#include "tree/scan.h"
#include "overlay.h"

#include <time.h>

#define NOW 1500000000 /* seconds: what is made without a source has this mtime */

struct fix {
    char *root, *dir;
    struct store *store;
    struct chain *base;
};

static inline struct fix fix_new(const char *base)
{
    struct fix f = {.root = fixture_dir(), .dir = fixture_dir(), .base = chain_new()};
    f.store = store_open(f.root, NULL);
    g_assert_nonnull(f.store);
    g_auto(GStrv) layers = g_strsplit(base ? base : "", "\n---\n", -1);
    for (char **l = layers; *l; l++)
        layers_commit(f.store, f.base, *l);
    return f;
}

static inline void fix_clear(struct fix *f)
{
    store_close(f->store);
    chain_free(f->base);
    fixture_drop(f->root);
    fixture_drop(f->dir);
}

/* An op parsed from lines such as "COPY chown=1:2 exclude=*.md a b /dest/" or "MKDIR mode=700
 * parents /x". */
struct parsed {
    struct file_op op;
    GPtrArray *words; /* owns what op points to */
};

static const char *word(struct parsed *p, const char *s)
{
    char *copy = g_strdup(s);
    g_ptr_array_add(p->words, copy);
    return copy;
}

static inline void add_action(struct parsed *p, struct file_action a, gboolean scratch)
{
    guint n = p->op.n_actions++;
    p->op.actions = g_renew(struct file_action, p->op.actions, n + 1);
    a.input = n == 0 ? (scratch ? -1 : 0) : (int)(p->op.n_inputs + n - 1);
    p->op.actions[n] = a;
}

static inline void parse_copy(struct parsed *p, char **w, gboolean add, gboolean scratch)
{
    struct file_action a = {.type = FILE_COPY,
                            .secondary = 1,
                            .mtime_ns = -1,
                            .follow_symlink = TRUE,
                            .dir_contents = TRUE,
                            .create_dest_path = TRUE,
                            .allow_wildcard = TRUE,
                            .allow_empty_wildcard = TRUE,
                            .attempt_unpack = add};
    const char **excludes = g_new0(const char *, 9);
    guint n_excludes = 0, n = g_strv_length(w);
    g_ptr_array_add(p->words, excludes);
    for (; strchr(*w, '=') || strcmp(*w, "parents") == 0 || strcmp(*w, "single") == 0; w++, n--) {
        if (g_str_has_prefix(*w, "chown="))
            a.owner = word(p, *w + 6);
        else if (g_str_has_prefix(*w, "chmod="))
            a.mode_text = word(p, *w + 6);
        else if (g_str_has_prefix(*w, "exclude="))
            excludes[n_excludes++] = word(p, *w + 8);
        else if (strcmp(*w, "parents") == 0)
            a.parents = TRUE;
        else
            a.required_single = TRUE;
    }
    a.excludes = n_excludes ? excludes : NULL;
    a.dest = word(p, w[n - 1]);
    for (guint i = 0; i + 1 < n; i++) {
        a.src = word(p, w[i]);
        add_action(p, a, scratch);
    }
}

static inline void parse_other(struct parsed *p, char **w, gboolean scratch)
{
    struct file_action a = {.secondary = -1, .mode = 0755, .mtime_ns = -1};
    const char *verb = *w++;
    for (; strchr(*w, '=') || strcmp(*w, "parents") == 0 || strcmp(*w, "missing-ok") == 0; w++) {
        a.make_parents |= strcmp(*w, "parents") == 0;
        a.allow_not_found |= strcmp(*w, "missing-ok") == 0;
        if (g_str_has_prefix(*w, "mode="))
            a.mode = strtoul(*w + 5, NULL, 8);
        if (g_str_has_prefix(*w, "chown="))
            a.owner = word(p, *w + 6);
    }
    a.dest = word(p, w[0]);
    if (strcmp(verb, "MKFILE") == 0) {
        a.type = FILE_MKFILE;
        a.data = word(p, w[1]);
        a.data_len = strlen(w[1]);
    } else if (strcmp(verb, "SYMLINK") == 0) {
        a.type = FILE_SYMLINK;
        a.target = word(p, w[1]);
    } else {
        a.type = strcmp(verb, "RM") == 0 ? FILE_RM : FILE_MKDIR;
    }
    add_action(p, a, scratch);
}

static inline struct parsed parse(const char *text, gboolean scratch)
{
    struct parsed p = {.words = g_ptr_array_new_with_free_func(g_free)};
    g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
    p.op.n_inputs = 2;
    for (char **l = lines; *l; l++) {
        g_auto(GStrv) w = g_strsplit(*l, " ", -1);
        if (strcmp(*w, "COPY") == 0 || strcmp(*w, "ADD") == 0)
            parse_copy(&p, w + 1, strcmp(*w, "ADD") == 0, scratch);
        else
            parse_other(&p, w, scratch);
    }
    return p;
}

static inline void parsed_clear(struct parsed *p)
{
    g_free(p->op.actions);
    g_ptr_array_unref(p->words);
}

/* Runs op with t as its source and commits the layer, whose index is then compared with the
 * directory. NULL with *err when it fails. */
static inline char *run(struct fix *f, const struct file_op *op, struct tree *t,
                        struct chain *result, GError **err)
{
    g_autoptr(chainview) v = chainview_new(f->store, f->base, NULL, NULL);
    struct tree *inputs[2] = {NULL, t};
    struct fileop_env env = {.store = f->store, .base = v, .inputs = inputs, .n_inputs = 2};
    env.now_ns = NOW * G_GINT64_CONSTANT(1000000000);
    g_autofree char *tmp = store_tmp_dir(f->store, NULL);
    struct layer_info info = {0};
    if (!fileop_run(op, &env, tmp, &info, err)) {
        store_tmp_discard(f->store, tmp);
        return NULL;
    }
    g_assert_true(info.indexed);
    g_assert_true(store_layer_commit(f->store, tmp, &info, NULL));
    chain_append(result, info.id);
    return g_strdup(info.id);
}

static inline void check_layer(struct fix *f, const char *id)
{
    g_autoptr(GError) why = NULL;
    layer_index_verify(f->store, id, TRUE, &why);
    g_assert_no_error(why);
    g_autofree char *rel = store_layer_path(id);
    fd_auto int fd = fs_open_dir(store_fd(f->store), rel, NULL);
    g_autoptr(entry_list) walked = layer_walk(fd, NULL, &why);
    g_assert_no_error(why);
    g_autofree char *seen = layers_list(walked);
    g_autoptr(layer_index) x = layer_index_open(f->store, id, NULL, NULL);
    g_autoptr(entry_list) indexed = entry_list_new();
    for (guint i = 0; i < layer_index_len(x); i++) {
        struct entry e;
        layer_index_at(x, i, &e);
        entry_list_add(indexed, &e);
        const struct entry *w = entry_list_find(walked, e.path);
        g_assert_nonnull(w);
        g_assert_cmpint(w->mtime_ns, ==, e.mtime_ns);
        g_assert_cmpuint(w->n_xattrs, ==, e.n_xattrs);
    }
    g_autofree char *said = layers_list(indexed);
    g_assert_cmpstr(said, ==, seen);
    g_assert_cmpuint(entry_list_len(indexed), ==, entry_list_len(walked));
}

static inline gboolean need_root(void)
{
    if (geteuid() == 0)
        return TRUE;
    g_test_skip("needs root for owners and devices");
    return FALSE;
}

#endif
