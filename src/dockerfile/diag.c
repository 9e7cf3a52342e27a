#include "dockerfile/diag.h"

#include "base/error.h"
#include "text/fit.h"

#include <string.h>

#define VIEW_COLUMNS 100 /* columns of a source line that are shown without a window */
#define MIN_COLUMNS 20   /* and in a small one at least */
#define MARGIN 10        /* columns around it: the line's number before, an ellipsis behind */
#define MESSAGE_MAX 2000 /* bytes of a message: a hostile name must not fill the screen */

static void diag_free(gpointer p)
{
    struct diag *item = p;
    g_free(item->message);
    g_free(item->hint);
    g_free(item);
}

struct diags *diags_new(void)
{
    struct diags *d = g_new0(struct diags, 1);
    d->name = g_strdup("Dockerfile");
    d->items = g_ptr_array_new_with_free_func(diag_free);
    return d;
}

void diags_free(struct diags *d)
{
    if (!d)
        return;
    g_free(d->name);
    g_clear_pointer(&d->source, g_bytes_unref);
    g_clear_pointer(&d->lines, g_array_unref);
    g_ptr_array_unref(d->items);
    g_free(d);
}

void diags_set_source(struct diags *d, const char *name, const void *bytes, gsize len)
{
    g_free(d->name);
    d->name = g_strdup(name);
    g_clear_pointer(&d->source, g_bytes_unref);
    g_clear_pointer(&d->lines, g_array_unref);
    d->source = g_bytes_new(bytes, len);
}

gboolean diags_full(const struct diags *d)
{
    return d->n_errors >= DIAG_MAX;
}

gboolean diags_has_errors(const struct diags *d)
{
    return d->n_errors > 0;
}

/* What may be shown instead of c, or 0 when c itself may. Control characters become their picture
 * (U+2400 block), what could reorder or hide text becomes the replacement character. */
static gunichar safe_picture(gunichar c)
{
    if (c < 0x20)
        return 0x2400 + c;
    if (c == 0x7f)
        return 0x2421;
    if ((c >= 0x80 && c < 0xa0) || (c >= 0x200b && c <= 0x200f) || (c >= 0x2028 && c <= 0x202e) ||
        (c >= 0x2066 && c <= 0x2069) || c == 0xfeff)
        return 0xfffd;
    return 0;
}

/* Reads one character of p..end (at least one byte); sets *len to its bytes. */
static gunichar next_char(const char *p, const char *end, gsize *len)
{
    gunichar c = *p ? g_utf8_get_char_validated(p, end - p) : 0;
    if (c == (gunichar)-1 || c == (gunichar)-2) {
        *len = 1;
        return 0xfffd;
    }
    *len = (guchar)g_utf8_skip[(guchar)*p];
    return c;
}

static guint char_columns(gunichar c)
{
    if (c == '\t')
        return 4;
    if (safe_picture(c))
        return 1;
    return g_unichar_iszerowidth(c) ? 0 : g_unichar_iswide(c) ? 2 : 1;
}

static void append_safe(GString *out, gunichar c, gboolean keep_newline)
{
    if (c == '\t')
        g_string_append(out, "    ");
    else if (c == '\n' && keep_newline)
        g_string_append_c(out, '\n');
    else
        g_string_append_unichar(out, safe_picture(c) ? safe_picture(c) : c);
}

/* A message as it may be shown: safe characters, one line unless multi, bounded. */
static char *safe_text(const char *text, gboolean multi)
{
    GString *out = g_string_new(NULL);
    const char *end = text + strlen(text);
    for (gsize n; text < end; text += n) {
        if (out->len > MESSAGE_MAX) {
            g_string_append(out, "…");
            break;
        }
        append_safe(out, next_char(text, end, &n), multi);
    }
    return g_string_free(out, FALSE);
}

static void push_diag(struct diags *d, enum diag_severity severity, struct span at,
                      const char *text, const char *hint)
{
    struct diag *item = g_new0(struct diag, 1);
    item->severity = severity;
    item->span = at;
    item->message = safe_text(text, FALSE);
    item->hint = hint ? safe_text(hint, TRUE) : NULL;
    g_ptr_array_add(d->items, item);
}

static void add_diag(struct diags *d, struct span at, const char *text, const char *hint)
{
    if (++d->n_errors <= DIAG_MAX)
        push_diag(d, DIAG_ERROR, at, text, hint);
}

void diags_warning(struct diags *d, struct span at, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    g_autofree char *text = g_strdup_vprintf(fmt, ap);
    va_end(ap);
    if (d->items->len < 2 * DIAG_MAX)
        push_diag(d, DIAG_WARNING, at, text, NULL);
}

void diags_error(struct diags *d, struct span at, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    g_autofree char *text = g_strdup_vprintf(fmt, ap);
    va_end(ap);
    add_diag(d, at, text, NULL);
}

