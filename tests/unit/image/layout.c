/* Layouts and archives as sources of images, and unpacking what they hold. */
#include "image/layout.h"

#include "base/error.h"
#include "base/fs.h"
#include "image/config.h"
#include "image/load.h"
#include "image/unpack.h"
#include "layer/apply.h"
#include "layer/chainview.h"
#include "layer/tarheader.h"
#include "store/blob.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

struct fixture {
    char *root, *layout; /* root/layout */
    struct store *store; /* in root/store */
    int stores;
};

static void new_store(struct fixture *f)
{
    g_autoptr(GError) err = NULL;
    g_autofree char *path = g_strdup_printf("%s/store%d", f->root, f->stores++);
    store_close(f->store);
    f->store = store_open(path, &err);
    g_assert_no_error(err);
}

static void fixture_init(struct fixture *f)
{
    memset(f, 0, sizeof *f);
    f->root = g_dir_make_tmp("varve-test-XXXXXX", NULL);
    f->layout = g_build_filename(f->root, "layout", NULL);
    g_autofree char *blobs = g_build_filename(f->layout, "blobs/sha256", NULL);
    g_assert_cmpint(g_mkdir_with_parents(blobs, 0755), ==, 0);
    new_store(f);
}

static void fixture_clear(struct fixture *f)
{
    store_close(f->store);
    g_assert_true(fs_remove_tree(AT_FDCWD, f->root, NULL));
    g_free(f->root);
    g_free(f->layout);
}

static struct descriptor *put_file(struct fixture *f, const char *type, const void *bytes,
                                   gsize len)
{
    struct descriptor *d = g_new0(struct descriptor, 1);
    char hex[DIGEST_HEX_LEN + 1];
    digest_of_bytes(&d->digest, bytes, len);
    d->size = len;
    d->media_type = g_strdup(type);
    g_autofree char *path =
        g_strdup_printf("%s/blobs/sha256/%s", f->layout, digest_hex(&d->digest, hex));
    g_assert_true(g_file_set_contents(path, bytes, (gssize)len, NULL));
    return d;
}

static void add_entry(GByteArray *tar, const char *path, char type, const char *content)
{
    static const guint8 zeros[512];
    gsize len = strlen(content);
    struct tar_fields t = {
        .path = path, .link = "", .type = type, .mode = type == '5' ? 0700 : 0755, .size = len};
    tarheader_write(tar, &t);
    g_byte_array_append(tar, (const guint8 *)content, (guint)len);
    g_byte_array_append(tar, zeros, (512 - len % 512) % 512);
}

/* A layer with one file in it; an empty content makes the directory "dir" only. */
static GByteArray *layer_tar(const char *path, const char *content)
{
    GByteArray *tar = g_byte_array_new();
    if (*content)
        add_entry(tar, path, '0', content);
    else
        add_entry(tar, "dir/", '5', "");
    return tar;
}

enum lie { HONEST, OTHER_BLOB, OTHER_SIZE, OTHER_TYPE };

/* What a manifest says of a layer's blob. */
static struct descriptor *put_layer(struct fixture *f, const GByteArray *tar, enum lie lie)
{
    struct descriptor *d = put_file(f, MEDIA_OCI_LAYER, tar->data, tar->len);
    if (lie == OTHER_BLOB)
        digest_of_bytes(&d->digest, "other", 5);
    d->size += lie == OTHER_SIZE;
    if (lie == OTHER_TYPE) {
        g_free(d->media_type);
        d->media_type = g_strdup(MEDIA_DOCKER_LAYER);
    }
    return d;
}

