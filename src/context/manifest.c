#include "context/manifest.h"

#include <stdio.h>
#include <string.h>

#define SHORT_HEX 16  /* digits of a line's digest */
#define MAX_NAMED 3   /* paths named in an explanation before "and N more" */

/* Appends path so that it stays one line and valid JSON text. */
static void append_path(GString *out, const char *path)
{
    while (*path) {
        gunichar c = g_utf8_get_char_validated(path, -1);
        gboolean whole = c != (gunichar)-1 && c != (gunichar)-2;
        if (!whole || c < 0x20 || c == 0x7f || c == '"' || c == '\\') {
            g_string_append_printf(out, "\\x%02x", (guint)(guchar)*path);
            path++;
            continue;
        }
        gsize len = g_utf8_skip[(guchar)*path];
        g_string_append_len(out, path, len);
        path += len;
    }
}

static void append_entry(GString *out, const struct entry *e, struct hasher *h)
{
    struct digest d;
    char hex[DIGEST_HEX_LEN + 1];
    entry_hash(e, "", h);
    hasher_final(h, &d);
    g_string_append_len(out, digest_hex(&d, hex), SHORT_HEX);
    g_string_append_c(out, ' ');
    append_path(out, e->path);
    g_string_append(out, e->type == ENTRY_DIR ? "/\n" : "\n");
}

char *tree_selection_manifest(GPtrArray *selected, guint max)
{
    guint n = 0;
    g_autoptr(GString) out = g_string_new(NULL);
    g_autoptr(hasher) h = hasher_new();
    for (guint i = 0; i < selected->len; i++) {
        const struct selected *s = g_ptr_array_index(selected, i);
        n += s->entries->len;
        if (n > max)
            return NULL;
        for (guint k = 0; k < s->entries->len; k++) {
            struct entry e = *(const struct entry *)g_ptr_array_index(s->entries, k);
            e.hardlink = NULL;
            append_entry(out, &e, h);
        }
    }
    return g_string_free(g_steal_pointer(&out), FALSE);
}

/* Path → its line's digits, both pointing into lines. */
static GHashTable *index_lines(char **lines)
{
    GHashTable *by_path = g_hash_table_new(g_str_hash, g_str_equal);
    for (char **l = lines; *l; l++) {
        if (strlen(*l) <= SHORT_HEX || (*l)[SHORT_HEX] != ' ') {
            **l = '\0';
            continue;
        }
        (*l)[SHORT_HEX] = '\0';
        g_hash_table_insert(by_path, *l + SHORT_HEX + 1, *l);
    }
    return by_path;
}

/* What became of some of the paths: how many, and the first few. */
struct group {
    guint n;
    GString *names;
};

static void group_add(struct group *g, const char *path)
{
    if (!g->names)
        g->names = g_string_new(NULL);
    if (g->n++ < MAX_NAMED)
        g_string_append_printf(g->names, "%s%s", g->n > 1 ? ", " : "", *path ? path : "/");
}

/* Appends "; <count words>: a, b, c and 4 more" and clears g. one and many hold the whole of the words. */
static void group_flush(struct group *g, GString *out, const char *one, const char *many, guint of)
{
    if (g->n == 0)
        return;
    if (out->len)
        g_string_append(out, "; ");
    g_string_append_printf(out, "%u ", g->n);
    if (of)
        g_string_append_printf(out, "of %u %s ", of, of == 1 ? "file" : "files");
    g_string_append_printf(out, "%s: %s", g->n == 1 ? one : many, g->names->str);
    if (g->n > MAX_NAMED)
        g_string_append_printf(out, " and %u more", g->n - MAX_NAMED);
    g_string_free(g->names, TRUE);
    *g = (struct group){0};
}

static gboolean names_directory(const char *path)
{
    return g_str_has_suffix(path, "/");
}

char *tree_manifest_explain(const char *before, const char *after)
{
    g_auto(GStrv) old_lines = g_strsplit(before, "\n", -1), new_lines = g_strsplit(after, "\n", -1);
    g_autoptr(GHashTable) was = index_lines(old_lines), is = index_lines(new_lines);
    struct group changed = {0}, dirs = {0}, added = {0}, gone = {0};
    guint files = 0;
    for (char **l = new_lines; *l; l++) {
        if (strlen(*l) != SHORT_HEX)
            continue; /* malformed: index_lines cuts the others after their digits */
        const char *path = *l + SHORT_HEX + 1;
        const char *old = g_hash_table_lookup(was, path);
        files += !names_directory(path);
        if (!old)
            group_add(&added, path);
        else if (strcmp(old, *l) != 0)
            group_add(names_directory(path) ? &dirs : &changed, path);
    }
    for (char **l = old_lines; *l; l++)
        if (strlen(*l) == SHORT_HEX && !g_hash_table_contains(is, *l + SHORT_HEX + 1))
            group_add(&gone, *l + SHORT_HEX + 1);
    g_autoptr(GString) out = g_string_new(NULL);
    group_flush(&changed, out, "differs", "differ", files);
    group_flush(&dirs, out, "directory has other attributes", "directories have other attributes", 0);
    group_flush(&added, out, "is new", "are new", 0);
    group_flush(&gone, out, "is gone", "are gone", 0);
    return out->len ? g_string_free(g_steal_pointer(&out), FALSE) : NULL;
}
