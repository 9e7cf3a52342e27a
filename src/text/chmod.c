#include "text/chmod.h"

#include "base/error.h"

#include <string.h>

#define ALL_BUT_STICKY 06777
#define STICKY 01000

static gboolean invalid(GError **err, const char *text)
{
    return error_set(err, VARVE_ERROR_INVALID,
                     "invalid mode \"%s\": write octal digits from 0 to 7777 or a symbolic mode "
                     "like u=rwX,go=rX",
                     text);
}

static guint32 class_mask(char who)
{
    switch (who) {
    case 'u':
        return 04700;
    case 'g':
        return 02070;
    case 'o':
        return 00007;
    case 'a':
        return ALL_BUT_STICKY;
    default:
        return 0;
    }
}

/* Reads the "rwxXst" letters or one of "ugo" behind an operator. */
static void read_perms(const char **p, struct chmod_clause *c)
{
    if (**p && strchr("ugo", **p)) {
        c->copy = *(*p)++;
        return;
    }
    for (; **p; (*p)++) {
        switch (**p) {
        case 'r':
            c->perms |= 0444;
            break;
        case 'w':
            c->perms |= 0222;
            break;
        case 'x':
            c->perms |= 0111;
            break;
        case 'X':
            c->exec_if = TRUE;
            break;
        case 's':
            c->perms |= 06000;
            break;
        case 't':
            if (c->who == class_mask('o'))
                break;
            c->who |= STICKY;
            c->perms |= STICKY;
            break;
        default:
            return;
        }
    }
}

/* Reads "[ugoa]*([-+=][perms])+" up to a comma or the end. */
static gboolean read_clause(const char **p, struct chmod *c)
{
    guint32 who = 0;
    for (; **p && strchr("ugoa", **p); (*p)++)
        who |= class_mask(**p);
    if (!who)
        who = ALL_BUT_STICKY;
    if (!**p || !strchr("+-=", **p))
        return FALSE;
    while (**p && strchr("+-=", **p)) {
        if (c->n == CHMOD_MAX_CLAUSES)
            return FALSE;
        struct chmod_clause *clause = &c->clauses[c->n++];
        *clause = (struct chmod_clause){.who = who, .op = *(*p)++};
        read_perms(p, clause);
    }
    return **p == ',' || **p == '\0';
}

gboolean chmod_parse(struct chmod *c, const char *text, GError **err)
{
    *c = (struct chmod){0};
    if (g_ascii_isdigit(*text)) {
        char *end;
        guint64 v = g_ascii_strtoull(text, &end, 8);
        if (*end || v > 07777 || strlen(text) > 16)
            return invalid(err, text);
        c->octal = TRUE;
        c->mode = (guint32)v;
        return TRUE;
    }
    const char *p = text;
    if (!*p)
        return invalid(err, text);
    while (*p) {
        if (!read_clause(&p, c))
            return invalid(err, text);
        if (*p == ',' && !*++p)
            return invalid(err, text);
    }
    return TRUE;
}

/* The rwx bits of class, in all three classes. */
static guint32 spread(guint32 mode, char class)
{
    guint32 bits = (mode >> (class == 'u' ? 6 : class == 'g' ? 3 : 0)) & 7;
    return bits << 6 | bits << 3 | bits;
}

guint32 chmod_apply(const struct chmod *c, guint32 mode, gboolean is_dir)
{
    if (c->octal)
        return c->mode;
    mode &= 07777;
    gboolean may_exec = is_dir || (mode & 0111);
    for (guint i = 0; i < c->n; i++) {
        const struct chmod_clause *k = &c->clauses[i];
        guint32 who = k->copy ? k->who & 0777 : k->who;
        guint32 bits = k->copy ? spread(mode, k->copy) : k->perms;
        if (k->exec_if && may_exec)
            bits |= 0111;
        bits &= who;
        if (k->op == '+')
            mode |= bits;
        else if (k->op == '-')
            mode &= ~bits;
        else
            mode = (mode & ~who) | bits;
    }
    return mode;
}