/* An image of these layers ("path=content", or "" for the directory). */
static struct descriptor *put_lying(struct fixture *f, const char *const *layers, const char *arch,
                                    enum lie lie)
{
    struct platform p = {"linux", "", ""};
    g_strlcpy(p.arch, arch, sizeof p.arch);
    g_autoptr(image_conf) c = image_conf_new(&p);
    g_autoptr(manifest) m = manifest_new(MEDIA_OCI_MANIFEST);
    for (guint i = 0; layers[i]; i++) {
        const char *equals = strchr(layers[i], '=');
        g_autofree char *path = g_strndup(layers[i], equals ? (gsize)(equals - layers[i]) : 0);
        g_autoptr(GByteArray) tar = layer_tar(path, equals ? equals + 1 : "");
        struct digest diff;
        digest_of_bytes(&diff, tar->data, tar->len);
        g_array_append_val(c->diff_ids, diff);
        g_ptr_array_add(m->items, put_layer(f, tar, lie));
    }
    g_autoptr(GBytes) config = image_conf_write(c);
    struct descriptor *d =
        put_file(f, MEDIA_OCI_CONFIG, g_bytes_get_data(config, NULL), g_bytes_get_size(config));
    m->config = *d;
    g_free(d);
    g_autoptr(GBytes) json = manifest_write(m);
    d = put_file(f, MEDIA_OCI_MANIFEST, g_bytes_get_data(json, NULL), g_bytes_get_size(json));
    d->has_platform = TRUE;
    d->platform = p;
    return d;
}

static struct descriptor *put_image(struct fixture *f, const char *const *layers, const char *arch)
{
    return put_lying(f, layers, arch, HONEST);
}

static int compare(gconstpointer a, gconstpointer b, gpointer unused)
{
    return strcmp(a, b);
}

static struct descriptor *named(struct descriptor *d, const char *name)
{
    d->annotations = g_tree_new_full(compare, NULL, g_free, g_free);
    g_tree_insert(d->annotations, g_strdup("org.opencontainers.image.ref.name"), g_strdup(name));
    return d;
}

/* Takes the descriptors. */
static void put_index(struct fixture *f, struct descriptor *a, struct descriptor *b)
{
    g_autoptr(manifest) m = manifest_new(MEDIA_OCI_INDEX);
    g_ptr_array_add(m->items, a);
    if (b)
        g_ptr_array_add(m->items, b);
    g_autoptr(GBytes) json = manifest_write(m);
    g_autofree char *path = g_build_filename(f->layout, "index.json", NULL);
    g_assert_true(g_file_set_contents(path, g_bytes_get_data(json, NULL),
                                      (gssize)g_bytes_get_size(json), NULL));
}

static const struct platform amd64 = {"linux", "amd64", ""}, arm64 = {"linux", "arm64", ""};

static struct chain *unpack(struct fixture *f, const struct digest *manifest, GError **err)
{
    struct chain *c = NULL;
    struct blob_source *src = layout_blob_source(f->store, f->layout);
    gboolean ok = image_unpack(f->store, manifest, src, NULL, NULL, &c, err);
    layout_blob_source_free(src);
    return ok ? c : NULL;
}

static void check_file(struct fixture *f, const struct chain *c, guint layer, const char *name,
                       const char *content)
{
    g_autofree char *dir = store_layer_path(c->ids[layer]);
    g_autofree char *path = g_build_filename(store_root(f->store), dir, "fs", name, NULL);
    g_autofree char *text = NULL;
    g_assert_true(g_file_get_contents(path, &text, NULL, NULL));
    g_assert_cmpstr(text, ==, content);
}

static GPtrArray *load(struct fixture *f, const char *path, const struct platform *p, GError **err)
{
    return load_images(&(struct load_options){.store = f->store, .platform = p}, path, err);
}

