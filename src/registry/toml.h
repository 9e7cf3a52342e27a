/* A parser of the part of TOML 1.0 that containers' registries.conf uses: tables, arrays of tables,
 * and keys with strings and booleans; numbers, dates, arrays and inline tables are checked for
 * syntax and skipped. Multi-line strings are refused. */
#ifndef VARVE_REGISTRY_TOML_H
#define VARVE_REGISTRY_TOML_H

#include <glib.h>

enum toml_type { TOML_STRING, TOML_BOOL, TOML_OTHER };

/* Receives what was parsed, in the order of the file. Names are dotted ("registry.mirror"). */
struct toml_handler {
    /* A header: [name], or [[name]] when array. May be NULL. */
    void (*table)(struct toml_handler *self, const char *name, gboolean array);
    /* A key of the current table. text: the string, "true" or "false"; NULL for TOML_OTHER. */
    void (*value)(struct toml_handler *self, const char *key, enum toml_type type,
                  const char *text);
};

/* what names the source in errors. At most 1 MiB; VARVE_ERROR_INVALID with the line number when
 * malformed. */
gboolean toml_read(const char *bytes, gsize len, const char *what, struct toml_handler *h,
                   GError **err);

#endif
