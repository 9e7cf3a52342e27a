/* varve run -d: a child of varve carries the run in the background. There is no daemon: the child
 * ends with its program. */
#include "cli/run.h"

#include "base/error.h"
#include "base/fs.h"
#include "cli/report.h"
#include "ui/text.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define TAIL_BYTES 8192
#define TAIL_LINES 20

/* said: the log's path and the run's name, each with its NUL. */
static void print_ready(pid_t child, GBytes *said)
{
    const char *log = g_bytes_get_data(said, NULL), *name = log + strlen(log) + 1;
    printf("%d\n", (int)child);
    fflush(stdout);
    fprintf(stderr, "log: %s\n", log);
    print_next("varve logs -f %s follows it; varve stop %s", name, name);
}

/* The child says what there is to say once all is well; when it only ends, it has told why. */
static int wait_for_child(pid_t child, int fd)
{
    int status = 0;
    g_autoptr(GBytes) said = fs_read_fd(fd, "the background process", 65536, NULL);
    if (said && g_bytes_get_size(said) > 0) {
        print_ready(child, said);
        return 0;
    }
    while (waitpid(child, &status, 0) < 0 && errno == EINTR)
        ;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

gboolean run_detach(struct run_call *r, int *code, GError **err)
{
    int ends[2];
    if (!r->o->detach)
        return FALSE;
    pid_t child = pipe2(ends, O_CLOEXEC) < 0 ? -1 : fork();
    if (child < 0) {
        error_set_errno(err, errno, "starting a process for the background");
        return TRUE;
    }
    if (child > 0) {
        close(ends[1]);
        *code = wait_for_child(child, ends[0]);
        close(ends[0]);
        return TRUE;
    }
    close(ends[0]);
    setsid();
    r->report_fd = ends[1];
    return FALSE;
}

void run_report_ready(struct run_call *r)
{
    if (r->report_fd < 0)
        return;
    const char *id = run_carrier_id(r->carrier), *name = r->o->name ? r->o->name : id;
    g_autoptr(GString) said = g_string_new(NULL);
    g_string_printf(said, "%s/runs/%s/log", store_root(r->store), id);
    g_string_append_c(said, '\0');
    g_string_append_len(said, name, (gssize)strlen(name) + 1);
    fs_write_all(r->report_fd, said->str, said->len, NULL);
    fd_cleanup(&r->report_fd);
    fd_auto int null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
    for (int fd = 0; fd < 3 && null_fd >= 0; fd++)
        dup2(null_fd, fd);
}

void run_print_log_tail(struct run_call *r)
{
    if (!r->o->detach || r->report_fd < 0)
        return;
    g_autoptr(GBytes) tail = run_carrier_tail(r->carrier, TAIL_BYTES);
    if (!tail)
        return;
    g_autofree char *text = g_strndup(g_bytes_get_data(tail, NULL), g_bytes_get_size(tail));
    g_auto(GStrv) lines = g_strsplit(g_strchomp(text), "\n", -1);
    guint count = g_strv_length(lines);
    for (guint i = count > TAIL_LINES ? count - TAIL_LINES : 0; i < count; i++) {
        g_autofree char *plain = text_without_escapes(lines[i]);
        g_autofree char *line = text_fit(plain, 400);
        fprintf(stderr, " │ %s\n", line);
    }
}
