/* The kernel's views, /proc and /sys, in a user namespace. The kernel lets one mount its own only
 * where it sees one without masks; a container's are masked, unless its options say otherwise.
 * There sandboxes get the container's own, with its masks and varve's. */
#ifndef VARVE_EXEC_KERNELVIEW_H
#define VARVE_EXEC_KERNELVIEW_H

#include <glib.h>

#define KERNELVIEW_PROC 1u
#define KERNELVIEW_SYS 2u

/* Which of them cannot be mounted anew: really tried, in a process of its own, once. */
guint kernelview_refused(void);
/* What a program in such a sandbox sees and what gives it its own, for the user; NULL when nothing
 * is refused, or was told before. */
char *kernelview_warning(void);

#endif
