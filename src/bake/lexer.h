/* Tokens of HCL's native syntax, made while the parser goes along: it says whether newlines count,
 * and reads the insides of templates itself. Private to hcl*.c. */
#ifndef VARVE_BAKE_LEXER_H
#define VARVE_BAKE_LEXER_H

#include "bake/hcl.h"

enum token_kind {
    TOKEN_END,     /* of the text, and all that follows an error */
    TOKEN_NEWLINE, /* only while parser.lines; also the end of a "#" comment */
    TOKEN_IDENT,
    TOKEN_NUMBER,
    TOKEN_QUOTE,    /* '"': a template follows */
    TOKEN_HEREDOC,  /* "<<E" or "<<-E" with its newline: a template follows */
    TOKEN_OPERATOR, /* one to three characters, see parser_is() */
};

struct token {
    enum token_kind kind;
    const char *start; /* in the text */
    gsize len;         /* bytes */
    struct span span;  /* of it */
};

struct parser {
    struct hclfile *file;   /* whose tree and diags are filled */
    const char *base;       /* first byte of the text, which ends with a NUL */
    const char *p;          /* behind token */
    const char *end;        /* of the text */
    const char *line_start; /* first byte of the line of p */
    guint line;             /* number of that line */
    gboolean embedded;  /* the text is a string's content: all of it is at one place of the file */
    struct span at;     /* embedded: that place */
    gboolean lines;     /* newlines are tokens */
    guint depth;        /* of what is being parsed within each other */
    gboolean failed;    /* an error was reported; nothing but TOKEN_END comes any more */
    struct token token; /* the next one */
};

/* Reads the next token into p->token. */
void parser_next(struct parser *p);
/* Whether the next token is that operator. */
gboolean parser_is(const struct parser *p, const char *operator);
/* The same for an identifier. */
gboolean parser_is_word(const struct parser *p, const char *word);
/* Skips it if it is that operator. */
gboolean parser_take(struct parser *p, const char *operator);
/* Sets whether newlines count; the former setting. To be called before the parser reads on. */
gboolean parser_lines(struct parser *p, gboolean lines);
void parser_skip_newlines(struct parser *p);
/* A span of len bytes from s, which is in the line of p->p. */
struct span parser_span(const struct parser *p, const char *s, gsize len);
/* Moves p->p on to a byte behind it, and counts the lines. */
void parser_move(struct parser *p, const char *to);
/* Reports an error, unless there was one, and ends the parsing. */
void parser_fail(struct parser *p, struct span at, const char *fmt, ...) G_GNUC_PRINTF(3, 4);
/* "expected WHAT, found …" at the next token. */
void parser_expected(struct parser *p, const char *what);
/* Bytes of the identifier at s, 0 when there is none. */
gsize lexer_identifier(const char *s, const char *end);
/* One level deeper; FALSE when too deep. Each call has its parser_leave(), also after FALSE. */
gboolean parser_enter(struct parser *p);
void parser_leave(struct parser *p);
/* The token as a string in the file's heap, in the normal form C. */
const char *parser_text(struct parser *p, const struct token *t);

/* hcl.c: a file without tree, and whether its bytes are text of a fair size (else it has an error).
 */
struct hclfile *hclfile_new(const char *name, const void *bytes, gsize len);
gboolean hclfile_check(struct hclfile *f);
/* At the beginning of f, behind a byte order mark; no token is read yet. */
void parser_start(struct parser *p, struct hclfile *f);

/* hclexpr.c: an expression up to what cannot belong to it. NULL after an error. */
const struct expr *parse_expression(struct parser *p);
/* A node with room for operands (n_operands, to be filled), at a place. */
struct expr *expr_new(struct parser *p, enum expr_kind kind, struct span at);
/* Sets its operands and checks how high the tree becomes. NULL when too high, or one is NULL. */
const struct expr *expr_with(struct parser *p, struct expr *e, const struct expr *const *operands,
                             guint n);
const struct expr *expr_literal(struct parser *p, const struct value *v, struct span at);

/* hcltemplate.c: what stands between '"' and '"', behind a heredoc's first line up to its last, or
 * in the whole text. The next token is read then. */
enum template_form { TEMPLATE_QUOTED, TEMPLATE_HEREDOC, TEMPLATE_BARE };
const struct expr *parse_template(struct parser *p, enum template_form form);

#endif
