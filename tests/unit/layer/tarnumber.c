/* Numbers of tar headers and PAX records. */
#include "layer/tarnumber.h"

#include <string.h>

static const struct {
    const char *bytes;
    gsize len;
    gboolean ok;
    gint64 value;
} fields[] = {
    {"0000755\0", 8, TRUE, 0755},
    {"  755 \0\0", 8, TRUE, 0755},
    {"\0\0\0\0\0\0\0\0", 8, TRUE, 0},
    {"77777777777", 11, TRUE, 077777777777},
    {"0000758\0", 8, FALSE, 0},
    {"755x\0\0\0\0", 8, FALSE, 0},
    {"-1\0\0\0\0\0\0", 8, FALSE, 0},
    {"777777777777777777777777", 24, FALSE, 0},
    {"\x80\0\0\0\0\0\1\0", 8, TRUE, 256},
    {"\xff\xff\xff\xff\xff\xff\xff\xfb", 8, TRUE, -5},
    {"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xfb", 12, TRUE, -5},
    {"\x80\0\0\0\x7f\xff\xff\xff\xff\xff\xff\xff", 12, TRUE, G_MAXINT64},
    {"\x80\0\0\0\x80\0\0\0\0\0\0\0", 12, FALSE, 0},
    {"\x80\1\0\0\0\0\0\0\0\0\0\0", 12, FALSE, 0},
};

static void test_fields(void)
{
    for (gsize i = 0; i < G_N_ELEMENTS(fields); i++) {
        gint64 value = 0;
        gboolean ok = tarnumber_field((const guint8 *)fields[i].bytes, fields[i].len, &value);
        if (ok != fields[i].ok || (ok && value != fields[i].value))
            g_error("field %zu: %d, %" G_GINT64_FORMAT, i, ok, value);
    }
}

static const struct {
    const char *text;
    gboolean ok;
    gint64 ns;
} times[] = {
    {"0", TRUE, 0},
    {"12.5", TRUE, 12500000000},
    {"12.123456789123", TRUE, 12123456789},
    {"-1.25", TRUE, -1250000000},
    {"12.", TRUE, 12000000000},
    {"", FALSE, 0},
    {"-", FALSE, 0},
    {".5", FALSE, 0},
    {"1e3", FALSE, 0},
    {"1.5x", FALSE, 0},
    {"34359738368", TRUE, 9223372035000000000},
    {"-99999999999999999999.5", TRUE, -9223372035500000000},
};

static void test_times(void)
{
    for (gsize i = 0; i < G_N_ELEMENTS(times); i++) {
        gint64 ns = 0;
        gboolean ok = tarnumber_time(times[i].text, &ns);
        if (ok != times[i].ok || (ok && ns != times[i].ns))
            g_error("\"%s\": %d, %" G_GINT64_FORMAT, times[i].text, ok, ns);
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/tarnumber/fields", test_fields);
    g_test_add_func("/tarnumber/times", test_times);
    return g_test_run();
}
