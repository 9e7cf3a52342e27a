/* Lists of objects as S3 (ListObjectsV2) and Azure (List Blobs) write them, in XML, and other XML
 * of theirs. Read as hostile: no more than a page, nothing nested deeper than a few elements. */
#ifndef VARVE_CACHE_OBJECTLIST_H
#define VARVE_CACHE_OBJECTLIST_H

#include <glib.h>

struct object_entry {
    char *key;       /* its name */
    guint64 size;    /* bytes */
    gint64 modified; /* seconds since the epoch; 0: unknown */
};
void object_entry_free(struct object_entry *e);

/* The names of elements. */
struct object_listing {
    const char *item;                  /* of an object; in it: */
    const char *key, *size, *modified; /* of struct object_entry's members */
    const char *next;                  /* what continues the list */
};
/* Adds a page's objects to out (struct object_entry*). *next: what to ask on with; NULL: that was
 * all. VARVE_ERROR_INVALID. */
gboolean objectlist_parse(const struct object_listing *l, const char *xml, gsize len,
                          GPtrArray *out, char **next, GError **err);
/* The text of the first element of this name anywhere; NULL: there is none, or it is no XML. */
char *objectlist_element(const char *xml, gsize len, const char *name);

#endif
