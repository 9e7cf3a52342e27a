/* Manifests of cache mounts: hostile ones, and merging. */
#include "fixture.h"

#include <stdlib.h>
#include <zstd.h>

/* A manifest from lines: "p|raw" a pack, "c|pack|offset|length" a content, "d|path|mode|mtime",
 * "f|path|content|mtime" (-1: empty), "h|path|leader|mtime", "l|path|target|mtime". The n-th line
 * of contents has the digest n everywhere. */
static void add_line(struct mount_manifest *m, const char *line)
{
    g_auto(GStrv) w = g_strsplit(line, "|", -1);
    guint n = g_strv_length(w);
    if (**w == 'p') {
        struct mount_pack p = {.raw = g_ascii_strtoull(w[1], NULL, 0), .size = 10};
        memset(p.digest.b, 100 + m->packs->len, sizeof p.digest.b);
        g_array_append_val(m->packs, p);
        return;
    }
    if (**w == 'c') {
        struct mount_content c = {.pack = atoi(w[1]),
                                  .offset = g_ascii_strtoull(w[2], NULL, 0),
                                  .length = g_ascii_strtoull(w[3], NULL, 0)};
        memset(c.digest.b, n > 4 ? atoi(w[4]) : (int)m->contents->len, sizeof c.digest.b);
        g_array_append_val(m->contents, c);
        return;
    }
    struct mount_entry e = {.path = g_string_chunk_insert(m->text, w[1]),
                            .mode = 0644,
                            .content = MOUNT_NONE,
                            .leader = MOUNT_NONE,
                            .mtime_ns = n > 3 ? atoi(w[3]) * G_GINT64_CONSTANT(1000000000) : 0};
    if (**w == 'd') {
        e.type = ENTRY_DIR;
        e.mode = strtoul(w[2], NULL, 8);
    } else if (**w == 'l') {
        e.type = ENTRY_SYMLINK;
        e.target = g_string_chunk_insert(m->text, w[2]);
    } else {
        e.type = **w == 'b' ? ENTRY_BLOCK : ENTRY_FILE;
        if (**w == 'h') {
            e.leader = atoi(w[2]);
            e.content = mount_entry_at(m, e.leader)->content;
        } else if (atoi(w[2]) >= 0) {
            e.content = atoi(w[2]);
        }
    }
    g_array_append_val(m->entries, e);
}

static GBytes *manifest_of(const char *text)
{
    g_autoptr(mount_manifest) m = mount_manifest_new();
    g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
    for (char **l = lines; *l; l++)
        if (**l)
            add_line(m, *l);
    mount_manifest_seal(m);
    mount_manifest_write(m);
    return g_bytes_ref(m->bytes);
}

static struct mount_manifest *parse_of(const char *text)
{
    GError *err = NULL;
    g_autoptr(GBytes) bytes = manifest_of(text);
    struct mount_manifest *m = mount_manifest_parse(bytes, &err);
    g_assert_no_error(err);
    return m;
}

#define ONE "p|100\nc|0|0|50\n"
static const struct hostile {
    const char *name, *text;
    const char *message; /* NULL: it is fine */
} hostile[] = {
    {"fine", ONE "d||755\nd|a|755\nf|a/x|0\nh|a/y|2\nl|a/z|/etc/passwd\nf|b|-1", NULL},
    {"no root", "d|a|755", "first entry is not the root"},
    {"root is a file", "f||-1", "has the type"},
    {"parent", "d||755\nf|..|-1", "not a path inside"},
    {"below the parent", "d||755\nd|..|755\nf|../x|-1", "not a path inside"},
    {"parent in the middle", "d||755\nd|a|755\nf|a/../x|-1", "not a path inside"},
    {"absolute", "d||755\nf|/etc/passwd|-1", "not a path inside"},
    {"dot", "d||755\nf|.|-1", "not a path inside"},
    {"slash at the end", "d||755\nf|a/|-1", "not a path inside"},
    {"two slashes", "d||755\nd|a|755\nf|a//b|-1", "not a path inside"},
    {"through a symlink", "d||755\nl|a|/etc\nf|a/passwd|-1", "not in a directory"},
    {"through a file", "d||755\nf|a|-1\nf|a/b|-1", "not in a directory"},
    {"no directory", "d||755\nf|a/b|-1", "not in a directory"},
    {"sibling of its directory", "d||755\nd|a|755\nf|ab/b|-1", "not in a directory"},
    {"twice", "d||755\nf|a|-1\nf|a|-1", "there twice or out of order"},
    {"out of order", "d||755\nf|b|-1\nf|a|-1", "there twice or out of order"},
    {"device", "d||755\nb|a|-1", "has the type"},
    {"mode", "d||755\nd|a|10755", "wrong mode"},
    {"beyond the pack", "p|100\nc|0|60|50\nd||755\nf|a|0", "outside of its pack"},
    {"offset near 2^64", "p|100\nc|0|0xffffffffffffffff|50\nd||755\nf|a|0", "outside of its pack"},
    {"length of 2^63", "p|100\nc|0|50|0x8000000000000000\nd||755\nf|a|0", "outside of its pack"},
    {"pack of 2^63", "p|0x8000000000000000\nc|0|0|50\nd||755\nf|a|0", "its packs have more than"},
    {"two large packs", "p|0x3000000000\nc|0|0|50\np|0x3000000000\nc|1|0|50\nd||755\nf|a|0\nf|b|1",
     "its packs have more than"},
    {"one content very often", "p|0x3000000000\nc|0|0|0x3000000000\nd||755\nf|a|0\nf|b|0",
     "its files have more than"},
    {"names of one file are no bomb", "p|0x3000000000\nc|0|0|0x3000000000\nd||755\nf|a|0\nh|b|1",
     NULL},
    {"overlap", "p|100\nc|0|0|50\nc|0|49|50\nd||755\nf|a|0\nf|b|1", "contents 0 and 1 overlap"},
    {"content twice", "p|100\nc|0|0|50|7\nc|0|50|50|7\nd||755\nf|a|0\nf|b|1", "a content twice"},
    {"empty content", "p|100\nc|0|0|0\nd||755\nf|a|0", "outside of its pack"},
    {"link to a directory", "d||755\nd|a|755\nh|b|1", "a link to something else"},
    {"link to a link", "d||755\nf|a|-1\nh|b|1\nh|c|2", "a link to something else"},
};

