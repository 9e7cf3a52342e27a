/* Unpacking: what archives mean, hostile ones, and those made by the system's tar. */
#include "fixture.h"

#include "base/error.h"
#include "base/fs.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Each archive unpacks alone to the shown index, or fails with the given words. */
static const struct sample {
    const char *name, *tar;
    const char *shown; /* NULL: it fails */
    const char *message;
} samples[] = {
    {"plain", "d|a/|755\nf|a/x|hello\nl|a/l|/etc/passwd\nf|b|",
     "d|a|755\nl|a/l|/etc/passwd\nf|a/x|hello\nf|b|\n"},
    {"names", "d|./|755\nd|./a//|700\nf|/a/./x|1\nf|./a//y|2\n",
     "d||755\nd|a|700\nf|a/x|1\nf|a/y|2\n"},
    {"path order", "d|a|755\nf|a.b|1\nf|a/x|2\n", "d|a|755\nf|a/x|2\nf|a.b|1\n"},
    {"hard link", "f|b|data\nh|a|b\nh|c|a\n", "f|a|data\nh|b|a\nh|c|a\n"},
    {"hard link to a symlink", "l|s|x\nh|t|s\n", "l|s|x\nh|t|s\n"},
    {"replaced file", "f|a|1\nf|a|2\n", "f|a|2\n"},
    {"replaced first name", "f|a|1\nh|b|a\nf|a|2\n", "f|a|2\nf|b|1\n"},
    {"link over a file", "f|a|1\nf|b|2\nh|b|a\n", "f|a|1\nh|b|a\n"},
    {"file over a link does not write through it", "l|a|outside\nf|outside|1\nf|a|2\n",
     "f|a|2\nf|outside|1\n"},
    {"directory over a symlink", "l|a|b\nd|b|755\nd|a|700\nf|a/x|1\n",
     "d|a|700\nf|a/x|1\nd|b|755\n"},
    {"file over an empty directory", "d|a|755\nf|a|1\n", "f|a|1\n"},
    {"file over a full directory", "d|a|755\nf|a/x|1\nf|a|1\n", "f|a|1\n"},
    {"symlink over a deep directory, then through it",
     "d|a|755\nd|a/b|755\nf|a/b/x|1\nf|a-b|1\nd|c|755\nl|a|c\nf|a/b/y|2\n",
     "l|a|c\nf|a-b|1\nd|c|755\nd|c/b|755\nf|c/b/y|2\n"},
    {"hard link to what a replaced directory had", "d|a|755\nf|a/x|1\nh|b|a/x\nf|a|2\nh|c|b\n",
     "f|a|2\nf|b|1\nh|c|b\n"},
    {"directory twice", "d|a|755\nf|a/x|1\nd|a|711\n", "d|a|711\nf|a/x|1\n"},
    {"whiteout", "d|a|755\nf|a/.wh.x|\n", "d|a|755\nw|a/x\n"},
    {"whiteout, then the file", "f|.wh.x|\nf|x|1\n", "f|x|1\n"},
    {"whiteout, then a directory", "f|.wh.x|\nd|x|755\nf|x/y|1\n", "D|x|755\nf|x/y|1\n"},
    {"whiteout after the file", "f|x|1\nf|.wh.x|\n", "f|x|1\n"},
    {"whiteout after the directory", "d|x|755\nf|x/y|1\nf|.wh.x|\n", "D|x|755\nf|x/y|1\n"},
    {"implicit directory behind a whiteout", "f|.wh.x|\nf|x/y|1\n", "D|x|755\nf|x/y|1\n"},
    {"opaque", "d|a|755\nf|a/x|1\nf|a/.wh..wh..opq|\nd|a|700\n", "D|a|700\nf|a/x|1\n"},
    {"whiteouts that are links of each other",
     "f|.wh.x|\nh|.wh.y|.wh.x\nd|d|755\nh|d/.wh.z|.wh.x\n", "d|d|755\nw|d/z\nw|x\nw|y\n"},
    {"aufs leftovers",
     "d|.wh..wh.plnk|755\nf|.wh..wh.plnk/1.2|x\nd|.wh..wh.orph|755\nf|.wh..wh.aufs|\nf|a|1\n",
     "f|a|1\n"},
    {"whiteout of nothing", "f|.wh.|\n", NULL, "deletes nothing"},
    {"whiteout of the parent", "d|a|755\nf|a/.wh...|\n", NULL, "deletes nothing"},
    {"through a symlink", "d|b|755\nl|a|b\nf|a/x|1\n", "l|a|b\nd|b|755\nf|b/x|1\n"},
    {"through an absolute symlink", "d|b|755\nd|b/c|755\nl|a|/b/c\nf|a/x|1\n",
     "l|a|/b/c\nd|b|755\nd|b/c|755\nf|b/c/x|1\n"},
    {"through a symlink further up", "d|b|755\nd|b/sub|755\nl|a|b\nf|a/sub/x|1\n",
     "l|a|b\nd|b|755\nd|b/sub|755\nf|b/sub/x|1\n"},
    {"through an absolute symlink further down", "d|d|755\nl|d/a|/b\nd|b|755\nf|d/a/x|1\n",
     "d|b|755\nf|b/x|1\nd|d|755\nl|d/a|/b\n"},
    {"a symlink above the root stays inside", "d|tmp|755\nl|a|../../../../tmp\nf|a/x|1\n",
     "l|a|../../../../tmp\nd|tmp|755\nf|tmp/x|1\n"},
    {"a symlink loop", "l|a|b\nl|b|a\nf|a/x|1\n", NULL, "more than 40"},
    {"through a file", "f|a|1\nf|a/x|1\n", NULL, "not a directory"},
    {"dot dot", "f|../x|1\n", NULL, "\"..\""},
    {"dot dot inside", "d|a|755\nf|a/../x|1\n", NULL, "\"..\""},
    {"dot dot hard link", "h|x|../etc/passwd\n", NULL, "\"..\""},
    {"hard link to a directory", "d|a|755\nh|b|a\n", NULL, "to the directory"},
    {"hard link to itself", "f|a|1\nh|a|a\n", "f|a|1\n"},
    {"overlay whiteout device", "c|x|0,0\n", NULL, "0:0"},
    {"empty symlink", "l|x|\n", NULL, "no target"},
    {"a file without a name", "f|/|x\n", NULL, "not a directory"},
    {"unknown type", "V|x|\n", NULL, "unknown type"},
    {"fifo", "p|x\n", "p|x\n"},
    {"set-id", "F|x|6755\n", "f|x|\n"},
};