static void test_choose(void)
{
    struct fixture f;
    struct digest manifest;
    g_autoptr(GError) err = NULL;
    fixture_init(&f);
    struct descriptor *a = named(put_image(&f, (const char *const[]){"a=1", NULL}, "amd64"), "one");
    struct descriptor *b =
        named(put_image(&f, (const char *const[]){"b=2", NULL}, "arm64"), "host:5/x:two");
    struct digest da = a->digest, db = b->digest;
    put_index(&f, a, b);
    g_assert_true(layout_resolve(f.store, f.layout, "one", &amd64, &manifest, &err));
    g_assert_cmpmem(&manifest, 32, &da, 32);
    g_assert_true(layout_resolve(f.store, f.layout, "two", &amd64, &manifest, &err));
    g_assert_cmpmem(&manifest, 32, &db, 32);
    g_autofree char *text = digest_text(&db);
    g_assert_true(layout_resolve(f.store, f.layout, text, &amd64, &manifest, &err));
    g_assert_cmpmem(&manifest, 32, &db, 32);
    g_assert_true(layout_resolve(f.store, f.layout, NULL, &arm64, &manifest, &err));
    g_assert_cmpmem(&manifest, 32, &db, 32);
    g_assert_false(layout_resolve(f.store, f.layout, "three", &amd64, &manifest, &err));
    g_assert_error(err, VARVE_ERROR, VARVE_ERROR_NOT_FOUND);
    g_assert_nonnull(strstr(err->message, "one, host:5/x:two"));
    fixture_clear(&f);
}

static void test_nested_index(void)
{
    struct fixture f;
    struct digest manifest;
    g_autoptr(GError) err = NULL;
    fixture_init(&f);
    struct descriptor *a = put_image(&f, (const char *const[]){"a=1", NULL}, "amd64");
    struct descriptor *b = put_image(&f, (const char *const[]){"b=2", NULL}, "arm64");
    struct digest db = b->digest;
    g_autoptr(manifest) inner = manifest_new(MEDIA_OCI_INDEX);
    g_ptr_array_add(inner->items, a);
    g_ptr_array_add(inner->items, b);
    g_autoptr(GBytes) json = manifest_write(inner);
    struct descriptor *d =
        put_file(&f, MEDIA_OCI_INDEX, g_bytes_get_data(json, NULL), g_bytes_get_size(json));
    struct digest dtop = d->digest;
    put_index(&f, d, NULL);
    g_assert_true(layout_resolve(f.store, f.layout, NULL, &arm64, &manifest, &err));
    g_assert_cmpmem(&manifest, 32, &db, 32);
    g_autoptr(GPtrArray) images = load(&f, f.layout, &arm64, &err);
    g_assert_no_error(err);
    g_assert_cmpuint(images->len, ==, 1);
    struct loaded_image *image = images->pdata[0];
    g_assert_cmpmem(&image->manifest, 32, &db, 32);
    g_assert_cmpmem(&image->top, 32, &dtop, 32);
    g_assert_cmpstr(image->platform.arch, ==, "arm64");
    struct platform s390 = {"linux", "s390x", ""};
    g_assert_null(load(&f, f.layout, &s390, &err));
    g_assert_error(err, VARVE_ERROR, VARVE_ERROR_NOT_FOUND);
    g_assert_nonnull(strstr(err->message, "linux/amd64, linux/arm64"));
    fixture_clear(&f);
}

/* Layers that stand alone, one that needs those below it, and one that comes twice. */
static void test_unpack(void)
{
    struct fixture f;
    struct digest manifest;
    g_autoptr(GError) err = NULL;
    fixture_init(&f);
    put_index(
        &f, put_image(&f, (const char *const[]){"", "x=1", "dir/y=2", "x=1", "x=3", NULL}, "amd64"),
        NULL);
    g_assert_true(layout_resolve(f.store, f.layout, NULL, &amd64, &manifest, &err));
    g_autoptr(chain) c = unpack(&f, &manifest, &err);
    g_assert_no_error(err);
    g_assert_cmpuint(c->n, ==, 5);
    check_file(&f, c, 1, "x", "1");
    check_file(&f, c, 2, "dir/y", "2");
    check_file(&f, c, 3, "x", "1");
    check_file(&f, c, 4, "x", "3");
    g_assert_cmpstr(c->ids[1], !=, c->ids[3]);
    struct layer_blob b;
    for (guint i = 0; i < c->n; i++)
        g_assert_true(store_layer_blob_find(f.store, c->ids[i], "pulled", &b));
    /* Again: the same layers, without looking at a blob. */
    g_assert_true(fs_remove_tree(AT_FDCWD, f.layout, NULL));
    g_autoptr(chain) again = unpack(&f, &manifest, &err);
    g_assert_no_error(err);
    g_assert_true(chain_equal(c, again));
    fixture_clear(&f);
}