static void test_hostile(void)
{
    for (guint i = 0; i < G_N_ELEMENTS(hostile); i++) {
        GError *err = NULL;
        g_test_message("%s", hostile[i].name);
        g_autoptr(GBytes) bytes = manifest_of(hostile[i].text);
        g_autoptr(mount_manifest) m = mount_manifest_parse(bytes, &err);
        if (hostile[i].message)
            fixture_error(&err, VARVE_ERROR_INVALID, hostile[i].message);
        g_assert_no_error(err);
    }
}

static GBytes *packed(const void *raw, gsize len)
{
    gsize room = ZSTD_compressBound(len);
    guint8 *out = g_malloc(room);
    return g_bytes_new_take(out, ZSTD_compress(out, room, raw, len, 1));
}

static void check_raw(const void *raw, gsize len, const char *message)
{
    GError *err = NULL;
    g_autoptr(GBytes) bytes = packed(raw, len);
    g_assert_null(mount_manifest_parse(bytes, &err));
    fixture_error(&err, VARVE_ERROR_INVALID, message);
}

/* Numbers of which the format cannot hold as many, and what is not a manifest. */
static void test_malformed(void)
{
    check_raw("", 0, "it is something else");
    check_raw("varvmnt0\0\0\0", 11, "it is something else");
    check_raw(MOUNT_MAGIC "\0\0\0", 11, "cut short");
    check_raw(MOUNT_MAGIC "\0\0\xff\xff\x7f", 13, "entries, at most");
    check_raw(MOUNT_MAGIC "\0\0\x90\x4e", 12, "cut short");
    check_raw(MOUNT_MAGIC "\xff\xff\xff\xff\xff\xff\xff\xff\xff\x7f", 18, "cut short");
    check_raw(MOUNT_MAGIC "\xff\xff\x7f\0\0", 13, "packs, at most");
    /* A path that repeats 200 bytes it does not have. */
    check_raw(MOUNT_MAGIC "\0\0\1\xc8\1\0\2\0\0\0\0\0", 20, "cut short");
    g_autofree char *bomb = g_malloc0(MOUNT_MAX_TEXT + 1);
    check_raw(bomb, MOUNT_MAX_TEXT + 1, "it has more than");
    GError *err = NULL;
    g_autoptr(GBytes) none = g_bytes_new(NULL, 0);
    g_assert_null(mount_manifest_parse(none, &err));
    fixture_error(&err, VARVE_ERROR_INVALID, "it has 0 bytes");
}

/* Front coding makes long paths of few bytes. */
static void test_path_bomb(void)
{
    g_autoptr(mount_manifest) m = mount_manifest_new();
    add_line(m, "d||755");
    g_autoptr(GString) path = g_string_new(NULL);
    for (guint i = 0; i < 15; i++) {
        if (i)
            g_string_append_c(path, '/');
        for (guint k = 0; k < 250; k++)
            g_string_append_c(path, 'd');
        g_autofree char *line = g_strdup_printf("d|%s|755", path->str);
        add_line(m, line);
    }
    for (guint i = 0; i < 80000; i++) {
        g_autofree char *line = g_strdup_printf("f|%s/%06u|-1", path->str, i);
        add_line(m, line);
    }
    mount_manifest_seal(m);
    mount_manifest_write(m);
    g_assert_cmpuint(g_bytes_get_size(m->bytes), <, 1024 * 1024);
    GError *err = NULL;
    g_assert_null(mount_manifest_parse(m->bytes, &err));
    fixture_error(&err, VARVE_ERROR_INVALID, "its paths have more than");
}

