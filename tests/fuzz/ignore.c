/* Ignore patterns: an ignore file, an empty line, and paths that are matched against it. */
#include "fuzz.h"

#include "text/ignore.h"
#include "base/path.h"

#include <string.h>

static void match(const struct ignore *ig, const char *path)
{
    g_autofree char *clean = path_clean(path);
    if (*clean == '/' || g_str_has_prefix(clean, ".."))
        return;
    ignore_match(ig, clean);
    for (char *slash = strrchr(clean, '/'); slash; slash = strrchr(clean, '/')) {
        g_autofree char *whole = g_strdup(clean);
        *slash = '\0';
        g_assert_true(!ignore_can_skip_dir(ig, clean) || ignore_match(ig, whole));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    g_autofree char *text = fuzz_text(data, size);
    char *paths = strstr(text, "\n\n");
    gsize len = paths ? (gsize)(paths - text) : strlen(text);
    g_autoptr(GError) err = NULL;
    g_autoptr(ignore) ig = ignore_parse(text, len, &err);
    g_assert_true((ig == NULL) == (err != NULL));
    g_auto(GStrv) list = g_strsplit(paths ? paths + 2 : "a/b/c", "\n", 20);
    for (char **p = list; ig && *p; p++)
        match(ig, *p);
    if (!ig)
        return 0;
    g_autoptr(ignore) again = ignore_new(ignore_patterns(ig), NULL);
    g_assert_nonnull(again);
    g_assert_true(g_strv_equal(ignore_patterns(again), ignore_patterns(ig)));
    return 0;
}
