/* Filling a fresh volume from an image: plain copies, never objects, since volumes are written in
 * place. */
#ifndef VARVE_LAYER_FILL_H
#define VARVE_LAYER_FILL_H

#include "base/cancel.h"
#include "store/record.h"

/* Copies what lies below path in chain into the empty directory dir, owners and modes included,
 * those of path itself too unless it is the root; devices and sockets are left out.
 * VARVE_ERROR_NOT_FOUND when there is no path. */
gboolean fill_from_chain(struct store *s, const struct chain *chain, const char *path, int dir,
                         struct cancel *c, GError **err);

#endif
