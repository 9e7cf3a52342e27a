#include "base/error.h"
#include "run/mount.h"

typedef gboolean (*add_fn)(GArray *mounts, const char *text, GError **err);

/* What one text is, as "type source target flags", or the beginning of its error. */
struct mount_case {
    add_fn add;
    const char *text, *expected;
};

static const struct mount_case cases[] = {
    {run_mount_add_volume, "data:/data", "volume data /data -"},
    {run_mount_add_volume, "data:/a/../b/", "volume data /b -"},
    {run_mount_add_volume, "/data", "volume - /data -"},
    {run_mount_add_volume, "./src:/src:ro", "bind ./src /src ro"},
    {run_mount_add_volume, "/src:/src:z,cached", "bind /src /src -"},
    {run_mount_add_volume, "/src:/src:ro,rw", "-v /src:/src:ro,rw: ro and rw cannot"},
    {run_mount_add_volume, "/src:/src:wet", "-v /src:/src:wet: unknown mode wet"},
    {run_mount_add_volume, "a/b:/src", "-v a/b:/src: must be NAME:"},
    {run_mount_add_volume, "data:data", "-v data:data: must be NAME:"},
    {run_mount_add_volume, "a:/b:ro:c", "-v a:/b:ro:c: must be NAME:"},
    {run_mount_add_volume, "", "-v : must be NAME:"},
    {run_mount_add_volume, "data:/", "-v data:/: / is not an absolute path below /"},
    {run_mount_add, "type=bind,source=/s,target=/t,readonly", "bind /s /t ro"},
    {run_mount_add, "type=bind,src=.,dst=/t,ro=false", "bind . /t -"},
    {run_mount_add, "source=data,destination=/t", "volume data /t -"},
    {run_mount_add, "target=/t", "volume - /t -"},
    {run_mount_add, "type=volume,source=,target=/t", "volume - /t -"},
    {run_mount_add, "type=tmpfs,target=/t,tmpfs-size=1m,tmpfs-mode=0700",
     "tmpfs - /t noexec size=1048576 mode=700"},
    {run_mount_add, "type=tmpfs,source=x,target=/t",
     "--mount type=tmpfs,source=x,target=/t: the source is not for a tmpfs"},
    {run_mount_add, "type=bind,source=data,target=/t",
     "--mount type=bind,source=data,target=/t: the source is not a path"},
    {run_mount_add, "type=volume,source=/s,target=/t",
     "--mount type=volume,source=/s,target=/t: the source is not the name"},
    {run_mount_add, "type=glue,target=/t", "--mount type=glue,target=/t: type=glue is not"},
    {run_mount_add, "source=data", "--mount source=data: target=/PATH is missing"},
    {run_mount_add, "target=t", "--mount target=t: target=/PATH is missing"},
    {run_mount_add, "target=/t,colour=red", "--mount target=/t,colour=red: unknown key colour"},
    {run_mount_add, "target=/t,tmpfs-mode=9", "--mount target=/t,tmpfs-mode=9: tmpfs-mode=9 is"},
    {run_mount_add, "target=/t,ro=perhaps", "--mount target=/t,ro=perhaps: ro=perhaps is"},
    {run_mount_add_tmpfs, "/t", "tmpfs - /t noexec"},
    {run_mount_add_tmpfs, "/t:size=64k,mode=1777,ro,exec", "tmpfs - /t ro size=65536 mode=1777"},
    {run_mount_add_tmpfs, "/t:huge=always", "--tmpfs /t:huge=always: \"huge=always\" is not"},
    {run_mount_add_tmpfs, "t", "--tmpfs t: t is not an absolute path"},
    {run_mount_add_tmpfs, "/..", "--tmpfs /..: / is not an absolute path"},
};

static char *shown(const struct run_mount *m)
{
    static const char *const types[] = {
        [RUN_MOUNT_VOLUME] = "volume", [RUN_MOUNT_BIND] = "bind", [RUN_MOUNT_TMPFS] = "tmpfs"};
    GString *out = g_string_new(NULL);
    g_string_printf(out, "%s %s %s", types[m->type], m->source ? m->source : "-", m->target);
    gsize plain = out->len;
    if (m->readonly)
        g_string_append(out, " ro");
    if (m->noexec && m->type == RUN_MOUNT_TMPFS)
        g_string_append(out, " noexec");
    if (out->len == plain)
        g_string_append(out, " -");
    if (m->size)
        g_string_append_printf(out, " size=%" G_GUINT64_FORMAT, m->size);
    if (m->mode)
        g_string_append_printf(out, " mode=%o", m->mode);
    return g_string_free(out, FALSE);
}

static void test_case(gconstpointer data)
{
    const struct mount_case *c = data;
    g_autoptr(GArray) mounts = run_mounts_new();
    g_autoptr(GError) err = NULL;
    if (c->add(mounts, c->text, &err)) {
        g_autofree char *got = shown(&g_array_index(mounts, struct run_mount, 0));
        g_assert_cmpstr(got, ==, c->expected);
        return;
    }
    g_assert_error(err, VARVE_ERROR, VARVE_ERROR_USAGE);
    if (!g_str_has_prefix(err->message, c->expected))
        g_assert_cmpstr(err->message, ==, c->expected);
    g_assert_cmpuint(mounts->len, ==, 0);
}

static void test_one_place(void)
{
    g_autoptr(GArray) mounts = run_mounts_new();
    g_autoptr(GError) err = NULL;
    g_assert_true(run_mount_add_volume(mounts, "a:/data", NULL));
    g_assert_false(run_mount_add(mounts, "source=b,target=/x/../data", &err));
    g_assert_error(err, VARVE_ERROR, VARVE_ERROR_USAGE);
    g_assert_false(run_mount_add_tmpfs(mounts, "/data/", NULL));
    g_assert_true(run_mount_add_tmpfs(mounts, "/data/cache", NULL));
    g_assert_cmpuint(mounts->len, ==, 2);
    g_assert_true(run_mounts_have(mounts, "/data/cache"));
    g_assert_false(run_mounts_have(mounts, "/cache"));
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *path = g_strdup_printf("/mount/case/%u", i);
        g_test_add_data_func(path, &cases[i], test_case);
    }
    g_test_add_func("/mount/one-place", test_one_place);
    return g_test_run();
}