static void check_outside(struct fixture *f)
{
    g_autoptr(GError) err = NULL;
    g_autoptr(GBytes) sentinel = NULL;
    g_autofree char *path = g_build_filename(f->root, "outside", NULL);
    sentinel = fs_read(AT_FDCWD, path, 100, &err);
    g_assert_no_error(err);
    g_assert_cmpmem(g_bytes_get_data(sentinel, NULL), g_bytes_get_size(sentinel), "safe", 4);
    fd_auto int fd = fs_open_dir(AT_FDCWD, f->root, &err);
    g_autoptr(GPtrArray) names = fs_list(fd, &err);
    g_assert_cmpuint(names->len, ==, 2);
}

static void check_sample(struct fixture *f, const struct sample *s)
{
    g_autoptr(GByteArray) tar = g_byte_array_new();
    g_autoptr(GError) err = NULL;
    struct apply_result r;
    g_autoptr(chain) none = chain_new();
    fixture_tar(tar, s->tar);
    fixture_tar_end(tar);
    g_autofree char *tmp = fixture_apply(f, tar->data, tar->len, none, &r, &err);
    if (!s->shown) {
        if (tmp || !strstr(err->message, s->message))
            g_error("%s: \"%s\" instead of \"%s\"", s->name, tmp ? "no error" : err->message,
                    s->message);
        g_assert_true(err->code == VARVE_ERROR_INVALID || err->code == VARVE_ERROR_UNSUPPORTED);
        return;
    }
    if (!tmp)
        g_error("%s: %s", s->name, err->message);
    g_autofree char *shown = fixture_commit(f, tmp, &r);
    if (!g_str_equal(shown, s->shown))
        g_error("%s:\n%sinstead of\n%s", s->name, shown, s->shown);
}

/* Replacing full directories has a limit: each one costs a look at all entries. */
static void test_many_replaced(void)
{
    struct fixture f;
    fixture_init(&f);
    g_autoptr(GString) lines = g_string_new(NULL);
    for (int i = 0; i < 101; i++)
        g_string_append(lines, "d|a|755\nf|a/x|1\nf|a|1\n");
    struct sample s = {"many replaced directories", lines->str, NULL, "more than 100 directories"};
    check_sample(&f, &s);
    g_string_truncate(lines, lines->len - strlen("d|a|755\nf|a/x|1\nf|a|1\n"));
    s = (struct sample){"as many as may be", lines->str, "f|a|1\n", NULL};
    check_sample(&f, &s);
    fixture_clear(&f);
}

