/* Functions of time. */
#include "bake/function.h"
#include "bake/timestamp.h"
#include "text/duration.h"

#include <string.h>

#define NANOS 1000000000
/* The years 0 to 9999. */
#define UNIX_MIN (-G_GINT64_CONSTANT(62167219200))
#define UNIX_MAX G_GINT64_CONSTANT(253402300799)

static const struct param FORMAT_TIME[] = {{"format", &type_string, FALSE},
                                           {"time", &type_string, FALSE}};
static const struct param FORMAT_ANY[] = {{"format", &type_string, FALSE},
                                          {"timestamp", &type_any, FALSE}};
static const struct param TIME_DURATION[] = {{"timestamp", &type_string, FALSE},
                                             {"duration", &type_string, FALSE}};
static const struct param UNIX[] = {{"unix_timestamp", &type_number, FALSE}};

static gboolean arg_timestamp(struct call *c, const struct value *const *args, guint i,
                              struct timestamp *t, GError **err)
{
    struct text text = args[i]->text;
    if (strlen(text.bytes) == text.len && timestamp_parse(text.bytes, t))
        return TRUE;
    call_bad_arg(c, (int)i, err, "\"%s\" is no RFC 3339 timestamp such as 2026-01-31T12:00:00Z",
                 text.bytes);
    return FALSE;
}

static const struct value *timestamp_value(struct heap *h, const struct timestamp *t)
{
    g_autofree char *text = timestamp_text(t);
    return value_cstring(h, text);
}

static const struct value *call_timestamp(struct call *c, const struct value *const *args, guint n,
                                          GError **err)
{
    return timestamp_value(c->heap, &(struct timestamp){.seconds = c->now});
}

static const struct value *call_timeadd(struct call *c, const struct value *const *args, guint n,
                                        GError **err)
{
    struct timestamp t;
    gint64 ns;
    struct text duration = args[1]->text;
    if (!arg_timestamp(c, args, 0, &t, err))
        return NULL;
    if (strlen(duration.bytes) < duration.len || !duration_parse(duration.bytes, &ns, err)) {
        if (err && !*err)
            call_bad_arg(c, 1, err, "is no duration such as 1h30m");
        c->bad_arg = 1;
        return NULL;
    }
    gint64 nanos = t.nanos + ns % NANOS;
    t.seconds += ns / NANOS + (nanos < 0 ? -1 : nanos / NANOS);
    return timestamp_value(c->heap, &t);
}

static const char *const MONTHS[] = {"January",   "February", "March",    "April",
                                     "May",       "June",     "July",     "August",
                                     "September", "October",  "November", "December"};
static const char *const DAYS[] = {"Sunday",   "Monday", "Tuesday", "Wednesday",
                                   "Thursday", "Friday", "Saturday"};

/* n letters: a number as it is, or with two digits. */
static gboolean put_number(gint number, gsize n, GString *out)
{
    if (n <= 2)
        g_string_append_printf(out, "%0*d", (int)n, number);
    return n <= 2;
}

/* Four letters: the whole name; three: its first three letters. */
static gboolean put_name(const char *name, gsize n, GString *out)
{
    if (n == 3 || n == 4)
        g_string_append_len(out, name, n == 3 ? 3 : -1);
    return n == 3 || n == 4;
}

static gboolean put_year(gint year, gsize n, GString *out)
{
    if (n == 2)
        g_string_append_printf(out, "%02d", year % 100);
    else if (n == 4)
        g_string_append_printf(out, "%0*d", year < 0 ? 5 : 4, year);
    return n == 2 || n == 4;
}

static gboolean put_zone(const struct timestamp *t, gsize n, GString *out)
{
    if (t->offset == 0 && (n == 1 || n == 3))
        g_string_append(out, n == 1 ? "Z" : "UTC");
    else if (n == 1 || (n >= 3 && n <= 5))
        timestamp_offset(t, n == 1 || n == 5, out);
    return n == 1 || (n >= 3 && n <= 5);
}

static gboolean put_half(char letter, gboolean afternoon, gsize n, GString *out)
{
    if (n == 2)
        g_string_append(out, letter == 'A' ? (afternoon ? "PM" : "AM") : (afternoon ? "pm" : "am"));
    return n == 2;
}

/* A letter n times; FALSE: there is no such sequence. */
static gboolean put_letters(const struct timestamp *t, char letter, gsize n, GString *out)
{
    struct tm tm = timestamp_local(t);
    switch (letter) {
    case 'Y':
        return put_year(tm.tm_year + 1900, n, out);
    case 'M':
        return n <= 2 ? put_number(tm.tm_mon + 1, n, out) : put_name(MONTHS[tm.tm_mon], n, out);
    case 'D':
        return put_number(tm.tm_mday, n, out);
    case 'E':
        return put_name(DAYS[tm.tm_wday], n, out);
    case 'h':
        return put_number(tm.tm_hour, n, out);
    case 'H':
        return put_number(tm.tm_hour % 12 ? tm.tm_hour % 12 : 12, n, out);
    case 'A':
    case 'a':
        return put_half(letter, tm.tm_hour >= 12, n, out);
    case 'm':
        return put_number(tm.tm_min, n, out);
    case 's':
        return put_number(tm.tm_sec, n, out);
    case 'Z':
        return put_zone(t, n, out);
    default:
        return FALSE;
    }
}

