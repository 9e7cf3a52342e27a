#include "cli/report.h"

#include "base/container.h"
#include "base/error.h"
#include "snapshot/userns.h"
#include "ui/text.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* Messages may hold bytes from Dockerfiles, registries and programs: make them safe for a terminal.
 */
char *report_safe(const char *message)
{
    GString *out = g_string_new(NULL);
    g_auto(GStrv) lines = g_strsplit(message, "\n", -1);
    for (char **l = lines; *l; l++) {
        g_autofree char *fit = text_fit(*l, 4000);
        g_string_append_printf(out, "%s%s", l == lines ? "" : "\n", fit);
    }
    return g_string_free(out, FALSE);
}

/* On a terminal lines break between words. */
static void print_tagged(const char *tag, enum text_style style, const char *message)
{
    g_autofree char *shown = text_styled(tag, style, text_colours(stderr));
    g_autofree char *clean = report_safe(message);
    g_autofree char *line = g_strdup_printf("%s %s", tag, clean);
    g_autofree char *wrapped = text_wrap_message(line, text_columns(stderr));
    fprintf(stderr, "%s%s\n", shown, wrapped + strlen(tag));
}

void report_next(const GError *err)
{
    const char *next = error_next(err);
    g_auto(GStrv) moves = g_strsplit(next ? next : "", "\n", -1);
    for (char **m = moves; *m; m++)
        print_tagged("next:", STYLE_CYAN, *m);
}

int report_error(const GError *err)
{
    print_tagged("error:", STYLE_RED, err->message);
    report_next(err);
    return varve_error_exit_code(err);
}

void print_wrapped(const char *text, int indent)
{
    int columns = text_columns(stdout);
    g_autofree char *lines = text_wrap(text, columns > 0 ? MAX(20, columns - indent) : 0, indent);
    printf("%s\n", lines);
}

static void print_formatted(const char *tag, enum text_style style, const char *fmt, va_list ap)
{
    g_autofree char *message = g_strdup_vprintf(fmt, ap);
    print_tagged(tag, style, message);
}

void report_note(const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    print_formatted("note:", STYLE_DIM, fmt, ap);
    va_end(ap);
}

void report_warning(const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    print_formatted("warning:", STYLE_YELLOW, fmt, ap);
    va_end(ap);
}

void report_single_id(void)
{
    if (userns_current() != USERNS_SINGLE)
        return;
    const char *name = userns_user() ? userns_user() : "$USER";
    const char *remedy = userns_ids_refused() ? container_remedy(CONTAINER_IDS) : NULL;
    g_autofree char *usermod = g_strdup_printf(
        "sudo usermod --add-subuids 100000-165535 --add-subgids 100000-165535 %s", name);
    report_note("%s, so every file belongs to one user: other owners in base images are lost, and "
                "USER, chown and --chown with other ids fail (%s)",
                userns_why_single(), remedy ? remedy : usermod);
}

static void report_event(struct event_sink *self, const struct event *ev)
{
    (void)self;
    if (ev->type == EVENT_WARNING)
        report_warning("%s", ev->text);
    else if (ev->type == EVENT_NOTE)
        report_note("%s", ev->text);
}

struct event_sink *report_sink(void)
{
    static struct event_sink sink = {report_event};
    return &sink;
}

void warn_platform(const char *name, const struct platform *have, const struct platform *want)
{
    struct platform host;
    platform_host(&host);
    if (!*have->arch || platform_match(want ? want : &host, have) > 0)
        return;
    g_autofree char *is = platform_text(have), *wanted = platform_text(want ? want : &host);
    report_warning("%s: the image's platform (%s) does not match %s platform (%s)", name, is,
                   want ? "the specified" : "this machine's", wanted);
}

static void print_next_line(const char *fmt, va_list ap)
{
    fflush(stdout);
    print_formatted("next:", STYLE_CYAN, fmt, ap);
}

void print_next(const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    print_next_line(fmt, ap);
    va_end(ap);
}

void print_next_after_list(const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    if (isatty(STDOUT_FILENO))
        print_next_line(fmt, ap);
    va_end(ap);
}
