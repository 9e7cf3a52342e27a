/* Points in time as RFC 3339 writes them, read as leniently as Go's time.Parse does. */
#ifndef VARVE_BAKE_TIMESTAMP_H
#define VARVE_BAKE_TIMESTAMP_H

#include <glib.h>
#include <time.h>

struct timestamp {
    gint64 seconds; /* since 1970, UTC */
    gint32 nanos;   /* 0 to 999,999,999 */
    gint32 offset;  /* seconds east of UTC */
};

/* FALSE: text is none, or there is no such day or hour. */
gboolean timestamp_parse(const char *text, struct timestamp *t);
/* The date and time of day at its offset. */
struct tm timestamp_local(const struct timestamp *t);
/* "2026-01-31T12:00:00+01:00", "Z" for UTC; nanoseconds are left out. */
char *timestamp_text(const struct timestamp *t);
/* Appends the offset: "+0100", or "+01:00" with colon. */
void timestamp_offset(const struct timestamp *t, gboolean colon, GString *out);

#endif
