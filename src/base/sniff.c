#include "base/sniff.h"

#include <string.h>

#define CHECKSUM_AT 148 /* of a tar header: 8 bytes of octal digits */
#define CHECKSUM_LEN 8

/* Whether the block's checksum (counted with blanks in its own place) is what its header says. */
static gboolean is_tar(const guint8 *p)
{
    guint sum = 0, said = 0;
    for (gsize i = 0; i < ARCHIVE_HEAD; i++)
        sum += i >= CHECKSUM_AT && i < CHECKSUM_AT + CHECKSUM_LEN ? ' ' : p[i];
    for (gsize i = CHECKSUM_AT; i < CHECKSUM_AT + CHECKSUM_LEN; i++)
        if (p[i] >= '0' && p[i] <= '7')
            said = said * 8 + (p[i] - '0');
    return said == sum && p[0] != '\0';
}

gboolean archive_sniff(const void *head, gsize len)
{
    static const struct {
        const char *magic;
        gsize len;
    } known[] = {{"\x1f\x8b\x08", 3},
                 {"BZh", 3},
                 {"\xfd"
                  "7zXZ",
                  6},
                 {"\x28\xb5\x2f\xfd", 4}};
    for (gsize i = 0; i < G_N_ELEMENTS(known); i++)
        if (len >= known[i].len && memcmp(head, known[i].magic, known[i].len) == 0)
            return TRUE;
    return len >= ARCHIVE_HEAD && is_tar(head);
}
