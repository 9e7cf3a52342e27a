/* csvdecode(): RFC 4180 as Go's encoding/csv reads it. */
#include "bake/function.h"

#include <string.h>

static const struct param ONE_STRING[] = {{"str", &type_string, FALSE}};

struct reader {
    const char *p, *end; /* the next byte, behind the last */
    guint line;          /* of the next byte, from 1 */
    GString *field;      /* what is read of a field */
};

static gboolean csv_fail(const struct reader *r, const char *why, GError **err)
{
    call_fail(err, "line %u: %s", r->line, why);
    return FALSE;
}

/* Bytes of the line's end at p: a newline, perhaps after a carriage return, which may also be the
 * last byte; 0: none. */
static gsize line_end(const struct reader *r, const char *p)
{
    if (p < r->end && *p == '\n')
        return 1;
    if (p < r->end && *p == '\r' && (p + 1 == r->end || p[1] == '\n'))
        return MIN(2, (gsize)(r->end - p));
    return 0;
}

/* Behind the opening quote. */
static gboolean csv_quoted(struct reader *r, GError **err)
{
    while (r->p < r->end) {
        gsize newline = line_end(r, r->p);
        if (newline) {
            g_string_append_c(r->field, '\n');
            r->p += newline;
            r->line++;
        } else if (*r->p != '"') {
            g_string_append_c(r->field, *r->p++);
        } else if (r->p + 1 < r->end && r->p[1] == '"') {
            g_string_append_c(r->field, '"');
            r->p += 2;
        } else {
            r->p++;
            if (r->p == r->end || *r->p == ',' || line_end(r, r->p))
                return TRUE;
            return csv_fail(r, "a quote within a quoted field must be doubled", err);
        }
    }
    return csv_fail(r, "a quoted field has no end", err);
}

static gboolean csv_plain(struct reader *r, GError **err)
{
    while (r->p < r->end && *r->p != ',' && !line_end(r, r->p)) {
        if (*r->p == '"')
            return csv_fail(r, "a quote in a field that is not quoted", err);
        g_string_append_c(r->field, *r->p++);
    }
    return TRUE;
}

/* The next line that is not empty, into fields; FALSE at the end, or with *err. */
static gboolean csv_record(struct reader *r, struct heap *h, GPtrArray *fields, GError **err)
{
    for (gsize n; (n = line_end(r, r->p)) > 0; r->line++)
        r->p += n;
    g_ptr_array_set_size(fields, 0);
    if (r->p == r->end)
        return FALSE;
    for (gboolean more = TRUE; more;) {
        g_string_truncate(r->field, 0);
        gboolean quoted = r->p < r->end && *r->p == '"';
        r->p += quoted;
        if (!heap_step(h, 1, err) || !(quoted ? csv_quoted(r, err) : csv_plain(r, err)))
            return FALSE;
        g_ptr_array_add(fields, (gpointer)value_take(h, r->field));
        more = r->p < r->end && *r->p == ',';
        r->p += more;
    }
    gsize newline = line_end(r, r->p);
    r->p += newline;
    r->line += newline > 0;
    return TRUE;
}

/* The names of the columns. */
static struct text *csv_header(struct reader *r, struct heap *h, guint *n, GError **err)
{
    GError *why = NULL;
    g_autoptr(GPtrArray) fields = g_ptr_array_new();
    if (!csv_record(r, h, fields, &why)) {
        if (why)
            g_propagate_error(err, why);
        else
            call_fail(err, "the line with the names of the columns is missing");
        return NULL;
    }
    struct text *keys = heap_array(h, struct text, fields->len);
    for (guint i = 0; i < fields->len; i++)
        keys[i] = ((const struct value *)fields->pdata[i])->text;
    *n = fields->len;
    return keys;
}

static const struct value *call_csvdecode(struct call *c, const struct value *const *args, guint n,
                                          GError **err)
{
    struct text t = args[0]->text;
    guint columns;
    GError *why = NULL;
    g_autoptr(GString) field = g_string_new(NULL);
    g_autoptr(GPtrArray) fields = g_ptr_array_new(), rows = g_ptr_array_new();
    struct reader r = {.p = t.bytes, .end = t.bytes + t.len, .line = 1, .field = field};
    const struct text *keys = csv_header(&r, c->heap, &columns, err);
    if (!keys)
        return NULL;
    const struct value **blank = heap_array(c->heap, const struct value *, columns);
    for (guint i = 0; i < columns; i++)
        blank[i] = value_cstring(c->heap, "");
    const struct value *row = value_object(c->heap, keys, blank, columns);
    if (row->n < columns)
        return call_fail(err, "two columns have the same name");
    const struct type *type = row->type;
    while (csv_record(&r, c->heap, fields, &why)) {
        if (fields->len != columns)
            return call_fail(err, "line %u: wrong number of fields: %u, not %u", r.line - 1,
                             fields->len, columns);
        row = value_object(c->heap, keys, call_items(c->heap, fields), columns);
        g_ptr_array_add(rows, (gpointer)row);
    }
    if (why) {
        g_propagate_error(err, why);
        return NULL;
    }
    return value_list(c->heap, type, call_items(c->heap, rows), rows->len);
}

const struct function functions_csv[] = {
    FUNCTION("csvdecode", ONE_STRING, NULL, call_csvdecode),
    {0},
};