static void content_of(struct fixture *f, const struct chain *c, struct digest *out)
{
    g_autoptr(GError) err = NULL;
    g_autoptr(chainview) v = chainview_new(f->store, c, NULL, &err);
    g_assert_no_error(err);
    chainview_content(v, out);
}

static void get(struct fixture *f, const struct chain *c, enum layer_need need)
{
    g_autoptr(GError) err = NULL;
    gboolean missing;
    struct blob_source *src = layout_blob_source(f->store, f->layout);
    g_assert_true(layers_present(f->store, c, need, src, NULL, NULL, &err));
    g_assert_no_error(err);
    layout_blob_source_free(src);
    g_assert_true(store_chain_lacks(f->store, c, need, &missing, NULL) && !missing);
}

/* The same image by descriptors alone: first nothing of it, then its tree, then its files, always
 * as the same chain, with the content that unpacking gives. */
static void test_describe(void)
{
    struct fixture f;
    struct digest manifest, unpacked, streamed, filled;
    guint absent;
    g_autoptr(GError) err = NULL;
    fixture_init(&f);
    put_index(
        &f, put_image(&f, (const char *const[]){"", "x=1", "dir/y=2", "x=1", "x=3", NULL}, "amd64"),
        NULL);
    g_assert_true(layout_resolve(f.store, f.layout, NULL, &amd64, &manifest, &err));
    g_autoptr(chain) known = unpack(&f, &manifest, &err);
    content_of(&f, known, &unpacked);
    new_store(&f);
    g_assert_true(layout_resolve(f.store, f.layout, NULL, &amd64, &manifest, &err));
    g_autoptr(chain) c = NULL;
    g_autoptr(chain) again = NULL;
    g_assert_true(image_describe(f.store, &manifest, &c, &err));
    g_assert_true(image_describe(f.store, &manifest, &again, &err));
    g_assert_true(chain_equal(c, again) && c->n == 5);
    g_assert_true(store_chain_absent(f.store, c, &absent, NULL, NULL) && absent == 5);
    get(&f, c, NEED_TREE);
    g_assert_true(store_chain_absent(f.store, c, &absent, NULL, NULL) && absent == 5);
    content_of(&f, c, &streamed);
    g_assert_cmpmem(&streamed, 32, &unpacked, 32);
    get(&f, c, NEED_FILES);
    check_file(&f, c, 1, "x", "1");
    check_file(&f, c, 2, "dir/y", "2");
    check_file(&f, c, 3, "x", "1");
    check_file(&f, c, 4, "x", "3");
    g_assert_cmpstr(c->ids[1], !=, c->ids[3]);
    content_of(&f, c, &filled);
    g_assert_cmpmem(&filled, 32, &unpacked, 32);
    g_autoptr(chain) whole = unpack(&f, &manifest, &err);
    g_assert_no_error(err);
    g_assert_true(chain_equal(c, whole));
    fixture_clear(&f);
}

/* Unpacking fills layers that are only known. */
static void test_unpack_described(void)
{
    struct fixture f;
    struct digest manifest;
    g_autoptr(GError) err = NULL;
    fixture_init(&f);
    put_index(&f, put_image(&f, (const char *const[]){"", "dir/y=2", NULL}, "amd64"), NULL);
    g_assert_true(layout_resolve(f.store, f.layout, NULL, &amd64, &manifest, &err));
    g_autoptr(chain) c = NULL;
    g_assert_true(image_describe(f.store, &manifest, &c, &err));
    g_autoptr(chain) whole = unpack(&f, &manifest, &err);
    g_assert_no_error(err);
    g_assert_true(chain_equal(c, whole));
    check_file(&f, c, 1, "dir/y", "2");
    fixture_clear(&f);
}

