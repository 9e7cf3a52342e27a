#include "ui/text.h"

#include <math.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

char *text_size(guint64 bytes)
{
    static const char *const units[] = {"B", "kB", "MB", "GB", "TB", "PB"};
    double v = bytes;
    guint u = 0;
    while (v >= 999.5 && u + 1 < G_N_ELEMENTS(units)) {
        v /= 1000;
        u++;
    }
    if (u == 0)
        return g_strdup_printf("%u B", (guint)bytes);
    return g_strdup_printf(v < 9.995 ? "%.1f %s" : "%.0f %s", v, units[u]);
}

char *text_duration(gint64 us)
{
    if (us < 0)
        us = 0;
    double s = us / 1e6;
    if (us < 9950)
        return g_strdup_printf("%.1f ms", us / 1e3);
    if (us < 999500)
        return g_strdup_printf("%.0f ms", us / 1e3);
    if (s < 59.95)
        return g_strdup_printf("%.1f s", s);
    guint total = (guint)(s + 0.5);
    if (total < 3600)
        return g_strdup_printf("%u min %u s", total / 60, total % 60);
    return g_strdup_printf("%u h %u min", total / 3600, total / 60 % 60);
}

static char *ago(gint64 n, const char *unit)
{
    return g_strdup_printf("%" G_GINT64_FORMAT " %s%s ago", n, unit, n == 1 ? "" : "s");
}

char *text_age(gint64 seconds_since_epoch)
{
    gint64 s = g_get_real_time() / G_USEC_PER_SEC - seconds_since_epoch;
    if (s < 10)
        return g_strdup("just now");
    if (s < 120)
        return ago(s, "second");
    if (s < 2 * 3600)
        return ago(s / 60, "minute");
    if (s < 2 * 86400)
        return ago(s / 3600, "hour");
    if (s < 60 * 86400)
        return ago(s / 86400, "day");
    return ago(s / (30 * 86400), "month");
}

static struct winsize window_of(FILE *f)
{
    struct winsize ws = {0};
    if (isatty(fileno(f)))
        ioctl(fileno(f), TIOCGWINSZ, &ws);
    return ws;
}

int text_columns(FILE *f)
{
    return window_of(f).ws_col;
}

int text_rows(FILE *f)
{
    return window_of(f).ws_row;
}

gboolean text_colours(FILE *f)
{
    const char *no = g_getenv("NO_COLOR"), *term = g_getenv("TERM");
    return isatty(fileno(f)) && !(no && *no) && term && !g_str_equal(term, "dumb");
}

char *text_styled(const char *s, enum text_style style, gboolean on)
{
    static const char *const codes[] = {
        [STYLE_NONE] = "0", [STYLE_BOLD] = "1",    [STYLE_DIM] = "2",  [STYLE_GREEN] = "32",
        [STYLE_RED] = "31", [STYLE_YELLOW] = "33", [STYLE_CYAN] = "36"};
    if (!on || style == STYLE_NONE)
        return g_strdup(s);
    return g_strdup_printf("\x1b[%sm%s\x1b[0m", codes[style], s);
}
