/* What the tests of cache mounts share: machines, each with a store and a mount's directory. */
#ifndef VARVE_TESTS_CACHE_FIXTURE_H
#define VARVE_TESTS_CACHE_FIXTURE_H

#include "../tree/fixture.h"

#include "cache/mountmanifest.h"
#include "store/blob.h"

struct machine {
    char *root;          /* directory of all */
    char *dir;           /* the mount */
    struct store *store; /* beside it */
    struct mount_dir mount;
};

G_GNUC_UNUSED static void machine_open(struct machine *m)
{
    GError *err = NULL;
    g_autofree char *store = fixture_path(m->root, "store");
    m->store = store_open(store, &err);
    g_assert_no_error(err);
    m->mount = (struct mount_dir){.store = m->store, .name = "volumes/test"};
    m->mount.fd = fs_open_dir(AT_FDCWD, m->dir, &err);
    g_assert_no_error(err);
}

G_GNUC_UNUSED static struct machine machine_new(void)
{
    struct machine m = {.root = fixture_dir()};
    m.dir = fixture_path(m.root, "mount");
    fixture_mkdir(m.root, "mount", 0755);
    machine_open(&m);
    return m;
}

G_GNUC_UNUSED static void machine_drop(struct machine *m)
{
    fd_cleanup(&m->mount.fd);
    store_close(m->store);
    g_free(m->dir);
    fixture_drop(m->root);
}

/* Exports; out is cleared first. Returns the manifest. */
G_GNUC_UNUSED static struct mount_manifest *machine_export(struct machine *m,
                                                           const struct mount_manifest *previous,
                                                           guint64 max, struct mount_export *out)
{
    GError *err = NULL;
    mount_export_clear(out);
    mount_export(&m->mount, previous, max, out, &err);
    g_assert_no_error(err);
    g_autoptr(GBytes) bytes =
        store_blob_read(m->store, &out->manifest.digest, MOUNT_MAX_MANIFEST, &err);
    g_assert_no_error(err);
    g_assert_cmpuint(g_bytes_get_size(bytes), ==, out->manifest.size);
    struct mount_manifest *manifest = mount_manifest_parse(bytes, &err);
    g_assert_no_error(err);
    return manifest;
}

/* Copies blobs (struct descriptor*) from one store to another. */
G_GNUC_UNUSED static void machine_send(struct machine *from, struct machine *to,
                                       const GPtrArray *blobs)
{
    for (guint i = 0; i < blobs->len; i++) {
        GError *err = NULL;
        const struct descriptor *d = g_ptr_array_index(blobs, i);
        g_autoptr(GBytes) bytes = store_blob_read(from->store, &d->digest, 1 << 30, &err);
        g_assert_no_error(err);
        g_assert_cmpuint(g_bytes_get_size(bytes), ==, d->size);
        store_blob_put(to->store, g_bytes_get_data(bytes, NULL), d->size, NULL, &err);
        g_assert_no_error(err);
    }
}

/* Sends what the import needs, and nothing else, and imports. Returns how many packs it took. */
G_GNUC_UNUSED static guint machine_import(struct machine *from, struct machine *to,
                                          const struct mount_manifest *m, guint64 *files)
{
    GError *err = NULL;
    g_autoptr(GPtrArray) packs = mount_import_packs(m, &to->mount, &err);
    g_assert_no_error(err);
    machine_send(from, to, packs);
    mount_import(m, &to->mount, files, &err);
    g_assert_no_error(err);
    return packs->len;
}

/* Everything about the mount, as text. */
G_GNUC_UNUSED static char *machine_show(struct machine *m)
{
    g_autofree char *command = g_strdup_printf(
        "cd '%s' && find . \\( -type d -o -type f -o -type l \\) -printf "
        "'%%p %%y %%m %%U %%G %%T@ %%n %%l\\n' | sort && find . -type f -print0 | sort -z | "
        "xargs -r0 sha256sum",
        m->dir);
    const char *args[] = {"sh", "-c", command, NULL};
    char *out = NULL;
    int status;
    g_assert_true(g_spawn_sync(NULL, (char **)args, NULL, G_SPAWN_SEARCH_PATH, NULL, NULL, &out,
                               NULL, &status, NULL));
    g_assert_cmpint(status, ==, 0);
    return out;
}

/* A file of size bytes that depend on seed. */
G_GNUC_UNUSED static void machine_file(struct machine *m, const char *path, gsize size, guint seed,
                                       time_t at)
{
    g_autofree char *text = g_malloc(size + 1);
    g_autoptr(GRand) random = g_rand_new_with_seed(seed);
    for (gsize i = 0; i < size; i++)
        text[i] = 'a' + g_rand_int_range(random, 0, 26);
    text[size] = '\0';
    fixture_file(m->dir, path, text, 0644, at);
}

#endif
