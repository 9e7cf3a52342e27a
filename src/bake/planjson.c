/* --print: a plan as JSON, as Docker's bake writes it. */
#include "bake/plan.h"

#include <string.h>

static void append_escaped(GString *out, gunichar c)
{
    static const char plain[] = "\"\\\b\f\n\r\t", letters[] = "\"\\bfnrt";
    const char *at = c && c < 0x80 ? strchr(plain, (int)c) : NULL;
    if (at)
        g_string_append_printf(out, "\\%c", letters[at - plain]);
    else if (c < 0x20 || c == '<' || c == '>' || c == '&' || c == 0x2028 || c == 0x2029)
        g_string_append_printf(out, "\\u%04x", c);
    else
        g_string_append_unichar(out, c);
}

void bake_json_string(GString *out, const char *text, gboolean escape)
{
    g_autofree char *valid = g_utf8_make_valid(text, -1);
    g_string_append_c(out, '"');
    for (const char *p = valid; *p; p = g_utf8_next_char(p)) {
        if (escape && (*p == '$' || *p == '%') && p[1] == '{')
            g_string_append_c(out, *p);
        append_escaped(out, g_utf8_get_char(p));
    }
    g_string_append_c(out, '"');
}

/* A writer of indented JSON: begin and end of what has elements, and what separates them. */
struct writer {
    GString *out;
    guint depth;
    gboolean first; /* nothing was written within the innermost bracket yet */
};

static void next_line(struct writer *w)
{
    if (!w->first)
        g_string_append_c(w->out, ',');
    g_string_append_printf(w->out, "\n%*s", (int)(2 * w->depth), "");
    w->first = FALSE;
}

static void open_bracket(struct writer *w, char bracket)
{
    g_string_append_c(w->out, bracket);
    w->depth++;
    w->first = TRUE;
}

static void close_bracket(struct writer *w, char bracket)
{
    w->depth--;
    if (!w->first)
        g_string_append_printf(w->out, "\n%*s", (int)(2 * w->depth), "");
    g_string_append_c(w->out, bracket);
    w->first = FALSE;
}

static void write_key(struct writer *w, const char *key)
{
    next_line(w);
    bake_json_string(w->out, key, FALSE);
    g_string_append(w->out, ": ");
}

static void write_list(struct writer *w, const GPtrArray *list, gboolean escape)
{
    open_bracket(w, '[');
    for (guint i = 0; i < list->len; i++) {
        next_line(w);
        bake_json_string(w->out, list->pdata[i], escape);
    }
    close_bracket(w, ']');
}

static void write_map(struct writer *w, GHashTable *map, gboolean escape)
{
    g_autoptr(GList) keys = bake_map_names(map);
    open_bracket(w, '{');
    for (GList *l = keys; l; l = l->next) {
        write_key(w, l->data);
        bake_json_string(w->out, g_hash_table_lookup(map, l->data), escape);
    }
    close_bracket(w, '}');
}

/* A secret has its keys in an order of their own, and "disabled" is a bool. */
static void write_entry(struct writer *w, GHashTable *entry, gboolean secret)
{
    static const char *const order[] = {"id", "src", "env"};
    g_autoptr(GList) keys = secret ? NULL : bake_map_names(entry);
    for (guint i = 0; secret && i < G_N_ELEMENTS(order); i++)
        if (g_hash_table_contains(entry, order[i]))
            keys = g_list_append(keys, (gpointer)order[i]);
    open_bracket(w, '{');
    for (GList *l = keys; l; l = l->next) {
        write_key(w, l->data);
        if (strcmp(l->data, "disabled") == 0)
            g_string_append(w->out, "true");
        else
            bake_json_string(w->out, g_hash_table_lookup(entry, l->data), FALSE);
    }
    close_bracket(w, '}');
}

static void write_ssh(struct writer *w, const struct bake_ssh *s)
{
    open_bracket(w, '{');
    if (*s->id) {
        write_key(w, "id");
        bake_json_string(w->out, s->id, FALSE);
    }
    if (s->paths->len > 0) {
        write_key(w, "paths");
        write_list(w, s->paths, FALSE);
    }
    close_bracket(w, '}');
}

