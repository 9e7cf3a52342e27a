#include "base/csv.h"

#include "base/error.h"

/* Reads the field at p; returns what follows it, NULL when a quote is misplaced. */
static const char *read_quoted(const char *p, GString *field)
{
    for (; *p; p++) {
        if (*p == '"' && p[1] != '"')
            return p[1] == ',' || !p[1] ? p + 1 : NULL;
        p += *p == '"';
        g_string_append_c(field, *p);
    }
    return NULL;
}

static const char *read_plain(const char *p, GString *field)
{
    for (; *p && *p != ','; p++) {
        if (*p == '"')
            return NULL;
        g_string_append_c(field, *p);
    }
    return p;
}

char **csv_split(const char *text, GError **err)
{
    g_autoptr(GStrvBuilder) fields = g_strv_builder_new();
    g_autoptr(GString) field = g_string_new(NULL);
    for (const char *p = text;; p++) {
        g_string_truncate(field, 0);
        p = *p == '"' ? read_quoted(p + 1, field) : read_plain(p, field);
        if (!p) {
            error_set(err, VARVE_ERROR_INVALID,
                      "a quote is misplaced; quote a whole key=value with \"…\"");
            return NULL;
        }
        g_strv_builder_add(fields, field->str);
        if (!*p)
            return g_strv_builder_end(fields);
    }
}
