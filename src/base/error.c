#include "base/error.h"

#include <errno.h>

/* What an error has besides its text. */
typedef struct varve_error_extra {
    int errnum; /* 0: none */
    char *next; /* the next moves, a line each; NULL: none */
} VarveErrorPrivate;
typedef GError VarveError;

static void varve_error_private_init(VarveErrorPrivate *p)
{
    *p = (VarveErrorPrivate){0};
}

static void varve_error_private_copy(const VarveErrorPrivate *from, VarveErrorPrivate *to)
{
    to->errnum = from->errnum;
    to->next = g_strdup(from->next);
}

static void varve_error_private_clear(VarveErrorPrivate *p)
{
    g_free(p->next);
}

G_DEFINE_EXTENDED_ERROR(VarveError, varve_error)

int error_errno(const GError *err)
{
    return err && err->domain == VARVE_ERROR ? varve_error_get_private(err)->errnum : 0;
}

const char *error_next(const GError *err)
{
    return err && err->domain == VARVE_ERROR ? varve_error_get_private(err)->next : NULL;
}

char *error_text(const GError *err)
{
    GString *out = g_string_new(err->message);
    g_auto(GStrv) moves = g_strsplit(error_next(err) ? error_next(err) : "", "\n", -1);
    for (char **m = moves; *m; m++)
        g_string_append_printf(out, "\nnext: %s", *m);
    return g_string_free(out, FALSE);
}

gboolean errno_is_damage(int errnum)
{
    static const int damage[] = {ENOENT, ENOTDIR, EISDIR, ELOOP, EIO, EUCLEAN, EBADMSG};
    for (gsize i = 0; i < G_N_ELEMENTS(damage); i++)
        if (errnum == damage[i])
            return TRUE;
    return FALSE;
}

gboolean error_is_damage(const GError *err)
{
    return error_errno(err) ? errno_is_damage(error_errno(err))
                            : g_error_matches(err, VARVE_ERROR, VARVE_ERROR_INVALID);
}

int varve_error_exit_code(const GError *err)
{
    if (!err)
        return 0;
    if (err->domain != VARVE_ERROR)
        return 1;
    switch ((enum varve_error)err->code) {
    case VARVE_ERROR_USAGE:
        return 2;
    case VARVE_ERROR_GATE:
        return 3;
    case VARVE_ERROR_OUTSIDE:
        return 4;
    case VARVE_ERROR_CANCELLED:
        return 130;
    default:
        return 1;
    }
}

static enum varve_error class_of_errno(int errnum)
{
    switch (errnum) {
    case ENOSPC:
    case EDQUOT:
    case EIO:
        return VARVE_ERROR_OUTSIDE;
    case ECANCELED:
        return VARVE_ERROR_CANCELLED;
    case ENOENT:
        return VARVE_ERROR_NOT_FOUND;
    default:
        return VARVE_ERROR_FAILED;
    }
}

gboolean error_set_errno(GError **err, int errnum, const char *fmt, ...)
{
    if (!err)
        return FALSE;
    va_list ap;
    va_start(ap, fmt);
    g_autofree char *what = g_strdup_vprintf(fmt, ap);
    va_end(ap);
    g_set_error(err, VARVE_ERROR, class_of_errno(errnum), "%s: %s", what, g_strerror(errnum));
    varve_error_get_private(*err)->errnum = errnum;
    if (errnum == ENOSPC || errnum == EDQUOT)
        error_add_next(
            err, "make room (varve prune, or varve du to see what is large), then run the same "
                 "command again; finished steps are kept");
    if (errnum == EIO)
        error_add_next(err, "the disk or its file system has a fault: dmesg shows what the kernel "
                            "says of it; varve fsck then checks the store");
    if (errnum == EROFS)
        error_add_next(err, "write elsewhere, or mount it for writing (a store: varve --root DIR)");
    if (errnum == EMFILE || errnum == ENFILE)
        error_add_next(err, "allow more open files (%s), then run the same command again",
                       errnum == EMFILE ? "ulimit -n 1024" : "sysctl fs.file-max");
    return FALSE;
}

gboolean error_set(GError **err, enum varve_error code, const char *fmt, ...)
{
    if (!err)
        return FALSE;
    va_list ap;
    va_start(ap, fmt);
    g_autofree char *what = g_strdup_vprintf(fmt, ap);
    va_end(ap);
    g_set_error_literal(err, VARVE_ERROR, code, what);
    return FALSE;
}

/* Only errors of our domain have room for it. */
static void append_next(GError **err, const char *next)
{
    if ((*err)->domain != VARVE_ERROR) {
        GError *foreign = *err;
        *err = g_error_new_literal(VARVE_ERROR, VARVE_ERROR_FAILED, foreign->message);
        g_error_free(foreign);
    }
    VarveErrorPrivate *p = varve_error_get_private(*err);
    char *all = p->next ? g_strconcat(p->next, "\n", next, NULL) : g_strdup(next);
    g_free(p->next);
    p->next = all;
}

void error_add_next(GError **err, const char *fmt, ...)
{
    if (!err || !*err)
        return;
    va_list ap;
    va_start(ap, fmt);
    g_autofree char *next = g_strdup_vprintf(fmt, ap);
    va_end(ap);
    append_next(err, next);
}

void error_copy_next(GError **err, const GError *from)
{
    if (err && *err && error_next(from))
        append_next(err, error_next(from));
}

void error_as_usage(GError **err)
{
    if (err && *err)
        (*err)->code = VARVE_ERROR_USAGE;
}

void error_words_as_usage(GError **err)
{
    if (err && (g_error_matches(*err, VARVE_ERROR, VARVE_ERROR_INVALID) ||
                g_error_matches(*err, VARVE_ERROR, VARVE_ERROR_UNSUPPORTED)))
        error_as_usage(err);
}
