#include "snapshot/overlay.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fs.h"
#include "layer/overlaymark.h"
#include "snapshot/mountfd.h"
#include "store/layer.h"

#define MAX_OPTIONS 4095 /* mount(2) takes one page */

static gboolean check_depth(const struct chain *c, GError **err)
{
    if (c->n <= OVERLAY_MAX_LOWERS)
        return TRUE;
    error_set(err, VARVE_ERROR_UNSUPPORTED,
              "a chain of %u layers cannot be mounted: overlayfs takes %d", c->n,
              OVERLAY_MAX_LOWERS);
    error_add_next(err, "combine instructions, or start from a base image with fewer layers");
    return FALSE;
}

static void add_option(GPtrArray *options, const char *key, char *value)
{
    g_ptr_array_add(options, g_strdup(key));
    g_ptr_array_add(options, value);
}

/* index, metacopy and redirect_dir off: an upper must be a plain layer that does not point at
 * others. volatile: nothing is synced at unmount. */
static void add_common(GPtrArray *options, gboolean writable)
{
    add_option(options, "index", g_strdup("off"));
    add_option(options, "metacopy", g_strdup("off"));
    add_option(options, "redirect_dir", g_strdup("nofollow"));
    if (overlaymark_userxattr())
        add_option(options, "userxattr", NULL);
    if (writable)
        add_option(options, "volatile", NULL);
}

/* "lowerdir+" came with Linux 6.5; an older kernel logs a complaint about it. */
static gboolean takes_layers_singly(GError **err)
{
    struct utsname system;
    int major, minor;
    if (uname(&system) < 0 || sscanf(system.release, "%d.%d", &major, &minor) != 2 || major > 6 ||
        (major == 6 && minor >= 5))
        return TRUE;
    return error_set(err, VARVE_ERROR_FAILED, "Linux before 6.5 cannot be given layers one by one");
}

int overlay_mount_fd(struct overlay *o, GError **err)
{
    const struct chain *c = o->chain;
    if (!check_depth(c, err))
        return -1;
    if (!takes_layers_singly(err)) {
        o->error = ENOSYS;
        return -1;
    }
    g_autofree char *root = fs_fd_path(store_fd(o->store));
    g_autoptr(GPtrArray) options = g_ptr_array_new_with_free_func(g_free);
    for (guint i = c->n; i-- > 0;) {
        g_autofree char *layer = store_layer_path(c->ids[i]);
        add_option(options, "lowerdir+", g_strdup_printf("%s/%s/fs", root, layer));
    }
    if (o->floor)
        add_option(options, "lowerdir+", g_build_filename(root, o->floor, NULL));
    if (o->upper) {
        add_option(options, "upperdir", g_build_filename(root, o->upper, NULL));
        add_option(options, "workdir", g_build_filename(root, o->work, NULL));
    }
    add_common(options, o->upper != NULL);
    add_option(options, NULL, NULL);
    int fd = mountfd_new("overlay", o->upper ? 0 : MOUNT_ATTR_RDONLY,
                         (const char *const *)options->pdata, err);
    o->error = fd < 0 ? errno : 0;
    return fd;
}

struct classic {
    const char *layers; /* working directory of the mount: a path, since a descriptor from outside
                           of the new namespace would lead back there */
    const char *place;  /* where to mount, relative to it */
    const char *options;
    int fd;    /* result */
    int error; /* errno when fd is -1 */
};

/* In a separate thread, which alone enters a new mount namespace; the namespace ends with the
 * thread, the clone stays. */
static gpointer mount_in_private(gpointer data)
{
    struct classic *m = data;
    m->fd = -1;
    if (unshare(CLONE_NEWNS) == 0 && mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
        chdir(m->layers) == 0 && mount("overlay", m->place, "overlay", 0, m->options) == 0)
        m->fd = open_tree(AT_FDCWD, m->place, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
    m->error = errno;
    return NULL;
}

static char *classic_options(const struct overlay *o)
{
    const struct chain *c = o->chain;
    GString *text = g_string_new("lowerdir=");
    for (guint i = c->n; i-- > 0;)
        g_string_append_printf(text, "%s/fs%s", c->ids[i], i ? ":" : "");
    if (o->floor)
        g_string_append_printf(text, ":../%s", o->floor);
    if (o->upper)
        g_string_append_printf(text, ",upperdir=../%s,workdir=../%s", o->upper, o->work);
    g_autoptr(GPtrArray) options = g_ptr_array_new_with_free_func(g_free);
    add_common(options, o->upper != NULL);
    for (guint i = 0; i < options->len; i += 2) {
        const char *key = options->pdata[i], *value = options->pdata[i + 1];
        g_string_append_printf(text, ",%s%s%s", key, value ? "=" : "", value ? value : "");
    }
    return g_string_free(text, FALSE);
}

int overlay_mount_classic(struct overlay *o, const char *place, GError **err)
{
    const struct chain *c = o->chain;
    struct store *s = o->store;
    if (!check_depth(c, err))
        return -1;
    g_autofree char *options = classic_options(o);
    g_autofree char *from_layers = g_build_filename("..", place, NULL);
    if (strlen(options) > MAX_OPTIONS) {
        error_set(err, VARVE_ERROR_UNSUPPORTED,
                  "a chain of %u layers does not fit in this kernel's mount options", c->n);
        error_add_next(err, "use Linux 6.5 or newer, or combine instructions");
        return -1;
    }
    g_autofree char *self = fs_fd_path(store_fd(s));
    g_autofree char *root = g_file_read_link(self, NULL);
    g_autofree char *layers = g_build_filename(root ? root : store_root(s), "layers", NULL);
    if (mkdirat(store_fd(s), place, 0700) < 0 && errno != EEXIST) {
        error_set_errno(err, errno, "making %s in the store", place);
        return -1;
    }
    struct classic m = {.layers = layers, .place = from_layers, .options = options};
    g_thread_join(g_thread_new("overlay", mount_in_private, &m));
    unlinkat(store_fd(s), place, AT_REMOVEDIR);
    o->error = m.fd < 0 ? m.error : 0;
    if (m.fd < 0)
        error_set_errno(err, m.error, "mounting an overlay of %u layers", c->n);
    return m.fd;
}
