#include "fixture.h"

#include "base/fs.h"
#include "layer/tarheader.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>

void fixture_init(struct fixture *f)
{
    g_autoptr(GError) err = NULL;
    f->root = g_dir_make_tmp("varve-test-XXXXXX", &err);
    g_assert_no_error(err);
    g_autofree char *store_dir = g_build_filename(f->root, "store", NULL);
    f->store = store_open(store_dir, &err);
    g_assert_no_error(err);
}

void fixture_clear(struct fixture *f)
{
    g_autoptr(GError) err = NULL;
    store_close(f->store);
    fs_remove_tree(AT_FDCWD, f->root, &err);
    g_assert_no_error(err);
    g_free(f->root);
}

static void add(GByteArray *tar, struct tar_fields *t, const char *content)
{
    static const guint8 zeros[512];
    t->size = strlen(content);
    t->mtime = 1000;
    tarheader_write(tar, t);
    g_byte_array_append(tar, (const guint8 *)content, (guint)t->size);
    g_byte_array_append(tar, zeros, (512 - t->size % 512) % 512);
}

static void add_line(GByteArray *tar, const char *line)
{
    g_auto(GStrv) part = g_strsplit(line, "|", 3);
    const char *third = g_strv_length(part) > 2 ? part[2] : "";
    struct tar_fields t = {.path = part[1], .link = "", .mode = 0644};
    const char *content = "";
    switch (line[0]) {
    case 'f':
        t.type = '0';
        content = third;
        break;
    case 'F':
        t.type = '0';
        t.mode = (guint32)strtoul(third, NULL, 8);
        break;
    case 'd':
        t.type = '5';
        t.mode = (guint32)strtoul(third, NULL, 8);
        break;
    case 'l':
    case 'h':
        t.type = line[0] == 'l' ? '2' : '1';
        t.link = third;
        break;
    case 'c':
        t.type = '3';
        t.devmajor = (guint32)atoi(third);
        t.devminor = (guint32)atoi(strchr(third, ',') + 1);
        break;
    case 'p':
        t.type = '6';
        break;
    default:
        t.type = line[0];
    }
    add(tar, &t, content);
}

void fixture_tar(GByteArray *tar, const char *lines)
{
    g_auto(GStrv) list = g_strsplit(lines, "\n", -1);
    for (guint i = 0; list[i]; i++)
        if (*list[i])
            add_line(tar, list[i]);
}

void fixture_tar_end(GByteArray *tar)
{
    static const guint8 zeros[1024];
    g_byte_array_append(tar, zeros, sizeof zeros);
}

struct bytes {
    const guint8 *p;
    gsize left;
};

static gssize read_bytes(gpointer ctx, void *buf, gsize len, GError **err)
{
    struct bytes *b = ctx;
    gsize n = MIN(len, b->left);
    if (n)
        memcpy(buf, b->p, n);
    b->p += n;
    b->left -= n;
    return (gssize)n;
}

char *fixture_apply(struct fixture *f, const void *bytes, gsize len, const struct chain *parents,
                    struct apply_result *r, GError **err)
{
    struct bytes b = {bytes, len};
    g_autoptr(decompress) d = decompress_new(read_bytes, &b);
    g_autofree char *tmp = store_tmp_dir(f->store, err);
    g_assert_nonnull(tmp);
    if (layer_apply(f->store, tmp, d, parents, NULL, r, err))
        return g_steal_pointer(&tmp);
    return NULL;
}

char *fixture_commit(struct fixture *f, const char *tmp, struct apply_result *r)
{
    g_autoptr(GError) err = NULL;
    store_layer_commit(f->store, tmp, &r->info, &err);
    g_assert_no_error(err);
    return fixture_show(f, r->info.id);
}

static void show_entry(struct fixture *f, const char *dir, const struct entry *e, GString *out)
{
    static const char letters[] = "?fdlcbps";
    g_autoptr(GError) err = NULL;
    char letter = e->type == ENTRY_WHITEOUT ? 'w' : letters[e->type];
    if (e->hardlink)
        letter = 'h';
    if (e->opaque)
        letter = 'D';
    g_string_append_printf(out, "%c|%s", letter, e->path);
    if (e->hardlink) {
        g_string_append_printf(out, "|%s", e->hardlink);
    } else if (e->type == ENTRY_FILE) {
        g_autofree char *path = g_build_filename(dir, "fs", e->path, NULL);
        g_autoptr(GBytes) content = fs_read(store_fd(f->store), path, 1 << 20, &err);
        g_assert_no_error(err);
        struct digest d;
        digest_of_bytes(&d, g_bytes_get_data(content, NULL), g_bytes_get_size(content));
        g_assert_cmpmem(d.b, sizeof d.b, e->digest.b, sizeof e->digest.b);
        g_string_append_printf(out, "|%s", (const char *)g_bytes_get_data(content, NULL));
    } else if (e->type == ENTRY_SYMLINK) {
        g_string_append_printf(out, "|%s", e->target);
    } else if (e->type == ENTRY_DIR) {
        g_string_append_printf(out, "|%o", e->mode);
    } else if (e->type == ENTRY_CHAR) {
        g_string_append_printf(out, "|%u,%u", major(e->rdev), minor(e->rdev));
    }
    g_string_append_c(out, '\n');
}

char *fixture_show(struct fixture *f, const char *layer_id)
{
    g_autoptr(GError) err = NULL;
    /* What the index says must also be what is there. */
    layer_index_verify(f->store, layer_id, TRUE, &err);
    g_assert_no_error(err);
    g_autoptr(layer_index) x = layer_index_open(f->store, layer_id, NULL, &err);
    g_assert_no_error(err);
    g_autofree char *dir = store_layer_path(layer_id);
    GString *out = g_string_new(NULL);
    for (guint i = 0; i < layer_index_len(x); i++) {
        struct entry e;
        layer_index_at(x, i, &e);
        show_entry(f, dir, &e, out);
    }
    return g_string_free(out, FALSE);
}

char *fixture_run(const char *const *argv)
{
    g_autoptr(GError) err = NULL;
    char *out = NULL;
    int status = 0;
    g_spawn_sync(NULL, (char **)argv, NULL, G_SPAWN_SEARCH_PATH, NULL, NULL, &out, NULL, &status,
                 &err);
    g_assert_no_error(err);
    g_spawn_check_wait_status(status, &err);
    g_assert_no_error(err);
    return out;
}