static void test_samples(void)
{
    struct fixture f;
    fixture_init(&f);
    g_autofree char *path = g_build_filename(f.root, "outside", NULL);
    g_assert_true(g_file_set_contents(path, "safe", 4, NULL));
    for (gsize i = 0; i < G_N_ELEMENTS(samples); i++) {
        check_sample(&f, &samples[i]);
        check_outside(&f);
    }
    fixture_clear(&f);
}

/* An index made while unpacking equals one made by walking. */
static void test_index_equals_walk(void)
{
    struct fixture f;
    struct apply_result r;
    g_autoptr(GError) err = NULL;
    g_autoptr(GByteArray) tar = g_byte_array_new();
    g_autoptr(chain) none = chain_new();
    fixture_init(&f);
    fixture_tar(tar, "d|a|2755\nf|a/x|1\nh|a/y|a/x\nl|a/z|../b\nd|b|755\nf|b/"
                     ".wh..wh..opq|\nf|.wh.c|\nF|s|4711\np|q\n");
    fixture_tar_end(tar);
    g_autofree char *tmp = fixture_apply(&f, tar->data, tar->len, none, &r, &err);
    g_assert_no_error(err);
    fd_auto int dirfd = openat(store_fd(f.store), tmp, O_RDONLY | O_DIRECTORY);
    g_autoptr(entry_list) walked = layer_walk(dirfd, NULL, &err);
    g_assert_no_error(err);
    struct layer_info info = {0};
    /* The walk sees the root directory, which this archive does not mention. */
    if (entry_list_len(walked) && !*entry_list_at(walked, 0)->path)
        g_array_remove_index(walked->items, 0);
    g_assert_true(layer_index_write(dirfd, walked, &info, &err));
    g_assert_cmpuint(info.entries, ==, r.info.entries);
    g_assert_cmpmem(info.content.b, 32, r.info.content.b, 32);
    struct stat st;
    g_assert_cmpint(fstatat(dirfd, "fs/a", &st, 0), ==, 0);
    g_assert_cmpint(st.st_mtime, ==, 1000);
    g_assert_cmpuint(st.st_mode & 07777, ==, 02755);
    fixture_clear(&f);
}

/* Also what is only thrown away: bytes behind the archive's end. */
static void test_cancelled(void)
{
    struct fixture f;
    struct apply_result r;
    g_autoptr(GError) err = NULL;
    g_autoptr(GByteArray) tar = g_byte_array_new();
    g_autoptr(chain) none = chain_new();
    g_autoptr(cancel) c = cancel_new();
    fixture_init(&f);
    fixture_tar_end(tar);
    g_byte_array_set_size(tar, 1024 * 1024);
    memset(tar->data + 1024, 0, tar->len - 1024);
    cancel_trigger(c);
    cancel_set_command(c);
    g_autofree char *tmp = fixture_apply(&f, tar->data, tar->len, none, &r, &err);
    cancel_set_command(NULL);
    g_assert_null(tmp);
    g_assert_error(err, VARVE_ERROR, VARVE_ERROR_CANCELLED);
    fixture_clear(&f);
}

static char *apply_lines(struct fixture *f, const char *lines, const struct chain *parents,
                         struct chain *onto)
{
    struct apply_result r;
    g_autoptr(GError) err = NULL;
    g_autoptr(GByteArray) tar = g_byte_array_new();
    fixture_tar(tar, lines);
    fixture_tar_end(tar);
    g_autofree char *tmp = fixture_apply(f, tar->data, tar->len, parents, &r, &err);
    g_assert_no_error(err);
    if (r.needs_parents && !parents)
        return g_strdup("needs parents");
    char *shown = fixture_commit(f, tmp, &r);
    if (onto)
        chain_append(onto, r.info.id);
    if (parents && r.needs_parents) {
        g_autofree char *rest = shown;
        return g_strconcat("upon parents:\n", rest, NULL);
    }
    return shown;
}

static const struct {
    const char *tar, *shown;
} upon[] = {
    {"d|etc|755\nf|etc/new|1\n", "d|etc|755\nf|etc/new|1\n"},
    {"f|etc/new|1\n", "upon parents:\nd|etc|710\nf|etc/new|1\n"},
    {"f|etc/.wh.conf|\n", "upon parents:\nd|etc|710\nw|etc/conf\n"},
    {"f|lib/new|1\n", "upon parents:\nd|usr|755\nd|usr/lib|700\nf|usr/lib/new|1\n"},
    {"h|hard|etc/conf\n", "upon parents:\nd|etc|710\nf|etc/conf|conf\nh|hard|etc/conf\n"},
    {"f|other/deep/x|1\n", "upon parents:\nd|other|755\nd|other/deep|755\nf|other/deep/x|1\n"},
    {"f|.wh.etc|\nf|etc/x|\n", "D|etc|755\nf|etc/x|\n"},
};