void diags_gerror(struct diags *d, struct span at, const GError *err)
{
    if (g_error_matches(err, VARVE_ERROR, VARVE_ERROR_OUTSIDE))
        d->n_outside++;
    add_diag(d, at, err->message, error_next(err));
}

int diags_error_class(const struct diags *d)
{
    gboolean outside = d->n_outside > 0 && d->n_outside == d->n_errors;
    return outside ? VARVE_ERROR_OUTSIDE : VARVE_ERROR_INVALID;
}

void diags_hint(struct diags *d, const char *fmt, ...)
{
    if (d->items->len == 0 || diags_full(d))
        return;
    struct diag *last = g_ptr_array_index(d->items, d->items->len - 1);
    va_list ap;
    va_start(ap, fmt);
    g_autofree char *text = g_strdup_vprintf(fmt, ap);
    va_end(ap);
    g_free(last->hint);
    last->hint = safe_text(text, TRUE);
}

static void find_lines(struct diags *d)
{
    d->lines = g_array_new(FALSE, FALSE, sizeof(gsize));
    gsize len;
    const char *text = g_bytes_get_data(d->source, &len);
    for (gsize at = 0; at < len;) {
        g_array_append_val(d->lines, at);
        const char *nl = memchr(text + at, '\n', len - at);
        at = nl ? (gsize)(nl - text) + 1 : len;
    }
}

/* The bytes of a line without its end; FALSE when there is no such line. */
static gboolean line_bytes(struct diags *d, guint line, const char **start, const char **end)
{
    if (!d->source || line == 0)
        return FALSE;
    if (!d->lines)
        find_lines(d);
    if (line > d->lines->len)
        return FALSE;
    gsize len;
    const char *text = g_bytes_get_data(d->source, &len);
    *start = text + g_array_index(d->lines, gsize, line - 1);
    *end = line < d->lines->len ? text + g_array_index(d->lines, gsize, line) : text + len;
    if (line == 1 && *end - *start >= 3 && memcmp(*start, "\xef\xbb\xbf", 3) == 0)
        *start += 3; /* columns count without the byte order mark */
    while (*end > *start && ((*end)[-1] == '\n' || (*end)[-1] == '\r'))
        (*end)--;
    return TRUE;
}

/* A window of a line: what is shown of it, and where its caret goes. */
struct view {
    GString *text; /* the visible part, safe */
    guint before;  /* columns before the caret */
    guint width;   /* columns of the caret */
    guint column;  /* of the caret in the whole line, in characters from 1 */
};

/* Steps back from p by at most columns characters, but never more than 4 bytes each. */
static const char *back_up(const char *start, const char *p, guint columns)
{
    while (p > start && columns-- > 0) {
        p--;
        for (int i = 0; i < 3 && p > start && ((guchar)*p & 0xc0) == 0x80; i++)
            p--;
    }
    return p;
}

static guint view_columns(const struct diags *d)
{
    return d->columns ? MAX(MIN_COLUMNS + MARGIN, d->columns) - MARGIN : VIEW_COLUMNS;
}

/* A line of at most most columns, two fifths of them before the caret when it must be cut. */
static void view_init(struct view *v, const char *start, const char *end, const struct span *at,
                      guint most)
{
    gsize len = end - start;
    const char *caret = start + MIN(at->col ? at->col - 1 : 0, len);
    const char *stop = caret + MIN(at->len, (gsize)(end - caret));
    *v = (struct view){.text = g_string_new(NULL), .column = 1};
    for (const char *p = start; p < caret; v->column++) {
        gsize n;
        next_char(p, caret, &n);
        p += n;
    }
    const char *p = v->column <= most * 3 / 4 ? start : back_up(start, caret, most * 2 / 5);
    guint columns = 0;
    if (p > start) {
        g_string_append(v->text, "…");
        columns = v->before = 1;
    }
    while (p < end && columns < most) {
        gsize n;
        gunichar c = next_char(p, end, &n);
        guint w = char_columns(c);
        append_safe(v->text, c, FALSE);
        v->before += p < caret ? w : 0;
        v->width += p >= caret && p < stop ? w : 0;
        columns += w;
        p += n;
    }
    if (p < end)
        g_string_append(v->text, "…");
    v->width = MAX(v->width, 1);
}

static void append_repeated(GString *out, char c, guint n)
{
    gsize at = out->len;
    g_string_set_size(out, at + n);
    memset(out->str + at, c, n);
}

/* A line by its number, marked or not; nothing when there is no such line. */
static void render_line(struct diags *d, guint line, char mark, GString *out)
{
    const char *start, *end;
    struct view v;
    if (!line_bytes(d, line, &start, &end))
        return;
    view_init(&v, start, end, &(struct span){0}, view_columns(d));
    g_string_append_printf(out, "%c%4u │ %s\n", mark, line, v.text->str);
    g_string_free(v.text, TRUE);
}

