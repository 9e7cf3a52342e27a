/* varve debug: repeats the last failed build, with a shell where it fails. Its command line and
 * directory are in a note of the store that each failed step replaces: the directory and the words,
 * a NUL after each. */
#include "cli/build_shown.h"

#include "base/error.h"
#include "cli/commands.h"
#include "cli/outside.h"
#include "cli/table.h"
#include "store/note.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#define NOTE_MAX_WORDS 10000 /* so that nothing absurd is called */

gboolean build_debug_note(const struct shown_build *b)
{
    g_autofree char *here = g_get_current_dir();
    g_autoptr(GString) text = g_string_new_len(here, strlen(here) + 1);
    gboolean repeatable = g_strcmp0(b->r->context, "-") != 0 && g_strcmp0(b->o->file, "-") != 0;
    for (char **word = b->o->words; *word; word++)
        g_string_append_len(text, *word, strlen(*word) + 1);
    struct store *s = build_store(b->build);
    return store_failed_build_save(s, repeatable ? text->str : NULL, text->len);
}

/* Takes note. A whole one has at least the directory, and ends with a NUL. */
static GBytes *check_note(GBytes *note, const char *root, GError **err)
{
    gsize len = 0;
    const char *text = note ? g_bytes_get_data(note, &len) : NULL;
    if (!note || (len > 1 && *text == '/' && text[len - 1] == '\0'))
        return note;
    error_set(err, VARVE_ERROR_INVALID, "%s/failed-build is damaged", root);
    error_add_next(err, "run the build that failed again, with --debug-on-failure");
    g_bytes_unref(note);
    return NULL;
}

static GBytes *read_note(struct store *s, GError **err)
{
    GError *why = NULL;
    GBytes *note = store_failed_build_load(s, &why);
    if (!g_error_matches(why, VARVE_ERROR, VARVE_ERROR_NOT_FOUND)) {
        if (why)
            g_propagate_error(err, why);
        return check_note(note, store_root(s), err);
    }
    g_error_free(why);
    error_set(err, VARVE_ERROR_USAGE, "this store has no failed build to repeat");
    error_add_next(err, "varve build --debug-on-failure . opens a shell when a step fails");
    return NULL;
}

/* "build --debug-on-failure …"; *where is the directory. The strings are note's. */
static GPtrArray *call_of(GBytes *note, const char **where)
{
    gsize len;
    const char *text = g_bytes_get_data(note, &len), *end = text + len;
    GPtrArray *argv = g_ptr_array_new();
    g_ptr_array_add(argv, (gpointer) "build");
    g_ptr_array_add(argv, (gpointer) "--debug-on-failure");
    *where = text;
    for (text += strlen(text) + 1; text < end && argv->len < NOTE_MAX_WORDS;
         text += strlen(text) + 1)
        g_ptr_array_add(argv, (gpointer)text);
    return argv;
}

static GBytes *find_note(GError **err)
{
    g_autoptr(store) s = open_store(err);
    return s ? read_note(s, err) : NULL;
}

int cmd_debug(const struct command *c, int argc, char **argv, GError **err)
{
    if (!command_begin(c, NULL, &argc, &argv, 0, 0, err))
        return 0;
    g_autoptr(GBytes) note = find_note(err);
    if (!note)
        return 0;
    const char *where;
    g_autoptr(GPtrArray) call = call_of(note, &where);
    int n = (int)call->len;
    g_ptr_array_add(call, NULL);
    g_autofree char *words = g_strjoinv(" ", (char **)call->pdata);
    if (chdir(where) < 0) {
        error_set_errno(err, errno, "the last failed build was started in %s", where);
        return 0;
    }
    fprintf(stderr, "in %s: varve %s\n", where, words);
    return cmd_build(command_find(commands, "build"), n, (char **)call->pdata, err);
}