static void test_upon_parents(void)
{
    struct fixture f;
    fixture_init(&f);
    g_autoptr(chain) base = chain_new();
    g_autoptr(chain) none = chain_new();
    g_free(apply_lines(&f, "d|etc|710\nf|etc/conf|conf\nd|usr|755\nd|usr/lib|700\nl|lib|usr/lib\n",
                       none, base));
    for (gsize i = 0; i < G_N_ELEMENTS(upon); i++) {
        g_autofree char *shown = apply_lines(&f, upon[i].tar, base, NULL);
        g_assert_cmpstr(shown, ==, upon[i].shown);
        g_autofree char *alone = apply_lines(&f, upon[i].tar, NULL, NULL);
        g_assert_cmpstr(alone, ==, g_str_has_prefix(shown, "upon") ? "needs parents" : shown);
    }
    fixture_clear(&f);
}

/* Every cut of an archive is an error, but where only the end mark is gone. */
static void test_cut_short(void)
{
    struct fixture f;
    fixture_init(&f);
    g_autoptr(GByteArray) tar = g_byte_array_new();
    fixture_tar(tar, "f|a|hello\n");
    for (guint len = 1; len < tar->len; len += 37) {
        struct apply_result r;
        g_autoptr(GError) err = NULL;
        g_assert_null(fixture_apply(&f, tar->data, len, NULL, &r, &err));
        g_assert_error(err, VARVE_ERROR, VARVE_ERROR_INVALID);
    }
    fixture_clear(&f);
}

/* What GNU tar makes of a tree: long names, sparse files, xattrs, owners, in each format and
 * compression. */
static void test_system_tar(void)
{
    static const char *const variants[] = {
        "--format=gnu",
        "--format=pax --xattrs",
        "--format=gnu --sparse",
        "--format=pax --sparse --sparse-version=0.0",
        "--format=pax --sparse --sparse-version=0.1",
        "--format=pax --sparse --sparse-version=1.0",
        "--format=gnu --gzip",
        "--format=pax --zstd",
    };
    struct fixture f;
    fixture_init(&f);
    g_autofree char *script =
        g_strdup_printf("set -e; cd %s; mkdir t; cd t; echo hi >f; ln f g; ln -s f s; mkfifo p; "
                        "d=$(printf 'long%%.0s' $(seq 40));"
                        "mkdir -p $d/$d; echo deep >$d/$d/$d; ln -s $d/$d/$d l; ln $d/$d/$d hard; "
                        "truncate -s 300000 hole;"
                        "printf x | dd of=hole bs=1 seek=123456 conv=notrunc 2>/dev/null; truncate "
                        "-s 5000 empty-hole; touch -d @-5 old",
                        f.root);
    g_free(fixture_run((const char *[]){"sh", "-c", script, NULL}));
    g_autofree char *first = NULL;
    g_autoptr(chain) none = chain_new();
    for (gsize i = 0; i < G_N_ELEMENTS(variants); i++) {
        g_autofree char *command =
            g_strdup_printf("tar -C %s/t %s -cf %s/t.tar .", f.root, variants[i], f.root);
        g_free(fixture_run((const char *[]){"sh", "-c", command, NULL}));
        g_autofree char *path = g_build_filename(f.root, "t.tar", NULL);
        g_autoptr(GError) err = NULL;
        g_autoptr(GBytes) bytes = fs_read(AT_FDCWD, path, 16 << 20, &err);
        g_assert_no_error(err);
        struct apply_result r;
        g_autofree char *tmp = fixture_apply(&f, g_bytes_get_data(bytes, NULL),
                                             g_bytes_get_size(bytes), none, &r, &err);
        g_assert_no_error(err);
        g_autofree char *shown = fixture_commit(&f, tmp, &r);
        g_assert_nonnull(strstr(shown, "h|g|f\n"));
        if (!first)
            first = g_steal_pointer(&shown);
        else
            g_assert_cmpstr(shown, ==, first);
        g_autofree char *compare = g_strdup_printf(
            "diff -r --no-dereference %s/t %s/store/layers/%s/fs -x p", f.root, f.root, r.info.id);
        g_free(fixture_run((const char *[]){"sh", "-c", compare, NULL}));
    }
    fixture_clear(&f);
}

