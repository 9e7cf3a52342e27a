/* What others are told of a run (store/runs.h). */
#include "cli/run.h"

#include "base/shellword.h"

#include <string.h>

#define MAX_COMMAND 4096 /* bytes shown of a command */

static char *command_text(char **args)
{
    g_autoptr(GString) text = g_string_new(NULL);
    for (char **arg = args; *arg && text->len < MAX_COMMAND; arg++) {
        g_autofree char *quoted = shell_word(*arg);
        g_string_append_printf(text, "%s%s", text->len ? " " : "", quoted);
    }
    g_string_truncate(text, MIN(text->len, MAX_COMMAND));
    return g_string_free(g_steal_pointer(&text), FALSE);
}

/* Working directory, user, variables; a NUL after each. */
static GBytes *process_bytes(const struct run *r)
{
    GByteArray *b = g_byte_array_new();
    const char *user = r->user ? r->user : "";
    g_byte_array_append(b, (const guint8 *)r->cwd, (guint)strlen(r->cwd) + 1);
    g_byte_array_append(b, (const guint8 *)user, (guint)strlen(user) + 1);
    for (char **e = r->env; *e; e++)
        g_byte_array_append(b, (const guint8 *)*e, (guint)strlen(*e) + 1);
    return g_byte_array_free_to_bytes(b);
}

gboolean run_record_begin(struct run *r, GError **err)
{
    g_autofree char *command = command_text(r->args);
    g_autoptr(GBytes) process = process_bytes(r);
    struct run_row about = {.name = r->o->name,
                            .image = (char *)r->name,
                            .command = command,
                            .labels = r->o->labels,
                            .detached = r->o->detach,
                            .kept = r->o->detach && !r->o->rm};
    if (r->o->name && !run_name_check(r->o->name, err))
        return FALSE;
    r->entry = run_entry_new(r->store, &about, process, err);
    return r->entry != NULL;
}
