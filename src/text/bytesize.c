#include "text/bytesize.h"

#include "base/error.h"

#include <string.h>

/* "", "b", "k", "kb", "kib" and so on, any case; the power of 1024, or -1. */
static int unit_power(const char *unit)
{
    static const char letters[] = "bkmgtp";
    if (!*unit)
        return 0;
    const char *at = strchr(letters, g_ascii_tolower(*unit));
    if (!at)
        return -1;
    const char *rest = unit + 1;
    gboolean plain = !*rest;
    gboolean long_form =
        at > letters && (g_ascii_strcasecmp(rest, "b") == 0 || g_ascii_strcasecmp(rest, "ib") == 0);
    return plain || long_form ? (int)(at - letters) : -1;
}

gboolean bytesize_parse(const char *text, guint64 *bytes, GError **err)
{
    gsize digits = strspn(text, "0123456789.");
    const char *unit = text + digits;
    while (*unit == ' ')
        unit++;
    int power = unit_power(unit);
    char *end = NULL;
    double value = digits > 0 && digits < 30 ? g_ascii_strtod(text, &end) : -1;
    double scaled = value;
    for (int i = 0; i < power; i++)
        scaled *= 1024;
    if (power < 0 || value < 0 || end != text + digits || scaled >= (double)G_MAXINT64)
        return error_set(
            err, VARVE_ERROR_INVALID,
            "invalid size \"%s\": write a number of bytes or one with a unit, like 64m or 1g",
            text);
    *bytes = (guint64)scaled;
    return TRUE;
}
