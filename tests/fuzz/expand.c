/* Substitution. The first byte chooses options, the rest is the word. */
#include "fuzz.h"

#include "dockerfile/expand.h"

#include <string.h>

static const char *lookup(gpointer ctx, const char *name)
{
    static const char *const values[] = {"A", "one",       "PATH", "/bin:/usr/bin", "EMPTY", "",
                                         "S", "two words", "Q",    "'\"\\$A"};
    for (guint i = 0; i < G_N_ELEMENTS(values); i += 2)
        if (strcmp(name, values[i]) == 0)
            return values[i + 1];
    return NULL;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    g_autofree char *word = fuzz_text(data + 1, size - 1);
    g_autoptr(GHashTable) used = expand_names_new(), unset = expand_names_new();
    struct expand x = {.lookup = lookup,
                       .escape = *data & 1 ? '`' : '\\',
                       .raw_quotes = (*data & 2) != 0,
                       .raw_escapes = (*data & 4) != 0,
                       .ignore_quotes = (*data & 8) != 0,
                       .keep_unset = (*data & 16) != 0,
                       .max = *data & 32 ? 64 : 0,
                       .used = used,
                       .unset = unset};
    g_autoptr(GError) err = NULL, many = NULL;
    g_autofree char *one = expand_word(&x, word, &err);
    g_assert_true((one == NULL) == (err != NULL));
    g_assert_true(!one || strlen(one) <= (x.max ? x.max : EXPAND_MAX_WORD));
    g_auto(GStrv) words = expand_words(&x, word, &many);
    g_assert_true((words == NULL) == (many != NULL));
    return 0;
}
