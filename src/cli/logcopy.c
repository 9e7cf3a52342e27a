#include "cli/logcopy.h"

#include "base/error.h"
#include "base/io.h"
#include "ui/text.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#define CHUNK 65536
#define MAX_SEQUENCE 32

void logcopy_init(struct logcopy *c)
{
    *c = (struct logcopy){.sequence = g_string_new(NULL),
                          .out = g_string_new(NULL),
                          .terminal = isatty(STDOUT_FILENO),
                          .last = '\n'};
}

static void filter_byte(struct logcopy *f, char c)
{
    if (f->state == LOG_ESCAPE) {
        f->state = c == '[' ? LOG_SEQUENCE : LOG_PLAIN;
        g_string_assign(f->sequence, "\x1b[");
    } else if (f->state == LOG_SEQUENCE) {
        gboolean more = (g_ascii_isdigit(c) || c == ';') && f->sequence->len < MAX_SEQUENCE;
        g_string_append_c(f->sequence, c);
        if (c == 'm')
            g_string_append(f->out, f->sequence->str);
        f->state = more ? LOG_SEQUENCE : LOG_PLAIN;
    } else if (c == '\x1b') {
        f->state = LOG_ESCAPE;
    } else if (c == '\r') {
        g_string_append_c(f->out, '\n');
    } else if ((guchar)c >= ' ' || c == '\n' || c == '\t') {
        g_string_append_c(f->out, c);
    }
}

static void copy_filtered(struct logcopy *c, const char *bytes, gsize len)
{
    for (gsize i = 0; i < len; i++)
        filter_byte(c, bytes[i]);
    fwrite(c->out->str, 1, c->out->len, stdout);
    g_string_truncate(c->out, 0);
}

gboolean logcopy_pass(struct logcopy *c, int fd, GError **err)
{
    g_autofree char *buf = g_malloc(CHUNK);
    ssize_t n;
    while ((n = io_read(fd, buf, CHUNK)) > 0) {
        c->last = buf[n - 1];
        if (c->terminal)
            copy_filtered(c, buf, n);
        else
            fwrite(buf, 1, n, stdout);
    }
    fflush(stdout);
    return n == 0 || error_set_errno(err, errno, "reading the log");
}

void logcopy_clear(struct logcopy *c)
{
    if (c->last != '\n')
        putchar('\n');
    if (c->terminal && text_colours(stdout))
        fputs("\x1b[0m", stdout);
    g_string_free(c->sequence, TRUE);
    g_string_free(c->out, TRUE);
}