static void write_entries(struct writer *w, guint id, const GPtrArray *list)
{
    open_bracket(w, '[');
    for (guint i = 0; i < list->len; i++) {
        next_line(w);
        if (id == BAKE_SSH)
            write_ssh(w, list->pdata[i]);
        else
            write_entry(w, list->pdata[i], id == BAKE_SECRET);
    }
    close_bracket(w, ']');
}

/* Attributes whose texts are templates when the output is read again. */
static gboolean is_escaped(guint id)
{
    return id == BAKE_ARGS || id == BAKE_LABELS || id == BAKE_ANNOTATIONS ||
           id == BAKE_EXTRA_HOSTS || id == BAKE_DOCKERFILE_INLINE;
}

static gboolean is_empty(const struct bake_target *t, guint id)
{
    const struct bake_attr *a = &bake_attrs[id];
    gconstpointer field = G_STRUCT_MEMBER_P(t, a->offset);
    if (!bake_target_has(t, id))
        return TRUE;
    if (a->kind == BAKE_KIND_MAP)
        return g_hash_table_size(*(GHashTable *const *)field) == 0;
    if (id == BAKE_DESCRIPTION)
        return !**(char *const *)field;
    return a->kind != BAKE_KIND_TEXT && a->kind != BAKE_KIND_BOOL &&
           (*(GPtrArray *const *)field)->len == 0;
}

static void write_attribute(struct writer *w, const struct bake_target *t, guint id)
{
    const struct bake_attr *a = &bake_attrs[id];
    gconstpointer field = G_STRUCT_MEMBER_P(t, a->offset);
    write_key(w, a->name);
    switch (a->kind) {
    case BAKE_KIND_TEXT:
        bake_json_string(w->out, *(char *const *)field, is_escaped(id));
        return;
    case BAKE_KIND_BOOL:
        g_string_append(w->out, *(const enum bake_bool *)field == BAKE_TRUE ? "true" : "false");
        return;
    case BAKE_KIND_LIST:
        write_list(w, *(GPtrArray *const *)field, is_escaped(id));
        return;
    case BAKE_KIND_MAP:
        write_map(w, *(GHashTable *const *)field, is_escaped(id));
        return;
    case BAKE_KIND_ENTRIES:
    case BAKE_KIND_SSH:
        write_entries(w, id, *(GPtrArray *const *)field);
    }
}

static void write_target(struct writer *w, const struct bake_target *t)
{
    write_key(w, t->name);
    open_bracket(w, '{');
    for (guint i = 0; i < BAKE_N_ATTRS; i++)
        if (!is_empty(t, i))
            write_attribute(w, t, i);
    close_bracket(w, '}');
}

static void write_group(struct writer *w, const struct bake_group *g)
{
    write_key(w, g->name);
    open_bracket(w, '{');
    if (g->description && *g->description) {
        write_key(w, "description");
        bake_json_string(w->out, g->description, FALSE);
    }
    write_key(w, "targets");
    if (g->unlisted && g->targets->len == 0)
        g_string_append(w->out, "null");
    else
        write_list(w, g->targets, FALSE);
    close_bracket(w, '}');
}

char *bake_plan_json(const struct bake_plan *p)
{
    struct writer w = {g_string_new(NULL), 0, TRUE};
    open_bracket(&w, '{');
    write_key(&w, "group");
    open_bracket(&w, '{');
    for (guint i = 0; i < p->groups->len; i++)
        write_group(&w, p->groups->pdata[i]);
    close_bracket(&w, '}');
    write_key(&w, "target");
    open_bracket(&w, '{');
    for (guint i = 0; i < p->targets->len; i++)
        write_target(&w, p->targets->pdata[i]);
    close_bracket(&w, '}');
    close_bracket(&w, '}');
    g_string_append_c(w.out, '\n');
    return g_string_free(w.out, FALSE);
}
