/* A layer's tar, compressed or not, unpacked into a store that is thrown away: nothing may appear
 * outside the layer. */
#include "fuzz.h"

#include "base/fs.h"
#include "layer/apply.h"
#include "store/store.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

static char *root;
static struct store *the_store; /* in root/store */

static void remove_store(void)
{
    store_close(the_store);
    fs_remove_tree(AT_FDCWD, root, NULL);
    g_free(root);
}

static void make_store(void)
{
    g_autoptr(GError) err = NULL;
    root = g_dir_make_tmp("varve-fuzz-XXXXXX", NULL);
    g_autofree char *dir = g_build_filename(root, "store", NULL);
    the_store = store_open(dir, &err);
    g_assert_no_error(err);
    atexit(remove_store);
}

struct input {
    const uint8_t *p;
    gsize left;
};

static gssize read_input(gpointer ctx, void *buf, gsize len, GError **err)
{
    struct input *in = ctx;
    gsize n = MIN(len, in->left);
    if (n)
        memcpy(buf, in->p, n);
    in->p += n;
    in->left -= n;
    return (gssize)n;
}

static guint entries_of(const char *path)
{
    g_autoptr(GDir) d = g_dir_open(path, 0, NULL);
    guint n = 0;
    while (d && g_dir_read_name(d))
        n++;
    return n;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (!the_store)
        make_store();
    guint outside = entries_of(root), host = entries_of("/");
    struct input in = {data, size};
    g_autoptr(decompress) d = decompress_new(read_input, &in);
    g_autoptr(chain) parents = chain_new();
    g_autoptr(GError) err = NULL;
    g_autofree char *tmp = store_tmp_dir(the_store, &err);
    g_assert_no_error(err);
    struct apply_result r = {0};
    gboolean ok = layer_apply(the_store, tmp, d, parents, NULL, &r, &err);
    g_assert_true(ok == (err == NULL));
    g_assert_cmpuint(outside, ==, entries_of(root));
    g_assert_cmpuint(host, ==, entries_of("/"));
    g_assert_true(fs_remove_tree(store_fd(the_store), tmp, NULL));
    return 0;
}
