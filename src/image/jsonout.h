/* Writing JSON byte for byte as Go's encoding/json does (on which Docker's and BuildKit's digests
 * depend): the caller's key order, "<", ">", "&", U+2028 and U+2029 escaped, no blanks when
 * compact, and MarshalIndent's layout when indented. Invalid UTF-8 becomes U+FFFD. */
#ifndef VARVE_IMAGE_JSONOUT_H
#define VARVE_IMAGE_JSONOUT_H

#include <glib.h>

struct jsonout {
    GString *text;   /* what is written so far */
    int indent;      /* blanks per level, 0: compact */
    int depth;       /* open objects and lists */
    gboolean filled; /* the innermost open object or list already has a member */
};
void jsonout_init(struct jsonout *j, int indent);
/* The finished document; j is empty then. */
GBytes *jsonout_finish(struct jsonout *j);
/* key is NULL for members of a list and for the document itself. bracket: '{' or '['. */
void jsonout_open(struct jsonout *j, const char *key, char bracket);
void jsonout_close(struct jsonout *j, char bracket);
void jsonout_str(struct jsonout *j, const char *key, const char *value);
void jsonout_int(struct jsonout *j, const char *key, gint64 value);
void jsonout_true(struct jsonout *j, const char *key);
/* Left out if NULL, 0, FALSE or empty (Go's omitempty). */
void jsonout_opt_str(struct jsonout *j, const char *key, const char *value);
void jsonout_opt_int(struct jsonout *j, const char *key, gint64 value);
void jsonout_opt_strv(struct jsonout *j, const char *key, char *const *strv, gsize n);
/* A sorted map of strings; with as_set its values are written as {}. */
void jsonout_opt_map(struct jsonout *j, const char *key, GTree *map, gboolean as_set);

#endif
