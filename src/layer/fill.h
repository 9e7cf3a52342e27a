/* Filling a fresh volume from an image: plain copies, never objects, because volumes are written in
 * place. */
#ifndef VARVE_LAYER_FILL_H
#define VARVE_LAYER_FILL_H

#include "base/cancel.h"
#include "store/record.h"

/* Copies what is below path in chain into the empty directory dir, with owners and modes, and also
 * those of path itself unless it is the root; devices and sockets are left out.
 * VARVE_ERROR_NOT_FOUND if path does not exist. */
gboolean fill_from_chain(struct store *s, const struct chain *chain, const char *path, int dir,
                         struct cancel *c, GError **err);

#endif
