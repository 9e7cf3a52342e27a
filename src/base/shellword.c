#include "base/shellword.h"

#include <glib.h>
#include <string.h>

char *shell_word(const char *word)
{
    gboolean plain = *word && !strpbrk(word, " \t\n\r\"'\\$`|&;<>()*?[]{}~#!");
    return plain ? g_strdup(word) : g_shell_quote(word);
}

char *shell_path(const char *path)
{
    g_autofree char *safe = g_strconcat(*path == '-' ? "./" : "", path, NULL);
    return shell_word(safe);
}