static void render_caret(const struct view *v, GString *out, guint flags)
{
    gboolean color = flags & DIAG_RENDER_COLOR;
    g_string_append_printf(out, "%5s │ ", "");
    append_repeated(out, ' ', v->before);
    g_string_append(out, color ? "\033[31m" : "");
    append_repeated(out, '^', v->width);
    g_string_append(out, color ? "\033[0m\n" : "\n");
}

/* All lines of the item, as far as they may be shown. */
static void render_lines(struct diags *d, const struct diag *item, GString *out)
{
    guint n = item->last_line - item->span.line + 1;
    guint shown = item->max_lines ? MIN(n, item->max_lines) : n;
    for (guint i = 0; i < shown; i++)
        render_line(d, item->span.line + i, '>', out);
    if (shown < n)
        g_string_append_printf(out, "%5s │ … and %u more line%s\n", "", n - shown,
                               n - shown == 1 ? "" : "s");
}

static void render_place(struct diags *d, const struct diag *item, const struct view *v,
                         GString *out, guint flags)
{
    if (flags & DIAG_RENDER_CONTEXT)
        render_line(d, item->span.line - 1, ' ', out);
    if (item->last_line > item->span.line) {
        render_lines(d, item, out);
        return;
    }
    g_string_append_printf(out, "%5u │ %s\n", item->span.line, v->text->str);
    if (item->span.col > 0)
        render_caret(v, out, flags);
}

/* "Dockerfile:7:1: error: unknown instruction COYP" */
static void render_head(struct diags *d, const struct diag *item, guint column, GString *out,
                        guint flags)
{
    gboolean color = flags & DIAG_RENDER_COLOR;
    gboolean error = item->severity == DIAG_ERROR;
    const char *tag = error ? "error:" : "warning:";
    g_autoptr(GString) line = g_string_new(NULL);
    g_autofree char *name = safe_text(d->name, FALSE);
    g_string_append(line, name);
    if (item->span.line)
        g_string_append_printf(line, ":%u", item->span.line);
    if (item->span.line && item->span.col)
        g_string_append_printf(line, ":%u", column);
    g_string_append(line, ": ");
    gsize before = line->len;
    g_string_append_printf(line, "%s %s", tag, item->message);
    g_autofree char *fit = text_wrap_message(line->str, (int)d->columns);
    const char *shown = strstr(fit + before - 1, tag); /* breaks only make it longer */
    g_string_append_printf(out, "%.*s%s%s%s%s\n", (int)(shown - fit), fit,
                           color ? (error ? "\033[1;31m" : "\033[1;33m") : "", tag,
                           color ? "\033[0m" : "", shown + strlen(tag));
}

char *diag_render(struct diags *d, const struct diag *item, guint flags)
{
    GString *out = g_string_new(NULL);
    const char *start, *end;
    struct view v = {0};
    gboolean placed = line_bytes(d, item->span.line, &start, &end);
    if (placed)
        view_init(&v, start, end, &item->span, view_columns(d));
    render_head(d, item, placed ? v.column : item->span.col, out, flags);
    if (placed) {
        render_place(d, item, &v, out, flags);
        g_string_free(v.text, TRUE);
    }
    if (item->hint) {
        g_autofree char *line = g_strconcat("hint: ", item->hint, NULL);
        g_autofree char *fit = text_wrap_message(line, (int)d->columns);
        g_string_append_printf(out, "%s\n", fit);
    }
    return g_string_free(out, FALSE);
}

static gint by_place(gconstpointer a, gconstpointer b)
{
    const struct diag *x = *(struct diag *const *)a, *y = *(struct diag *const *)b;
    if (x->span.line != y->span.line)
        return x->span.line < y->span.line ? -1 : 1;
    return x->span.col < y->span.col ? -1 : x->span.col > y->span.col;
}

char *diags_render(struct diags *d, guint flags)
{
    GString *out = g_string_new(NULL);
    g_autoptr(GPtrArray) sorted = g_ptr_array_new();
    for (guint i = 0; i < d->items->len; i++)
        g_ptr_array_add(sorted, g_ptr_array_index(d->items, i));
    g_ptr_array_sort(sorted, by_place);
    for (guint i = 0; i < sorted->len; i++) {
        g_autofree char *text = diag_render(d, g_ptr_array_index(sorted, i), flags);
        g_string_append(out, text);
    }
    if (d->n_errors > DIAG_MAX)
        g_string_append_printf(out, "and %u more errors\n", d->n_errors - DIAG_MAX);
    return g_string_free(out, FALSE);
}