/* Fetches from the layout. */
static gboolean fetch_present(struct layer_fetcher *self, struct store *s, const struct chain *c,
                              enum layer_need need, GError **err)
{
    struct fixture *f = *(struct fixture **)(self + 1);
    struct blob_source *src = layout_blob_source(s, f->layout);
    gboolean ok = layers_present(s, c, need, src, NULL, NULL, err);
    layout_blob_source_free(src);
    return ok;
}

static void install_fetcher(struct fixture *f)
{
    struct layer_fetcher *self = g_malloc(sizeof *self + sizeof f);
    *self = (struct layer_fetcher){.fetch = fetch_present,
                                   .free = (void (*)(struct layer_fetcher *))g_free};
    *(struct fixture **)(self + 1) = f;
    store_set_fetcher(f->store, self);
}

/* A layer that is got alone is still one upon those below it: it has their directories. */
static void test_present_alone(void)
{
    for (enum layer_need need = NEED_TREE; need <= NEED_FILES; need++) {
        struct fixture f;
        struct digest manifest, unpacked, filled;
        g_autoptr(GError) err = NULL;
        fixture_init(&f);
        put_index(&f, put_image(&f, (const char *const[]){"", "dir/y=2", NULL}, "amd64"), NULL);
        g_assert_true(layout_resolve(f.store, f.layout, NULL, &amd64, &manifest, &err));
        g_autoptr(chain) known = unpack(&f, &manifest, &err);
        content_of(&f, known, &unpacked);
        new_store(&f);
        g_assert_true(layout_resolve(f.store, f.layout, NULL, &amd64, &manifest, &err));
        g_autoptr(chain) c = NULL;
        g_assert_true(image_describe(f.store, &manifest, &c, &err));
        install_fetcher(&f);
        g_assert_true(store_layer_need(f.store, c->ids[1], need, &err));
        content_of(&f, c, &filled);
        g_assert_cmpmem(&filled, 32, &unpacked, 32);
        fixture_clear(&f);
    }
}

/* The blob that a layer's index was read from is damaged before its files are: it comes anew. */
static void test_damaged_blob(void)
{
    struct fixture f;
    struct digest manifest;
    char hex[DIGEST_HEX_LEN + 1];
    g_autoptr(GError) err = NULL;
    g_autoptr(chain) c = NULL;
    g_auto(absent_layer) a = {.size = 0};
    gboolean absent;
    fixture_init(&f);
    put_index(&f, put_image(&f, (const char *const[]){"x=1", NULL}, "amd64"), NULL);
    g_assert_true(layout_resolve(f.store, f.layout, NULL, &amd64, &manifest, &err));
    g_assert_true(image_describe(f.store, &manifest, &c, &err));
    get(&f, c, NEED_TREE);
    g_assert_true(store_absent_get(f.store, c->ids[0], &absent, &a, &err) && absent);
    g_autofree char *path =
        g_strdup_printf("%s/blobs/sha256/%s", store_root(f.store), digest_hex(&a.blob, hex));
    g_autoptr(GByteArray) other = layer_tar("x", "2");
    g_assert_true(g_file_set_contents(path, (const char *)other->data, other->len, NULL));
    get(&f, c, NEED_FILES);
    check_file(&f, c, 0, "x", "1");
    fixture_clear(&f);
}