/* Makes a sparse archive of what script leaves in a folder, and applies it. */
static gboolean apply_sparse(struct fixture *f, const char *script, GError **err)
{
    struct apply_result r;
    g_autoptr(chain) none = chain_new();
    g_autofree char *command = g_strdup_printf("set -e; cd %s; rm -rf t; mkdir t; cd t; %s; "
                                               "tar --sparse -cf ../t.tar .",
                                               f->root, script);
    g_free(fixture_run((const char *[]){"sh", "-c", command, NULL}));
    g_autofree char *path = g_build_filename(f->root, "t.tar", NULL);
    g_autoptr(GBytes) bytes = fs_read(AT_FDCWD, path, 64 << 20, err);
    g_assert_nonnull(bytes);
    g_autofree char *tmp =
        fixture_apply(f, g_bytes_get_data(bytes, NULL), g_bytes_get_size(bytes), none, &r, err);
    return tmp != NULL;
}

/* Holes cost hashing. A small archive gets some; more only for data. */
static void test_holes(void)
{
    struct fixture f;
    g_autoptr(GError) err = NULL;
    fixture_init(&f);
    g_assert_false(apply_sparse(&f, "truncate -s 5G f", &err));
    g_assert_error(err, VARVE_ERROR, VARVE_ERROR_INVALID);
    g_assert_nonnull(strstr(err->message, "5 GiB of holes"));
    g_clear_error(&err);
    g_assert_true(
        apply_sparse(&f, "truncate -s 200M f; head -c 9000 /dev/zero | tr '\\0' a >>f", &err));
    g_assert_no_error(err);
    fixture_clear(&f);
}

/* Puts the right checksum into everything that looks like a header. */
static void mend_checksums(GByteArray *tar)
{
    for (guint at = 0; at + 512 <= tar->len; at += 512) {
        guint8 *b = tar->data + at;
        if (memcmp(b + 257, "ustar", 5) != 0)
            continue;
        guint sum = 0;
        memset(b + 148, ' ', 8);
        for (int i = 0; i < 512; i++)
            sum += b[i];
        g_snprintf((char *)b + 148, 8, "%06o", sum);
    }
}

/* Damaged archives give an error or a layer, never anything else (run with sanitizers), and stay
 * inside. */
static void test_damaged(void)
{
    struct fixture f;
    fixture_init(&f);
    g_autofree char *script = g_strdup_printf(
        "set -e; cd %s; mkdir t; cd t; mkdir -p a/b; echo hi >a/f; ln a/f a/b/g; ln -s ../f a/b/s;"
        "truncate -s 100000 hole; printf x >>hole; d=$(printf 'long%%.0s' $(seq 40)); echo 1 >$d;"
        "tar --format=gnu --sparse -cf ../1.tar .; tar --format=pax --sparse -cf ../2.tar .; rm -r "
        "../t;"
        "printf safe >../outside; mv ../1.tar ../2.tar ../store",
        f.root);
    g_free(fixture_run((const char *[]){"sh", "-c", script, NULL}));
    g_autoptr(chain) none = chain_new();
    for (guint32 seed = 0; seed < 400; seed++) {
        g_autofree char *name = g_strdup_printf("%u.tar", 1 + seed % 2);
        g_autoptr(GBytes) bytes = fs_read(store_fd(f.store), name, 1 << 20, NULL);
        g_autoptr(GByteArray) tar = g_bytes_unref_to_array(g_steal_pointer(&bytes));
        g_autoptr(GRand) random = g_rand_new_with_seed(seed);
        for (int i = g_rand_int_range(random, 1, 6); i > 0; i--)
            tar->data[g_rand_int_range(random, 0, (gint32)tar->len)] = (guint8)g_rand_int(random);
        mend_checksums(tar);
        struct apply_result r;
        g_autoptr(GError) err = NULL;
        g_autofree char *tmp = fixture_apply(&f, tar->data, tar->len, none, &r, &err);
        g_assert_true(tmp != NULL || err != NULL);
        if (tmp)
            store_tmp_discard(f.store, tmp);
    }
    check_outside(&f);
    fixture_clear(&f);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/apply/cancelled", test_cancelled);
    g_test_add_func("/apply/samples", test_samples);
    g_test_add_func("/apply/holes", test_holes);
    g_test_add_func("/apply/many-replaced", test_many_replaced);
    g_test_add_func("/apply/index-equals-walk", test_index_equals_walk);
    g_test_add_func("/apply/upon-parents", test_upon_parents);
    g_test_add_func("/apply/cut-short", test_cut_short);
    g_test_add_func("/apply/damaged", test_damaged);
    g_test_add_func("/apply/system-tar", test_system_tar);
    return g_test_run();
}
