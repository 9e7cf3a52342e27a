#include "run/record.h"

#include "base/error.h"
#include "base/fs.h"
#include "base/shellword.h"

#include <string.h>

#define PROCESS_MAX (16 << 20) /* bytes: more than the kernel takes as variables */
#define MAX_COMMAND 4096       /* bytes shown of a command */

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

GBytes *run_record_bytes(const struct run_process *p)
{
    GByteArray *b = g_byte_array_new();
    const char *user = p->user ? p->user : "";
    g_byte_array_append(b, (const guint8 *)p->cwd, (guint)strlen(p->cwd) + 1);
    g_byte_array_append(b, (const guint8 *)user, (guint)strlen(user) + 1);
    for (char **e = p->env; *e; e++)
        g_byte_array_append(b, (const guint8 *)*e, (guint)strlen(*e) + 1);
    return g_byte_array_free_to_bytes(b);
}

gboolean run_record_parse(GBytes *bytes, struct run_process *p, GError **err)
{
    gsize len;
    const char *at = g_bytes_get_data(bytes, &len), *end = at + len;
    if (len == 0 || end[-1])
        return error_set(err, VARVE_ERROR_FAILED, "the record of its process is damaged");
    g_autoptr(GPtrArray) words = g_ptr_array_new();
    for (; at < end; at += strlen(at) + 1)
        g_ptr_array_add(words, (gpointer)at);
    g_ptr_array_add(words, NULL);
    if (words->len < 3)
        return error_set(err, VARVE_ERROR_FAILED, "the record of its process is damaged");
    *p = (struct run_process){.cwd = g_strdup(g_ptr_array_index(words, 0)),
                              .user = g_strdup(g_ptr_array_index(words, 1)),
                              .env = g_strdupv((char **)words->pdata + 2)};
    return TRUE;
}

gboolean run_record_process(struct store *s, const struct run_row *row, struct run_process *p,
                            GError **err)
{
    fd_auto int fd = store_run_open(s, row, "process", err);
    g_autoptr(GBytes) bytes = fd < 0 ? NULL : fs_read_fd(fd, "process", PROCESS_MAX, err);
    return bytes && run_record_parse(bytes, p, err);
}

struct run_entry *run_record_begin(struct store *s, const struct run_request *q,
                                   const struct run_process *p, const struct run_ports *ports,
                                   GError **err)
{
    g_autofree char *published = run_ports_text(ports);
    g_autofree char *command = command_text(p->args);
    g_autoptr(GBytes) process = run_record_bytes(p);
    struct run_row about = {.name = q->name,
                            .image = q->image,
                            .command = command,
                            .labels = q->labels,
                            .ports = published,
                            .detached = q->detached,
                            .kept = q->kept};
    if (q->name && !run_name_check(q->name, err))
        return NULL;
    return run_entry_new(s, &about, process, err);
}
