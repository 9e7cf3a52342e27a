/* --list: what is defined. */
#include "bake/bake.h"

#include <string.h>

#define TAB 8

struct row {
    const char *name;
    char *description; /* or NULL */
    char *type;        /* of a variable, or NULL */
    char *value;       /* of a variable, NULL: null */
    gboolean group;
};

static void row_free(gpointer p)
{
    struct row *r = p;
    g_free(r->description);
    g_free(r->type);
    g_free(r->value);
    g_free(r);
}

static gint row_order(gconstpointer a, gconstpointer b)
{
    return strcmp((*(struct row *const *)a)->name, (*(struct row *const *)b)->name);
}

static void add_target_row(GPtrArray *rows, const struct bake_target *t)
{
    struct row *r = g_new0(struct row, 1);
    r->name = t->name;
    r->description = g_strdup(t->description);
    g_ptr_array_add(rows, r);
}

/* "builds all (app, test)" */
static void add_group_row(GPtrArray *rows, const struct bake_group *g)
{
    struct row *r = g_new0(struct row, 1);
    GString *text = g_string_new(g->description);
    gboolean described = text->len > 0;
    if (described)
        g_string_append(text, " (");
    for (guint i = 0; i < g->targets->len; i++)
        g_string_append_printf(text, "%s%s", i > 0 ? ", " : "", (char *)g->targets->pdata[i]);
    if (described)
        g_string_append_c(text, ')');
    r->name = g->name;
    r->group = TRUE;
    r->description = g_string_free(text, FALSE);
    g_ptr_array_add(rows, r);
}

/* Fields of a row, empty ones left out. */
static void append_field(GString *out, const char *key, const char *value)
{
    if (!value || (!*value && strcmp(key, "value") != 0))
        return;
    g_string_append_printf(out, ",\n    \"%s\": ", key);
    bake_json_string(out, value, FALSE);
}

static char *rows_json(const GPtrArray *rows)
{
    GString *out = g_string_new("[");
    for (guint i = 0; i < rows->len; i++) {
        const struct row *r = rows->pdata[i];
        g_string_append(out, i > 0 ? ",\n  {\n    \"name\": " : "\n  {\n    \"name\": ");
        bake_json_string(out, r->name, FALSE);
        append_field(out, "description", r->description);
        append_field(out, "type", r->type);
        append_field(out, "value", r->value);
        g_string_append_printf(out, "%s\n  }", r->group ? ",\n    \"group\": true" : "");
    }
    g_string_append(out, rows->len > 0 ? "\n]\n" : "]\n");
    return g_string_free(out, FALSE);
}

/* Lines of n cells as columns, separated by as many tabs as it takes. */
static char *table_text(const GPtrArray *lines, guint n)
{
    g_autofree gsize *widths = g_new0(gsize, n);
    GString *out = g_string_new(NULL);
    for (guint i = 0; i < lines->len; i++)
        for (guint j = 0; j < n; j++) {
            gsize width = (gsize)g_utf8_strlen(((char **)lines->pdata[i])[j], -1);
            widths[j] = MAX(widths[j], width / TAB * TAB + TAB);
        }
    for (guint i = 0; i < lines->len; i++)
        for (guint j = 0; j < n; j++) {
            const char *cell = ((char **)lines->pdata[i])[j];
            g_string_append(out, cell);
            if (j + 1 == n)
                g_string_append_c(out, '\n');
            for (gsize at = (gsize)g_utf8_strlen(cell, -1); j + 1 < n && at < widths[j];
                 at = at / TAB * TAB + TAB)
                g_string_append_c(out, '\t');
        }
    return g_string_free(out, FALSE);
}

static void free_cells(gpointer p)
{
    g_strfreev(p);
}

/* A cell is one line. */
static char *cell(const char *text)
{
    return g_strdelimit(g_strdup(text ? text : ""), "\n\t\r", ' ');
}

static char *targets_text(const GPtrArray *rows)
{
    g_autoptr(GPtrArray) lines = g_ptr_array_new_with_free_func(free_cells);
    g_ptr_array_add(lines, g_strsplit("TARGET,DESCRIPTION", ",", -1));
    for (guint i = 0; i < rows->len; i++) {
        const struct row *r = rows->pdata[i];
        char **cells = g_new0(char *, 3);
        cells[0] = cell(r->name);
        cells[1] = cell(r->description);
        g_ptr_array_add(lines, cells);
    }
    return table_text(lines, 2);
}

static char *variables_text(const GPtrArray *rows)
{
    g_autoptr(GPtrArray) lines = g_ptr_array_new_with_free_func(free_cells);
    g_ptr_array_add(lines, g_strsplit("VARIABLE,TYPE,VALUE,DESCRIPTION", ",", -1));
    for (guint i = 0; i < rows->len; i++) {
        const struct row *r = rows->pdata[i];
        char **cells = g_new0(char *, 5);
        cells[0] = cell(r->name);
        cells[1] = cell(r->type);
        cells[2] = cell(r->value ? r->value : "<null>");
        cells[3] = cell(r->description);
        g_ptr_array_add(lines, cells);
    }
    return table_text(lines, 4);
}

char *bake_list_targets(const struct bake *b, gboolean json)
{
    g_autoptr(GPtrArray) rows = g_ptr_array_new_with_free_func(row_free);
    for (guint i = 0; i < b->defs->targets->len; i++) {
        const struct bake_target *t = b->defs->targets->pdata[i];
        if (t->name[0] != '_' && !g_hash_table_contains(b->defs->group_names, t->name))
            add_target_row(rows, t);
    }
    for (guint i = 0; i < b->defs->groups->len; i++) {
        const struct bake_group *g = b->defs->groups->pdata[i];
        if (g->name[0] != '_')
            add_group_row(rows, g);
    }
    g_ptr_array_sort(rows, row_order);
    return json ? rows_json(rows) : targets_text(rows);
}

/* As text: strings as they are, all else as JSON. */
static char *value_shown(struct heap *h, const struct value *v)
{
    if (!v || v->null)
        return NULL;
    if (v->kind == TYPE_STRING)
        return g_strdup(v->text.bytes);
    GString *out = g_string_new(NULL);
    if (!value_json(h, v, out, NULL))
        g_string_assign(out, "?");
    return g_string_free(out, FALSE);
}

char *bake_list_variables(const struct bake *b, gboolean json)
{
    g_autoptr(GPtrArray) rows = g_ptr_array_new_with_free_func(row_free);
    g_autoptr(GPtrArray) all = module_variables(b->module);
    for (guint i = 0; i < all->len; i++) {
        const struct module_variable *v = all->pdata[i];
        struct row *r = g_new0(struct row, 1);
        r->name = v->name;
        r->description = g_strdup(v->description);
        r->type = g_strdup(v->type);
        r->value = value_shown(module_heap(b->module), v->value);
        g_ptr_array_add(rows, r);
    }
    g_ptr_array_sort(rows, row_order);
    return json ? rows_json(rows) : variables_text(rows);
}