/* What one image says of a layer's blob, true or not, is nothing to another that has the layer. */
static void test_described_otherwise(void)
{
    for (enum lie lie = OTHER_BLOB; lie <= OTHER_TYPE; lie++) {
        struct fixture f;
        struct digest manifest;
        g_autoptr(GError) err = NULL;
        g_autoptr(chain) c = NULL;
        g_autoptr(chain) other = NULL;
        const char *const layers[] = {"x=1", "dir/y=2", NULL};
        fixture_init(&f);
        put_index(&f, named(put_lying(&f, layers, "amd64", lie), "lie"),
                  named(put_image(&f, layers, "amd64"), "good"));
        g_assert_true(layout_resolve(f.store, f.layout, "lie", &amd64, &manifest, &err));
        g_assert_true(image_describe(f.store, &manifest, &other, &err));
        g_assert_true(layout_resolve(f.store, f.layout, "good", &amd64, &manifest, &err));
        g_assert_true(image_describe(f.store, &manifest, &c, &err));
        gboolean absent;
        g_auto(absent_layer) a = {.size = 0};
        g_assert_true(store_absent_get(f.store, c->ids[0], &absent, &a, &err) && absent);
        g_assert_cmpstr(a.media_type, ==, MEDIA_OCI_LAYER);
        get(&f, c, NEED_FILES);
        check_file(&f, c, 0, "x", "1");
        /* What is here was verified, and serves both. */
        g_autoptr(chain) again = NULL;
        g_assert_true(layout_resolve(f.store, f.layout, "lie", &amd64, &manifest, &err));
        g_assert_true(image_describe(f.store, &manifest, &again, &err));
        g_assert_true(chain_equal(c, again));
        fixture_clear(&f);
    }
}

static void test_damage(void)
{
    struct fixture f;
    struct digest manifest;
    g_autoptr(GError) err = NULL;
    fixture_init(&f);
    struct descriptor *d = put_image(&f, (const char *const[]){"x=1", NULL}, "amd64");
    put_index(&f, d, NULL);
    g_assert_true(layout_resolve(f.store, f.layout, NULL, &amd64, &manifest, &err));
    g_autoptr(GByteArray) tar = layer_tar("x", "1");
    g_autoptr(GByteArray) other = layer_tar("x", "2");
    struct digest diff;
    char hex[DIGEST_HEX_LEN + 1];
    digest_of_bytes(&diff, tar->data, tar->len);
    g_autofree char *path = g_strdup_printf("%s/blobs/sha256/%s", f.layout, digest_hex(&diff, hex));
    g_assert_true(g_file_set_contents(path, (const char *)other->data, other->len, NULL));
    g_assert_null(unpack(&f, &manifest, &err));
    g_assert_error(err, VARVE_ERROR, VARVE_ERROR_INVALID);
    g_assert_false(store_blob_has(f.store, &diff, NULL));
    struct layer_info info;
    gboolean absent;
    struct layer_want w = {.store = f.store, .diff_id = &diff};
    g_assert_false(layer_find(&w, &absent, &info));
    fixture_clear(&f);
}

static void run(const char *format, ...)
{
    va_list ap;
    va_start(ap, format);
    g_autofree char *command = g_strdup_vprintf(format, ap);
    va_end(ap);
    g_autoptr(GError) err = NULL;
    int status;
    g_assert_true(g_spawn_sync(NULL, (char **)(const char *const[]){"sh", "-c", command, NULL},
                               NULL, G_SPAWN_SEARCH_PATH, NULL, NULL, NULL, NULL, &status, &err));
    g_spawn_check_wait_status(status, &err);
    g_assert_no_error(err);
}

/* Loads an archive into a new store and looks into its first image; returns the names of all. */
static char *check_archive(struct fixture *f, const char *name, GError **err)
{
    g_autofree char *path = g_build_filename(f->root, name, NULL);
    new_store(f);
    g_autoptr(GPtrArray) images = load(f, path, NULL, err);
    if (!images)
        return NULL;
    GString *names = g_string_new(NULL);
    for (guint i = 0; i < images->len; i++) {
        struct loaded_image *image = images->pdata[i];
        g_string_append(names, "[");
        for (guint k = 0; k < image->names->len; k++)
            g_string_append_printf(names, "%s%s", k ? " " : "", (char *)image->names->pdata[k]);
        g_string_append(names, "]");
    }
    check_file(f, ((struct loaded_image *)images->pdata[0])->chain, 1, "x", "1");
    return g_string_free(names, FALSE);
}