static void test_same_again(void)
{
    g_autoptr(mount_manifest) m = parse_of("p|100\nc|0|0|50\np|60\nc|1|10|50\nd||755\nd|a|2755\nf|"
                                           "a/x|1|-5\nh|a/y|2|-5\nl|l|x|7\nf|z|0");
    g_autoptr(mount_manifest) again = mount_manifest_parse(m->bytes, NULL);
    g_assert_true(mount_manifest_same(m, again));
    g_assert_cmpint(mount_manifest_entry(again, "a/x")->mtime_ns, ==, -5 * 1000000000LL);
    g_assert_cmpuint(mount_manifest_entry(again, "a")->mode, ==, 02755);
    g_assert_cmpuint(mount_manifest_entry(again, "a/y")->leader, ==, 2);
    guint64 bytes;
    g_assert_cmpuint(mount_manifest_files(again, &bytes), ==, 3);
    g_assert_cmpuint(bytes, ==, 100);
}

/* "path=digest of content or target" and '=' for a further name, for each entry. */
static char *merged(const char *a, const char *b)
{
    g_autoptr(mount_manifest) m = parse_of(a);
    g_autoptr(mount_manifest) n = parse_of(b);
    g_autoptr(GBytes) bytes = mount_manifest_merge(m, n);
    g_autoptr(GBytes) other = mount_manifest_merge(n, m);
    g_assert_true(g_bytes_equal(bytes, other));
    GError *err = NULL;
    g_autoptr(mount_manifest) out = mount_manifest_parse(bytes, &err);
    g_assert_no_error(err);
    GString *text = g_string_new(NULL);
    for (guint i = 1; i < out->entries->len; i++) {
        const struct mount_entry *e = mount_entry_at(out, i);
        g_string_append_printf(text, "%s%s", i > 1 ? " " : "", e->path);
        if (e->type == ENTRY_DIR)
            g_string_append_printf(text, ":%o", e->mode);
        else if (e->target)
            g_string_append_printf(text, ":%s", e->target);
        else if (e->leader != MOUNT_NONE)
            g_string_append_printf(text, "=%s", mount_entry_at(out, e->leader)->path);
        else if (e->content != MOUNT_NONE)
            g_string_append_printf(text, ":%u", mount_content_at(out, e->content)->digest.b[0]);
    }
    return g_string_free(text, FALSE);
}

#define TWO "p|100\nc|0|0|50\nc|0|50|50\nd||755\n"
static const struct merging {
    const char *a, *b, *out;
} mergings[] = {
    {TWO "f|a|0|1\n", TWO "f|b|1|1\n", "a:0 b:1"},
    {TWO "f|a|0|2\nf|b|0|1", TWO "f|a|1|1\nf|b|1|2", "a:0 b:1"},
    {TWO "f|a|0|1\n", TWO "f|a|1|1\n", "a:1"},
    {TWO "f|a|0|9\n", TWO "d|a|755|1\nf|a/x|1|1", "a:755 a/x:1"},
    {TWO "d|a|755|9\nf|a/x|0|1", TWO "d|a|700|1\nf|a/y|1|1", "a:755 a/x:0 a/y:1"},
    {TWO "l|a|x|1\n", TWO "l|a|y|2\n", "a:y"},
    {TWO "f|a|0|1\nh|b|1|1\nh|c|1|1", TWO "f|x|1|1", "a:0 b=a c=a x:1"},
    {TWO "f|a|0|1\nh|b|1|1\nh|c|1|1", TWO "f|a|1|2", "a:1 b:0 c=b"},
    {TWO "f|a|0|1\nh|b|1|1\nh|c|1|1", TWO "d|a|700|2", "a:700 b:0 c=b"},
    {"p|50\nc|0|0|50|8\nd||755\nf|a|0|1", "p|50\np|60\nc|1|0|50|8\nd||755\nf|b|0|1", "a:8 b:8"},
};

static void test_merge(void)
{
    for (guint i = 0; i < G_N_ELEMENTS(mergings); i++) {
        g_autofree char *out = merged(mergings[i].a, mergings[i].b);
        g_assert_cmpstr(out, ==, mergings[i].out);
    }
}

/* Two that say different things of one pack, or of one content, cannot both be right. */
static void test_merge_contradiction(void)
{
    g_autofree char *overlap =
        merged("p|100\nc|0|0|50|1\nd||755\nf|a|0|1", "p|100\nc|0|20|50|2\nd||755\nf|b|0|1");
    g_assert_true(g_str_equal(overlap, "a:1") || g_str_equal(overlap, "b:2"));
    g_autofree char *length =
        merged("p|100\nc|0|0|50|1\nd||755\nf|a|0|1", "p|100\nc|0|0|40|1\nd||755\nf|b|0|1");
    g_assert_true(g_str_equal(length, "a:1") || g_str_equal(length, "b:1"));
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/cache/mount/hostile", test_hostile);
    g_test_add_func("/cache/mount/malformed", test_malformed);
    g_test_add_func("/cache/mount/path-bomb", test_path_bomb);
    g_test_add_func("/cache/mount/same-again", test_same_again);
    g_test_add_func("/cache/mount/merge", test_merge);
    g_test_add_func("/cache/mount/merge-contradiction", test_merge_contradiction);
    return g_test_run();
}
