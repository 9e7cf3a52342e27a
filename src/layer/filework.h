/* What the parts of file ops share. Internal to file*.c. */
#ifndef VARVE_LAYER_FILEWORK_H
#define VARVE_LAYER_FILEWORK_H

#include "layer/dest.h"
#include "layer/fileop.h"
#include "text/chmod.h"

/* One action being applied. */
struct filework {
    const struct fileop_env *env;
    const struct file_action *a; /* what is applied, borrowed */
    struct dest *dest;           /* what it changes */
    struct tree *tree;           /* copy: where sources come from */
    GPtrArray *selected;         /* copy: fileop_env's for the action, or NULL */
    gboolean has_owner;          /* a->owner is set: */
    guint32 uid, gid;            /* it, resolved */
    gboolean has_mode;           /* a->mode_text is set: */
    struct chmod chmod;          /* it, parsed */
};
/* An entry made by the action itself, not copied, with the action's owner; with its mode if it has
 * one, else mode. Its path is "". */
struct entry filework_made(const struct filework *w, enum entry_type type, guint32 mode);
/* How directories that are missing on the way to what the action makes are made. */
struct dest_made filework_missing(const struct filework *w);
/* Gives the copied entry e the action's owner and mode. */
void filework_adjust(const struct filework *w, struct entry *e);
/* Makes the directory text (absolute, resolved through symlinks) and its missing parents. Returns
 * its clean path; NULL on error. */
char *filework_make_dirs(struct filework *w, const char *text, GError **err);

gboolean filework_copy(struct filework *w, GError **err);
/* Extracts s, a regular file, at the action's dest when it is an archive; else *is_archive is
 * FALSE. */
gboolean filework_unpack(struct filework *w, const struct selected *s, gboolean *is_archive,
                         GError **err);

#endif
