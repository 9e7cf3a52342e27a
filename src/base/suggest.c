#include "base/suggest.h"

#include "base/error.h"

#include <string.h>

#define MAX_FILES 5000 /* of a directory, compared with the name that was written */

#define SUGGEST_MAX 64
#define SUGGEST_PREFIX 3

/* Optimal string alignment distance (Damerau's four edits, no substring edited twice). */
guint suggest_distance(const char *a, const char *b, guint max)
{
    gsize la = strlen(a), lb = strlen(b);
    if (la > SUGGEST_MAX || lb > SUGGEST_MAX || MAX(la, lb) - MIN(la, lb) > max)
        return max + 1;
    guint rows[3][SUGGEST_MAX + 1];
    guint *before = rows[0], *prev = rows[1], *cur = rows[2];
    for (gsize j = 0; j <= lb; j++)
        prev[j] = j;
    for (gsize i = 1; i <= la; i++) {
        cur[0] = i;
        for (gsize j = 1; j <= lb; j++) {
            char x = g_ascii_tolower(a[i - 1]), y = g_ascii_tolower(b[j - 1]);
            guint best = MIN(prev[j], cur[j - 1]) + 1;
            best = MIN(best, prev[j - 1] + (x != y));
            if (i > 1 && j > 1 && x == g_ascii_tolower(b[j - 2]) && y == g_ascii_tolower(a[i - 2]))
                best = MIN(best, before[j - 2] + 1);
            cur[j] = best;
        }
        guint *spare = before;
        before = prev;
        prev = cur;
        cur = spare;
    }
    return MIN(prev[lb], max + 1);
}

/* The only word that begins with typed, or NULL. */
static const char *only_beginning(const char *typed, const char *const *words, gsize n)
{
    gsize len = strlen(typed);
    const char *found = NULL;
    for (gsize i = 0; len >= SUGGEST_PREFIX && i < n; i++) {
        if (g_ascii_strncasecmp(words[i], typed, len) != 0)
            continue;
        if (found)
            return NULL;
        found = words[i];
    }
    return found;
}

const char *suggest_nearest(const char *typed, const char *const *words, gsize n)
{
    gsize len = strlen(typed);
    guint limit = len <= 3 ? 1 : len <= 5 ? 2 : 3;
    const char *best = NULL;
    for (gsize i = 0; i < n; i++) {
        guint d = suggest_distance(typed, words[i], limit);
        /* "as" is not a misspelling of "x": at least something must be right. */
        if (d > limit || d >= MAX(len, strlen(words[i])))
            continue;
        best = words[i];
        if (d == 0)
            break;
        limit = d - 1;
    }
    return best ? best : only_beginning(typed, words, n);
}

gboolean suggest_choice(const char *option, const char *typed, const char *const *words,
                        GError **err)
{
    g_autoptr(GString) all = g_string_new(words[0]);
    gsize n = g_strv_length((char **)words);
    for (gsize i = 1; i < n; i++)
        g_string_append_printf(all, "%s%s", i + 1 < n ? ", " : " or ", words[i]);
    const char *near = suggest_nearest(typed, words, n);
    error_set(err, VARVE_ERROR_USAGE, "%s%s: not %s", option, typed, all->str);
    error_add_next(err, near ? "did you mean %s%s?" : "for example %s%s", option,
                   near ? near : words[0]);
    return FALSE;
}

/* The name that is nearest to path's in its directory, as a path; newly allocated, or NULL. */
static char *nearest_file(const char *path)
{
    g_autofree char *dir = g_path_get_dirname(path), *typed = g_path_get_basename(path);
    g_autoptr(GDir) d = g_dir_open(dir, 0, NULL);
    g_autoptr(GPtrArray) names = g_ptr_array_new_with_free_func(g_free);
    for (const char *name; d && names->len < MAX_FILES && (name = g_dir_read_name(d));)
        g_ptr_array_add(names, g_strdup(name));
    const char *near = suggest_nearest(typed, (const char *const *)names->pdata, names->len);
    if (!near)
        return NULL;
    return strchr(path, '/') ? g_build_filename(dir, near, NULL) : g_strdup(near);
}

void suggest_file(const char *path, GError **err)
{
    if (!err || !g_error_matches(*err, VARVE_ERROR, VARVE_ERROR_NOT_FOUND))
        return;
    g_autofree char *near = nearest_file(path), *here = g_get_current_dir();
    if (near)
        error_add_next(err, "did you mean %s?", near);
    else if (*path == '/')
        error_add_next(err, "correct the path, or make the file first");
    else
        error_add_next(err, "correct the path, which begins at %s, or make the file first", here);
}
