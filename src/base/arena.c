#include "base/arena.h"

#include <string.h>

#define ARENA_BLOCK (32 * 1024)
#define ARENA_ALIGN 16

struct block {
    struct block *next;
    gsize used, size;
    _Alignas(ARENA_ALIGN) char data[];
};

struct arena {
    struct block *head; /* the block that is being filled */
};

struct arena *arena_new(void)
{
    return g_new0(struct arena, 1);
}

void arena_free(struct arena *a)
{
    if (!a)
        return;
    while (a->head) {
        struct block *b = a->head;
        a->head = b->next;
        g_free(b);
    }
    g_free(a);
}

static struct block *block_new(gsize size)
{
    g_assert(size < G_MAXSIZE / 2);
    struct block *b = g_malloc(sizeof(*b) + size);
    b->used = 0;
    b->size = size;
    b->next = NULL;
    return b;
}

/* Large requests get a block of their own behind the current one, which keeps its free room. */
static gpointer alloc_large(struct arena *a, gsize size)
{
    struct block *b = block_new(size);
    b->used = size;
    if (a->head) {
        b->next = a->head->next;
        a->head->next = b;
    } else {
        a->head = b;
    }
    return b->data;
}

static gpointer alloc_raw(struct arena *a, gsize size, gsize align)
{
    if (size > ARENA_BLOCK / 4)
        return alloc_large(a, size);
    gsize at = a->head ? (a->head->used + align - 1) & ~(align - 1) : 0;
    if (!a->head || at + size > a->head->size) {
        struct block *b = block_new(ARENA_BLOCK);
        b->next = a->head;
        a->head = b;
        at = 0;
    }
    a->head->used = at + size;
    return a->head->data + at;
}

gpointer arena_alloc(struct arena *a, gsize size)
{
    return memset(alloc_raw(a, MAX(size, 1), ARENA_ALIGN), 0, MAX(size, 1));
}

char *arena_strndup(struct arena *a, const char *s, gsize n)
{
    char *copy = alloc_raw(a, n + 1, 1);
    if (n)
        memcpy(copy, s, n);
    copy[n] = '\0';
    return copy;
}

char *arena_strdup(struct arena *a, const char *s)
{
    return s ? arena_strndup(a, s, strlen(s)) : NULL;
}

gpointer arena_copy(struct arena *a, gconstpointer data, gsize n, gsize size)
{
    if (n == 0)
        return NULL;
    g_assert(n <= G_MAXSIZE / 2 / size);
    return memcpy(alloc_raw(a, n * size, ARENA_ALIGN), data, n * size);
}