static void test_oci_archive(void)
{
    struct fixture f;
    g_autoptr(GError) err = NULL;
    fixture_init(&f);
    struct descriptor *d = put_image(&f, (const char *const[]){"", "x=1", NULL}, "amd64");
    struct descriptor *again = named(descriptor_copy(d), "host:5/n:two");
    put_index(&f, named(d, "t"), again);
    run("cd %s/layout && tar -cf ../plain.tar . && tar -czf ../packed.tar *", f.root);
    g_autofree char *plain = check_archive(&f, "plain.tar", &err);
    g_assert_no_error(err);
    g_assert_cmpstr(plain, ==, "[host:5/n:two]"); /* "t" is a tag without a name */
    g_autofree char *packed = check_archive(&f, "packed.tar", &err);
    g_assert_no_error(err);
    g_assert_cmpstr(packed, ==, plain);
    run("cd %s/layout && for b in blobs/sha256/*; do printf z >>$b; break; done; tar -cf "
        "../bad.tar .",
        f.root);
    g_assert_null(check_archive(&f, "bad.tar", &err));
    g_assert_error(err, VARVE_ERROR, VARVE_ERROR_INVALID);
    fixture_clear(&f);
}

/* Old docker save: layers in directories, one of them a symlink to another's. */
static void test_docker_archive(void)
{
    struct fixture f;
    struct digest manifest;
    g_autoptr(GError) err = NULL;
    fixture_init(&f);
    put_index(&f, put_image(&f, (const char *const[]){"", "x=1", "", NULL}, "amd64"), NULL);
    g_assert_true(layout_resolve(f.store, f.layout, NULL, &amd64, &manifest, &err));
    g_autoptr(GBytes) json = store_blob_read(f.store, &manifest, 1 << 20, &err);
    g_autoptr(manifest) m =
        manifest_parse(g_bytes_get_data(json, NULL), g_bytes_get_size(json), NULL, &err);
    char config[DIGEST_HEX_LEN + 1], first[DIGEST_HEX_LEN + 1], second[DIGEST_HEX_LEN + 1];
    digest_hex(&m->config.digest, config);
    digest_hex(&((struct descriptor *)m->items->pdata[0])->digest, first);
    digest_hex(&((struct descriptor *)m->items->pdata[1])->digest, second);
    run("cd %s && mkdir -p d/1 d/2 d/3 && cp layout/blobs/sha256/%s d/c.json && cp "
        "layout/blobs/sha256/%s d/1/layer.tar &&"
        "cp layout/blobs/sha256/%s d/2/layer.tar && ln -s ../1/layer.tar d/3/layer.tar && echo 1.0 "
        ">d/1/VERSION &&"
        "echo "
        "'[{\"Config\":\"c.json\",\"RepoTags\":[\"reg:5/n:v1\",\"n:v2\"],\"Layers\":[\"1/"
        "layer.tar\","
        "\"2/layer.tar\",\"3/layer.tar\"]},"
        "{\"Config\":\"c.json\",\"RepoTags\":null,\"Layers\":[\"1/layer.tar\",\"2/layer.tar\","
        "\"3/layer.tar\"]}]' >d/manifest.json && tar -C d -cf d.tar 1 2 3 c.json manifest.json",
        f.root, config, first, second);
    g_autofree char *names = check_archive(&f, "d.tar", &err);
    g_assert_no_error(err);
    g_assert_cmpstr(names, ==, "[reg:5/n:v1 docker.io/library/n:v2][]");
    run("cd %s && tar -C d -cf d.tar 1 3 c.json manifest.json", f.root);
    g_assert_null(check_archive(&f, "d.tar", &err));
    g_assert_error(err, VARVE_ERROR, VARVE_ERROR_INVALID);
    g_clear_error(&err);
    run("cd %s && tar -C d -cf d.tar 1", f.root);
    g_assert_null(check_archive(&f, "d.tar", &err));
    g_assert_error(err, VARVE_ERROR, VARVE_ERROR_INVALID);
    fixture_clear(&f);
}

/* A source whose bytes come wrong at first, or from the middle: the layer is unpacked from the blob
 * then. */
