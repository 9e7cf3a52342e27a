/* .env files, as Compose reads them: NAME=value or NAME: value in lines, "export" before, #
 * comments; '…' as it is, "…" with escapes, both across lines; variables in what is not in '…'. */
#ifndef VARVE_BAKE_DOTENV_H
#define VARVE_BAKE_DOTENV_H

#include <glib.h>

#define DOTENV_MAX_BYTES (1 << 20) /* of a file */

/* Adds the variables of the text to vars (char * → char *, owned). lookup(self, NAME) is asked
 * first for variables in values, then vars; it gives a NAME without "=" its value. FALSE with
 * VARVE_ERROR_INVALID, and the line in *line (from 1; 0: none). */
gboolean dotenv_parse(GHashTable *vars, const void *bytes, gsize len,
                      const char *(*lookup)(gpointer self, const char *name), gpointer self,
                      guint *line, GError **err);

#endif
