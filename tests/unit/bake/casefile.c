#include "casefile.h"

#include <string.h>

static void section_free(gpointer p)
{
    struct section *s = p;
    g_free(s->name);
    g_free(s->argument);
    g_string_free(s->text, TRUE);
    g_free(s);
}

/* "-- file NAME --" begins a section. */
static struct section *section_head(const char *line)
{
    gsize len = strlen(line);
    if (!g_str_has_prefix(line, "-- ") || len < 7 || strcmp(line + len - 3, " --") != 0)
        return NULL;
    g_autofree char *words = g_strndup(line + 3, len - 6);
    char *space = strchr(words, ' ');
    struct section *s = g_new0(struct section, 1);
    s->name = g_strndup(words, space ? (gsize)(space - words) : strlen(words));
    s->argument = g_strdup(space ? space + 1 : "");
    s->text = g_string_new(NULL);
    return s;
}

static void section_unescape(struct section *s)
{
    g_autofree char *text = g_strdup(s->text->str);
    gsize len = strlen(text);
    if (len && text[len - 1] == '\n')
        text[len - 1] = '\0';
    g_string_truncate(s->text, 0);
    for (const char *p = text; *p; p++) {
        if (p[0] == '\\' && p[1] == 'r') {
            g_string_append_c(s->text, '\r');
            p++;
        } else if (p[0] == '\\' && p[1] == 'x') {
            char digits[] = {p[2], p[3], 0};
            g_string_append_c(s->text, (char)g_ascii_strtoull(digits, NULL, 16));
            p += 3;
        } else {
            g_string_append_c(s->text, *p);
        }
    }
}

GPtrArray *casefile_read(const char *path)
{
    g_autofree char *text = NULL;
    GPtrArray *sections = g_ptr_array_new_with_free_func(section_free);
    g_assert_true(g_file_get_contents(path, &text, NULL, NULL));
    g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
    struct section *last = NULL;
    for (guint i = 0; lines[i] && (lines[i + 1] || *lines[i]); i++) {
        struct section *s = section_head(lines[i]);
        if (s)
            g_ptr_array_add(sections, last = s);
        else if (last)
            g_string_append_printf(last->text, "%s\n", lines[i]);
    }
    for (guint i = 0; i < sections->len; i++) {
        struct section *s = g_ptr_array_index(sections, i);
        if (!g_str_has_suffix(s->argument, " escaped"))
            continue;
        s->argument[strlen(s->argument) - strlen(" escaped")] = '\0';
        section_unescape(s);
    }
    return sections;
}

const struct section *casefile_section(GPtrArray *sections, const char *name)
{
    for (guint i = 0; i < sections->len; i++) {
        const struct section *s = g_ptr_array_index(sections, i);
        if (strcmp(s->name, name) == 0)
            return s;
    }
    return NULL;
}