struct odd_source {
    struct blob_source base;
    struct blob_source *real;
    gboolean wrong_first; /* else: resumed */
};

static gboolean odd_fetch(struct blob_source *self, const struct descriptor *d, GError **err)
{
    struct odd_source *o = (struct odd_source *)self;
    return o->real->fetch(o->real, d, err);
}

static gboolean odd_fetch_tapped(struct blob_source *self, const struct descriptor *d,
                                 struct blob_tap *tap, GError **err)
{
    struct odd_source *o = (struct odd_source *)self;
    guint8 junk[600] = {1, 2, 3};
    tap->bytes(tap, o->wrong_first ? 0 : 512, junk, sizeof junk);
    return o->real->fetch_tapped(o->real, d, tap, err);
}

static void test_odd_sources(void)
{
    for (int wrong_first = 0; wrong_first < 2; wrong_first++) {
        struct fixture f;
        struct digest manifest;
        g_autoptr(GError) err = NULL;
        fixture_init(&f);
        put_index(&f, put_image(&f, (const char *const[]){"", "x=1", NULL}, "amd64"), NULL);
        g_assert_true(layout_resolve(f.store, f.layout, NULL, &amd64, &manifest, &err));
        struct odd_source o = {
            {odd_fetch, odd_fetch_tapped}, layout_blob_source(f.store, f.layout), wrong_first};
        struct chain *c = NULL;
        image_unpack(f.store, &manifest, &o.base, NULL, NULL, &c, &err);
        g_assert_no_error(err);
        check_file(&f, c, 1, "x", "1");
        chain_free(c);
        layout_blob_source_free(o.real);
        fixture_clear(&f);
    }
}

/* Layers are unpacked by their descriptors alone; as many diff ids as blobs are needed. */
static void test_descriptors(void)
{
    struct fixture f;
    struct digest manifest;
    g_autoptr(GError) err = NULL;
    fixture_init(&f);
    put_index(&f, put_image(&f, (const char *const[]){"", "x=1", NULL}, "amd64"), NULL);
    g_assert_true(layout_resolve(f.store, f.layout, NULL, &amd64, &manifest, &err));
    g_autoptr(manifest) m = manifest_load(f.store, &manifest, &err);
    g_autoptr(image_conf) conf = image_conf_load(f.store, &m->config.digest, &err);
    g_assert_no_error(err);
    struct blob_source *src = layout_blob_source(f.store, f.layout);
    struct chain *c = NULL;
    g_autoptr(GArray) few = g_array_new(FALSE, FALSE, sizeof(struct digest));
    g_assert_false(layers_unpack(f.store, m->items, few, src, NULL, NULL, &c, &err));
    g_assert_error(err, VARVE_ERROR, VARVE_ERROR_INVALID);
    g_clear_error(&err);
    layers_unpack(f.store, m->items, conf->diff_ids, src, NULL, NULL, &c, &err);
    g_assert_no_error(err);
    check_file(&f, c, 1, "x", "1");
    chain_free(c);
    layout_blob_source_free(src);
    fixture_clear(&f);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/layout/choose", test_choose);
    g_test_add_func("/layout/descriptors", test_descriptors);
    g_test_add_func("/layout/nested-index", test_nested_index);
    g_test_add_func("/layout/oci-archive", test_oci_archive);
    g_test_add_func("/layout/docker-archive", test_docker_archive);
    g_test_add_func("/unpack/layers", test_unpack);
    g_test_add_func("/unpack/describe", test_describe);
    g_test_add_func("/unpack/described", test_unpack_described);
    g_test_add_func("/unpack/present-alone", test_present_alone);
    g_test_add_func("/unpack/described-otherwise", test_described_otherwise);
    g_test_add_func("/unpack/damaged-blob", test_damaged_blob);
    g_test_add_func("/unpack/damage", test_damage);
    g_test_add_func("/unpack/odd-sources", test_odd_sources);
    return g_test_run();
}
