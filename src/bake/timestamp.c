#include "bake/timestamp.h"

#include <string.h>

/* A number of at least min and at most max digits at *p, which it moves on; -1: there is none. */
static gint time_number(const char **p, guint min, guint max)
{
    gint n = 0;
    guint digits = 0;
    for (; digits < max && g_ascii_isdigit(**p); digits++, (*p)++)
        n = n * 10 + (**p - '0');
    return digits < min ? -1 : n;
}

static gboolean time_char(const char **p, char c)
{
    gboolean is = **p == c;
    *p += is;
    return is;
}

static gint month_days(gint year, gint month)
{
    static const gint8 DAYS[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    gboolean leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    return DAYS[month - 1] + (month == 2 && leap);
}

static gboolean time_date(const char **p, struct tm *tm)
{
    gint year = time_number(p, 4, 4);
    if (year < 0 || !time_char(p, '-'))
        return FALSE;
    gint month = time_number(p, 2, 2);
    if (month < 1 || month > 12 || !time_char(p, '-'))
        return FALSE;
    gint day = time_number(p, 2, 2);
    tm->tm_year = year - 1900;
    tm->tm_mon = month - 1;
    tm->tm_mday = day;
    return day >= 1 && day <= month_days(year, month);
}

static gboolean time_clock(const char **p, struct tm *tm, gint32 *nanos)
{
    tm->tm_hour = time_number(p, 1, 2);
    if (tm->tm_hour < 0 || tm->tm_hour > 23 || !time_char(p, ':'))
        return FALSE;
    tm->tm_min = time_number(p, 2, 2);
    if (tm->tm_min < 0 || tm->tm_min > 59 || !time_char(p, ':'))
        return FALSE;
    tm->tm_sec = time_number(p, 2, 2);
    *nanos = 0;
    if ((**p == '.' || **p == ',') && g_ascii_isdigit((*p)[1]))
        for (gint32 unit = 100000000; g_ascii_isdigit(*++*p); unit /= 10)
            *nanos += (**p - '0') * unit;
    return tm->tm_sec >= 0 && tm->tm_sec < 60;
}

/* "Z", "+01:00". */
static gboolean time_offset(const char **p, gint32 *offset)
{
    *offset = 0;
    if (time_char(p, 'Z'))
        return TRUE;
    gint sign = **p == '-' ? -1 : 1;
    if (!time_char(p, '+') && !time_char(p, '-'))
        return FALSE;
    gint hours = time_number(p, 2, 2);
    if (hours < 0 || hours > 24 || !time_char(p, ':'))
        return FALSE;
    gint minutes = time_number(p, 2, 2);
    *offset = sign * (hours * 3600 + minutes * 60);
    return minutes >= 0 && minutes <= 60;
}

gboolean timestamp_parse(const char *text, struct timestamp *t)
{
    struct tm tm = {0};
    const char *p = text;
    if (!time_date(&p, &tm) || !time_char(&p, 'T') || !time_clock(&p, &tm, &t->nanos) ||
        !time_offset(&p, &t->offset) || *p)
        return FALSE;
    t->seconds = (gint64)timegm(&tm) - t->offset;
    return TRUE;
}

struct tm timestamp_local(const struct timestamp *t)
{
    struct tm tm = {0};
    time_t at = (time_t)(t->seconds + t->offset);
    gmtime_r(&at, &tm);
    return tm;
}

void timestamp_offset(const struct timestamp *t, gboolean colon, GString *out)
{
    guint minutes = (guint)ABS(t->offset) / 60;
    g_string_append_printf(out, "%c%02u%s%02u", t->offset < 0 ? '-' : '+', minutes / 60,
                           colon ? ":" : "", minutes % 60);
}

char *timestamp_text(const struct timestamp *t)
{
    g_autoptr(GString) out = g_string_new(NULL);
    struct tm tm = timestamp_local(t);
    gint year = tm.tm_year + 1900;
    g_string_append_printf(out, "%0*d-%02d-%02dT%02d:%02d:%02d", year < 0 ? 5 : 4, year,
                           tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec);
    if (t->offset == 0)
        g_string_append_c(out, 'Z');
    else
        timestamp_offset(t, TRUE, out);
    return g_strdup(out->str);
}
