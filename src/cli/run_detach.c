/* varve run -d: a child of varve carries the run in the background. There is no daemon: it is one
 * more varve, which ends with its program. */
#include "cli/run.h"

#include "base/error.h"
#include "base/fs.h"
#include "ui/text.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define MAX_LOG (64 << 20) /* bytes; the log begins anew when it has grown to this */
#define TAIL_BYTES 8192
#define TAIL_LINES 20

/* The child says where its log is once all is well; when it only ends, it has told why. */
static int wait_for_child(pid_t child, int fd)
{
    int status = 0;
    g_autoptr(GBytes) said = fs_read_fd(fd, "the background process", 65536, NULL);
    if (said && g_bytes_get_size(said) > 0) {
        printf("%d\n", (int)child);
        fprintf(stderr, "log: %.*s\nnext: kill %d stops it\n", (int)g_bytes_get_size(said),
                (const char *)g_bytes_get_data(said, NULL), (int)child);
        return 0;
    }
    while (waitpid(child, &status, 0) < 0 && errno == EINTR)
        ;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

gboolean run_detach(struct run *r, int *code, GError **err)
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

gboolean run_open_log(struct run *r, GError **err)
{
    if (!r->o->detach)
        return TRUE;
    char *tmp = store_tmp_dir(r->store, err);
    if (!tmp)
        return FALSE;
    g_ptr_array_add(r->tmps, tmp);
    g_autofree char *name = g_build_filename(tmp, "log", NULL);
    r->log_path = g_build_filename(store_root(r->store), name, NULL);
    r->log_fd = openat(store_fd(r->store), name, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    return r->log_fd >= 0 || error_set_errno(err, errno, "making the log %s", r->log_path);
}

void run_log_output(gpointer run, int fd, const void *bytes, gsize len)
{
    struct run *r = run;
    struct stat st;
    if (fstat(r->log_fd, &st) == 0 && st.st_size > MAX_LOG && ftruncate(r->log_fd, 0) < 0)
        return;
    fs_write_all(r->log_fd, bytes, len, NULL);
}

void run_report_ready(struct run *r)
{
    if (r->report_fd < 0)
        return;
    fs_write_all(r->report_fd, r->log_path, strlen(r->log_path), NULL);
    fd_cleanup(&r->report_fd);
    fd_auto int null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
    for (int fd = 0; fd < 3 && null_fd >= 0; fd++)
        dup2(null_fd, fd);
}

void run_print_log_tail(struct run *r)
{
    struct stat st;
    char buf[TAIL_BYTES + 1];
    if (r->log_fd < 0 || r->report_fd < 0 || fstat(r->log_fd, &st) < 0)
        return;
    off_t at = MAX(st.st_size - TAIL_BYTES, 0);
    ssize_t n = pread(r->log_fd, buf, TAIL_BYTES, at);
    if (n <= 0)
        return;
    buf[n] = '\0';
    g_auto(GStrv) lines = g_strsplit(g_strchomp(buf), "\n", -1);
    guint count = g_strv_length(lines);
    for (guint i = count > TAIL_LINES ? count - TAIL_LINES : 0; i < count; i++) {
        g_autofree char *text = text_without_escapes(lines[i]);
        g_autofree char *line = text_fit(text, 400);
        fprintf(stderr, " │ %s\n", line);
    }
}
