#include "layer/tarheader.h"

#include <stdio.h>
#include <string.h>

#define OCTAL7 07777777U /* most that 7 octal digits hold */
#define OCTAL11 G_GUINT64_CONSTANT(077777777777)

struct ustar { /* POSIX.1-1988 */
    char name[100], mode[8], uid[8], gid[8], size[12], mtime[12], checksum[8], type, link[100];
    char magic[6], version[2], uname[32], gname[32], devmajor[8], devminor[8], prefix[155],
        unused[12];
};
G_STATIC_ASSERT(sizeof(struct ustar) == TAR_BLOCK);

static void put_octal(char *to, gsize width, guint64 value)
{
    char text[32];
    snprintf(text, sizeof text, "%0*" G_GINT64_MODIFIER "o", (int)width - 1, value);
    memcpy(to, text, width);
}

static void put_text(char *to, gsize width, const char *text)
{
    memcpy(to, text, strnlen(text, width));
}

/* Splits a long path at a '/' into prefix and name; FALSE when it cannot be. */
static gboolean put_path(struct ustar *u, const char *path)
{
    gsize len = strlen(path);
    if (len <= sizeof u->name) {
        put_text(u->name, sizeof u->name, path);
        return TRUE;
    }
    /* The last '/' of a directory belongs to its name. */
    for (gsize i = MIN(len - 2, sizeof u->prefix); i > 0 && len - i - 1 <= sizeof u->name; i--) {
        if (path[i] != '/')
            continue;
        memcpy(u->prefix, path, i);
        put_text(u->name, sizeof u->name, path + i + 1);
        return TRUE;
    }
    put_text(u->name, sizeof u->name, path);
    return FALSE;
}

static void put_checksum(struct ustar *u)
{
    guint sum = 0;
    memset(u->checksum, ' ', sizeof u->checksum);
    for (gsize i = 0; i < sizeof *u; i++)
        sum += ((const guint8 *)u)[i];
    snprintf(u->checksum, sizeof u->checksum, "%06o", sum);
}

/* "<length> <key>=<value>\n", where length counts itself. */
static void add_record(GByteArray *pax, const char *key, const void *value, gsize len)
{
    gsize rest = strlen(key) + len + 3, total = rest + 1;
    char number[24];
    while (total != rest + (gsize)snprintf(number, sizeof number, "%" G_GSIZE_FORMAT, total))
        total = rest + strlen(number);
    g_byte_array_append(pax, (const guint8 *)number, (guint)strlen(number));
    g_byte_array_append(pax, (const guint8 *)" ", 1);
    g_byte_array_append(pax, (const guint8 *)key, (guint)strlen(key));
    g_byte_array_append(pax, (const guint8 *)"=", 1);
    if (len)
        g_byte_array_append(pax, value, (guint)len);
    g_byte_array_append(pax, (const guint8 *)"\n", 1);
}

static void add_number(GByteArray *pax, const char *key, gint64 value)
{
    char text[24];
    snprintf(text, sizeof text, "%" G_GINT64_FORMAT, value);
    add_record(pax, key, text, strlen(text));
}

static void add_xattrs(GByteArray *pax, const struct tar_fields *f)
{
    for (guint i = 0; i < f->n_xattrs; i++) {
        g_autofree char *key = g_strconcat("SCHILY.xattr.", f->xattrs[i].name, NULL);
        add_record(pax, key, f->xattrs[i].value, f->xattrs[i].size);
    }
}

/* Fills u, and pax with what does not fit. Records are in the order of their keys. */
static void fill_ustar(struct ustar *u, const struct tar_fields *f, GByteArray *pax)
{
    guint64 mtime = f->mtime < 0 ? 0 : (guint64)f->mtime;
    add_xattrs(pax, f);
    if (f->gid > OCTAL7)
        add_number(pax, "gid", f->gid);
    if (strlen(f->link) > sizeof u->link)
        add_record(pax, "linkpath", f->link, strlen(f->link));
    if (f->mtime < 0 || mtime > OCTAL11)
        add_number(pax, "mtime", f->mtime);
    if (!put_path(u, f->path))
        add_record(pax, "path", f->path, strlen(f->path));
    if (f->size > OCTAL11)
        add_number(pax, "size", (gint64)f->size);
    if (f->uid > OCTAL7)
        add_number(pax, "uid", f->uid);
    put_octal(u->mode, 8, f->mode);
    put_octal(u->uid, 8, MIN(f->uid, OCTAL7));
    put_octal(u->gid, 8, MIN(f->gid, OCTAL7));
    put_octal(u->size, 12, MIN(f->size, OCTAL11));
    put_octal(u->mtime, 12, MIN(mtime, OCTAL11));
    put_text(u->link, sizeof u->link, f->link);
    put_octal(u->devmajor, 8, f->devmajor);
    put_octal(u->devminor, 8, f->devminor);
}

static void append_ustar(struct ustar *u, char type, GByteArray *out)
{
    u->type = type;
    memcpy(u->magic, "ustar", 6);
    memcpy(u->version, "00", 2);
    put_checksum(u);
    g_byte_array_append(out, (const guint8 *)u, sizeof *u);
}

static void write_pax(GByteArray *out, GByteArray *pax)
{
    static const guint8 zeros[TAR_BLOCK];
    struct ustar u = {0};
    put_text(u.name, sizeof u.name, "PaxHeaders.0/entry");
    put_octal(u.mode, 8, 0644);
    put_octal(u.uid, 8, 0);
    put_octal(u.gid, 8, 0);
    put_octal(u.size, 12, pax->len);
    put_octal(u.mtime, 12, 0);
    put_octal(u.devmajor, 8, 0);
    put_octal(u.devminor, 8, 0);
    append_ustar(&u, 'x', out);
    g_byte_array_append(out, pax->data, pax->len);
    g_byte_array_append(out, zeros, (TAR_BLOCK - pax->len % TAR_BLOCK) % TAR_BLOCK);
}

void tarheader_write(GByteArray *out, const struct tar_fields *f)
{
    struct ustar u = {0};
    g_autoptr(GByteArray) pax = g_byte_array_new();
    fill_ustar(&u, f, pax);
    if (pax->len)
        write_pax(out, pax);
    append_ustar(&u, f->type, out);
}
