/* Mount points that had to be made in a root, and their removal after the run, so that a layer does
 * not contain what was made only for mounting (as Docker's builder does): a made file or directory
 * that is still empty is removed, and its parent directory gets its old modification time back.
 * Internal to this room. */
#ifndef VARVE_EXEC_STUB_H
#define VARVE_EXEC_STUB_H

#include <glib.h>

struct stubs;
struct stubs *stubs_new(void);
/* Frees without removing; NULL is fine. */
void stubs_free(struct stubs *s);
/* Makes path (absolute in rootfd, symlinks resolved inside it, even dangling ones) exist as a
 * directory, or with dir FALSE as a file, making missing parents (mode 0755). *made (may be NULL)
 * says whether anything was made. What is made is remembered for stubs_remove(); with s NULL it
 * stays, and another process may make it at the same time. */
gboolean stubs_make(struct stubs *s, int rootfd, const char *path, gboolean dir, gboolean *made,
                    GError **err);
/* Opens the absolute path O_PATH without following its last name if that is a link; -1 with errno.
 */
typedef int (*stubs_open_fn)(gpointer ctx, const char *path);
/* The absolute path with symlinks resolved through open; missing components are kept. "/" if it
 * leads to the root; NULL on error. */
char *stubs_resolve(stubs_open_fn open, gpointer ctx, const char *path, GError **err);
/* Like stubs_make() without remembering, for what stays (/proc, /sys and /dev; working
 * directories). The made directories belong to uid and gid. */
gboolean stubs_make_lasting(int rootfd, const char *path, guint32 uid, guint32 gid, GError **err);
/* Removes what is still empty, newest first. Adds the paths of directories that only stubs changed
 * to touched (may be NULL; of char *). What the program changed stays; FALSE if removing fails for
 * another reason: the layer would contain what no step made. */
gboolean stubs_remove(struct stubs *s, GPtrArray *touched, GError **err);

#endif
