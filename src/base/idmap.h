/* The ids of this process's user namespace, and what they are outside of it (user_namespaces(7)).
 */
#ifndef VARVE_BASE_IDMAP_H
#define VARVE_BASE_IDMAP_H

#include <glib.h>

struct id_range {
    guint32 inside, outside; /* the first id, here and in the namespace around this one */
    guint32 count;           /* ids */
};

/* struct id_range of "uid_map" or "gid_map"; empty when it cannot be read. */
GArray *idmap_read(const char *kind);
/* Whether these are all ids, each as itself: only the first namespace has them. */
gboolean idmap_is_all(const GArray *ids);
/* Whether every id means here what it means on the machine: root is the machine's root, whose files
 * it may change. */
gboolean idmap_is_whole(void);
/* What maps the ids of this namespace onto themselves in another one, "0 0 65536\n", of no range
 * more than most ids; "" when there are none. */
char *idmap_same_text(const char *kind, guint32 most);

#endif
