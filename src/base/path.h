/* Slash-separated paths as text, with the rules of Go's "path" package, on which Dockerfile
 * semantics are based. Nothing here looks at the file system. All results are newly allocated. */
#ifndef VARVE_BASE_PATH_H
#define VARVE_BASE_PATH_H

#include <glib.h>

/* Shortest equivalent: no "//", ".", no "x/..", no trailing '/'; "" becomes "."; ".." directly
 * below the root is dropped. */
char *path_clean(const char *path);
/* path_clean() of the non-empty parts joined by '/'; "" when all are empty. The list ends with
 * NULL. */
char *path_join(const char *first, ...) G_GNUC_NULL_TERMINATED;
/* Last element without trailing slashes; "." for "", "/" for all slashes. */
char *path_base(const char *path);

#endif
