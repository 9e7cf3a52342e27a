/* The output of a detached run: log.old, then log (store/runs.h). */
#include "cli/logcopy.h"

#include "base/error.h"
#include "base/fs.h"

#include <poll.h>
#include <string.h>
#include <unistd.h>

#define CHUNK 65536
#define LOOK_MS 50 /* between looks at a log that grows */

/* Moves to where the last *lines lines begin; what is left of them goes before this file. */
static void seek_tail(int fd, guint64 *lines)
{
    g_autofree char *buf = g_malloc(CHUNK);
    off_t size = lseek(fd, 0, SEEK_END), at = size;
    gboolean found = *lines == 0;
    while (at > 0 && !found) {
        off_t from = MAX(at - CHUNK, 0);
        ssize_t n = pread(fd, buf, (size_t)(at - from), from);
        for (; n > 0 && !found; n--) {
            gboolean ends = buf[n - 1] == '\n' && from + n < size;
            found = ends && --*lines == 0;
            at = from + n;
        }
        at = found ? at : from;
    }
    lseek(fd, at, SEEK_SET);
}

static gboolean take_tail(const char *text, guint64 *lines, GError **err)
{
    *lines = G_MAXUINT64;
    if (!text || g_str_equal(text, "all") ||
        g_ascii_string_to_unsigned(text, 10, 0, G_MAXINT64, lines, NULL))
        return TRUE;
    return error_set(err, VARVE_ERROR_USAGE, "--tail %s: not a number of lines", text);
}

/* The log begins anew now and then; *fd stays when it has not. */
static void reopen_log(struct store *s, const struct run_row *r, int *fd)
{
    struct stat was, is;
    fd_auto int now = store_run_open(s, r, "log", NULL);
    if (now < 0 || fstat(now, &is) < 0 || fstat(*fd, &was) < 0 ||
        (is.st_ino == was.st_ino && is.st_dev == was.st_dev))
        return;
    fd_cleanup(fd);
    *fd = fd_steal(&now);
}

static gboolean follow(struct store *s, struct run_row *r, int *fd, struct logcopy *copy,
                       GError **err)
{
    for (gboolean alive = TRUE; alive;) {
        store_run_refresh(s, r);
        alive = r->alive;
        if (!logcopy_pass(copy, *fd, err))
            return FALSE;
        reopen_log(s, r, fd);
        if (!logcopy_pass(copy, *fd, err))
            return FALSE;
        if (alive)
            poll(NULL, 0, LOOK_MS);
    }
    return TRUE;
}

static gboolean no_log(const struct run_row *r, GError **err)
{
    const char *name = *r->name ? r->name : r->id;
    if (r->detached)
        return error_set(err, VARVE_ERROR_NOT_FOUND, "the log of %s is gone", name);
    error_set(err, VARVE_ERROR_NOT_FOUND,
              "%s runs in the foreground: its output went to its terminal and is not kept", name);
    error_add_next(err, "varve run -d keeps a log");
    return FALSE;
}

gboolean runlog_show(struct store *s, struct run_row *r, const struct runlog_options *o,
                     GError **err)
{
    guint64 lines;
    if (!take_tail(o->tail, &lines, err))
        return FALSE;
    fd_auto int old = store_run_open(s, r, "log.old", NULL);
    fd_auto int fd = store_run_open(s, r, "log", NULL);
    if (fd < 0)
        return no_log(r, err);
    if (o->tail)
        seek_tail(fd, &lines);
    if (o->tail && old >= 0)
        seek_tail(old, &lines);
    struct logcopy copy;
    logcopy_init(&copy);
    gboolean ok = (old < 0 || logcopy_pass(&copy, old, err)) && logcopy_pass(&copy, fd, err) &&
                  (!o->follow || follow(s, r, &fd, &copy, err));
    logcopy_clear(&copy);
    return ok;
}
