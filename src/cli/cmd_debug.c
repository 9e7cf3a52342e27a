/* varve debug: the build that failed last once more, with a shell where it fails. What was called,
 * and where, is in a file of the store that each failed step replaces. */
#include "cli/build_shown.h"

#include "base/error.h"
#include "base/fs.h"
#include "cli/commands.h"
#include "cli/outside.h"
#include "cli/table.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#define NOTE "failed-build"  /* below the store's root */
#define NOTE_MAX (1u << 20)  /* bytes: the directory and the words, a NUL after each */
#define NOTE_MAX_WORDS 10000 /* so that nothing absurd is called */

gboolean build_debug_note(const struct shown_build *b)
{
    g_autofree char *here = g_get_current_dir();
    g_autoptr(GString) text = g_string_new_len(here, strlen(here) + 1);
    gboolean repeatable = g_strcmp0(b->r->context, "-") != 0 && g_strcmp0(b->o->file, "-") != 0;
    for (char **word = b->o->words; *word; word++)
        g_string_append_len(text, *word, strlen(*word) + 1);
    if (repeatable && text->len <= NOTE_MAX)
        return fs_replace(store_fd(build_store(b->build)), NOTE, text->str, text->len, 0600, NULL);
    unlinkat(store_fd(build_store(b->build)), NOTE, 0);
    return FALSE;
}

/* Takes note. A whole one has at least the directory, and ends with a NUL. */
static GBytes *check_note(GBytes *note, const char *path, GError **err)
{
    gsize len = 0;
    const char *text = note ? g_bytes_get_data(note, &len) : NULL;
    if (!note || (len > 1 && *text == '/' && text[len - 1] == '\0'))
        return note;
    error_set(err, VARVE_ERROR_INVALID, "%s is damaged", path);
    error_add_next(err, "run the build that failed again, with --debug-on-failure");
    g_bytes_unref(note);
    return NULL;
}

static GBytes *read_note(const char *root, GError **err)
{
    g_autofree char *path = g_build_filename(root, NOTE, NULL);
    fd_auto int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd >= 0)
        return check_note(fs_read_fd(fd, path, NOTE_MAX, err), path, err);
    if (errno != ENOENT) {
        error_set_errno(err, errno, "cannot read %s", path);
        return NULL;
    }
    error_set(err, VARVE_ERROR_USAGE,
              "no step of a build that can be repeated has failed in this store");
    error_add_next(err, "varve build --debug-on-failure . opens a shell when one does");
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
    return s ? read_note(store_root(s), err) : NULL;
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
        error_set_errno(err, errno, "the build that failed last was called in %s", where);
        return 0;
    }
    fprintf(stderr, "in %s: varve %s\n", where, words);
    return cmd_build(command_find(commands, "build"), n, (char **)call->pdata, err);
}
