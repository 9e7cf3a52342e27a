/* Manifests of cache mounts: what is accepted is written so that it reads the same, and merges. The
 * input is what the compression holds: otherwise nothing would get past it. */
#include "fuzz.h"

#include "cache/mountmanifest.h"

#include <string.h>
#include <zstd.h>

static void check_accepted(const struct mount_manifest *m)
{
    for (guint i = 1; i < m->entries->len; i++) {
        const struct mount_entry *e = mount_entry_at(m, i);
        g_assert_true(*e->path && *e->path != '/' && !strstr(e->path, "//"));
        g_assert_true(!g_str_has_prefix(e->path, "../") && !strstr(e->path, "/../"));
        g_assert_true(e->path == mount_manifest_entry(m, e->path)->path);
        g_assert_cmpuint(mount_entry_size(m, e), <=, MOUNT_MAX_BYTES);
    }
    g_autoptr(GPtrArray) packs = mount_manifest_packs(m);
    g_autoptr(GBytes) merged = mount_manifest_merge(m, m);
    g_autoptr(mount_manifest) again = mount_manifest_parse(merged, NULL);
    g_assert_nonnull(again);
    g_autoptr(GBytes) twice = mount_manifest_merge(again, again);
    g_assert_true(g_bytes_equal(merged, twice));
    g_assert_cmpuint(mount_manifest_files(again, NULL), ==, mount_manifest_files(m, NULL));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    gsize room = ZSTD_compressBound(size);
    g_autofree guint8 *out = g_malloc(room);
    gsize n = ZSTD_compress(out, room, data, size, 1);
    g_autoptr(GBytes) bytes = g_bytes_new(out, n);
    g_autoptr(GError) err = NULL;
    g_autoptr(mount_manifest) m = mount_manifest_parse(bytes, &err);
    g_assert_true((m == NULL) == (err != NULL));
    if (m)
        check_accepted(m);
    return 0;
}