/* "'text'" at p, where "''" is a quote; its end, or NULL when it has none. */
static const char *put_quoted(const char *p, const char *end, GString *out)
{
    if (p + 1 < end && p[1] == '\'') {
        g_string_append_c(out, '\'');
        return p + 2;
    }
    for (p++; p < end; p++) {
        gboolean doubled = *p == '\'' && p + 1 < end && p[1] == '\'';
        if (*p == '\'' && !doubled)
            return p + 1;
        g_string_append_c(out, *p);
        p += doubled;
        if (doubled && p + 1 == end) /* then cty takes the second quote for the end, too */
            return end;
    }
    return NULL;
}

static const struct value *date_value(struct call *c, struct text format, const struct timestamp *t,
                                      GError **err)
{
    const char *end = format.bytes + format.len, *next;
    g_autoptr(GString) out = g_string_new(NULL);
    for (const char *p = format.bytes; p < end; p = next) {
        next = p + 1;
        if (*p == '\'') {
            if (!(next = put_quoted(p, end, out)))
                return call_bad_arg(c, 0, err, "a quoted text has no end; a quote itself is ''");
        } else if (g_ascii_isalpha(*p)) {
            while (next < end && *next == *p)
                next++;
            if (!put_letters(t, *p, (gsize)(next - p), out))
                return call_bad_arg(c, 0, err, "unknown sequence \"%.*s\"; put text in '…'",
                                    (int)MIN(next - p, 20), p);
        } else {
            g_string_append_c(out, *p);
        }
        if (!heap_reserve_string(c->heap, out->len, err))
            return NULL;
    }
    return value_take(c->heap, out);
}

static const struct value *call_formatdate(struct call *c, const struct value *const *args, guint n,
                                           GError **err)
{
    struct timestamp t;
    return arg_timestamp(c, args, 1, &t, err) ? date_value(c, args[0]->text, &t, err) : NULL;
}

/* As formatdate(), but takes seconds since 1970, too. */
static const struct value *call_formattimestamp(struct call *c, const struct value *const *args,
                                                guint n, GError **err)
{
    struct timestamp t = {0};
    const struct value *number = value_convert(c->heap, args[1], &type_number, NULL);
    const struct value *unix_args[] = {args[0], number};
    if (number && !call_int(c, unix_args, 1, UNIX_MIN, UNIX_MAX, &t.seconds, err))
        return NULL;
    if (!number && args[1]->kind != TYPE_STRING)
        return call_bad_arg(c, 1, err, "a timestamp or a number of seconds is needed, not %s",
                            type_name(c->heap, args[1]->type));
    if (!number && !arg_timestamp(c, args, 1, &t, err))
        return NULL;
    return date_value(c, args[0]->text, &t, err);
}

struct member {
    struct text key;
    const struct value *value;
};

static const struct value *call_unixtimestampparse(struct call *c, const struct value *const *args,
                                                   guint n, GError **err)
{
    struct timestamp t = {0};
    char iso_year[16], iso_week[8];
    if (!call_int(c, args, 0, UNIX_MIN, UNIX_MAX, &t.seconds, err))
        return NULL;
    struct tm tm = timestamp_local(&t);
    struct heap *h = c->heap;
    strftime(iso_year, sizeof(iso_year), "%G", &tm);
    strftime(iso_week, sizeof(iso_week), "%V", &tm);
    const struct member members[] = {
        {TEXT("year"), value_int(h, tm.tm_year + 1900)},
        {TEXT("year_day"), value_int(h, tm.tm_yday + 1)},
        {TEXT("day"), value_int(h, tm.tm_mday)},
        {TEXT("month"), value_int(h, tm.tm_mon + 1)},
        {TEXT("month_name"), value_cstring(h, MONTHS[tm.tm_mon])},
        {TEXT("weekday"), value_int(h, tm.tm_wday)},
        {TEXT("weekday_name"), value_cstring(h, DAYS[tm.tm_wday])},
        {TEXT("hour"), value_int(h, tm.tm_hour)},
        {TEXT("minute"), value_int(h, tm.tm_min)},
        {TEXT("second"), value_int(h, tm.tm_sec)},
        {TEXT("rfc3339"), timestamp_value(h, &t)},
        {TEXT("iso_year"), value_int(h, g_ascii_strtoll(iso_year, NULL, 10))},
        {TEXT("iso_week"), value_int(h, g_ascii_strtoll(iso_week, NULL, 10))},
    };
    struct text *keys = heap_array(h, struct text, G_N_ELEMENTS(members));
    const struct value **items = heap_array(h, const struct value *, G_N_ELEMENTS(members));
    for (guint i = 0; i < G_N_ELEMENTS(members); i++) {
        keys[i] = members[i].key;
        items[i] = members[i].value;
    }
    return value_object(h, keys, items, G_N_ELEMENTS(members));
}

const struct function functions_time[] = {
    FUNCTION("formatdate", FORMAT_TIME, NULL, call_formatdate),
    FUNCTION("formattimestamp", FORMAT_ANY, NULL, call_formattimestamp),
    FUNCTION("timeadd", TIME_DURATION, NULL, call_timeadd),
    FUNCTION_VARIADIC("timestamp", NULL, call_timestamp),
    FUNCTION("unixtimestampparse", UNIX, NULL, call_unixtimestampparse),
    {0},
};
